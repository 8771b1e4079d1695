package sampler

import (
	"context"
	"math"
	"reflect"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestBridge compares the number of states in each window of levels, by draws and states together,
// by draws, and by states, with the exact one, for all kinds of draws, and resumed from a
// snapshot half-way.
func TestBridge(t *testing.T) {
	p := mustPotts(t, 3, 3, 4)
	exact := make([]float64, p.Levels())
	configurations(p, func(_ []uint8, level int) { exact[level]++ })
	lnG := make([]float64, p.Levels())
	for b, n := range exact {
		if lnG[b] = math.NaN(); n > 0 {
			lnG[b] = math.Log(n) + 0.1*math.Sin(float64(b)) // weights need not be exact
		}
	}
	uneven := make([]float64, p.Levels())
	for b := range uneven {
		uneven[b] = math.Cos(float64(b) / 3)
	}
	for _, c := range []struct {
		name      string
		tolerance int
		o         Options
		lnH       []float64
		short     bool
	}{
		{"whole", 2, Options{}, nil, false},
		{"across", 1, Options{Across: 1, Trials: 2, Local: local.HeatBath}, nil, false},
		{"all moves", 2, Options{Across: 0.5, Partial: 0.2, Trials: 2, Local: local.HeatBath}, nil, true},
		{"histogram", 2, Options{Across: 0.5, Partial: 0.2, Local: local.HeatBath}, uneven, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.short {
				long.Only(t, "a few seconds")
			}
			t.Parallel()
			const walkers = 64
			o := c.o
			o.System, o.Seed, o.Walkers, o.LnG, o.Proposer = p, 3, walkers, lnG, newChainProposer(p, walkers, c.tolerance)
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if c.lnH != nil {
				e.SetHistogram(c.lnH)
			}
			passes := func(n int) {
				for range n {
					if err := e.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			e.Produce()
			passes(200)
			e.Produce() // with sharper references
			passes(1000)
			other, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Restore(e.Snapshot()); err != nil {
				t.Fatal(err)
			}
			passes(1000)
			b := e.Samples().Bridge()
			whole := e
			e = other
			passes(1000)
			if !reflect.DeepEqual(b, e.Samples().Bridge()) {
				t.Error("the engine that was restored has other points")
			}
			weights := whole.Samples().Windows[0].LnWeight
			square, n := map[string]float64{}, map[string]float64{}
			for k, w := range b.Estimate() {
				var parts []float64
				for level := w.Low; level <= w.High; level++ {
					if exact[level] > 0 {
						parts = append(parts, math.Log(exact[level])-weights[level])
					}
				}
				want := dos.LogSumExp(parts)
				together, draws, states := (w.LnZ-want)/w.Error, w.ForwardDeviation, w.ReverseDeviation
				t.Logf("levels %d..%d: %.1f errors of %.4f; draws %.1f (%.0f effective), states %.1f (%.0f), overlap %.2f, reference off by %.3f",
					w.Low, w.High, together, w.Error, draws, w.ForwardEffective, states, w.ReverseEffective, w.Overlap, b.Windows[k].Reference-want)
				for name, z := range map[string]float64{"together": together, "draws": draws, "states": states} {
					if name != "together" && (math.IsNaN(z) || w.Overlap < 0.3) {
						continue // rare points that count much
					}
					if !(math.Abs(z) < 4.5) {
						t.Errorf("levels %d..%d: %s off by %.1f errors", w.Low, w.High, name, z)
					}
					square[name] += z * z
					n[name]++
				}
			}
			for name, x := range square {
				if x /= n[name]; n[name] > 2 && !(x > 0.02 && x < 5) {
					t.Errorf("%s: mean square deviation %.2f in %.0f windows", name, x, n[name])
				}
			}
		})
	}
}

// TestJointCoverage is TestCoverage for a run with a network, whose draws the estimate takes in.
func TestJointCoverage(t *testing.T) {
	repetitions := long.Or(*coverageRuns, 12)
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	joint, alone := &coverage{}, &coverage{}
	for seed := range repetitions {
		e, err := New(Options{
			System: p, Seed: uint64(seed), Walkers: 64, Local: local.HeatBath, Sweeps: 2,
			Proposer: newChainProposer(p, 64, 3), Across: 0.5, Partial: 0.2,
		})
		if err != nil {
			t.Fatal(err)
		}
		s := production(t, e, 500)
		pins := []dos.Pin{{Level: p.GroundLevel(), LnG: p.LnGroundStates()}}
		for c, bridge := range map[*coverage]*dos.Bridge{joint: s.Bridge(), alone: nil} {
			d, err := dos.FromPinnedTransitions(lattice.Energies(p), lattice.Changes(p), s.Transitions(), p.LnStates(), pins, bridge)
			if err != nil {
				t.Fatal(err)
			}
			if bridge != nil && len(d.Bridge) == 0 {
				t.Fatal("no window")
			}
			c.add(d.Density, exact)
		}
	}
	t.Logf("mean square error %.3g, without draws %.3g", joint.variance/joint.all, alone.variance/alone.all)
	joint.check(t, "joint", repetitions)
	if joint.variance > 1.05*alone.variance {
		t.Errorf("errors are larger than without draws")
	}
}
