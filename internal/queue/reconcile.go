package queue

import (
	"context"
	"errors"
	"time"

	"neuralwl/internal/job"
)

// Reconcile puts jobs into the work queue that are on record as waiting but have no message
// there: those whose submitter died in between, and all of them where the work queue was lost. It
// returns how many; with Options.Scheduled they are submitted again and wait for Release.
func (q *Queue) Reconcile(ctx context.Context, older time.Duration) (n int, err error) {
	q.releasing.Lock()
	defer q.releasing.Unlock()
	records, err := q.List(ctx)
	if err != nil {
		return 0, err
	}
	// After the records: a job that is submitted in between is not among them.
	waiting, err := q.waiting(ctx)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, r := range records {
		lost := (r.State == job.Queued || r.State == job.Running) && !waiting[r.message()]
		if lost {
			// Another submission: the server would drop the message of the same one.
			again, err := q.unlessChanged(ctx, r, job.Event{Kind: job.Withdraw})
			if err != nil || again == nil {
				faults = append(faults, err)
				continue
			}
			r = again
		}
		// A submitter gets the time to do it itself, whatever the clock did meanwhile, and a scheduler
		// does it when it is time.
		if r.State == job.Submitted && !q.o.Scheduled && (lost || time.Since(r.Created).Abs() > older) {
			if _, err := q.release(ctx, r); err != nil {
				faults = append(faults, err)
				continue
			}
			lost = true
		}
		if lost {
			n++
		}
	}
	return n, errors.Join(faults...)
}
