package queue

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Own is what the worker within the daemon is called.
const Own = "head"

// inboxOf is the prefix of the subjects on which a worker gets answers, which others cannot read.
func inboxOf(name string) string { return "_INBOX_" + name }

// Permissions are the subjects that a worker may use, by the names of NATS's configuration.
type Permissions struct {
	Publish, Subscribe []string
}

// WorkerPermissions are the least with which a worker of a name can do its work: it takes jobs and
// acknowledges them, reads and changes records of runs, emits events, answers requests about its
// runs, and announces itself under its own name. (A name of a run may have dots.) It can neither hand out jobs, nor write what users
// wish or other workers say, nor read events or others' answers, nor make or delete streams. Which runs a worker has
// changes by the minute, so that its permissions include all records and events: with its key one can create, change
// and erase any, and so also submit and end runs.
func WorkerPermissions(name string) Permissions {
	p := Permissions{
		Publish: []string{
			"$JS.API.CONSUMER.INFO." + jobsStream + ".*", "$JS.API.CONSUMER.MSG.NEXT." + jobsStream + ".*", "$JS.ACK." + jobsStream + ".>",
			"$KV." + runsBucket + ".>", "$KV." + workersBucket + "." + name + ".*",
			eventSubject + ">", "nwl.exchange.>",
		},
		Subscribe: []string{inboxOf(name) + ".>", controlSubject + "*", "nwl.exchange.>"},
	}
	for _, bucket := range []string{runsBucket, wantedBucket, headBucket, toldBucket, workersBucket} {
		p.Publish = append(p.Publish, "$JS.API.STREAM.INFO.KV_"+bucket)
		if bucket != workersBucket {
			p.Publish = append(p.Publish, "$JS.API.DIRECT.GET.KV_"+bucket+".>")
		}
	}
	return p
}

// answerTime is how long a worker may take to answer a request: an exchange of a network is one.
const answerTime = time.Hour

// user is a worker for the embedded server.
func (p Permissions) user(key string) *server.NkeyUser {
	return &server.NkeyUser{Nkey: key, Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: p.Publish}, Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
		Response: &server.ResponsePermission{MaxMsgs: 1, Expires: answerTime},
	}}
}
