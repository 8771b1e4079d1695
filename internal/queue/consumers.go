package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Resource is what a job needs of a machine.
type Resource string

// The resources.
const (
	CPU Resource = "cpu"
	GPU Resource = "gpu"
)

// Resources lists them, the scarce one first.
var Resources = []Resource{GPU, CPU}

// anyClass is in place of a class for jobs that may begin on any machine.
const anyClass = "any"

// classKey is a class as a part of subjects and names.
func classKey(class string) string {
	if class == "" {
		return anyClass
	}
	sum := sha256.Sum256([]byte(class))
	return hex.EncodeToString(sum[:6])
}

// consumerOf names the consumer of jobs that need a resource and have begun in a class of
// machines, or have not begun. Those of other protocols have other names, so that their workers
// find none.
func consumerOf(r Resource, class string) string {
	return fmt.Sprintf("%s-%s-%d", r, classKey(class), Protocol)
}

// makeConsumers makes the consumers of jobs that may begin anywhere, and removes those of other
// protocols. Those of classes are made as workers of them come.
func (q *Queue) makeConsumers(ctx context.Context) error {
	stream, err := q.js.Stream(ctx, jobsStream)
	if err != nil {
		return err
	}
	names := stream.ConsumerNames(ctx)
	for name := range names.Name() {
		if !strings.HasSuffix(name, fmt.Sprintf("-%d", Protocol)) {
			if err := stream.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return err
			}
		}
	}
	if err := names.Err(); err != nil {
		return err
	}
	// Messages of versions without classes, which no consumer would take.
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(jobsSubject+"*")); err != nil {
		return err
	}
	for _, r := range Resources {
		if err := q.MakeConsumer(ctx, r, ""); err != nil {
			return err
		}
	}
	return nil
}

// MakeConsumer lets jobs be taken that need a resource and have begun in a class of machines.
func (q *Queue) MakeConsumer(ctx context.Context, r Resource, class string) error {
	// No BackOff: it would overwrite AckWait.
	_, err := q.js.CreateOrUpdateConsumer(ctx, jobsStream, jetstream.ConsumerConfig{
		Durable: consumerOf(r, class), FilterSubject: jobsSubject + string(r) + "." + classKey(class),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.o.Silence, MaxDeliver: -1, MaxAckPending: -1,
	})
	return err
}

// Taker is who takes jobs.
type Taker struct {
	Owner string
	// Classes of the taker's machine, by what it offers; nil for CPU of no class.
	Classes map[Resource]string
	// Busy are the resources of which it has no more.
	Busy []Resource
	// Fits says of a job whether the taker can have it now, or else why not; nil for any.
	Fits func(*Record) error
}

// class is the class in which a taker performs the job of a message.
func (t *Taker) class(subject string) string {
	return t.Classes[resourceOf(subject)]
}

// resourceOf is what the job of a message needs.
func resourceOf(subject string) Resource {
	r, _, _ := strings.Cut(strings.TrimPrefix(subject, jobsSubject), ".")
	return Resource(r)
}

// sources are the consumers from which a taker takes, in order. Jobs of its class go first, as
// others cannot take them.
func (t *Taker) sources() []string {
	classes := t.Classes
	if classes == nil {
		classes = map[Resource]string{CPU: ""}
	}
	var names []string
	for _, r := range Resources {
		class, offered := classes[r]
		if !offered || slices.Contains(t.Busy, r) {
			continue
		}
		if class != "" {
			names = append(names, consumerOf(r, class))
		}
		names = append(names, consumerOf(r, ""))
	}
	return names
}

// fetch returns the next message for a taker, nil if none comes in time: it looks at each source, and
// waits at the last. One at a time: what a client holds in advance, others cannot take.
func (q *Queue) fetch(ctx context.Context, t *Taker, wait time.Duration) (jetstream.Msg, error) {
	sources := t.sources()
	for i, name := range sources {
		consumer, err := q.consumer(ctx, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) && i < len(sources)-1 {
			continue // the head makes it when it has heard of the taker
		}
		if err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		var batch jetstream.MessageBatch
		if i < len(sources)-1 {
			batch, err = consumer.FetchNoWait(1)
		} else {
			batch, err = consumer.Fetch(1, jetstream.FetchMaxWait(wait))
		}
		if err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		for m := range batch.Messages() {
			return m, nil
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			q.known.Delete(name) // it may be no more
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	return nil, nil
}

// consumer returns a consumer, for which the server is asked once.
func (q *Queue) consumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	if c, ok := q.known.Load(name); ok {
		return c.(jetstream.Consumer), nil
	}
	c, err := q.js.Consumer(ctx, jobsStream, name)
	if err == nil {
		q.known.Store(name, c)
	}
	return c, err
}
