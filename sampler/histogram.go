package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"neuralwl/sampler/lattice"
)

// SetHistogram sets the histogram h(E) that production should have: its walkers move under
// the weights h(E)/g(E). lnH is ln h by level up to a constant, finite at every level; it is kept, not
// copied. Call it between the adaptation and Produce: it has no effect on a production under way, and
// Adapt forgets it. Without it, or with nil, the histogram is flat. It panics if lnH does not have
// a value for every level.
func (e *Engine) SetHistogram(lnH []float64) {
	if n := e.o.System.Levels(); lnH != nil && len(lnH) != n {
		panic(fmt.Sprintf("sampler: SetHistogram with %d levels, the system %v has %d", len(lnH), e.o.System, n))
	}
	e.lnH = lnH
}

// LowHistogram is the logarithm of a histogram that favours low energies: a third of it is
// flat, and two thirds are
//
//	h(E) ∝ D(E)^-1/2,  D(E) ∝ 1 + 2 n,  n = (E - E_min)/Delta,
//
// with Delta the largest change of E by the move of one spin. Near the ground state n is
// the number of excitations, which come and go one by one, each about once a sweep: for a
// flat histogram both n -> n+1 and n+1 -> n happen at the rate n+1, so that this is how the
// diffusivity D of the energy vanishes towards the ground state. If E alone mattered,
// h ∝ D^-1/2 would make the most round trips (S. Trebst, D. A. Huse, M. Troyer, PRE 70,
// 046701 (2004)). The flat third allows for everything that D leaves out.
func (e *Engine) LowHistogram() []float64 {
	ground, peak := e.groundLevel(), e.o.System.PeakLevel()
	lnH := make([]float64, e.o.System.Levels())
	sum, n := 0.0, float64(ground-peak+1)
	for b := range lnH {
		k := float64(max(ground-max(b, peak), 0))
		lnH[b] = 1 / math.Sqrt(1+2*k/float64(e.o.System.MaxStep()))
		if peak <= b && b <= ground {
			sum += lnH[b]
		}
	}
	for b, h := range lnH {
		lnH[b] = math.Log((1/n + 2*h/sum) / 3)
	}
	return lnH
}

// shape makes the weights those of the histogram exp(lnH).
func (w *estimate) shape(lnH []float64, margin int) {
	w.lnWeight = make([]float64, len(w.lnG))
	for b, x := range w.lnG {
		w.lnWeight[b] = x - lnH[b]
	}
	w.spreadHistogram(margin)
}

// spreadHistogram makes the histogram of the present weights, over the levels of the window and a
// margin beyond its ends, which are as the ends themselves.
func (w *estimate) spreadHistogram(margin int) {
	if w.histogram = nil; &w.lnWeight[0] == &w.lnG[0] {
		return
	}
	s := &spread{low: w.Low - margin, sums: []float64{0}}
	for b := w.Low - margin; b <= w.High+margin; b++ {
		level := max(w.Low, min(b, w.High))
		s.sums = append(s.sums, s.sums[len(s.sums)-1]+math.Exp(w.lnG[level]-w.lnWeight[level]))
	}
	w.histogram = s
}

// margin is how far the targets of neural moves reach beyond the window.
func (e *Engine) margin() int {
	if !e.targeted() {
		return 0
	}
	return e.o.Proposer.Batch().Tolerance
}

// spread is a distribution over levels, to be restricted to windows; nil is the uniform
// one.
type spread struct {
	low  int
	sums []float64 // sums[i] is the sum over the levels low..low+i-1
}

// sum returns the sum over the levels of a window.
func (s *spread) sum(w lattice.Window) float64 {
	if s == nil {
		return float64(w.Levels())
	}
	return s.sums[w.High+1-s.low] - s.sums[w.Low-s.low]
}

// lnShare is the logarithm of the probability of a part of a window.
func (s *spread) lnShare(part, of lattice.Window) float64 { return math.Log(s.sum(part) / s.sum(of)) }

// relative is the probability of a level in units of the mean over all levels.
func (s *spread) relative(level int) float64 {
	whole := lattice.Window{Low: s.low, High: s.low + len(s.sums) - 2}
	return s.sum(lattice.Window{Low: level, High: level}) / s.sum(whole) * float64(whole.Levels())
}

// draw draws a level of a window.
func (s *spread) draw(r *rand.Rand, w lattice.Window) int {
	if s == nil {
		return w.Low + r.IntN(w.Levels())
	}
	sums := s.sums[w.Low-s.low : w.High+2-s.low]
	x := sums[0] + r.Float64()*s.sum(w)
	return w.Low + min(sort.Search(len(sums)-1, func(i int) bool { return sums[i+1] > x }), w.Levels()-1)
}
