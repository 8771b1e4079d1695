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

// Recover puts right what the death of the process before left behind in a queue that is within
// this process: jobs that it was running have no owner any more, what users wished of them holds,
// and all that wait are in the work queue. Jobs of workers elsewhere go on. It is called before
// any worker begins.
func (q *Queue) Recover(ctx context.Context) error {
	records, err := q.List(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, r := range records {
		if r.State != job.Running || Remote(r.Owner) {
			continue
		}
		faults = append(faults, q.orphaned(ctx, r.ID))
	}
	_, err = q.Reconcile(ctx, 0)
	return errors.Join(append(faults, err)...)
}

// orphaned changes the record of a running job whose owner is gone. Its message, which would
// come again only after Silence, becomes worthless.
func (q *Queue) orphaned(ctx context.Context, id string) error {
	w, err := q.Wanted(ctx, id)
	if err != nil {
		return err
	}
	_, err = q.change(ctx, id, func(r *Record) (err error) {
		e := job.Event{Kind: job.Lose, At: time.Now().UTC(), Epoch: r.Epoch, Reason: "the daemon ended before it did"}
		if r.Job, err = r.Apply(e); err != nil || r.State.Final() {
			return err
		}
		if kind := follows(w); kind != "" {
			r.Job, err = r.Apply(job.Event{Kind: kind, At: e.At, Reason: wished})
			return err
		}
		r.State = job.Submitted
		r.Submission++
		return nil
	})
	return err
}

// Adopt records a job as it was when its record was lost, with what it is to do, the manifest of its files in
// an object store, empty for none, and what the user wants of it. A job
// that was to run is submitted anew; one that was running has lost its owner.
func (q *Queue) Adopt(ctx context.Context, j job.Job, spec json.RawMessage, files string, w job.Wish) (*Record, error) {
	if err := job.CheckID(j.ID); err != nil {
		return nil, err
	}
	switch kind := follows(w); {
	case j.State.Final() || j.State == job.Paused && w != job.Run:
	case kind != "":
		j.State, j.Owner = job.Queued, ""
		var err error
		if j, err = j.Apply(job.Event{Kind: kind, At: time.Now().UTC(), Reason: wished}); err != nil {
			return nil, err
		}
	default:
		// Messages that are left of it become worthless.
		j.State, j.Owner, j.Submission = job.Submitted, "", j.Submission+1
	}
	r := &Record{Job: j, Spec: spec, Files: files}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("adopt %s: %w", j.ID, err)
	}
	if w != "" && w != job.Run {
		if _, err := q.wanted.Put(ctx, j.ID, []byte(w)); err != nil {
			return nil, fmt.Errorf("adopt %s: %w", j.ID, err)
		}
	}
	if r.revision, err = q.runs.Create(ctx, j.ID, data); errors.Is(err, jetstream.ErrKeyExists) {
		return nil, fmt.Errorf("adopt %s: %w", j.ID, ErrExists)
	} else if err != nil {
		return nil, fmt.Errorf("adopt %s: %w", j.ID, err)
	}
	q.tell(ctx, r)
	if r.State != job.Submitted {
		return r, nil
	}
	return q.unlessScheduled(ctx, r)
}

// wished is the reason of a job that does as the user wished.
const wished = "the user wished it"

// follows is what happens to a job without a worker by a wish, empty for nothing.
func follows(w job.Wish) job.Kind {
	return map[job.Wish]job.Kind{job.Pause: job.Stop, job.Cancel: job.Abandon}[w]
}

// Forgotten lists the runs that were deleted.
func (q *Queue) Forgotten(ctx context.Context) (map[string]bool, error) {
	w, err := q.runs.WatchAll(ctx, jetstream.MetaOnly())
	if err != nil {
		return nil, fmt.Errorf("list of runs: %w", err)
	}
	defer w.Stop()
	gone := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case entry := <-w.Updates():
			if entry == nil { // the end of what there was
				return gone, nil
			}
			if entry.Operation() != jetstream.KeyValuePut {
				gone[entry.Key()] = true
			}
		}
	}
}

// waiting are the messages in the work queue.
func (q *Queue) waiting(ctx context.Context) (map[message]bool, error) {
	stream, err := q.js.Stream(ctx, jobsStream)
	if err != nil {
		return nil, fmt.Errorf("work queue: %w", err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("work queue: %w", err)
	}
	all := map[message]bool{}
	for sequence := info.State.FirstSeq; info.State.Msgs > 0 && sequence <= info.State.LastSeq; sequence++ {
		raw, err := stream.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(jobsSubject+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("work queue: %w", err)
		}
		var m message
		if json.Unmarshal(raw.Data, &m) == nil {
			all[m] = true
		}
		sequence = raw.Sequence
	}
	return all, nil
}
