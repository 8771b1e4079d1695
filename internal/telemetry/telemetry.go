// Package telemetry is what can be measured of a run while it goes on. A Recorder makes it of the
// run's events, in the process of the run; as JSON it goes to a daemon. Package metrics shows it,
// the same way wherever it comes from.
package telemetry

import (
	"maps"
	"slices"
	"time"
)

// State is what was measured of a run so far. Counts begin with the process that performs it; a run that goes on in
// another one begins anew.
type State struct {
	Heard time.Time `json:"heard"` // of its latest event
	Began time.Time `json:"began"` // in this process

	Version      string `json:"version,omitempty"` // of the program
	System       string `json:"system"`
	Method       string `json:"method"`
	Seed         uint64 `json:"seed"`
	Architecture string `json:"architecture,omitempty"` // empty without a network
	Provider     string `json:"provider,omitempty"`
	// Network in use, as name/version; empty without.
	Network string `json:"network,omitempty"`
	// Known is how many energy levels there are, 0 where nobody knows.
	Known int `json:"levels_known,omitempty"`

	// Phase of a run, or activity of other work; empty before the first.
	Phase string `json:"phase,omitempty"`
	// Done is the share of the phase that is done, Left how many seconds it goes on, 0 if nothing
	// can be said. Both are guesses.
	Done     float64 `json:"done"`
	Left     float64 `json:"left,omitempty"`
	LnF      float64 `json:"ln_f"`
	Flatness float64 `json:"flatness"`
	Levels   int     `json:"levels"`
	// Acceptance is the share of the present network's proposals that were accepted.
	Acceptance float64 `json:"acceptance"`
	// Regions of the energy by name, empty without a network and as long as there is no transition.
	Regions map[string]Region `json:"regions,omitempty"`
	// Windows are the energy windows that walkers have entered, by number from 0; empty with one.
	Windows map[string]Window `json:"windows,omitempty"`
	// LnGError is the root mean square error of ln g over the levels seen, nil where the exact one
	// is not known.
	LnGError *float64 `json:"ln_g_error,omitempty"`

	Phases      map[string]Phase     `json:"phases,omitempty"` // by name
	Training    TrainingCounts       `json:"training"`
	Swaps       Swaps                `json:"swaps"`
	Checkpoints Checkpoints          `json:"checkpoints"`
	Evaluations map[string]Histogram `json:"evaluations,omitempty"` // of graphs by name, in seconds, see EvaluationBounds
	Process     Process              `json:"process"`
	End         *End                 `json:"end,omitempty"` // nil before
}

// Phase is what was counted in a phase.
type Phase struct {
	Passes     int64              `json:"passes"`
	RoundTrips float64            `json:"round_trips"`
	Moves      map[string]Moves   `json:"moves,omitempty"`   // by kind
	Seconds    map[string]float64 `json:"seconds,omitempty"` // of wall-clock time, by activity
}

// Moves counts moves of a kind.
type Moves struct {
	Trials   int64 `json:"trials"`
	Accepted int64 `json:"accepted"`
}

// Region is what became of the network's proposals for states of some energies, in the present
// phase.
type Region struct {
	Trials   int64 `json:"trials"`
	Accepted int64 `json:"accepted"`
	// Changed is the share of the sites that an accepted one changes, the mean.
	Changed float64 `json:"changed"`
}

// Window is the state of an energy window.
type Window struct {
	LnF      float64 `json:"ln_f"`
	Flatness float64 `json:"flatness"`
}

// TrainingCounts is the training of the run's network.
type TrainingCounts struct {
	Steps   int64   `json:"steps,omitempty"`
	Dropped int64   `json:"dropped,omitempty"`
	Loss    float64 `json:"loss,omitempty"` // of the latest step
	Norm    float64 `json:"norm,omitempty"` // of its gradient
	Seconds float64 `json:"seconds,omitempty"`
	// Replay is how full the replay buffer is, 0..1.
	Replay float64 `json:"replay,omitempty"`
	// Published counts how often proposals began to use other weights, PublishedAt is when they
	// last did.
	Published   int64     `json:"published,omitempty"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	Exported    int64     `json:"exported,omitempty"` // versions on disk
}

// Swaps are the exchanges of the run's network.
type Swaps struct {
	Applied int64     `json:"applied,omitempty"`
	Failed  int64     `json:"failed,omitempty"`
	Loading Histogram `json:"loading,omitzero"` // in seconds, see LoadingBounds
	Pause   Histogram `json:"pause,omitzero"`   // in seconds, see PauseBounds
}

// Checkpoints of the run.
type Checkpoints struct {
	Written int64     `json:"written,omitempty"`
	Failed  int64     `json:"failed,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
	Bytes   int       `json:"bytes,omitempty"` // of the latest
	At      time.Time `json:"at,omitzero"`     // of the latest
}

// Process is what the run's process takes.
type Process struct {
	Resident int64   `json:"resident"` // bytes, 0 if the system does not tell
	CPU      float64 `json:"cpu"`      // seconds
	// Sessions and Tensors are held in ONNX Runtime, Goroutines by Go.
	Sessions   int64 `json:"sessions"`
	Tensors    int64 `json:"tensors"`
	Goroutines int   `json:"goroutines"`
}

// End is how a run ended.
type End struct {
	Converged   bool `json:"converged"`
	Interrupted bool `json:"interrupted,omitempty"` // it can go on
	Failed      bool `json:"failed,omitempty"`      // without results
}

// Histogram counts values by upper bounds, which are fixed for each quantity.
type Histogram struct {
	Counts []uint64 `json:"counts,omitempty"` // one more than bounds, the last for larger values; nil for none
	Sum    float64  `json:"sum,omitempty"`
}

// Upper bounds of histograms, in seconds.
var (
	EvaluationBounds = []float64{5e-4, 1.5e-3, 5e-3, 0.015, 0.05, 0.15, 0.5, 1.5, 5, 15, 50}
	LoadingBounds    = exponential(0.05, 2, 10)
	PauseBounds      = exponential(1e-5, 4, 9)
)

func exponential(first, factor float64, n int) []float64 {
	bounds := make([]float64, n)
	for i := range bounds {
		bounds[i] = first
		first *= factor
	}
	return bounds
}

// Observe counts a value. bounds must be the same for every call.
func (h *Histogram) Observe(bounds []float64, x float64) {
	if h.Counts == nil {
		h.Counts = make([]uint64, len(bounds)+1)
	}
	i, _ := slices.BinarySearch(bounds, x)
	h.Counts[i]++
	h.Sum += x
}

func (h Histogram) clone() Histogram { return Histogram{slices.Clone(h.Counts), h.Sum} }

// clone returns a copy that shares nothing with r.
func (r *State) clone() *State {
	c := *r
	c.Phases = maps.Clone(r.Phases)
	for name, p := range c.Phases {
		c.Phases[name] = Phase{p.Passes, p.RoundTrips, maps.Clone(p.Moves), maps.Clone(p.Seconds)}
	}
	c.Evaluations = maps.Clone(r.Evaluations)
	for graph, h := range c.Evaluations {
		c.Evaluations[graph] = h.clone()
	}
	c.Regions, c.Windows = maps.Clone(r.Regions), maps.Clone(r.Windows)
	c.Swaps.Loading, c.Swaps.Pause = r.Swaps.Loading.clone(), r.Swaps.Pause.clone()
	return &c
}
