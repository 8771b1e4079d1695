package sampler

import (
	"context"
	"flag"
	"math"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestCoverage repeats a small run with many seeds: the deviations of ln g from the
// exact result are distributed as the error bars say, for all estimators: about 68 %
// of them within one standard error and 95 % within two.
func TestCoverage(t *testing.T) {
	repetitions := long.Or(*coverageRuns, 20)
	p := mustPotts(t, 3, 4, 4)
	known := exactLnG(t, "potts_q3_4x4")
	energy := make([]float64, p.Levels())
	for b := range energy {
		energy[b] = p.Energy(b)
	}
	tallies := map[string]*coverage{"histogram": {}, "transitions": {}, "pinned": {}, "lowest levels pinned": {}}
	lowest := exact.Pins(p)
	for seed := range repetitions {
		e, err := New(Options{System: p, Seed: uint64(seed), Walkers: 64, Local: local.HeatBath, Sweeps: 2})
		if err != nil {
			t.Fatal(err)
		}
		s := production(t, e, 1000)
		histogram, err := dos.FromHistograms(energy, s.Windows[0].LnWeight, s.Windows[0].Blocks, p.LnStates())
		if err != nil {
			t.Fatal(err)
		}
		transitions, err := dos.FromTransitions(energy, lattice.Changes(p), s.Transitions(), p.LnStates())
		if err != nil {
			t.Fatal(err)
		}
		pinned, err := dos.FromPinnedTransitions(energy, lattice.Changes(p), s.Transitions(), p.LnStates(), []dos.Pin{{Level: p.GroundLevel(), LnG: p.LnGroundStates()}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		most, err := dos.FromPinnedTransitions(energy, lattice.Changes(p), s.Transitions(), p.LnStates(), lowest, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range map[string]*dos.Density{"histogram": histogram.Density, "transitions": transitions.Density, "pinned": pinned.Density, "lowest levels pinned": most.Density} {
			if d.Len() != known.Len() {
				t.Fatalf("seed %d: %d levels of %d", seed, d.Len(), known.Len())
			}
			tallies[name].add(d, known)
		}
	}
	for name, c := range tallies {
		c.check(t, name, repetitions)
	}
}

// coverageRuns is how many runs the coverage is of.
var coverageRuns = flag.Int("coverage-runs", 64, "runs of which the tests of coverage count")

// coverage counts deviations of an estimate from the exact result.
type coverage struct{ one, two, all, sum, square, variance float64 }

// add adds the levels whose error is not zero, as that of known ones is.
func (c *coverage) add(d, exact *dos.Density) {
	for i := range exact.Energy {
		if d.Error[i] == 0 {
			continue
		}
		z := (d.LnG[i] - exact.LnG[i]) / d.Error[i]
		c.all++
		c.sum += z
		c.square += z * z
		c.variance += d.Error[i] * d.Error[i]
		if math.Abs(z) <= 1 {
			c.one++
		}
		if math.Abs(z) <= 2 {
			c.two++
		}
	}
}

// check compares with what errors say.
func (c *coverage) check(t *testing.T, name string, repetitions int) {
	t.Helper()
	one, two, mean, square := c.one/c.all, c.two/c.all, c.sum/c.all, c.square/c.all
	t.Logf("%s: %.1f %% within one error, %.1f %% within two, mean %.3f, mean square %.3f", name, 100*one, 100*two, mean, square)
	// Levels of one run are correlated: some five of them are independent, which
	// makes the fractions uncertain by 1.5 and 0.7 % with 200 repetitions.
	more := math.Sqrt(200 / float64(repetitions))
	if one < 0.68-0.05*more || one > 0.68+0.05*more || two < 0.955-0.03*more || two > 0.955+0.025*more {
		t.Errorf("%s: %.1f %% within one error, %.1f %% within two", name, 100*one, 100*two)
	}
	if math.Abs(mean) > 0.15*more || square < 1-0.2*more || square > 1+0.3*more {
		t.Errorf("%s: mean %.3f, mean square %.3f", name, mean, square)
	}
}

// production adapts the weights to ln f = 1e-4 and makes so many passes under them.
func production(t *testing.T, e *Engine, passes int) *Samples {
	t.Helper()
	pass := func() {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for e.LnF() > 1e-4 {
		pass()
	}
	e.Produce()
	for range 100 {
		pass()
	}
	e.Produce()
	for i := range passes {
		e.Samples().Segment(float64(i) / float64(passes))
		pass()
	}
	return e.Samples()
}
