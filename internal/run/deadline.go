package run

import (
	"errors"
	"time"

	"context"
	"fmt"

	"neuralwl/internal/report"
)

const (
	// patience is how long the results of a run may take that is to end and was not told by
	// when: batch systems kill a run half a minute after their first signal.
	patience = 20 * time.Second
	// writing is the time left in a Slurm allocation when the results must be there.
	writing = 5 * time.Second
	// mostReserved bounds the share of run.max_time that is kept for the results.
	mostReserved = 0.1
)

// Stop is the cause of a context that is cancelled, for a run that has to end by a time, after
// which it is killed.
type Stop struct {
	Reason string
	By     time.Time
}

func (s *Stop) Error() string { return s.Reason }

// writingShare is the share of the time for the end of a run that is kept for writing, if that is
// less than writing.
const writingShare = 4

// resultsBy is when the results of a run must be there that is to end for a reason.
func resultsBy(why error, now time.Time) time.Time {
	var s *Stop
	if !errors.As(why, &s) || s.By.IsZero() {
		return now.Add(patience)
	}
	return s.By.Add(-max(0, min(writing, s.By.Sub(now)/writingShare)))
}

// toEnd is why the run has to end before it is complete, nil if it has not, and when its
// results must be there. It never has to before there is a result of any kind, which the
// first passes bring.
func (j *job) toEnd(ctx context.Context) (deadline time.Time, why error) {
	if produced := j.at.Stage == producing && j.at.Pass > 0; !produced && j.at.Stage != starting && j.process.Progress().Levels == 0 {
		return time.Time{}, nil
	}
	if ctx.Err() != nil {
		why := context.Cause(ctx)
		if errors.Is(why, context.Canceled) {
			why = errors.New("the run was interrupted")
		}
		return j.withinAllocation(resultsBy(why, time.Now())), why
	}
	if !j.allocation.IsZero() && time.Now().After(j.allocation.Add(-j.c.Checkpoint.Margin-j.evaluation())) {
		return j.withinAllocation(time.Time{}),
			fmt.Errorf("the Slurm allocation ends at %s, checkpoint.margin is %v", j.allocation.Format(time.DateTime), j.c.Checkpoint.Margin)
	}
	return time.Time{}, nil
}

// completeBy is when the results of a run must be there that ends as planned, zero for no
// limit.
func (j *job) completeBy() time.Time {
	if limit := j.c.Run.MaxTime; limit > 0 {
		return j.withinAllocation(time.Now().Add(max(0, limit-j.elapsed()) + patience))
	}
	return j.withinAllocation(time.Time{})
}

// withinAllocation is a deadline, or the end of the Slurm allocation if that comes before.
func (j *job) withinAllocation(deadline time.Time) time.Time {
	if j.allocation.IsZero() {
		return deadline
	}
	if end := j.allocation.Add(-writing); deadline.IsZero() || end.Before(deadline) {
		return end
	}
	return deadline
}

// evaluation predicts how long the results will take.
func (j *job) evaluation() time.Duration {
	if j.reserve == 0 || j.at.Stage != producing { // production finds few more levels
		levels := 0
		for _, seen := range j.counts.Seen() {
			if seen {
				levels++
			}
		}
		j.reserve = report.Cost(levels, j.c.Run.Walkers)
	}
	return j.reserve
}

// left is the time from the beginning of production to its end by run.max_time, before
// which the results are to be there. Each temperature has an equal part of it.
func (j *job) left() time.Duration {
	limit := j.c.Run.MaxTime
	reserved := min(j.evaluation(), time.Duration(mostReserved*float64(limit)))
	index, of := j.counts.Temperature()
	return (limit-reserved)*time.Duration(index+1)/time.Duration(of) - j.at.Began
}

// spent reports whether a share of the time or of the moves left to production is over.
func (j *job) spent(share float64) bool {
	// However few moves there are, one pass of production is among them: else there is no result.
	return j.c.Run.MaxMoves > 0 && j.spentMoves() >= share && (share < 1 || j.at.Pass > 0) ||
		j.c.Run.MaxTime > 0 && j.elapsed()-j.at.Began > time.Duration(share*float64(j.left()))
}
