// Package job is what a queue knows of a run: its state, the transitions between states, and who
// may bring them about. It computes and remembers nothing: a queue stores a Job and replaces
// it by what Apply returns.
package job

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// State of a job.
type State string

// The states. A job is submitted until it is its turn and the queue hands it out, and Done, Failed and Cancelled
// are final, but a job that ended can be submitted again.
const (
	Submitted State = "submitted" // on record, not yet in the queue
	Queued    State = "queued"
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done" // ended as planned, converged or not
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// States lists them.
var States = []State{Submitted, Queued, Running, Paused, Done, Failed, Cancelled}

// Final reports whether the job has ended.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Wish is what the user wants of a job. It is kept apart from the Job, so that the user and
// the worker never overwrite each other.
type Wish string

// The wishes.
const (
	Run    Wish = "run"
	Pause  Wish = "pause"
	Cancel Wish = "cancel"
)

// Job is the record of a job. A worker that takes it raises Epoch and writes only as long as
// the record has its epoch: that fences off a worker that was thought dead.
type Job struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	State   State     `json:"state"`
	// Submission counts how often the job was put into the queue. A message in the queue
	// that names another number is a stale one.
	Submission int `json:"submission"`

	// Owner is the worker that has the job, only in state Running; Epoch counts owners.
	Owner string `json:"owner,omitempty"`
	Epoch int    `json:"epoch"`
	// Checkpoint is the number of the newest one, which never falls. Attempts counts owners
	// since it last rose: a job that kills its workers ends Failed.
	Checkpoint int64 `json:"checkpoint"`
	Attempts   int   `json:"attempts"`
	// Class is that of the machines in which its first checkpoint was written. Others give the same
	// results, but not to the last digit: it goes on in this one, unless the user wishes otherwise.
	Class string `json:"class,omitempty"`

	// Parts is the number of shards in which its production goes on, as jobs of the kind WorkShard, from
	// when it was divided until it ends. It waits for them and then makes the results.
	Parts int `json:"parts,omitempty"`

	// Reason is why the job failed, was paused or lost its last owner; else empty.
	Reason string    `json:"reason,omitempty"`
	Began  time.Time `json:"began,omitzero"` // first taken
	Ended  time.Time `json:"ended,omitzero"` // in a final state
	// Outcome is how the run ended, if it did.
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Outcome is the end of a run.
type Outcome struct {
	Code      int  `json:"code"` // exit code of nwl run
	Converged bool `json:"converged"`
}

// MaxAttempts is the number of owners that may lose a job one after the other without a new
// checkpoint.
const MaxAttempts = 5

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$`)

// maxID is the length of the longest name.
const maxID = 64

// CheckID returns an error unless an identity can be the name of a folder, a key and a part of
// an address: 2 to 64 of a-z, 0-9, dots, dashes and underscores, at the ends a letter or digit.
func CheckID(id string) error {
	if !idForm.MatchString(id) || slices.Contains([]string{"..", "con", "nul", "aux", "prn"}, id) {
		return fmt.Errorf("%q cannot be a name: take 2 to 64 small letters, digits, dots, dashes and underscores, with a letter or digit at the ends", id)
	}
	return nil
}

// New is a job as it is submitted.
func New(id string, at time.Time) (Job, error) {
	return Job{ID: id, Created: at, State: Submitted, Submission: 1}, CheckID(id)
}

// Next is what a worker that looks after a job should do next.
type Next string

// What a worker does.
const (
	GoOn      Next = "go on"
	EndPaused Next = "end with a checkpoint, paused"
	EndCancel Next = "end, cancelled"
	Yield     Next = "stop without writing" // the job is another's
)

// Do says what the owner of an epoch should do with a running job, given the user's wish.
func (j Job) Do(owner string, epoch int, w Wish) Next {
	switch {
	case j.State != Running || j.Owner != owner || j.Epoch != epoch:
		return Yield
	case w == Pause:
		return EndPaused
	case w == Cancel:
		return EndCancel
	}
	return GoOn
}
