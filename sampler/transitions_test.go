package sampler

import (
	"context"
	"math"
	"testing"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestTransitions collects transitions under frozen weights, exact ones and such that
// are wrong by a factor e at half of the levels: for both local moves the estimate
// meets the exact ln g within its errors, which are smaller than those of the
// histogram.
func TestTransitions(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	energy := make([]float64, p.Levels())
	lnG := make([]float64, p.Levels())
	for b := range lnG {
		energy[b], lnG[b] = p.Energy(b), math.NaN()
	}
	for i, x := range exact.Energy {
		lnG[int(-x)] = exact.LnG[i] + float64(i%2)
	}
	for _, move := range []local.Move{local.HeatBath, local.Metropolis, local.Cluster} {
		e, err := New(Options{System: p, Seed: 4, Walkers: 64, Workers: 2, Local: move, LnG: lnG})
		if err != nil {
			t.Fatal(err)
		}
		run := func(passes int) {
			for i := range passes {
				if e.Samples() != nil {
					e.Samples().Segment(float64(i) / float64(passes))
				}
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.Produce()
		run(200)
		e.Produce()
		run(3200)
		s := e.Samples()
		transitions, err := dos.FromTransitions(energy, lattice.Changes(p), s.Transitions(), p.LnStates())
		if err != nil {
			t.Fatal(err)
		}
		histogram, err := dos.FromHistograms(energy, s.Windows[0].LnWeight, s.Windows[0].Blocks, p.LnStates())
		if err != nil {
			t.Fatal(err)
		}
		if transitions.Len() != exact.Len() {
			t.Fatalf("%v: %d levels of %d", move, transitions.Len(), exact.Len())
		}
		square, ratio := 0.0, 0.0
		for i := range exact.Energy {
			z := (transitions.LnG[i] - exact.LnG[i]) / transitions.Error[i]
			if math.Abs(z) > 5 {
				t.Errorf("%v: ln g(%g) = %.4f(%.4f), exact %.4f", move, exact.Energy[i], transitions.LnG[i], transitions.Error[i], exact.LnG[i])
			}
			square += z * z / float64(exact.Len())
			ratio += transitions.Error[i] / histogram.Error[i] / float64(exact.Len())
		}
		t.Logf("%v: mean square deviation %.2f errors squared, errors %.2f of the histogram's", move, square, ratio)
		if square > 4 || ratio > 1 {
			t.Errorf("%v: mean square deviation %.2f errors squared, errors %.2f of the histogram's", move, square, ratio)
		}
	}
}
