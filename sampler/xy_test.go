package sampler

import (
	"context"
	"math"
	"reflect"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// xyRing is the XY model on a ring of ten sites.
func xyRing(t *testing.T) *lattice.XY {
	t.Helper()
	s, err := lattice.NewXY(0.5, 0, 0, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestXY runs both phases on a ring and compares ln g by both estimators with the exact one, in units of their errors,
// and the mean energies in the levels: with both moves, and with two windows whose walkers exchange configurations.
func TestXY(t *testing.T) {
	s := xyRing(t)
	want, err := exact.Ring(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"metropolis":     {Local: local.Metropolis},
		"overrelaxation": {Local: local.Overrelaxation},
		"two windows":    {Local: local.Metropolis, Windows: lattice.Windows(s, 2, 0.6)},
		"multicanonical": {Local: local.Metropolis, Adaptation: Multicanonical},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.System, o.Seed, o.Walkers, o.Sweeps = s, 1, 64, 2
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			pass := func() {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			for !e.Adapted(1e-4) {
				pass()
			}
			e.Produce()
			for range 50 {
				pass()
			}
			e.Produce()
			passes := long.Or(4000, 500)
			for i := range passes {
				e.Samples().Segment(float64(i) / float64(passes))
				pass()
			}
			for name, d := range xyEstimates(t, e.Samples(), s) {
				if d.Len() != want.Len() {
					t.Fatalf("%s: %d levels of %d", name, d.Len(), want.Len())
				}
				square := 0.0
				for i, x := range d.LnG {
					z := (x - want.LnG[i]) / d.Error[i]
					if !(math.Abs(z) < 6) {
						t.Errorf("%s: ln g(%g) = %.4f(%.4f), exact %.4f", name, d.Energy[i], x, d.Error[i], want.LnG[i])
					}
					square += z * z / float64(d.Len())
				}
				t.Logf("%s: mean square deviation %.2f errors squared", name, square)
				if square > 4.5 || square < 0.1 {
					t.Errorf("%s: mean square deviation %.2f errors squared", name, square)
				}
			}
			count, sums := e.Samples().Inside()
			for i, energy := range want.Energy {
				level := s.GroundLevel() - i
				n, sum := 0.0, 0.0
				for block := range count {
					n, sum = n+float64(count[block][level]), sum+sums[block][0][level]
				}
				// Successive measurements of a walker depend on each other: 8 of the errors of independent ones.
				if error := math.Sqrt(want.Bins.Variance[i] / n); math.Abs(0.5*sum/n-want.Bins.Mean[i]) > 8*error {
					t.Errorf("E = %g: mean energy %.4f from the centre, exact %.4f, of %v measurements", energy, 0.5*sum/n, want.Bins.Mean[i], n)
				}
			}
		})
	}
}

// xyEstimates are the estimates of ln g by name.
func xyEstimates(t *testing.T, samples *Samples, s *lattice.XY) map[string]*dos.Density {
	t.Helper()
	histogram, _, err := samples.Density()
	if err != nil {
		t.Fatal(err)
	}
	transitions, err := dos.FromTransitions(lattice.Energies(s), lattice.Changes(s), samples.Transitions(), s.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*dos.Density{"histogram": histogram.Density, "transitions": transitions.Density}
}

// TestXYResumes goes on from snapshots of either phase, in one window or two, to the same configurations, to the last
// bit, counts and numbers.
func TestXYResumes(t *testing.T) {
	s := xyRing(t)
	for _, windows := range []int{1, 2} {
		o := Options{System: s, Seed: 3, Walkers: 8, Sweeps: 2, Local: local.Overrelaxation, Windows: lattice.Windows(s, windows, 0.6)}
		whole, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		pass := func(e *Engine, n int) {
			for range n {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		again := func(from *Engine) *Engine {
			o := o
			o.Workers = 3
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Restore(from.Snapshot()); err != nil {
				t.Fatal(err)
			}
			return e
		}
		pass(whole, 150)
		resumed := again(whole)
		for _, e := range []*Engine{whole, resumed} {
			pass(e, 150)
			e.Produce()
			pass(e, 60)
		}
		second := again(resumed)
		for _, e := range []*Engine{whole, second} {
			pass(e, 60)
		}
		a, b := whole.Snapshot(), second.Snapshot()
		a.Times, b.Times = Times{}, Times{}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%d windows: the resumed run differs", windows)
		}
		a.States[7] ^= 0x40 // an angle of 1e150 or so
		if err := whole.Restore(a); err == nil {
			t.Error("a configuration with an angle that there is not was restored")
		}
	}
}
