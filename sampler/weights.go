package sampler

import (
	"fmt"
	"math"

	"neuralwl/internal/invariants"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// weights are the estimate of ln g within a window, 1/g of which weighs its walkers,
// and all that it takes to improve it.
type weights struct {
	lattice.Window
	isOpen bool // it has walkers

	lnG []float64
	// lnWeight is minus the logarithm of the weights: ln g itself, but for production with
	// another histogram than a flat one.
	lnWeight  []float64
	seen      []bool
	kernel    local.Kernel // of the local move, nil for none
	schedule  schedule
	recursion *recursion // instead of the schedule in a multicanonical iteration
	hist      []int64    // visits since the last reduction of ln f, or in the present iteration
	pending   [][]int64  // by worker: visits not yet applied to ln g
	waiting   int64      // number of those
	interval  int64      // trials between two applications
	targets   *spread    // of neural moves
	state     histogramState
}

// trialsPerLevel is how many trials are at least made between two updates of the
// tables of the local moves, per level: refilling a level's table takes as long as
// six trials, which is then 5 % of the time.
const trialsPerLevel = 128

// newWeights returns the weights of a number of walkers in a window.
func newWeights(o *Options, window lattice.Window, walkers int) *weights {
	p := o.System
	w := &weights{
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
	// Between two updates of ln g the walkers make at least this many trials; a
	// level gains ln f for each, on average less than 1 in all.
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
func (w *weights) fillKernel() {
	if w.kernel != nil {
		w.kernel.Fill(w.lnWeight)
	}
}

// adapted reports whether the weights are good enough for production: ln f is at the
// final one, and a histogram was flat at least once (also where ln f is small from the
// start), or the last multicanonical iteration was flat.
func (w *weights) adapted(finalLnF float64) bool {
	if w.recursion != nil {
		return w.recursion.flat
	}
	return w.schedule.lnF <= finalLnF && w.schedule.lnF < w.schedule.first
}

// progress is how much of that is done, 0..1, by a guess.
func (w *weights) progress(finalLnF float64) float64 {
	done := 0.0
	if w.recursion != nil {
		done = w.recursion.flatness / w.schedule.flatness
	} else if finalLnF < w.schedule.first {
		done = math.Log(w.schedule.first/w.schedule.lnF) / math.Log(w.schedule.first/finalLnF)
	}
	return min(done, 1)
}

// apply improves ln g by the trials counted so far once enough are waiting. It returns
// levels that were found and whether a stage of the schedule or an iteration ended.
func (w *weights) apply(trials int64) (found []int, ended bool) {
	if w.waiting += trials; w.waiting < w.interval {
		return nil, false
	}
	counted := int64(0)
	for b := range w.lnG {
		// Whole numbers first: a sum of products with ln f would depend on how the
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

// sumUp sums up the histogram.
func (w *weights) sumUp() {
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

// shiftToZero shifts ln g so that its least value over the levels seen is 0, which is also
// its value at all others: a level that is found late starts from the least known one, not
// from far below.
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
