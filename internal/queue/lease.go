package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"neuralwl/internal/job"
)

// Lease is a job in the hands of a worker, which must Renew it within Options.Silence. It is
// safe for concurrent use.
type Lease struct {
	Record   // as it was taken
	Resource Resource
	Class    string // of the machine that took it, empty where nobody said
	q        *Queue
	message  jetstream.Msg
	owner    string
	epoch    int
	began    time.Time
	until    atomic.Int64 // Until, in nanoseconds since began
}

// ErrEmpty is the error of taking from a queue in which nothing waits.
var ErrEmpty = errors.New("nothing waits in the queue")

// Take takes the next job, waiting for one at most as long as given. Without one the error is
// ErrEmpty.
func (q *Queue) Take(ctx context.Context, t Taker, wait time.Duration) (*Lease, error) {
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, ErrEmpty
		}
		m, err := q.fetch(ctx, &t, left)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return nil, ErrEmpty
		}
		l, err := q.take(ctx, &t, m)
		if err != nil {
			// The message comes again after Silence.
			return nil, err
		}
		if l != nil {
			return l, nil
		}
	}
}

// Why a taker does not take a job that it was offered.
var (
	errElsewhere = errors.New("it goes on in another class of machines")
	errUnfit     = errors.New("it does not fit now")
)

// unfitTime is when a job is offered again that did not fit.
const unfitTime = time.Second

// take makes a lease of a message, or nil if the message is worth nothing, and drops it, or if its
// job is not for this taker, and leaves it to others.
func (q *Queue) take(ctx context.Context, t *Taker, m jetstream.Msg) (*Lease, error) {
	var of message
	if err := json.Unmarshal(m.Data(), &of); err != nil {
		q.o.Log.Error("queue: a damaged message is dropped", "reason", err)
		return nil, m.TermWithReason("damaged")
	}
	class := t.class(m.Subject())
	r, err := q.change(ctx, of.ID, func(r *Record) (err error) {
		if !of.of(r) {
			return job.ErrStale
		}
		if r.State == job.Queued || r.State == job.Running {
			if r.Class != "" && class != "" && r.Class != class {
				return errElsewhere
			}
			if t.Fits != nil {
				if err := t.Fits(r); err != nil {
					return fmt.Errorf("%w: %w", errUnfit, err)
				}
			}
		}
		r.Job, err = r.Apply(job.Event{Kind: job.Take, At: time.Now().UTC(), Owner: t.Owner, Submission: of.Submission})
		return err
	})
	switch {
	case errors.Is(err, errElsewhere):
		if err := q.misplaced(ctx, of); err != nil {
			return nil, err
		}
		return nil, m.DoubleAck(ctx)
	case errors.Is(err, errUnfit):
		q.o.Log.Debug("queue: a job is left to others", "run", of.ID, "reason", err)
		return nil, m.NakWithDelay(unfitTime)
	case errors.Is(err, ErrNone) || errors.Is(err, job.ErrStale) || r != nil && (r.State.Final() || r.State == job.Paused):
		return nil, m.DoubleAck(ctx)
	case err != nil:
		return nil, err
	}
	return &Lease{Record: *r, Resource: resourceOf(m.Subject()), Class: class, q: q, message: m, owner: t.Owner, epoch: r.Epoch, began: time.Now()}, nil
}

// misplaced puts a job back that was handed out to a machine of another class than it has
// begun in, since its owner there was lost, to be handed out again.
func (q *Queue) misplaced(ctx context.Context, of message) error {
	_, err := q.change(ctx, of.ID, func(r *Record) (err error) {
		if !of.of(r) || r.State != job.Queued && r.State != job.Running {
			return errUnchanged
		}
		now := time.Now().UTC()
		if r.State == job.Running {
			if r.Job, err = r.Apply(job.Event{Kind: job.Lose, At: now, Epoch: r.Epoch, Reason: "its worker " + r.Owner + " fell silent"}); err != nil || r.State.Final() {
				return err
			}
		}
		r.Job, err = r.Apply(job.Event{Kind: job.Withdraw, At: now})
		return err
	})
	return err
}

// Renew tells that the worker is alive, and returns what it is to do next. It yields a job
// that is no longer its own. Once it has been confirmed, Until rises.
func (l *Lease) Renew(ctx context.Context) (next job.Next, err error) {
	// None that takes longer is of use.
	ctx, cancel := context.WithTimeout(ctx, l.q.o.Silence/3)
	defer cancel()
	asked := time.Now()
	defer func() {
		if err != nil {
			l.q.missed.Add(1)
		} else if next != job.Yield {
			l.q.renewed.Add(1)
			l.until.Store(int64(asked.Add(l.q.o.Silence).Sub(l.began)))
		}
	}()
	// First of all the server must put off handing the job out again; if it had done so before, the
	// record says it.
	if _, err := l.q.conn.RequestWithContext(ctx, l.message.Reply(), []byte("+WPI")); err != nil {
		return "", fmt.Errorf("%s: %w", l.ID, err)
	}
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
	return r.Do(l.owner, l.epoch, w), nil
}

// Until is the time, by this process' monotonic clock, before which no other worker is given the
// job by the queue; zero before the first Renew.
func (l *Lease) Until() time.Time {
	if after := l.until.Load(); after > 0 {
		return l.began.Add(time.Duration(after))
	}
	return time.Time{}
}

// Checkpointed records the number of the newest checkpoint. The error is job.ErrFenced if the job
// is another's.
func (l *Lease) Checkpointed(ctx context.Context, number int64) error {
	_, err := l.apply(ctx, job.Event{Kind: job.Checkpointed, Checkpoint: number, Class: l.Class})
	return err
}

// Filed records the manifest of the run directory. The error is job.ErrFenced if the job is another's.
func (l *Lease) Filed(ctx context.Context, manifest string) error {
	_, err := l.q.change(ctx, l.ID, func(r *Record) error {
		if r.Do(l.owner, l.epoch, job.Run) == job.Yield {
			return job.ErrFenced
		}
		r.Files = manifest
		return nil
	})
	return err
}

// Leave ends the lease by an event: End, Divide, Fail, Stop or Abandon. Without an error it is on record.
func (l *Lease) Leave(ctx context.Context, e job.Event) error {
	if _, err := l.apply(ctx, e); err != nil {
		return err
	}
	l.settled(l.message.DoubleAck(ctx))
	return nil
}

// settled takes the answer to the queue's message, once the record has changed. If it did not arrive, the message
// comes again when the lease is over, and is dealt with by the record.
func (l *Lease) settled(err error) {
	if err != nil {
		l.q.o.Log.Info("the queue does not hear that a job was left; it hands it out in vain, or later", "run", l.ID, "reason", err)
	}
}

// Return puts the job back into the queue, for a reason. In order, it may return as often as it
// likes; else it fails when it was lost too often.
func (l *Lease) Return(ctx context.Context, reason string, inOrder bool) error {
	r, err := l.apply(ctx, job.Event{Kind: job.Lose, Reason: reason, InOrder: inOrder})
	if err != nil {
		return err
	}
	if r.State.Final() {
		l.settled(l.message.DoubleAck(ctx))
	} else {
		l.settled(l.message.Nak())
	}
	return nil
}

// Postpone is Return in order, after which nobody is offered the job for a time.
func (l *Lease) Postpone(ctx context.Context, reason string, delay time.Duration) error {
	if _, err := l.apply(ctx, job.Event{Kind: job.Lose, Reason: reason, InOrder: true}); err != nil {
		return err
	}
	return l.message.NakWithDelay(delay)
}

func (l *Lease) apply(ctx context.Context, e job.Event) (*Record, error) {
	e.At, e.Owner, e.Epoch = time.Now().UTC(), l.owner, l.epoch
	return l.q.change(ctx, l.ID, func(r *Record) (err error) {
		r.Job, err = r.Apply(e)
		return err
	})
}
