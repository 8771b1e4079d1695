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

// Record is a job with what it is to do.
type Record struct {
	job.Job
	// Spec is what the submitter gave, of a form that the queue does not know.
	Spec json.RawMessage `json:"spec"`
	// Files names the manifest of the run directory where it is in an object store, see package store.
	Files string `json:"files,omitempty"`

	revision uint64
}

// Errors of a queue.
var (
	ErrExists = errors.New("there is a run of this name already")
	ErrNone   = errors.New("there is no run of this name")
)

// Submit records a job and puts it into the queue, unless Options.Scheduled leaves that to
// Release. The same identity a second time is ErrExists, whether or not the first job has ended.
func (q *Queue) Submit(ctx context.Context, id string, spec json.RawMessage) (*Record, error) {
	return q.SubmitFor(ctx, id, "", spec)
}

// SubmitFor is Submit for machines of a class alone, for any if that is empty.
func (q *Queue) SubmitFor(ctx context.Context, id, class string, spec json.RawMessage) (*Record, error) {
	j, err := job.New(id, time.Now().UTC())
	j.Class = class
	if err != nil {
		return nil, err
	}
	if err := q.server.trouble(); err != nil {
		return nil, err
	}
	r := &Record{Job: j, Spec: spec}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", id, err)
	}
	if r.revision, err = q.runs.Create(ctx, id, data); errors.Is(err, jetstream.ErrKeyExists) {
		// A time-out may have been applied after all.
		if there, err := q.Get(ctx, id); err == nil && there.Created.Equal(j.Created) {
			r.revision = there.revision
		} else {
			return nil, fmt.Errorf("submit %s: %w", id, ErrExists)
		}
	} else if err != nil {
		return nil, fmt.Errorf("submit %s: %w", id, err)
	}
	q.tell(ctx, r)
	return q.unlessScheduled(ctx, r)
}

// unlessScheduled puts a submitted job into the work queue if nobody else decides when.
func (q *Queue) unlessScheduled(ctx context.Context, r *Record) (*Record, error) {
	if q.o.Scheduled {
		return r, nil
	}
	released, err := q.Release(ctx, r)
	if err != nil {
		return r, err // it is on record
	}
	if released != nil {
		return released, nil
	}
	return q.Get(ctx, r.ID) // somebody changed it already
}

// StateEvent is the kind of the event that tells of a change of state.
const StateEvent = "state"

// StateData is what it says.
type StateData struct {
	State      job.State    `json:"state"`
	Reason     string       `json:"reason,omitempty"`
	Submission int          `json:"submission"`
	Epoch      int          `json:"epoch"`
	Outcome    *job.Outcome `json:"outcome,omitempty"`
}

// tell emits an event about the state of a job.
func (q *Queue) tell(ctx context.Context, r *Record) {
	if err := q.Emit(ctx, r.ID, StateEvent, StateData{r.State, r.Reason, r.Submission, r.Epoch, r.Outcome}); err != nil {
		q.o.Log.Warn("queue: a change of state is not among the events", "run", r.ID, "state", r.State, "reason", err)
	}
}

// Again submits a job once more that was paused or has ended, with another spec unless that is
// nil.
func (q *Queue) Again(ctx context.Context, id string, spec json.RawMessage) (*Record, error) {
	if err := q.Want(ctx, id, job.Run); err != nil {
		return nil, err
	}
	r, err := q.change(ctx, id, func(r *Record) (err error) {
		if spec != nil {
			r.Spec = spec
		}
		r.Job, err = r.Apply(job.Event{Kind: job.Submit, At: time.Now().UTC()})
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.unlessScheduled(ctx, r)
}

// AnyMachine lets a job go on in whatever class of machines takes it next.
func (q *Queue) AnyMachine(ctx context.Context, id string) error {
	_, err := q.change(ctx, id, func(r *Record) (err error) {
		switch r.State {
		case job.Running:
			return fmt.Errorf("%s: another class of machines is %w while it is running; pause it first", id, job.ErrImpossible)
		case job.Queued: // for that class
			r.Job, err = r.Apply(job.Event{Kind: job.Withdraw, At: time.Now().UTC()})
		}
		r.Class = ""
		return err
	})
	return err
}

// Edit replaces the spec of a job, in whatever state it is, by what f makes of it. A worker
// that has the job goes on with the spec that it took.
func (q *Queue) Edit(ctx context.Context, id string, f func(spec json.RawMessage) (json.RawMessage, error)) (*Record, error) {
	return q.change(ctx, id, func(r *Record) (err error) {
		r.Spec, err = f(r.Spec)
		return err
	})
}

// message is what the work queue holds.
type message struct {
	ID         string `json:"id"`
	Submission int    `json:"submission"`
	// Created tells the job from an earlier one of its name that was deleted, in nanoseconds since 1970.
	Created int64 `json:"created"`
}

// message hands the job out, as it is on record.
func (r *Record) message() message { return message{r.ID, r.Submission, r.Created.UnixNano()} }

// of reports whether the message is of the job and its present submission.
func (m message) of(r *Record) bool { return m == r.message() }

// Get returns the record of a job.
func (q *Queue) Get(ctx context.Context, id string) (*Record, error) {
	if err := job.CheckID(id); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	entry, err := q.runs.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return nil, fmt.Errorf("%s: %w", id, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return decode(entry)
}

func decode(entry jetstream.KeyValueEntry) (*Record, error) {
	r := &Record{revision: entry.Revision()}
	if err := json.Unmarshal(entry.Value(), r); err != nil {
		return nil, fmt.Errorf("record of %s is damaged: %w", entry.Key(), err)
	}
	return r, nil
}

// List returns all records, in no order.
func (q *Queue) List(ctx context.Context) ([]*Record, error) {
	keys, err := q.runs.Keys(ctx)
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list of runs: %w", err)
	}
	var records []*Record
	for _, id := range keys {
		r, err := q.Get(ctx, id)
		switch {
		case errors.Is(err, ErrNone): // deleted meanwhile
		case err != nil:
			return nil, err
		default:
			records = append(records, r)
		}
	}
	return records, nil
}

// Watch hands over all records as they are and then every change of one, until ctx ends. A nil
// record says that the run is no more.
func (q *Queue) Watch(ctx context.Context, f func(id string, r *Record)) error {
	return watch(ctx, q.runs, func(entry jetstream.KeyValueEntry) {
		if entry.Operation() != jetstream.KeyValuePut {
			f(entry.Key(), nil)
			return
		}
		r, err := decode(entry)
		if err != nil {
			q.o.Log.Error("queue: a record is left out", "reason", err)
			return
		}
		f(r.ID, r)
	})
}

// WatchWanted does the same for what users want.
func (q *Queue) WatchWanted(ctx context.Context, f func(id string, w job.Wish)) error {
	return watch(ctx, q.wanted, func(entry jetstream.KeyValueEntry) {
		if entry.Operation() == jetstream.KeyValuePut {
			f(entry.Key(), job.Wish(entry.Value()))
		}
	})
}

func watch(ctx context.Context, bucket jetstream.KeyValue, f func(jetstream.KeyValueEntry)) error {
	w, err := bucket.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch %s: %w", bucket.Bucket(), err)
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case entry, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("watch %s: the queue ended it", bucket.Bucket())
			}
			if entry != nil { // nil marks the end of what there was
				f(entry)
			}
		}
	}
}

// Newer reports whether a record was written after another one of the same run, nil being
// older than all.
func (r *Record) Newer(than *Record) bool { return than == nil || r.revision > than.revision }

// Revision of the record in the bucket, which rises with every change of any record.
func (r *Record) Revision() uint64 { return r.revision }

// Delete forgets a job that is not running. Its message in the work queue, if any, is dropped
// when it arrives.
func (q *Queue) Delete(ctx context.Context, id string) error {
	for {
		r, err := q.Get(ctx, id)
		if err != nil {
			return err
		}
		if r.State == job.Running {
			return fmt.Errorf("delete %s: %w while it is running; pause or cancel it first", id, job.ErrImpossible)
		}
		err = q.runs.Delete(ctx, id, jetstream.LastRevision(r.revision))
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue // it changed in between
		}
		if err != nil {
			return fmt.Errorf("delete %s: %w", id, err)
		}
		return q.wanted.Delete(ctx, id)
	}
}

// errUnchanged ends a change that is not needed.
var errUnchanged = errors.New("unchanged")

// change replaces a record by what f makes of it, as often as it takes until nobody else has
// changed it in between.
func (q *Queue) change(ctx context.Context, id string, f func(*Record) error) (*Record, error) {
	for {
		r, err := q.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		before := *r
		if err := f(r); errors.Is(err, errUnchanged) {
			return &before, nil
		} else if err != nil {
			return &before, err
		}
		if err := q.put(ctx, r); err == nil {
			if r.State != before.State {
				q.tell(ctx, r)
			}
			return r, nil
		} else if !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
	}
}

// put replaces a record if its revision is still that in the bucket.
func (q *Queue) put(ctx context.Context, r *Record) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = q.server.trouble()
	}
	if err != nil {
		return err
	}
	revision, err := q.runs.Update(ctx, r.ID, data, r.revision)
	if err == nil {
		r.revision = revision
	}
	return err
}

// Want records what the user wants of a job. A job that no worker has follows at once.
func (q *Queue) Want(ctx context.Context, id string, w job.Wish) error {
	if err := q.server.trouble(); err != nil {
		return err
	}
	r, err := q.Get(ctx, id)
	if err != nil {
		return err
	}
	if r.State.Final() && w != job.Run {
		return fmt.Errorf("%s %s: %w, it has ended: %s", w, id, job.ErrImpossible, r.State)
	}
	if _, err := q.wanted.Put(ctx, id, []byte(w)); err != nil {
		return fmt.Errorf("%s %s: %w", w, id, err)
	}
	kind := follows(w)
	if kind == "" {
		return nil
	}
	_, err = q.change(ctx, id, func(r *Record) (err error) {
		if r.State == job.Running || r.State.Final() || r.State == job.Paused && w == job.Pause {
			return errUnchanged // its worker sees to it
		}
		r.Job, err = r.Apply(job.Event{Kind: kind, At: time.Now().UTC(), Reason: wished})
		return err
	})
	return err
}

// Wished reports whether the user has ever wished anything of a job.
func (q *Queue) Wished(ctx context.Context, id string) (bool, error) {
	_, err := q.wanted.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wishes for %s: %w", id, err)
	}
	return true, nil
}

// Wanted is what the user wants of a job, to run unless said otherwise.
func (q *Queue) Wanted(ctx context.Context, id string) (job.Wish, error) {
	entry, err := q.wanted.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return job.Run, nil
	}
	if err != nil {
		return "", fmt.Errorf("wishes for %s: %w", id, err)
	}
	return job.Wish(entry.Value()), nil
}
