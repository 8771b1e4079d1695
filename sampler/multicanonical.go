package sampler

import "math"

// recursion is the multicanonical iteration: walkers move under constant weights, then
// their histogram H corrects ln g, and so on until it is flat (Berg, Neuhaus, PRL 68, 9
// (1992)). The correction is the error-weighted one for differences between neighbouring
// levels seen (Janke, in: Computer Simulations of Surfaces and Interfaces, NATO Science
// Series II 114, 137 (2003), section 4.3; for many walkers Gross, Zierenberg, Weigel, Janke,
// CPC 224, 387 (2018)),
//
//	ln g(b) - ln g(a) += kappa ln[H(b)/H(a)],   kappa = p/(P + p),
//	p = H(a) H(b) / (H(a) + H(b)),              P += p,
//
// with P the precision of the difference so far, which counts for no more than
// steadyPrecision times p, as it does after many iterations of growing length: what
// early iterations far from equilibrium said has to be forgotten. Levels not yet seen have the weight of
// the nearest one seen, so that each iteration reaches some levels further.
//
// A level seen that an iteration leaves out between two that it visits, one step apart, counts
// as half a visit (as h_0 in Berg, Fields Inst. Commun. 26, 1 (2000)): its ln g is far too high,
// and would else remain so.
//
// Iterations become longer by iterationGrowth whenever one has visited every level seen and
// found none: the number of trials that a flat histogram takes is not known beforehand.
// Iterations that leave levels out stay short, as the way back to those is found in many
// small steps.
type recursion struct {
	maxStep   int   // largest change of the level by a trial
	length    int64 // trials of an iteration
	trials    int64 // made in the present one
	found     bool  // the present one has found a new level
	flatness  float64
	flat      bool      // the last one was flat
	precision []float64 // P by the lower level
	upper     []int     // the upper level that this P belongs to
}

const (
	// iterationGrowth is the ratio of the lengths of two iterations.
	iterationGrowth = 1.3
	// steadyPrecision is the sum of a geometric series, 1/growth + 1/growth^2 + ...
	steadyPrecision = 1 / (iterationGrowth - 1)
	// firstSweeps is how many sweeps of all walkers the first iteration takes.
	firstSweeps = 8
)

func newRecursion(levels, maxStep int, length int64) *recursion {
	return &recursion{maxStep: maxStep, length: length, precision: make([]float64, levels), upper: make([]int, levels)}
}

// step accounts for trials and, at the end of an iteration, corrects ln g. It reports
// whether it did.
func (r *recursion) step(w *weights, trials int64, found bool) bool {
	r.trials += trials
	r.found = r.found || found
	if r.trials < r.length {
		return false
	}
	r.flatness = w.state.flatness()
	r.flat = !r.found && r.flatness >= w.schedule.flatness
	r.correct(w)
	if !r.found && w.state.lowest > 0 {
		r.length = int64(math.Ceil(float64(r.length) * iterationGrowth))
	}
	r.trials, r.found = 0, false
	return true
}

// correct applies the recursion to neighbouring levels seen.
func (r *recursion) correct(w *weights) {
	visits := r.visits(w)
	a, before, lnG := -1, 0.0, 0.0 // the level below, ln g there before and after
	for b, seen := range w.seen {
		if !seen {
			continue
		}
		old := w.lnG[b]
		if a >= 0 {
			lnG += old - before + r.correction(a, b, visits[a], visits[b])
		}
		a, before = b, old
		w.lnG[b] = lnG
	}
	shiftToZero(w.lnG, w.seen)
	w.fillUnseen()
}

// visits of the present iteration by level.
func (r *recursion) visits(w *weights) []float64 {
	visits, last := make([]float64, len(w.hist)), -1-r.maxStep
	for b, n := range w.hist {
		if n == 0 {
			continue
		}
		visits[b] = float64(n)
		for hole := last + 1; b-last <= r.maxStep && hole < b; hole++ {
			visits[hole] = 0.5
		}
		last = b
	}
	return visits
}

// correction of ln g(b) - ln g(a) by the visits to both.
func (r *recursion) correction(a, b int, visitsA, visitsB float64) float64 {
	if r.upper[a] != b {
		r.precision[a], r.upper[a] = 0, b // a level in between was found
	}
	if visitsA == 0 || visitsB == 0 {
		return 0
	}
	p := visitsA * visitsB / (visitsA + visitsB)
	r.precision[a] = min(r.precision[a], steadyPrecision*p) + p
	return p / r.precision[a] * math.Log(visitsB/visitsA)
}
