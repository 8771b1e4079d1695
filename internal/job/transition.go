package job

import (
	"errors"
	"fmt"
	"time"
)

// Event is something that happens to a job.
type Event struct {
	Kind Kind
	At   time.Time
	// Owner and Epoch of the worker that reports it; for Take the one that takes the job.
	Owner string
	Epoch int
	// Submission of the message by which a worker takes the job.
	Submission int
	Checkpoint int64   // of Checkpointed
	Class      string  // of Checkpointed: that of the owner's machine
	Outcome    Outcome // of End
	Parts      int     // of Divide
	Reason     string
	// InOrder says of Lose that the owner was told to end, which is no failed attempt.
	InOrder bool
}

// Kind of an event.
type Kind string

// The events, and the states in which they can happen.
const (
	Publish      Kind = "publish"      // Submitted: it is in the queue
	Take         Kind = "take"         // Queued: a worker takes it; Running: it is taken from a lost one
	Checkpointed Kind = "checkpointed" // Running, by its owner
	End          Kind = "end"          // Running, by its owner: it ended as planned
	Divide       Kind = "divide"       // Running, by its owner: its production goes on in shards, for which it waits
	Fail         Kind = "fail"         // Running, by its owner: it cannot go on, another try would not help
	Lose         Kind = "lose"         // Running: its owner is gone
	Stop         Kind = "stop"         // Running, by its owner, or not running: paused as the user wished
	Abandon      Kind = "abandon"      // the same, cancelled
	Submit       Kind = "submit"       // Paused or final: the user wants it to run again
	Withdraw     Kind = "withdraw"     // Queued or Running: its message in the queue is lost, or to count no more
	Refuse       Kind = "refuse"       // Submitted: it cannot begin, for a reason
)

// Kinds lists the events.
var Kinds = []Kind{Publish, Take, Checkpointed, End, Divide, Fail, Lose, Stop, Abandon, Submit, Withdraw, Refuse}

// ErrFenced is the error of a worker that reports on a job which is no longer its own.
var ErrFenced = errors.New("the job has another owner by now")

// ErrStale is the error of taking a job by an outdated message of the queue, which is to be
// dropped.
var ErrStale = errors.New("the job was submitted again since")

// ErrImpossible is the error of an event that cannot happen in the state of a job.
var ErrImpossible = errors.New("not possible")

// Apply returns the job after an event, or an error that says why it cannot happen; then
// nothing changes.
func (j Job) Apply(e Event) (Job, error) {
	impossible := fmt.Errorf("%s is %s: %s is %w", j.ID, j.State, e.Kind, ErrImpossible)
	own := func() error {
		switch {
		case j.State != Running:
			return impossible
		case j.Owner != e.Owner || j.Epoch != e.Epoch:
			return ErrFenced
		}
		return nil
	}
	waits := j.State == Submitted || j.State == Queued
	switch e.Kind {
	case Publish:
		if j.State != Submitted {
			return j, impossible
		}
		j.State = Queued
	case Take:
		if !waits && j.State != Running {
			return j, impossible
		}
		if e.Submission != j.Submission {
			return j, ErrStale
		}
		if j.State == Running { // the queue hands it out again since its owner was silent
			j = j.lost("its worker " + j.Owner + " fell silent")
			if j.State.Final() {
				j.Ended = e.At
				return j, nil
			}
		}
		j.State, j.Owner, j.Epoch, j.Attempts = Running, e.Owner, j.Epoch+1, j.Attempts+1
		if j.Began.IsZero() {
			j.Began = e.At
		}
	case Checkpointed:
		if err := own(); err != nil {
			return j, err
		}
		if j.Class == "" {
			j.Class = e.Class
		}
		if e.Checkpoint > j.Checkpoint {
			j.Checkpoint, j.Attempts, j.Reason = e.Checkpoint, 1, ""
		}
	case End:
		if err := own(); err != nil {
			return j, err
		}
		j.State, j.Owner, j.Ended, j.Reason, j.Parts = Done, "", e.At, "", 0
		j.Outcome = &e.Outcome
	case Divide:
		if err := own(); err != nil {
			return j, err
		}
		j.State, j.Owner, j.Reason, j.Attempts, j.Submission, j.Parts = Submitted, "", "", 0, j.Submission+1, e.Parts
	case Fail:
		if err := own(); err != nil {
			return j, err
		}
		j.State, j.Owner, j.Ended, j.Reason = Failed, "", e.At, e.Reason
	case Lose:
		if j.State != Running {
			return j, impossible
		}
		if e.Epoch != j.Epoch {
			return j, ErrFenced
		}
		if e.InOrder {
			j.Attempts--
		}
		if j = j.lost(e.Reason); j.State.Final() {
			j.Ended = e.At
		}
	case Stop, Abandon:
		if j.State.Final() || j.State == Paused && e.Kind == Stop {
			return j, impossible
		}
		if j.State == Running {
			if err := own(); err != nil {
				return j, err
			}
		}
		j.State, j.Owner, j.Reason, j.Attempts = Paused, "", e.Reason, 0
		if e.Kind == Abandon {
			j.State, j.Ended = Cancelled, e.At
		}
	case Submit:
		if !j.State.Final() && j.State != Paused {
			return j, impossible
		}
		j.State, j.Submission, j.Attempts, j.Reason, j.Ended, j.Outcome = Submitted, j.Submission+1, 0, "", time.Time{}, nil
	case Withdraw:
		if j.State != Queued && j.State != Running {
			return j, impossible
		}
		if j.State == Running { // which is not its owner's fault
			j.Attempts--
		}
		j.State, j.Owner, j.Submission = Submitted, "", j.Submission+1
	case Refuse:
		if j.State != Submitted {
			return j, impossible
		}
		j.State, j.Ended, j.Reason = Failed, e.At, e.Reason
	default:
		return j, fmt.Errorf("job %s: there is no event %q", j.ID, e.Kind)
	}
	return j, nil
}

// lost puts a job that lost its owner back into the queue, or ends it if too many have lost it
// since its last checkpoint.
func (j Job) lost(reason string) Job {
	j.Owner, j.Reason = "", reason
	if j.State = Queued; j.Attempts >= MaxAttempts {
		j.State = Failed
		j.Reason = fmt.Sprintf("%d workers in a row lost it without a new checkpoint, the last: %s", j.Attempts, reason)
	}
	return j
}
