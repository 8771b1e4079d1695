package transition_test

import (
	"math"
	"testing"

	"neuralwl/internal/exacttest"
	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// exact is a lattice with its exact density of states by level.
func exact(t *testing.T, q, lx, ly int) (*lattice.Potts, []bool, []float64) {
	t.Helper()
	p, err := lattice.NewPotts(q, lx, ly)
	if err != nil {
		t.Fatal(err)
	}
	seen, lnG := make([]bool, p.Levels()), make([]float64, p.Levels())
	d := exacttest.Density(t, q, lx, ly)
	for i, e := range d.Energy {
		level := int(math.Round((p.Energy(0) - e) / (p.Energy(0) - p.Energy(1))))
		seen[level], lnG[level] = true, d.LnG[i]-5
	}
	return p, seen, lnG
}

// TestFind finds two peaks of ten colours and one of two; near its own result it finds the same.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		two       bool
	}{{10, 4, 16, true}, {2, 16, 16, false}} {
		p, seen, lnG := exact(t, c.q, c.lx, c.ly)
		levels, d := transition.Known(p, seen, lnG)
		if total := dos.LogSumExp(d.LnG); math.Abs(total-p.LnStates()) > 1e-9 || len(levels) != d.Len() {
			t.Errorf("ln of the sum of g is %g, must be %g", total, p.LnStates())
		}
		at := transition.Find(p, d, nil)
		if at == nil || at.TwoPeaks != c.two || !(at.Low < at.High) {
			t.Fatalf("q = %d: %+v", c.q, at)
		}
		if again := transition.Find(p, d, at); math.Abs(again.Beta-at.Beta) > 1e-9 || again.TwoPeaks != c.two {
			t.Errorf("q = %d: %+v, then %+v", c.q, at, again)
		}
		if two := at.Minimum > at.Low && at.Minimum < at.High && at.LnBarrier > 0; two != c.two {
			t.Errorf("q = %d: %+v", c.q, at)
		}
	}
	p, seen, lnG := exact(t, 10, 4, 16)
	clear(seen)
	seen[10] = true
	if _, d := transition.Known(p, seen, lnG); transition.Find(p, d, nil) != nil {
		t.Error("one level has a transition")
	}
}

// TestHistogram shows one phase as often as the other, and no level never.
func TestHistogram(t *testing.T) {
	p, seen, lnG := exact(t, 10, 4, 16)
	levels, d := transition.Known(p, seen, lnG)
	at := transition.Find(p, d, nil)
	for _, share := range []float64{0, 0.5, 0.9} {
		h := transition.Histogram(p, levels, d, at, share)
		if len(h) != p.Levels() {
			t.Fatalf("%d levels", len(h))
		}
		var ordered, disordered float64
		even := (1 - share) / float64(p.GroundLevel()-p.PeakLevel()+1)
		for level, x := range h {
			if math.IsInf(x, 0) || math.IsNaN(x) || math.Exp(x) < 0.099*even {
				t.Errorf("share %g, level %d: %v", share, level, x)
			}
			if level < p.PeakLevel() {
				continue
			}
			if above := math.Exp(x) - even; p.Energy(level) < at.Minimum {
				ordered += above
			} else {
				disordered += above
			}
		}
		if math.Abs(ordered-share/2) > 1e-3 || math.Abs(disordered-share/2) > 1e-2 {
			t.Errorf("share %g: beyond what is even, %g are in the ordered and %g in the disordered phase", share, ordered, disordered)
		}
	}
	if transition.Histogram(p, levels, d, nil, 0.5) != nil || transition.Histogram(p, levels, d, &transition.Transition{Beta: 1}, 0.5) != nil {
		t.Error("one phase has a histogram of two")
	}
}
