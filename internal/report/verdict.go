package report

import (
	"fmt"
	"math"

	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

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

// check adds a piece of evidence.
func (v *Verdict) check(name string, passed bool, format string, a ...any) {
	v.Checks = append(v.Checks, Check{name, passed, fmt.Sprintf(format, a...)})
}

// decide converges if every check holds.
func (v *Verdict) decide() {
	v.Converged = true
	for _, c := range v.Checks {
		v.Converged = v.Converged && c.Passed
	}
}

// concludeWalkers collects the evidence that walkers give ln g over all energies.
func concludeWalkers(r *Result, s *Summary) {
	s.GroundState = r.groundState()
	v := &s.Verdict
	if r.known > 0 {
		v.check("levels", len(r.missing) == 0, "%d of %d seen", r.known-len(r.missing), r.known)
	} else {
		v.check("levels", true, "%d seen; which levels have states is not known for this system and is no evidence", r.density.Len())
	}
	v.check("production", len(r.unproduced) == 0, "%d levels without a visit", len(r.unproduced))
	var trips, flatness float64
	for _, phase := range s.Phases {
		if phase.Name == sampler.Production {
			trips, flatness = phase.RoundTrips, phase.Flatness
		}
	}
	v.check("flatness", flatness >= minFlatness, "%.2f in production, at least %g is needed", flatness, minFlatness)
	v.check("round trips", trips >= minRoundTrips, "%.0f in production, at least %d are needed", trips, minRoundTrips)
	if e := r.estimators; e != nil {
		v.check("estimators", e.Discrepancy <= maxDiscrepancy, "histogram and transitions differ by %.2f errors (rms), at most %d are allowed", e.Discrepancy, maxDiscrepancy)
	}
	if waiting := WindowNames(r.System, r.Waiting); waiting != "" {
		v.check("windows", false, "no walker has come into %s", waiting)
	} else if r.windows != nil {
		worst := worstMismatch(r.windows)
		v.check("windows", worst <= maxDiscrepancy, "%d windows differ by at most %.2f errors (rms) where they overlap, at most %d are allowed", len(r.windows)+1, worst, maxDiscrepancy)
	}
	r.judgeGround(s)
}

// groundState is the estimate of ln g(E_min) beside the known degeneracy, nil where that
// is not known or the level is missing.
func (r *Result) groundState() *GroundState {
	if !lattice.GroundKnown(r.System) || r.density.Energy[0] != r.System.Energy(r.System.GroundLevel()) {
		return nil
	}
	g := &GroundState{LnG: r.density.LnG[0], Known: r.System.LnGroundStates()}
	if e := r.density.Error[0]; !math.IsNaN(e) {
		g.Error = &e
	}
	return g
}

// judgeGround compares ln g of the ground state with its known degeneracy.
func (r *Result) judgeGround(s *Summary) {
	const name = "ground state"
	v, ground := &s.Verdict, s.GroundState
	switch {
	case !lattice.GroundKnown(r.System):
		v.check(name, true, "not known for this system, and no evidence; the lowest energy seen is %g", r.density.Energy[0])
	case ground == nil:
		v.check(name, false, "never visited")
	case ground.Error == nil:
		v.check(name, false, "ln g = %.4f without an error bar, known %.4f", ground.LnG, ground.Known)
	default:
		z := (ground.LnG - ground.Known) / *ground.Error
		v.check(name, math.Abs(z) <= 3, "ln g = %.4f(%.4f), known %.4f: %.1f standard errors", ground.LnG, *ground.Error, ground.Known, z)
	}
}
