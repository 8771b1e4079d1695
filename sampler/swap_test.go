package sampler

import (
	"context"
	"math"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestSwapVisits lets networks of several kinds take turns under constant weights, every few
// passes: every configuration of the 3x3 lattice must be visited as often as its weight says.
func TestSwapVisits(t *testing.T) {
	long.Only(t, "4000 passes of 256 walkers, three times")
	p := mustPotts(t, 2, 3, 3)
	count := make([]float64, p.Levels())
	configurations(p, func(_ []uint8, level int) { count[level]++ })
	lnG, lnH := make([]float64, p.Levels()), make([]float64, p.Levels())
	for b, n := range count {
		if lnG[b] = math.NaN(); n > 0 {
			lnG[b] = math.Log(n)
		}
		lnH[b] = 1.5 * math.Sin(float64(b)/3)
	}
	const walkers = 256
	const passes = 4000
	sharp, dull, wide := newChainProposer(p, walkers, 2), newChainProposer(p, walkers, 2), newChainProposer(p, walkers, 4)
	dull.dull = 0.9
	for name, c := range map[string]struct {
		networks []Proposer
		o        Options
	}{
		"same tolerance":   {[]Proposer{sharp, dull}, Options{}},
		"other tolerance":  {[]Proposer{sharp, wide, dull}, Options{Across: 0.4, Partial: 0.3, Trials: 2}},
		"with and without": {[]Proposer{sharp, newSiteProposer(p, walkers)}, Options{Local: local.HeatBath}},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.System, c.o.Seed, c.o.Walkers, c.o.LnG, c.o.Proposer = p, 21, walkers, lnG, c.networks[0]
			e, err := New(c.o)
			if err != nil {
				t.Fatal(err)
			}
			e.SetHistogram(lnH)
			e.Produce()
			visits := make([][walkers]float64, 1<<p.Sites())
			number := func(state []uint8) (k int) {
				for i, colour := range state {
					k |= int(colour) << i
				}
				return k
			}
			for pass := range passes {
				if pass%3 == 2 {
					if err := e.SetProposer(c.networks[pass/3%len(c.networks)], c.o.Partial, 0); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
				for i := range walkers {
					if state, _ := e.State(i); pass >= passes/10 {
						visits[number(state)][i]++
					}
				}
			}
			sumH := 0.0
			for b, n := range count {
				sumH += math.Exp(lnH[b]) * min(1, n)
			}
			square := 0.0
			configurations(p, func(state []uint8, level int) {
				sum, sum2 := 0.0, 0.0
				for _, x := range visits[number(state)] {
					sum += x / walkers
					sum2 += x * x / walkers
				}
				want := passes * 0.9 * math.Exp(lnH[level]) / (sumH * count[level])
				z := (sum - want) / math.Sqrt((sum2-sum*sum)/(walkers-1))
				square += z * z / float64(int(1)<<p.Sites())
				if !(math.Abs(z) < 5) {
					t.Errorf("configuration %v: %.2f visits, expected %.2f: %.1f errors", state, sum, want, z)
				}
			})
			if t.Logf("mean square deviation %.3f errors squared", square); square > 1.25 || square < 0.75 {
				t.Errorf("mean square deviation %.3f errors squared", square)
			}
		})
	}
	e, err := New(Options{System: p, Walkers: walkers, Proposer: sharp})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetProposer(newChainProposer(p, walkers+1, 2), 0, 0); err == nil {
		t.Error("a network for another number of walkers")
	}
	if err := e.SetProposer(dull, 0, 3); err == nil || e.o.Proposer != sharp {
		t.Errorf("a network without shifts for an engine that asks for them: %v", err)
	}
}

// TestSwapDropsCounts finds no count of the former network in production, and none of its ln q
// in the aims, in windows. Both claim the same version, so that only forgetting the aims helps.
func TestSwapDropsCounts(t *testing.T) {
	p := mustPotts(t, 2, 4, 4)
	const walkers = 64
	first, second := newChainProposer(p, walkers, 2), newChainProposer(p, walkers, 3)
	second.dull = 1
	e, err := New(Options{System: p, Walkers: walkers, Proposer: first, Local: local.HeatBath,
		Windows: []lattice.Window{{Low: 0, High: 20}, {Low: 12, High: p.Levels() - 1}}})
	if err != nil {
		t.Fatal(err)
	}
	pass := func(n int) {
		for range n {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	pass(50)
	e.Produce()
	pass(20)
	lnWeight := e.Samples().Windows[0].LnWeight
	if err := e.SetProposer(second, 0, 0); err != nil {
		t.Fatal(err)
	}
	s := e.Snapshot()
	for i, aim := range s.Aims {
		if aim.Known {
			t.Fatalf("walker %d still aims at level %d with the former network's ln q = %v", i, aim.Target, aim.LnQ)
		}
	}
	if s.Passes != 0 || e.Samples().Passes() != 0 || e.Samples().Proposals() != nil || e.Samples().Weights() != nil {
		t.Error("production goes on with counts of the former network")
	}
	for b, x := range e.Samples().Windows[0].LnWeight {
		if x != lnWeight[b] {
			t.Fatalf("the weight of level %d has changed", b)
		}
	}
	evaluations := second.evaluations
	pass(1)
	if second.evaluations == evaluations {
		t.Error("the new network was not asked for ln q of the configurations")
	}
}
