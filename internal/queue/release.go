package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"neuralwl/internal/job"
)

// Release puts a submitted job into the work queue, as its turn has come, unless somebody has
// changed the record since: then it returns nil. The record changes first, so that there is one
// message at most of each submission. If the daemon dies in between, Reconcile finds it.
func (q *Queue) Release(ctx context.Context, r *Record) (*Record, error) {
	q.releasing.Lock()
	defer q.releasing.Unlock()
	return q.release(ctx, r)
}

func (q *Queue) release(ctx context.Context, r *Record) (*Record, error) {
	released, err := q.unlessChanged(ctx, r, job.Event{Kind: job.Publish})
	if err != nil || released == nil {
		return nil, err
	}
	text, err := json.Marshal(released.message())
	if err == nil {
		subject := jobsSubject + string(q.o.Resource(released.Spec)) + "." + classKey(released.Class)
		_, err = q.js.Publish(ctx, subject, text, jetstream.WithMsgID(fmt.Sprintf("%s.%d.%d", r.ID, released.Created.UnixNano(), released.Submission)))
	}
	if err != nil {
		// The message may be there all the same, but counts no more.
		_, again := q.unlessChanged(ctx, released, job.Event{Kind: job.Withdraw})
		return nil, errors.Join(fmt.Errorf("queue %s: %w", r.ID, err), again)
	}
	return released, nil
}

// Withdraw takes a job back that no worker has taken yet, unless somebody has changed the record
// since: then it returns nil. Its message is dropped when it arrives.
func (q *Queue) Withdraw(ctx context.Context, r *Record) (*Record, error) {
	return q.unlessChanged(ctx, r, job.Event{Kind: job.Withdraw})
}

// Refuse ends a submitted job that cannot begin, for a reason, unless somebody has changed the
// record since: then it returns nil.
func (q *Queue) Refuse(ctx context.Context, r *Record, reason string) (*Record, error) {
	return q.unlessChanged(ctx, r, job.Event{Kind: job.Refuse, Reason: reason})
}

// unlessChanged applies an event to a record as it is known, and returns nil if the queue has
// another one by now.
func (q *Queue) unlessChanged(ctx context.Context, r *Record, e job.Event) (*Record, error) {
	e.At = time.Now().UTC()
	applied := false
	changed, err := q.change(ctx, r.ID, func(now *Record) (err error) {
		if applied = now.revision == r.revision; !applied {
			return errUnchanged
		}
		now.Job, err = now.Apply(e)
		return err
	})
	if err != nil || !applied {
		if errors.Is(err, ErrNone) {
			err = nil
		}
		return nil, err
	}
	return changed, nil
}
