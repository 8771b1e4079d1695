package queue

import (
	"context"
	"errors"
	"time"

	"neuralwl/internal/job"
)

// Reconcile puts jobs into the work queue that are on record as waiting but have no message
// there: those whose submitter died in between, and all of them where the work queue was lost. It
// returns how many. A message that is there all the same is dropped when it arrives.
func (q *Queue) Reconcile(ctx context.Context, older time.Duration) (n int, err error) {
	records, err := q.List(ctx)
	if err != nil {
		return 0, err
	}
	info, err := q.consumer.Info(ctx)
	if err != nil {
		return 0, err
	}
	waiting := int(info.NumPending) + info.NumAckPending
	expected := 0
	for _, r := range records {
		if r.State == job.Queued || r.State == job.Running {
			expected++
		}
	}
	var faults []error
	for _, r := range records {
		// A submitter gets the time to do it itself.
		orphan := r.State == job.Submitted && time.Since(r.Created) > older
		if !orphan && !(waiting < expected && (r.State == job.Queued || r.State == job.Running && time.Since(r.Began) > older)) {
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
