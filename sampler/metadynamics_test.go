package sampler

import (
	"math"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// hillsOf returns the metadynamics of a window of the 4x4 lattice with ten colours, whose levels are 1 J
// apart.
func hillsOf(t *testing.T, h Hills, window lattice.Window) (*hills, *estimate) {
	t.Helper()
	o := Options{System: mustPotts(t, 10, 4, 4), Walkers: 1, Local: local.HeatBath, Adaptation: Metadynamics, Hills: h}
	o.EnsureDefaults()
	w := newEstimate(&o, window, 1)
	return w.rule.(*hills), w
}

// TestHillSums compares the sum of hills with one made from each hill and its images beyond the ends of
// the window, for narrow hills and for some that are wider than the window.
func TestHillSums(t *testing.T) {
	window := lattice.Window{Low: 5, High: 24}
	n := window.Levels()
	for _, width := range []float64{0.1, 1, 2.5, 30} {
		for _, factor := range []float64{1.5, 20, math.Inf(1)} {
			m, w := hillsOf(t, Hills{Height: 3, Width: width, BiasFactor: factor}, window)
			want := make([]float64, len(m.bias))
			hill := func(at int, height float64) {
				for b := window.Low; b <= window.High; b++ {
					for images := -40; images <= 40; images++ {
						period := float64(2 * n * images)
						mirrored := float64(2*window.Low - 1 - at)
						for _, centre := range []float64{float64(at), mirrored} {
							d := float64(b) - centre - period
							want[b] += height * math.Exp(-d*d/(2*width*width))
						}
					}
				}
			}
			for _, visits := range []map[int]int64{{5: 1}, {24: 7, 12: 3}, {6: 2, 7: 2, 23: 1}} {
				heights := map[int]float64{}
				for at, n := range visits {
					heights[at] = float64(n) * 3 / 16 * math.Exp(-want[at]/(factor-1)) // of 16 trials a sweep
					w.fresh[at] = n
				}
				for at, h := range heights {
					hill(at, h)
				}
				m.deposit(window, w.fresh)
				clear(w.fresh)
			}
			for b, v := range m.bias {
				if math.Abs(v-want[b]) > 1e-9*(1+want[b]) {
					t.Errorf("width %g, bias factor %g: V = %.12f at level %d, want %.12f", width, factor, v, b, want[b])
				}
			}
		}
	}
}

// TestEvenHills leaves as many hills on every level: their sum is constant up to both ends.
func TestEvenHills(t *testing.T) {
	window := lattice.Window{Low: 3, High: 30}
	for _, width := range []float64{0.5, 3, 50} {
		m, w := hillsOf(t, Hills{Height: 1, Width: width, BiasFactor: 7}, window)
		for range 5 {
			for b := window.Low; b <= window.High; b++ {
				w.fresh[b] = 4
			}
			m.deposit(window, w.fresh)
		}
		for b := window.Low; b <= window.High; b++ {
			if math.Abs(m.bias[b]/m.bias[window.Low]-1) > 1e-12 {
				t.Errorf("width %g: V = %.15g at level %d, %.15g at the end", width, m.bias[b], b, m.bias[window.Low])
			}
		}
	}
}

// TestHillHeights follows the sum of narrow hills on one level: with hills of one height it grows by this
// height, and well-tempered ones make it (gamma - 1) ln[1 + h t / (gamma - 1)] or less than one hill more.
func TestHillHeights(t *testing.T) {
	window := lattice.Window{Low: 0, High: 32}
	const height, at = 16 * 0.2, 20 // a hill in 16 trials
	for _, factor := range []float64{2, 30, math.Inf(1)} {
		m, w := hillsOf(t, Hills{Height: height, Width: 0.01, BiasFactor: factor}, window)
		w.fresh[at], w.seen[at] = 1, true
		for trials := 1.0; trials <= 1000; trials++ {
			m.deposit(window, w.fresh)
			least := 0.2 * trials
			if !math.IsInf(factor, 1) {
				least = (factor - 1) * math.Log1p(0.2*trials/(factor-1))
			}
			if v := m.bias[at]; v < least-1e-9 || v > least+0.2 {
				t.Fatalf("bias factor %g: V = %g after %g trials, want %g or a little more", factor, v, trials, least)
			}
			if want := height * math.Exp(-m.bias[at]/(factor-1)); math.Abs(w.hill()/want-1) > 1e-9 {
				t.Fatalf("the highest hill is %g high, want %g", w.hill(), want)
			}
		}
		if limit := w.hill(); !math.IsInf(factor, 1) && (!m.adapted(w, limit) || m.adapted(w, 0.99*limit)) {
			t.Errorf("bias factor %g: with the highest hill %g the adaptation has not ended at just that height", factor, limit)
		}
	}
}

// TestHillsOfOneHeight end with a flat histogram of all levels seen, whatever their height.
func TestHillsOfOneHeight(t *testing.T) {
	window := lattice.Window{Low: 0, High: 32}
	m, w := hillsOf(t, Hills{BiasFactor: math.Inf(1)}, window)
	visit := func(visits map[int]int64) {
		for b, n := range visits {
			w.pending[0][b] = n
		}
		w.apply(w.interval)
	}
	for range 5 {
		if visit(map[int]int64{9: 1000, 10: 1000, 20: 10}); m.adapted(w, math.Inf(1)) {
			t.Fatalf("the adaptation ended with the flatness %g", w.state.flatness())
		}
	}
	if visit(map[int]int64{20: 5000}); !m.adapted(w, 0) {
		t.Errorf("the adaptation did not end with a flat histogram: flatness %g", w.state.flatness())
	}
}

// TestDeepLevels: however far the walkers have filled up the levels that they know, unseen ones are not
// further down than deepest.
func TestDeepLevels(t *testing.T) {
	window := lattice.Window{Low: 0, High: 32}
	m, w := hillsOf(t, Hills{Height: 16, Width: 0.2, BiasFactor: math.Inf(1)}, window)
	for range 10 {
		w.pending[0][10], w.pending[0][11] = 100, 100
		w.apply(w.interval)
	}
	for b, v := range m.bias {
		if want := m.bias[10] - deepest; b < 9 && math.Abs(v-want) > 1e-9 {
			t.Errorf("level %d: V = %g, want %g", b, v, want)
		}
	}
}
