package sampler

import (
	"math"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// open fills windows that have no walkers yet with copies of walkers from anywhere that have
// entered the window's range.
func (e *Engine) open() {
	for again := true; again; {
		again = false
		for k, window := range e.windows {
			if window.isOpen {
				continue
			}
			var donors []int
			for i := range e.walkers {
				// At first walkers are wherever their random configurations are.
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
					w.level = from.level
					w.aim.forget()
					next++
				}
			}
			window.isOpen, again = true, true
		}
	}
}

// Waiting lists the windows that no walker has entered yet.
func (e *Engine) Waiting() []lattice.Window {
	var waiting []lattice.Window
	for _, w := range e.windows {
		if !w.isOpen {
			waiting = append(waiting, w.Window)
		}
	}
	return waiting
}

// exchange tries to exchange the configuration of each walker with that of the next window
// in its column, for every other pair of windows at a time, with probability
//
//	min[1, g_a(E_a) g_b(E_b) / (g_a(E_b) g_b(E_a))]
//
// under the weights 1/g_a and 1/g_b; 0 if one of the levels lies outside the other's
// window.
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

// join joins the ln g of the windows. Each is shifted to the mean of the one before over the
// levels that both have seen; there the result is the mean of both. It is 0 at levels never
// seen.
func join(windows []*estimate) []float64 {
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
