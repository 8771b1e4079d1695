// Package queue keeps jobs in NATS JetStream, within this process or on a cluster: what there is
// to do, who does it, what became of it, and what users want. It is the only package that
// imports NATS.
//
// A job is a record in the bucket nwl_runs, which only compare-and-set changes, by the rules of
// package job. A message in the work queue NWL_JOBS hands it out; it comes again if its worker
// falls silent for AckWait. The message means nothing by itself: one that arrives twice, late or
// never is put right by the record. What users want is in the bucket nwl_wanted, so that
// they and workers never overwrite each other. The stream NWL_EVENTS holds what happened, with
// sequence numbers from which readers go on.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names in NATS.
const (
	jobsStream   = "NWL_JOBS"
	eventsStream = "NWL_EVENTS"
	runsBucket   = "nwl_runs"
	wantedBucket = "nwl_wanted"
	jobsSubject  = "nwl.jobs."   // + resource + . + class or anyClass
	eventSubject = "nwl.events." // + id + . + kind

	headBucket    = "nwl_head"    // what workers must know of the queue
	workersBucket = "nwl_workers" // what workers say of themselves
	toldBucket    = "nwl_told"    // what workers are told
)

// Protocol is raised whenever a worker of one version could no longer serve a head of another:
// when messages, records, subjects or the files of a run change. Head and workers serve each other
// if they have the same one, whatever their versions; else the worker refuses itself, and the head
// counts no worker that says another one. The head's record and the announcements keep their
// form through all protocols.
const Protocol = 3

// eventsPerKind is how many events of a kind are kept of a run, so that its passes do not drive
// out what is rare.
const eventsPerKind = 4096

// Options of a queue.
type Options struct {
	// URL of a NATS server; empty for one within this process, which keeps its state in Folder, and
	// is reached from elsewhere if Listen says so.
	URL    string
	Folder string
	Listen *Listen
	// Access is the key for URL, nil if the server asks for none.
	Access *Invitation
	// Member joins a queue that a head has made, with the permissions of a worker.
	Member bool
	// Resource is what the job of a specification needs, GPU or CPU, by default CPU.
	Resource func(spec json.RawMessage) Resource
	Version  string // of this program, for people
	// Silence is how long a worker may be silent until its job is handed out again, by
	// default 30 s. All that use a queue must agree about it.
	Silence time.Duration
	// EventAge and EventBytes bound what is kept of events, by default 30 days and 1 GiB.
	EventAge   time.Duration
	EventBytes int64
	// Scheduled leaves it to Release when submitted jobs go into the work queue.
	Scheduled bool
	Log       *slog.Logger
}

func (o *Options) ensureDefaults() {
	if o.Silence == 0 {
		o.Silence = 30 * time.Second
	}
	if o.EventAge == 0 {
		o.EventAge = 30 * 24 * time.Hour
	}
	if o.EventBytes == 0 {
		o.EventBytes = 1 << 30
	}
	if o.Resource == nil {
		o.Resource = func(json.RawMessage) Resource { return CPU }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// Queue is a connection to a queue. It is safe for concurrent use.
type Queue struct {
	o        Options
	server   *embedded // nil for another process' server
	identity string    // of its folder
	conn     *nats.Conn
	gone     chan struct{} // closed once the connection will not be made again
	js       jetstream.JetStream
	runs     jetstream.KeyValue
	wanted   jetstream.KeyValue
	heads    jetstream.KeyValue
	workers  jetstream.KeyValue
	told     jetstream.KeyValue
	known    sync.Map // consumers by name

	renewed, missed atomic.Int64 // leases

	// releasing is held between a record that says "queued" and its message.
	releasing sync.Mutex
}

// Open connects to a queue and makes it where it does not exist, unless it is a member's.
func Open(ctx context.Context, o Options) (_ *Queue, err error) {
	o.ensureDefaults()
	q := &Queue{o: o, gone: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.Close())
		}
	}()
	if o.URL == "" {
		if err := os.MkdirAll(o.Folder, 0o700); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		if q.server, q.identity, err = startEmbedded(o.Folder, o.Listen, o.Log); err != nil {
			return nil, err
		}
	}
	if err := q.connect(); err != nil {
		return nil, err
	}
	if q.js, err = jetstream.New(q.conn); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if o.Member {
		return q, q.join(ctx)
	}
	if err := q.make(ctx); err != nil {
		if q.server != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil, fmt.Errorf("queue: %w", err)
	}
	return q, nil
}

// connect makes the connection.
func (q *Queue) connect() (err error) {
	options := []nats.Option{
		nats.Name("nwl"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), // rather an error than a late write
		nats.ReconnectWait(200 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, time.Second),
		// A connection whose packets are dropped is not to be trusted for long.
		nats.PingInterval(q.o.Silence / 3), nats.MaxPingsOutstanding(2), nats.Timeout(connectTime),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				q.o.Log.Warn("queue: the connection is lost and will be made again", "reason", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			q.o.Log.Warn("queue: the server refuses something", "reason", err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(q.gone) }),
	}
	var more []nats.Option
	switch {
	case q.server != nil:
		more, err = q.server.connect()
	case q.o.Access != nil:
		more, err = q.o.Access.options(q.o.URL)
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.o.URL, err)
	}
	// A server that refuses a key may be gone before its reason is read.
	for attempt := 0; attempt == 0 || attempt < 3 && errors.Is(err, nats.ErrTLS); attempt++ {
		q.conn, err = nats.Connect(q.o.URL, append(options, more...)...)
	}
	if errors.Is(err, nats.ErrAuthorization) {
		err = fmt.Errorf("%w: its key is wrong or was revoked; ask for another one by nwl worker invite", err)
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.o.URL, err)
	}
	return nil
}

// connectTime bounds an attempt to connect.
const connectTime = 5 * time.Second

// Gone is closed once the connection has ended for good: after Close, or since the server refuses
// the key by now.
func (q *Queue) Gone() <-chan struct{} { return q.gone }

// Refused is why the connection has ended for good, nil if nobody knows.
func (q *Queue) Refused() error { return q.conn.LastError() }

// Identity tells one folder of an embedded queue from any other; it is empty for the server of
// another process.
func (q *Queue) Identity() string { return q.identity }

// Address is where an embedded queue takes workers, empty if nowhere.
func (q *Queue) Address() string {
	if q.server == nil || q.server.listen == nil {
		return ""
	}
	return q.server.listen.address
}

// make makes streams, buckets and consumers, or adapts them.
func (q *Queue) make(ctx context.Context) error {
	n := q.replicas()
	_, err := q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: jobsStream, Subjects: []string{jobsSubject + ">"}, Retention: jetstream.WorkQueuePolicy,
		Duplicates: 10 * time.Minute, Replicas: n,
	})
	if err != nil {
		return err
	}
	if err := q.makeConsumers(ctx); err != nil {
		return err
	}
	_, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: eventsStream, Subjects: []string{eventSubject + ">"}, MaxAge: q.o.EventAge, MaxBytes: q.o.EventBytes, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: eventsPerKind, AllowRollup: true, Replicas: n,
	})
	if err != nil {
		return err
	}
	for _, b := range q.buckets() {
		if *b.bucket, err = q.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: b.name, History: 1, TTL: b.age, Replicas: n}); err != nil {
			return err
		}
	}
	return q.lead(ctx)
}

// bucket is a bucket of the queue, whose values are kept for so long, 0 for ever.
type bucket struct {
	name   string
	bucket *jetstream.KeyValue
	age    time.Duration
}

func (q *Queue) buckets() []bucket {
	return []bucket{
		{runsBucket, &q.runs, 0}, {wantedBucket, &q.wanted, 0}, {headBucket, &q.heads, 0}, {toldBucket, &q.told, 0},
		{workersBucket, &q.workers, 3 * q.o.Silence},
	}
}

// replicas is in how many servers of a cluster everything is kept: with three, one may be lost.
func (q *Queue) replicas() int {
	const most = 3
	if q.conn.ConnectedClusterName() == "" || len(q.conn.Servers()) < most {
		return 1
	}
	return most
}

// Close ends the connection and, if it is within this process, the server.
func (q *Queue) Close() error {
	if q.conn != nil {
		q.conn.Close()
	}
	return q.server.close()
}

// Ping returns an error unless the queue answers and can write.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.server.trouble(); err != nil {
		return err
	}
	_, err := q.js.Consumer(ctx, jobsStream, consumerOf(CPU, ""))
	return err
}
