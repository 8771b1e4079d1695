package run

import (
	"fmt"
	"math"

	"neuralwl/exporter"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Summary is the record of a run, written to summary.json.
type Summary struct {
	Version string  `json:"version"` // of nwl
	System  string  `json:"system"`
	Seed    uint64  `json:"seed"`
	Walkers int     `json:"walkers"`
	Seconds float64 `json:"seconds"` // wall-clock time

	Phases []PhaseSummary `json:"phases"`
	// Tuning tells how production's mix of moves was chosen, if it was looked for.
	Tuning  *tune.Summary   `json:"tuning,omitempty"`
	Network *NetworkSummary `json:"network,omitempty"`
	Levels  LevelSummary    `json:"levels"`
	// GroundState compares ln g(E_min) with the known degeneracy, ln q; nil where that is
	// not known, too.
	GroundState *GroundState `json:"ground_state,omitempty"`
	// Exact is the difference from the exact density of states, where that can be
	// computed in seconds.
	Exact *dos.Difference `json:"exact,omitempty"`
	// Inverse is what the inverse probabilities of the network's proposals say.
	Inverse *InverseSummary `json:"inverse_probabilities,omitempty"`
	// Windows tells how well neighbouring energy windows agree; none for one window.
	Windows []WindowSummary `json:"windows,omitempty"`
	// Autocorrelation is the integrated autocorrelation time of the energy in production,
	// in passes, the longest of all windows.
	Autocorrelation *dos.Estimate `json:"autocorrelation_passes,omitempty"`
	// Estimators compares the two estimates of ln g that production gives.
	Estimators *EstimatorSummary  `json:"estimators,omitempty"`
	Transition *TransitionSummary `json:"transition,omitempty"`
	// Canonical are the averages of a run at one temperature.
	Canonical *CanonicalSummary `json:"canonical,omitempty"`
	Verdict   Verdict           `json:"verdict"`
	// Interrupted says why the run ended before it was complete; it can be resumed.
	Interrupted string            `json:"interrupted,omitempty"`
	Resumptions []Resumption      `json:"resumptions,omitempty"`
	Checkpoints CheckpointSummary `json:"checkpoints"`

	Folder string `json:"-"`
}

// LevelSummary counts energy levels.
type LevelSummary struct {
	Known   int       `json:"known"` // levels that have states, as far as is known; 0 where it is not
	Seen    int       `json:"seen"`
	Missing []float64 `json:"missing"` // energies never visited, or without an estimate
	// Unproduced are energies that only the Wang-Landau phase visited: their ln g
	// has no error bar. In van-wang-landau, where such a ln g says little, they are missing.
	Unproduced []float64 `json:"unproduced"`
}

// NetworkSummary tells which network proposed.
type NetworkSummary struct {
	Architecture string            `json:"architecture"`
	Provider     string            `json:"provider"`
	Bundle       string            `json:"bundle"` // folder of the latest version
	Training     exporter.Training `json:"training"`
}

// GroundState is the estimate of the ground state's degeneracy.
type GroundState struct {
	LnG   float64  `json:"ln_g"`
	Error *float64 `json:"ln_g_error"`
	Known float64  `json:"known"`
}

// Verdict says whether the result may be trusted.
type Verdict struct {
	Converged bool    `json:"converged"`
	Checks    []Check `json:"checks"`
}

// Check is one piece of evidence.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}

// minRoundTrips is how many round trips production must have made: their number
// scatters by its square root, and the errors of ln g are as good as it.
const minRoundTrips = 30

// minFlatness is the least share of the mean that any level's histogram must have
// in production. Less means that ln f was still too large when the weights were
// frozen, and that the rare levels make up most of the error.
const minFlatness = 0.2

// judge collects the evidence for convergence.
func (j *job) judge(r *result, ground *GroundState) Verdict {
	var v Verdict
	check := func(name string, passed bool, format string, a ...any) {
		v.Checks = append(v.Checks, Check{name, passed, fmt.Sprintf(format, a...)})
	}
	if j.interrupted != nil {
		check("completed", false, "%v", j.interrupted)
	}
	if r.known > 0 {
		check("levels", len(r.missing) == 0, "%d of %d seen", r.known-len(r.missing), r.known)
	} else {
		check("levels", true, "%d seen; which levels have states is not known for this system and is no evidence", r.density.Len())
	}
	check("production", len(r.unproduced) == 0, "%d levels without a visit", len(r.unproduced))
	var trips, flatness float64
	for _, phase := range j.phases {
		if phase.Name == sampler.Production {
			trips, flatness = phase.RoundTrips, phase.Flatness
		}
	}
	check("flatness", flatness >= minFlatness, "%.2f in production, at least %g is needed", flatness, minFlatness)
	check("round trips", trips >= minRoundTrips, "%.0f in production, at least %d are needed", trips, minRoundTrips)
	if e := r.estimators; e != nil {
		check("estimators", e.Discrepancy <= maxDiscrepancy, "histogram and transitions differ by %.2f errors (rms), at most %d are allowed", e.Discrepancy, maxDiscrepancy)
	}
	if waiting := j.waiting(); waiting != "" {
		check("windows", false, "no walker has come into %s", waiting)
	} else if r.windows != nil {
		worst := worstMismatch(r.windows)
		check("windows", worst <= maxDiscrepancy, "%d windows differ by at most %.2f errors (rms) where they overlap, at most %d are allowed", len(r.windows)+1, worst, maxDiscrepancy)
	}
	v.Checks = append(v.Checks, j.judgeGround(r, ground))
	v.conclude()
	return v
}

// judgeGround compares ln g of the ground state with its known degeneracy.
func (j *job) judgeGround(r *result, ground *GroundState) Check {
	const name = "ground state"
	switch {
	case !lattice.GroundKnown(j.system):
		return Check{name, true, fmt.Sprintf("not known for this system, and no evidence; the lowest energy seen is %g", r.density.Energy[0])}
	case ground == nil:
		return Check{name, false, "never visited"}
	case ground.Error == nil:
		return Check{name, false, fmt.Sprintf("ln g = %.4f without an error bar, known %.4f", ground.LnG, ground.Known)}
	}
	z := (ground.LnG - ground.Known) / *ground.Error
	return Check{name, math.Abs(z) <= 3, fmt.Sprintf("ln g = %.4f(%.4f), known %.4f: %.1f standard errors", ground.LnG, *ground.Error, ground.Known, z)}
}

func (v *Verdict) conclude() {
	v.Converged = true
	for _, c := range v.Checks {
		v.Converged = v.Converged && c.Passed
	}
}

// summarise puts the record of the run together.
func (j *job) summarise(r *result) *Summary {
	s := &Summary{
		Version: j.o.Version, System: j.system.String(), Seed: j.c.Run.Seed, Walkers: j.c.Run.Walkers,
		Seconds: j.elapsed().Seconds(), Resumptions: j.resumptions, Checkpoints: j.checkpoints.summary,
		Phases: j.phases, Tuning: j.tuning, Exact: r.difference, Windows: r.windows, Inverse: j.compareInverse(r), Autocorrelation: r.autocorrelation, Estimators: r.estimators, Transition: r.transition, Folder: j.folder,
		Levels: LevelSummary{
			Known: r.known, Seen: r.density.Len(),
			Missing: append([]float64{}, r.missing...), Unproduced: append([]float64{}, r.unproduced...),
		},
	}
	if n := j.network; n != nil {
		s.Network = &NetworkSummary{
			Architecture: n.bundle.Card.Architecture, Provider: string(n.runtime.Provider),
			Bundle: n.folder, Training: n.bundle.Card.Training,
		}
	}
	if j.interrupted != nil {
		s.Interrupted = j.interrupted.Error()
	}
	if j.isCanonical() {
		s.Levels = LevelSummary{Seen: r.density.Len(), Missing: []float64{}, Unproduced: []float64{}}
		s.Canonical, s.Verdict = j.summariseCanonical(r), j.judgeCanonical(r)
		return s
	}
	if lattice.GroundKnown(j.system) && r.density.Energy[0] == j.system.Energy(j.system.GroundLevel()) {
		s.GroundState = &GroundState{LnG: r.density.LnG[0], Known: j.system.LnGroundStates()}
		if e := r.density.Error[0]; !math.IsNaN(e) {
			s.GroundState.Error = &e
		}
	}
	if j.isGlobal() {
		s.Verdict = j.judgeDraws(r, s)
	} else {
		s.Verdict = j.judge(r, s.GroundState)
	}
	return s
}
