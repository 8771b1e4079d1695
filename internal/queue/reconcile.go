package queue

import (
	"context"
	"errors"
	"time"

	"neuralwl/internal/job"
)

// Reconcile puts jobs into the work queue that are on record as waiting but have no message
// there: those whose submitter died in between, and all of them where the work queue was lost. It
// returns how many.
func (q *Queue) Reconcile(ctx context.Context, older time.Duration) (n int, err error) {
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
		// A submitter gets the time to do it itself.
		orphan := r.State == job.Submitted && time.Since(r.Created) > older
		lost := (r.State == job.Queued || r.State == job.Running) && !waiting[message{r.ID, r.Submission}]
		if !orphan && !lost {
			continue
		}
		if r.State != job.Submitted {
			// Another submission: the server would drop the message of the same one.
			again, err := q.change(ctx, r.ID, func(now *Record) error {
				if now.revision != r.revision {
					return errUnchanged
				}
				now.Submission++
				now.State, now.Owner = job.Submitted, ""
				return nil
			})
			if err != nil || again.State != job.Submitted {
				faults = append(faults, err)
				continue
			}
			r = again
		}
		if err := q.publish(ctx, r); err != nil {
			faults = append(faults, err)
			continue
		}
		n++
	}
	return n, errors.Join(faults...)
}
