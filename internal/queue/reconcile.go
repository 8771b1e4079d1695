package queue

import (
	"context"
	"errors"
	"time"

	"neuralwl/internal/job"
)

// Reconcile puts jobs into the work queue that are on record as waiting but have no message
// there: those whose submitter died in between, and all of them where the work queue was lost. It
// returns how many; with Options.Scheduled they are submitted again and wait for Release. A
// message that is there all the same is dropped when it arrives.
func (q *Queue) Reconcile(ctx context.Context, older time.Duration) (n int, err error) {
	q.releasing.Lock()
	defer q.releasing.Unlock()
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
		lost := waiting < expected && (r.State == job.Queued || r.State == job.Running && time.Since(r.Began) > older)
		if lost {
			// Another submission: the server would drop the message of the same one.
			again, err := q.unlessChanged(ctx, r, job.Event{Kind: job.Withdraw})
			if err != nil || again == nil {
				faults = append(faults, err)
				continue
			}
			r = again
		}
		// A submitter gets the time to do it itself, and a scheduler does it when it is time.
		if r.State == job.Submitted && !q.o.Scheduled && (lost || time.Since(r.Created) > older) {
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
