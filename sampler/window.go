package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// Windows and their walkers.
//
// Each window has an estimate of ln g of its own. (With one in common, the visits of all
// walkers together become flat before those of each window are, and steps in ln g at the
// ends of the windows never heal.) Neighbouring windows exchange configurations (Vogel,
// Li, Wüst, Landau, PRL 110, 210603 (2013)), which so travel over the whole range,
// though no walker does.
//
// A walker always exchanges with the same two of the neighbouring windows, those of its
// column: walkers W c, ..., W c + W - 1 are column c of W windows. Columns have nothing in
// common under constant weights, as errors need it.

// checkWindows reports the faults of the windows.
func (o *Options) checkWindows() (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	n := len(o.Windows)
	if n == 0 || o.System == nil {
		return nil
	}
	last := o.System.Levels() - 1
	if o.Walkers%n != 0 {
		fault("%d walkers in %d windows: it must be a multiple of them", o.Walkers, n)
	}
	if o.Windows[0].Low != 0 || o.Windows[n-1].High != last {
		fault("the windows reach from level %d to %d, must from 0 to %d", o.Windows[0].Low, o.Windows[n-1].High, last)
	}
	for k, w := range o.Windows {
		if steps := lattice.Steps(o.System); w.Levels() < steps {
			fault("window %d, %v, has fewer than %d levels", k+1, w, steps)
		}
		if k == 0 {
			continue
		}
		if before := o.Windows[k-1]; w.Low <= before.Low || w.High <= before.High || w.Low > before.High-o.System.MaxStep() {
			fault("windows %d and %d, %v and %v: the second must begin and end later and share more than %d levels with the first", k, k+1, before, w, o.System.MaxStep())
		}
	}
	return faults
}

// open lets the walkers of windows in that have none yet, as copies of walkers
// anywhere that have come into the window's range.
func (e *Engine) open() {
	for again := true; again; {
		again = false
		for k, window := range e.windows {
			if window.isOpen {
				continue
			}
			var donors []int
			for i := range e.walkers {
				// At first all are where their random configurations are.
				if window.Contains(e.walkers[i].level) && (e.window(i).isOpen || e.passes == 0) {
					donors = append(donors, i)
				}
			}
			if len(donors) == 0 {
				continue
			}
			next := 0
			for i := k; i < len(e.walkers); i += len(e.windows) {
				if w := &e.walkers[i]; !window.Contains(w.level) {
					from := &e.walkers[donors[next%len(donors)]]
					copy(w.state, from.state)
					w.level, w.aim.known = from.level, false
					next++
				}
			}
			window.isOpen, again = true, true
		}
	}
}

// Waiting lists the windows that no walker has come into yet.
func (e *Engine) Waiting() []lattice.Window {
	var waiting []lattice.Window
	for _, w := range e.windows {
		if !w.isOpen {
			waiting = append(waiting, w.Window)
		}
	}
	return waiting
}

// exchange tries to exchange the configurations of each walker with that in the next
// window of its column, every other pair of windows at a time, with the probability
//
//	min[1, g_a(E_a) g_b(E_b) / (g_a(E_b) g_b(E_a))]
//
// under the weights 1/g_a and 1/g_b, zero if one of the levels lies outside of the other's window.
func (e *Engine) exchange() {
	n := len(e.windows)
	if n < 2 {
		return
	}
	r := rand.New(e.exchanges)
	c := &e.moves[Exchange]
	for k := r.IntN(2); k+1 < n; k += 2 {
		a, b := e.windows[k], e.windows[k+1]
		if !a.isOpen || !b.isOpen {
			continue
		}
		for i := k; i < len(e.walkers); i += n {
			x, y := &e.walkers[i], &e.walkers[i+1]
			u := r.Float64()
			c.Trials++
			if !a.Contains(y.level) || !b.Contains(x.level) {
				continue
			}
			if u < math.Exp(a.lnWeight[x.level]-a.lnWeight[y.level]+b.lnWeight[y.level]-b.lnWeight[x.level]) {
				x.state, y.state = y.state, x.state
				x.level, y.level = y.level, x.level
				x.trip, y.trip = y.trip, x.trip
				x.aim, y.aim = y.aim, x.aim
				c.Accepted++
			}
		}
	}
}

// join puts the ln g of the windows together: each continues the one before with the
// same mean over the levels that both have seen, which then have the mean of both. It
// is 0 at levels never seen.
func join(windows []*weights) []float64 {
	lnG := make([]float64, len(windows[0].lnG))
	times := make([]float64, len(lnG))
	offset := 0.0
	for k, w := range windows {
		if !w.isOpen {
			continue
		}
		if k > 0 {
			before, shift, n := windows[k-1], 0.0, 0.0
			for b := w.Low; b <= before.High; b++ {
				if w.seen[b] && before.seen[b] {
					shift += before.lnG[b] - w.lnG[b]
					n++
				}
			}
			if n > 0 {
				offset += shift / n
			}
		}
		for b, seen := range w.seen {
			if seen {
				lnG[b] += w.lnG[b] + offset
				times[b]++
			}
		}
	}
	for b, n := range times {
		if n > 0 {
			lnG[b] /= n
		}
	}
	return lnG
}
