package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"neuralwl/internal/job"
)

// Lease is a job in the hands of a worker, which must Renew it within Options.Silence. It is
// safe for concurrent use.
type Lease struct {
	Record  // as it was taken
	q       *Queue
	message jetstream.Msg
	owner   string
	epoch   int
}

// ErrEmpty is the error of taking from a queue in which nothing waits.
var ErrEmpty = errors.New("nothing waits in the queue")

// Take takes the next job, waiting for one at most as long as given. Without one the error is
// ErrEmpty.
func (q *Queue) Take(ctx context.Context, owner string, wait time.Duration) (*Lease, error) {
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, ErrEmpty
		}
		m, err := q.fetch(left)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return nil, ErrEmpty
		}
		l, err := q.take(ctx, owner, m)
		if err != nil {
			// The message comes again after Silence.
			return nil, err
		}
		if l != nil {
			return l, nil
		}
	}
}

// fetch returns the next message, nil if none comes in time. One at a time: what a client holds
// in advance, others cannot take.
func (q *Queue) fetch(wait time.Duration) (jetstream.Msg, error) {
	batch, err := q.consumer.Fetch(1, jetstream.FetchMaxWait(wait))
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	for m := range batch.Messages() {
		return m, nil
	}
	if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return nil, nil
}

// take makes a lease of a message, or nil if the message is worth nothing, and drops it.
func (q *Queue) take(ctx context.Context, owner string, m jetstream.Msg) (*Lease, error) {
	var of message
	if err := json.Unmarshal(m.Data(), &of); err != nil {
		q.o.Log.Error("queue: a damaged message is dropped", "reason", err)
		return nil, m.TermWithReason("damaged")
	}
	r, err := q.change(ctx, of.ID, func(r *Record) (err error) {
		r.Job, err = r.Apply(job.Event{Kind: job.Take, At: time.Now().UTC(), Owner: owner, Submission: of.Submission})
		return err
	})
	switch {
	case errors.Is(err, ErrNone) || errors.Is(err, job.ErrStale) || r != nil && (r.State.Final() || r.State == job.Paused):
		return nil, m.DoubleAck(ctx)
	case err != nil:
		return nil, err
	}
	return &Lease{*r, q, m, owner, r.Epoch}, nil
}

// Renew tells that the worker is alive, and returns what it is to do next. It yields a job
// that is no longer its own.
func (l *Lease) Renew(ctx context.Context) (job.Next, error) {
	r, err := l.q.Get(ctx, l.ID)
	if errors.Is(err, ErrNone) {
		return job.Yield, nil
	} else if err != nil {
		return "", err
	}
	w, err := l.q.Wanted(ctx, l.ID)
	if err != nil {
		return "", err
	}
	next := r.Do(l.owner, l.epoch, w)
	if next != job.Yield {
		if err := l.message.InProgress(); err != nil {
			return next, fmt.Errorf("%s: %w", l.ID, err)
		}
	}
	return next, nil
}

// Checkpointed records the number of the newest checkpoint. The error is job.ErrFenced if the job
// is another's.
func (l *Lease) Checkpointed(ctx context.Context, number int64) error {
	_, err := l.apply(ctx, job.Event{Kind: job.Checkpointed, Checkpoint: number})
	return err
}

// Leave ends the lease by an event: End, Fail, Stop or Abandon.
func (l *Lease) Leave(ctx context.Context, e job.Event) error {
	if _, err := l.apply(ctx, e); err != nil {
		return err
	}
	return l.message.DoubleAck(ctx)
}

// Return puts the job back into the queue, for a reason. In order, it may return as often as it
// likes; else it fails when it was lost too often.
func (l *Lease) Return(ctx context.Context, reason string, inOrder bool) error {
	r, err := l.apply(ctx, job.Event{Kind: job.Lose, Reason: reason, InOrder: inOrder})
	if err != nil {
		return err
	}
	if r.State.Final() {
		return l.message.DoubleAck(ctx)
	}
	return l.message.Nak()
}

func (l *Lease) apply(ctx context.Context, e job.Event) (*Record, error) {
	e.At, e.Owner, e.Epoch = time.Now().UTC(), l.owner, l.epoch
	return l.q.change(ctx, l.ID, func(r *Record) (err error) {
		r.Job, err = r.Apply(e)
		return err
	})
}
