package sampler

import (
	"fmt"
	"math"

	"neuralwl/internal/invariants"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// estimate is the estimate of ln g within a window, under which its walkers move, with
// everything that improves it.
type estimate struct {
	lattice.Window
	isOpen bool // the window has walkers

	lnG []float64
	// lnWeight is minus the logarithm of the weights: ln g itself, except in production with
	// a histogram that is not flat, and in adaptations by rules with weights of their own.
	lnWeight  []float64
	seen      []bool
	possible  []bool       // levels that have states, nil if they are not known
	kernel    local.Kernel // nil without local moves
	schedule  schedule
	rule      rule      // replaces the schedule, except in Wang-Landau and canonical sampling, where it is nil
	hist      []int64   // visits in the present iteration
	fresh     []int64   // of them, those of the last update
	pending   [][]int64 // by worker: visits not yet applied to ln g
	waiting   int64     // number of those visits
	interval  int64     // trials between two applications
	histogram *spread   // that production should have, nil for a flat one; also that of the targets of neural moves
	state     histogramState
}

// trialsPerLevel is the least number of trials per level between two updates of the tables
// of the local moves: refilling a level's table takes as long as six trials, thus 5 % of the
// time.
const trialsPerLevel = 128

// newEstimate returns the estimate of a window for a number of walkers.
func newEstimate(o *Options, window lattice.Window, walkers int) *estimate {
	p := o.System
	w := &estimate{
		Window:  window,
		lnG:     make([]float64, p.Levels()),
		seen:    make([]bool, p.Levels()),
		kernel:  local.New(p, o.Local, window, o.Workers),
		hist:    make([]int64, p.Levels()),
		fresh:   make([]int64, p.Levels()),
		pending: make([][]int64, o.Workers),
	}
	w.lnWeight = w.lnG
	for i := range w.pending {
		w.pending[i] = make([]int64, p.Levels())
	}
	if p.LevelsKnown() {
		w.possible = make([]bool, p.Levels())
		for b := window.Low; b <= window.High; b++ {
			if p.Possible(b) {
				w.possible[b] = true
				w.state.possible++
			}
		}
	}
	// Between two updates of ln g the walkers make at least atOnce trials. A level gains ln f
	// for each, less than 1 in all on average.
	atOnce := int64(walkers)
	if o.Local != local.None {
		w.interval = trialsPerLevel * int64(window.Levels())
		atOnce = max(w.interval, int64(walkers*p.Sites()))
	}
	lnF := o.LnF
	if lnF == 0 {
		lnF = min(1, float64(window.Levels())/float64(atOnce))
	}
	w.schedule = newSchedule(o.Schedule, lnF, o.Flatness, o.Exploration)
	switch o.Adaptation {
	case Multicanonical:
		w.rule = newRecursion(p, window, walkers)
	case Metadynamics:
		w.rule = newHills(o, window, atOnce)
	case MultipleGaussian:
		w.rule = newGaussians(o, window, walkers)
	}
	for b, x := range o.LnG {
		if !math.IsNaN(x) && window.Contains(b) {
			w.lnG[b], w.seen[b] = x, true
			w.state.levels++
		}
	}
	if o.Adaptation == Canonical {
		for b := range w.lnG {
			w.lnG[b] = o.Beta * p.Energy(b)
		}
	}
	if w.rule != nil {
		w.rule.begin(w)
		w.lnWeight = w.rule.weights(w)
	}
	w.fillKernel()
	return w
}

// fillKernel recomputes the tables of the local moves.
func (w *estimate) fillKernel() {
	if w.kernel != nil {
		w.kernel.Fill(w.lnWeight)
	}
	w.adaptKernel(w.lnG)
}

// adaptKernel has the proposals of local moves follow ln g, if they do.
func (w *estimate) adaptKernel(lnG []float64) {
	if k, ok := w.kernel.(local.Adaptive); ok {
		k.Adapt(lnG)
	}
}

// adapted reports whether the weights are good enough for production: the schedule or the rule has
// come to its end.
func (w *estimate) adapted(limit float64) bool {
	if w.rule != nil {
		return w.rule.adapted(w, limit)
	}
	return w.schedule.adapted(limit, w.state)
}

// progress estimates how far the adaptation has come, 0..1.
func (w *estimate) progress(limit float64) float64 {
	if w.rule != nil {
		return w.rule.progress(w, limit)
	}
	return w.schedule.progress(limit, w.state)
}

// apply accounts for trials and, once enough are waiting, improves ln g by their counts. It
// returns newly found levels and whether an iteration ended.
func (w *estimate) apply(trials int64) (found []int, ended bool) {
	if w.waiting += trials; w.waiting < w.interval {
		return nil, false
	}
	counted := int64(0)
	for b := range w.lnG {
		// Sum the counts first: a sum of products with ln f would depend on how the
		// trials are spread over the workers.
		n := int64(0)
		for _, counts := range w.pending {
			n += counts[b]
			counts[b] = 0
		}
		if w.fresh[b] = n; n == 0 {
			continue
		}
		if !w.seen[b] {
			w.seen[b] = true
			found = append(found, b)
		}
		if w.rule == nil {
			w.lnG[b] += w.schedule.lnF * float64(n)
		}
		w.hist[b] += n
		counted += n
	}
	if invariants.Enabled && counted != w.waiting {
		panic(fmt.Sprintf("sampler: %d trials were made and %d counted", w.waiting, counted))
	}
	w.state.discovered = len(found) > 0
	w.state.levels += len(found)
	w.sumUp()
	changed := true
	if w.rule != nil {
		changed, ended = w.rule.step(w, w.waiting)
	} else {
		shiftToZero(w.lnG, w.seen)
		ended = w.schedule.step(w.waiting, w.state)
	}
	w.waiting = 0
	if changed {
		w.fillKernel()
	}
	if ended {
		clear(w.hist)
	}
	return found, ended
}

// sumUp summarises the histogram.
func (w *estimate) sumUp() {
	h := &w.state
	h.lowest, h.total, h.missing = -1, 0, 0
	for b, seen := range w.seen {
		if w.possible != nil && w.possible[b] && w.hist[b] == 0 {
			h.missing++
		}
		if !seen {
			continue
		}
		if h.lowest < 0 || w.hist[b] < h.lowest {
			h.lowest = w.hist[b]
		}
		h.total += w.hist[b]
	}
}

// shiftToZero shifts ln g so that its least value over the levels seen is 0, and sets it to
// 0 at all other levels: a level found late thus starts from the least value, not from far
// below.
func shiftToZero(lnG []float64, seen []bool) {
	least := leastSeen(lnG, seen)
	for b := range lnG {
		lnG[b] = max(0, lnG[b]-least)
	}
}

// leastSeen is the least value over the levels seen, +Inf if there are none.
func leastSeen(values []float64, seen []bool) float64 {
	least := math.Inf(1)
	for b, s := range seen {
		if s {
			least = min(least, values[b])
		}
	}
	return least
}
