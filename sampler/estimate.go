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
	// a histogram that is not flat.
	lnWeight  []float64
	seen      []bool
	kernel    local.Kernel // nil without local moves
	schedule  schedule
	recursion *recursion // replaces the schedule in multicanonical sampling, else nil
	hist      []int64    // visits in the present iteration
	pending   [][]int64  // by worker: visits not yet applied to ln g
	waiting   int64      // number of those visits
	interval  int64      // trials between two applications
	histogram *spread    // that production should have, nil for a flat one; also that of the targets of neural moves
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
		pending: make([][]int64, o.Workers),
	}
	w.lnWeight = w.lnG
	for i := range w.pending {
		w.pending[i] = make([]int64, p.Levels())
	}
	// Between two updates of ln g the walkers make at least atOnce trials. A level gains ln f
	// for each, less than 1 in all on average.
	atOnce := int64(walkers)
	if o.Local != local.None {
		w.interval = trialsPerLevel * int64(window.Levels())
		atOnce = max(w.interval, int64(walkers*p.Sites()))
	}
	w.schedule = newSchedule(min(1, float64(window.Levels())/float64(atOnce)), o.Flatness)
	if o.Adaptation == Multicanonical {
		w.recursion = newRecursion(p.Levels(), p.MaxStep(), max(trialsPerLevel*int64(window.Levels()), int64(firstSweeps*walkers*p.Sites())))
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
	w.fillKernel()
	return w
}

// fillKernel recomputes the tables of the local moves.
func (w *estimate) fillKernel() {
	if w.kernel != nil {
		w.kernel.Fill(w.lnWeight)
	}
}

// adapted reports whether the weights are good enough for production: ln f has reached the
// final one and at least one iteration has ended (even if ln f is small from the start), or
// the last multicanonical iteration was flat.
func (w *estimate) adapted(finalLnF float64) bool {
	if w.recursion != nil {
		return w.recursion.flat
	}
	return w.schedule.lnF <= finalLnF && w.schedule.lnF < w.schedule.first
}

// progress estimates how far the adaptation has come, 0..1.
func (w *estimate) progress(finalLnF float64) float64 {
	done := 0.0
	if w.recursion != nil {
		done = w.recursion.flatness / w.schedule.flatness
	} else if finalLnF < w.schedule.first {
		done = math.Log(w.schedule.first/w.schedule.lnF) / math.Log(w.schedule.first/finalLnF)
	}
	return min(done, 1)
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
		if n == 0 {
			continue
		}
		if !w.seen[b] {
			w.seen[b] = true
			found = append(found, b)
		}
		if w.recursion == nil {
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
	if w.recursion != nil {
		ended = w.recursion.step(w, w.waiting, w.state.discovered)
	} else {
		shiftToZero(w.lnG, w.seen)
		ended = w.schedule.step(w.waiting, w.state)
	}
	w.waiting = 0
	if w.recursion == nil || ended {
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
	h.lowest, h.total = -1, 0
	for b, seen := range w.seen {
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
	least := math.Inf(1)
	for b, s := range seen {
		if s {
			least = min(least, lnG[b])
		}
	}
	for b := range lnG {
		lnG[b] = max(0, lnG[b]-least)
	}
}
