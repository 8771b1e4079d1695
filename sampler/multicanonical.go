package sampler

import (
	"math"
	"slices"

	"neuralwl/sampler/lattice"
)

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
// with P the precision of the difference so far. It is capped at steadyPrecision times p,
// its value after many iterations of growing length, in order to forget early iterations
// far from equilibrium. Unseen levels have the weight of the nearest level seen, so that
// each iteration reaches some levels further.
//
// A level seen before that an iteration skips, between two visited levels one step apart,
// counts as half a visit (h_0 in Berg, Fields Inst. Commun. 26, 1 (2000)): its ln g is far
// too high and would otherwise stay so.
//
// Iterations grow by iterationGrowth whenever one has visited every level seen and found no
// new one, since the number of trials that a flat histogram takes is not known beforehand.
// Iterations that skip levels stay short: the way back to those levels takes many small
// steps.
type recursion struct {
	maxStep   int       // largest change of the level by a trial
	steady    float64   // steadyPrecision; +Inf where nothing is to be forgotten
	length    int64     // trials of an iteration
	trials    int64     // made in the present iteration
	found     bool      // the present iteration has found a new level
	last      float64   // flatness of the last iteration
	flat      bool      // the last iteration was flat and found no level
	precision []float64 // P by the lower level
	upper     []int     // the upper level to which this P belongs
}

const (
	// iterationGrowth is the ratio of the lengths of successive iterations.
	iterationGrowth = 1.3
	// steadyPrecision is the sum of a geometric series, 1/growth + 1/growth^2 + ...
	steadyPrecision = 1 / (iterationGrowth - 1)
	// firstSweeps is the length of the first iteration in sweeps of all walkers.
	firstSweeps = 8
)

func newRecursion(p lattice.System, window lattice.Window, walkers int) *recursion {
	levels := p.Levels()
	return &recursion{
		maxStep: p.MaxStep(), steady: steadyPrecision, length: max(trialsPerLevel*int64(window.Levels()), int64(firstSweeps*walkers*p.Sites())),
		precision: make([]float64, levels), upper: make([]int, levels),
	}
}

func (r *recursion) weights(w *estimate) []float64   { return w.lnG }
func (r *recursion) begin(*estimate)                 {}
func (r *recursion) coarsen(*estimate, int64)        {}
func (r *recursion) adapted(*estimate, float64) bool { return r.flat }
func (r *recursion) progress(w *estimate, _ float64) float64 {
	return min(1, r.flatness(w)/w.schedule.flatness)
}
func (r *recursion) flatness(*estimate) float64 { return r.last }

// step accounts for trials and, at the end of an iteration, corrects ln g.
func (r *recursion) step(w *estimate, trials int64) (changed, ended bool) {
	r.trials += trials
	r.found = r.found || w.state.discovered
	if r.trials < r.length {
		return false, false
	}
	r.last = w.state.flatness()
	r.flat = !r.found && r.last >= w.schedule.flatness
	r.correct(w, r.visits(w))
	if !r.found && w.state.lowest > 0 {
		r.length = int64(math.Ceil(float64(r.length) * iterationGrowth))
	}
	r.trials, r.found = 0, false
	return true, true
}

func (r *recursion) save(s *WindowSnapshot) {
	s.Iteration = &IterationSnapshot{r.length, r.trials, r.found, r.flat, r.last, r.precision, r.upper}
}

func (r *recursion) restore(_ *estimate, s *WindowSnapshot) {
	it := s.Iteration
	*r = recursion{r.maxStep, r.steady, it.Length, it.Trials, it.Found, it.Flatness, it.Flat, slices.Clone(it.Precision), slices.Clone(it.Upper)}
}

// correct applies the recursion to neighbouring levels seen, by their visits under the present
// weights.
func (r *recursion) correct(w *estimate, visits []float64) {
	a, before, under, lnG := -1, 0.0, 0.0, 0.0 // the level below, ln g there before, ln of 1/weight, ln g after
	for b, seen := range w.seen {
		if !seen {
			continue
		}
		old, lnWeight := w.lnG[b], w.lnWeight[b]
		if a >= 0 {
			lnRatio := lnWeight - under - (old - before)
			lnG += old - before + r.correction(a, b, visits[a], visits[b], lnRatio)
		}
		a, before, under = b, old, lnWeight
		w.lnG[b] = lnG
	}
	shiftToZero(w.lnG, w.seen)
	w.fillUnseen()
}

// visits of the present iteration by level.
func (r *recursion) visits(w *estimate) []float64 {
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

// correction of ln g(b) - ln g(a) by the visits to both. Under the weights of these visits the ratio
// would be even if ln g(b) - ln g(a) were greater by lnRatio.
func (r *recursion) correction(a, b int, visitsA, visitsB, lnRatio float64) float64 {
	if r.upper[a] != b {
		r.precision[a], r.upper[a] = 0, b // a level in between was found
	}
	if visitsA == 0 || visitsB == 0 {
		return 0
	}
	p := visitsA * visitsB / (visitsA + visitsB)
	r.precision[a] = min(r.precision[a], r.steady*p) + p
	return p / r.precision[a] * (lnRatio + math.Log(visitsB/visitsA))
}
