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
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
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
	jobsSubject  = "nwl.jobs."   // + resource
	eventSubject = "nwl.events." // + id + . + kind
	consumerName = "workers"
)

// eventsPerKind is how many events of a kind are kept of a run, so that its passes do not drive
// out what is rare.
const eventsPerKind = 4096

// Options of a queue.
type Options struct {
	// URL of a NATS server; empty for one within this process, which keeps its state in Folder.
	URL    string
	Folder string
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
	js       jetstream.JetStream
	runs     jetstream.KeyValue
	wanted   jetstream.KeyValue
	consumer jetstream.Consumer

	// releasing is held between a record that says "queued" and its message.
	releasing sync.Mutex
}

// Open connects to a queue and makes it where it does not exist.
func Open(ctx context.Context, o Options) (_ *Queue, err error) {
	o.ensureDefaults()
	q := &Queue{o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.Close())
		}
	}()
	options := []nats.Option{
		nats.Name("nwl"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), // rather an error than a late write
		nats.ReconnectWait(200 * time.Millisecond),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("queue: the connection is lost and will be made again", "reason", err)
			}
		}),
	}
	url := o.URL
	if url == "" {
		if err := os.MkdirAll(o.Folder, 0o700); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		if q.server, q.identity, err = startEmbedded(o.Folder, o.Log); err != nil {
			return nil, err
		}
		var inside nats.Option
		inside, url = q.server.connect()
		options = append(options, inside)
	}
	if q.conn, err = nats.Connect(url, options...); err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.URL, err)
	}
	if q.js, err = jetstream.New(q.conn); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if err := q.make(ctx); err != nil {
		if q.server != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil, fmt.Errorf("queue: %w", err)
	}
	return q, nil
}

// Identity tells one folder of an embedded queue from any other; it is empty for the server of
// another process.
func (q *Queue) Identity() string { return q.identity }

// make makes streams, buckets and the consumer, or adapts them.
func (q *Queue) make(ctx context.Context) error {
	_, err := q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: jobsStream, Subjects: []string{jobsSubject + ">"}, Retention: jetstream.WorkQueuePolicy,
		Duplicates: 10 * time.Minute,
	})
	if err != nil {
		return err
	}
	// No BackOff: it would overwrite AckWait.
	q.consumer, err = q.js.CreateOrUpdateConsumer(ctx, jobsStream, jetstream.ConsumerConfig{
		Durable: consumerName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.o.Silence, MaxDeliver: -1, MaxAckPending: -1,
	})
	if err != nil {
		return err
	}
	_, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: eventsStream, Subjects: []string{eventSubject + ">"}, MaxAge: q.o.EventAge, MaxBytes: q.o.EventBytes, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: eventsPerKind, AllowRollup: true,
	})
	if err != nil {
		return err
	}
	if q.runs, err = q.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: runsBucket, History: 1}); err != nil {
		return err
	}
	q.wanted, err = q.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: wantedBucket, History: 1})
	return err
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
	_, err := q.consumer.Info(ctx)
	return err
}
