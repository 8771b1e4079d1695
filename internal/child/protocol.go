// Package child performs a run in a process of its own, so that a crash in a library, memory that
// it never gives back, or the kernel's need of memory end that run alone. Parent and child
// speak in lines of JSON: the child's standard input brings a Task and then Orders, its standard
// output Reports. The child dies at once when its input ends, as it does with the parent.
package child

import (
	"encoding/json"
	"errors"
	"time"

	"neuralwl/internal/job"
	"neuralwl/internal/live"
	"neuralwl/internal/run"
)

// Task is what a child is to do.
type Task struct {
	Folder string `json:"folder"` // the run directory
	// Config is the complete configuration of a new run. A folder that holds a run has its
	// own, and the run goes on.
	Config string `json:"config"`
	// Changes are settings to change when a run goes on, such as run.max_time=2h.
	Changes []string `json:"changes,omitempty"`
	// Work is the kind of the task, by default a run; Train and Bench are its options.
	Work  job.Work       `json:"kind,omitempty"`
	Train *job.Training  `json:"train,omitempty"`
	Bench *job.Benchmark `json:"bench,omitempty"`
	// Weights is the directory of the run whose density of states the task needs, by default beside its own.
	Weights string `json:"weights,omitempty"`
	// Compare belongs to that kind.
	Compare *job.Comparison `json:"compare,omitempty"`
	// Shard is the shard that the task is, from 0 on, of the run two folders up, for that kind.
	Shard *int `json:"shard,omitempty"`
	// Helps has the task help with that run's adaptation instead; Shard is then its own index.
	Helps bool `json:"helps,omitempty"`
	// Divide has a run end where its production begins in shards; see run.Options.Divide.
	Divide bool `json:"divide,omitempty"`
	// Workers is the number of threads where the configuration leaves it open.
	Workers int `json:"workers"`
	// Curve asks a run for its curve, see package curve.
	Curve bool `json:"curve,omitempty"`
	// Tenure is how the worker has the job, nil without a queue, and Class that of the machine.
	Tenure *Tenure `json:"tenure,omitempty"`
	Class  string  `json:"class,omitempty"`
	// Probe asks for Machine alone.
	Probe bool `json:"probe,omitempty"`
}

// Order changes what a child does.
type Order struct {
	// End asks for an end in order, with a checkpoint and results, for this reason.
	End string `json:"end,omitempty"`
	// Within is how many seconds it has for that; then it is killed.
	Within float64 `json:"within,omitempty"`
	// Swap asks for another network.
	Swap *SwapOrder `json:"swap,omitempty"`
	// Until is when the lease now ends, by the clock of the machine.
	Until time.Duration `json:"until,omitempty"`
}

// SwapOrder asks a run to go on with another network; see run.Swap.
type SwapOrder struct {
	Number  int    `json:"number"` // of the order, for its answer
	Bundle  string `json:"bundle"`
	Name    string `json:"name"`
	Restart bool   `json:"restart,omitempty"`
}

// Kind of a report.
type Kind string

// The reports.
const (
	Began      Kind = "began"
	Phase      Kind = "phase"
	Pass       Kind = "pass"   // a few times a second at most
	Counts     Kind = "counts" // telemetry.State, every few seconds and when something happens; for metrics alone
	Checkpoint Kind = "checkpoint"
	Exported   Kind = "exported" // a version of the network
	Swapped    Kind = "swapped"  // the network was exchanged, or was not
	Answer     Kind = "answer"   // to a SwapOrder; for the parent alone
	Evaluating Kind = "evaluating"
	Ended      Kind = "ended"  // with results; the last report
	Failed     Kind = "failed" // without; the last report
	Probed     Kind = "probed" // Machine; the only report
)

// Report is what a child says.
type Report struct {
	Kind Kind            `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"` // one of the types below, by kind
}

// BeganData describes a run.
type BeganData struct {
	System       string `json:"system"`
	Method       string `json:"method"`
	Seed         uint64 `json:"seed"`
	Walkers      int    `json:"walkers"`
	Architecture string `json:"architecture,omitempty"`
	Provider     string `json:"provider,omitempty"`
	Resumed      bool   `json:"resumed"`
}

// PhaseData names a phase, and how many other processes can help with it.
type PhaseData struct {
	Phase   string `json:"phase"`
	Helpers int    `json:"helpers,omitempty"`
}

// PassData is how far a run has come.
type PassData struct {
	Phase      string  `json:"phase"`
	Passes     int64   `json:"passes"`
	Done       float64 `json:"done"` // of the phase, 0..1
	LnF        float64 `json:"ln_f"`
	Flatness   float64 `json:"flatness"`
	Levels     int     `json:"levels"`
	RoundTrips float64 `json:"round_trips"`
	// Acceptance is the share of the present network's proposals that were accepted.
	Acceptance float64 `json:"acceptance"`
	// Steps and Loss are of training, so far.
	Steps int64   `json:"steps,omitempty"`
	Loss  float64 `json:"loss,omitempty"`
	// Regions counts the network's proposals of the phase by live.Regions, empty as long as there is
	// no transition.
	Regions []live.Bin `json:"regions,omitempty"`
	// Left is how many seconds the phase goes on, a guess; 0 if nothing can be said.
	Left float64 `json:"left,omitempty"`
}

// CheckpointData is about a checkpoint. With an error the one before is kept.
type CheckpointData struct {
	// Passes that this process made before it; with none the run is where it was.
	Passes  int64   `json:"passes"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// ExportedData names a version of the network.
type ExportedData struct {
	Folder string `json:"folder,omitempty" doc:"Within the run directory."`
	Steps  int64  `json:"steps"`
	Error  string `json:"error,omitempty"`
}

// SwappedData is about an exchange of the network; see event.NetworkSwapped. With an error the
// former one stays, and the fields after Stage mean nothing.
type SwappedData struct {
	Name  string `json:"name"`
	Pass  int64  `json:"pass"`
	Stage string `json:"stage"`

	Digest         string  `json:"digest,omitempty"`
	Training       string  `json:"training,omitempty"`
	Restarted      bool    `json:"restarted,omitempty"`
	Dropped        int64   `json:"dropped_passes,omitempty"`
	Replayed       bool    `json:"replayed,omitempty"`
	LoadingSeconds float64 `json:"loading_seconds,omitempty"`
	PauseSeconds   float64 `json:"pause_seconds,omitempty"`

	Error string        `json:"error,omitempty"`
	Fault run.SwapFault `json:"fault,omitempty"` // the kind of the error
}

// Err is the error of an exchange that was not made, a *run.SwapError, else nil.
func (d *SwappedData) Err() error {
	if d.Error == "" {
		return nil
	}
	return &run.SwapError{Fault: d.Fault, Err: errors.New(d.Error)}
}

// AnswerData is the answer to a SwapOrder.
type AnswerData struct {
	Number int `json:"number"`
	SwappedData
}

// EndedData is the end of a run.
type EndedData struct {
	Converged   bool     `json:"converged"`
	Failed      []string `json:"failed,omitempty"` // checks
	Interrupted string   `json:"interrupted,omitempty"`
	Seconds     float64  `json:"seconds"`
	// Divided is the number of shards in which production goes on; see event.RunEnded.
	Divided int `json:"divided,omitempty"`
}

// FailedData is why there are no results.
type FailedData struct {
	Error string `json:"error"`
	// Early says that the run was asked to end before there could be any, and that it begins
	// anew, or where it was, when it is started again.
	Early bool `json:"early,omitempty"`
}

// A report of passes comes passShare of the time that the task has taken after the one before, within these bounds: what is new
// about a long run is worth a message to the queue less often.
const (
	passShare = 0.01
	passLeast = 250 * time.Millisecond
	passMost  = 2 * time.Second
)

// countsInterval is that between two reports of counts, unless something happens.
const countsInterval = 2 * time.Second
