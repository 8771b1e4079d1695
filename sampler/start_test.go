package sampler

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestStart finds the numbers of states of the 3x3 lattice by many starts within their errors,
// in one window and in several, and with more walkers than targets or fewer.
func TestStart(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	count := make([]float64, p.Levels())
	configurations(p, func(_ []uint8, level int) { count[level]++ })
	for _, c := range []struct {
		walkers, tolerance int
		windows            []lattice.Window
	}{{64, 2, nil}, {8, 0, nil}, {64, 3, []lattice.Window{{Low: 0, High: 11}, {Low: 4, High: 18}}}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const starts = 400
			mean, square := make([]float64, p.Levels()), make([]float64, p.Levels())
			total := 0.0
			for seed := range uint64(starts) {
				e, err := New(Options{System: p, Seed: seed, Walkers: c.walkers, Windows: c.windows, Proposer: newChainProposer(p, c.walkers, c.tolerance)})
				if err != nil {
					t.Fatal(err)
				}
				s := e.NewStart()
				for s.Done() < 1 || s.p.Passes < 8 {
					if err := s.Draw(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				for level, x := range s.lnOmega() {
					mean[level] += math.Exp(x) / starts
					square[level] += math.Exp(2*x) / starts
				}
				total += math.Exp(s.LnTotal()) / starts
			}
			sum, n := 0.0, 0.0
			for level, want := range count {
				if want == 0 {
					if mean[level] > 0 {
						t.Errorf("level %d: %g states, there are none", level, mean[level])
					}
					continue
				}
				z := (mean[level] - want) / math.Sqrt((square[level]-mean[level]*mean[level])/(starts-1))
				sum += z * z
				n++
				if !(math.Abs(z) < 4.5) {
					t.Errorf("level %d: %.3f states, there are %.0f: %.1f errors", level, mean[level], want, z)
				}
			}
			t.Logf("mean square deviation %.2f errors squared, %.1f states in all", sum/n, total)
			if sum/n > 2.5 || math.Abs(total/512-1) > 0.05 {
				t.Errorf("mean square deviation %.2f errors squared, %.1f states in all", sum/n, total)
			}
		})
	}
}

// TestStartBegins: a start leaves the engine alone until it is finished. Then the walkers have
// valid configurations of many levels of their windows, what was drawn is seen, the rest is
// not, and sampling goes on to the exact result, the same from a snapshot.
func TestStartBegins(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	for _, windows := range [][]lattice.Window{nil, {{Low: 0, High: 20}, {Low: 10, High: 32}}} {
		const walkers = 64
		engine := func() *Engine {
			e, err := New(Options{System: p, Seed: 5, Walkers: walkers, Windows: windows, Proposer: newChainProposer(p, walkers, 3), Local: local.HeatBath})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		e, untouched := engine(), engine()
		s := e.NewStart()
		for s.Done() < 1 {
			if err := s.Draw(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(e.Snapshot(), untouched.Snapshot()) {
			t.Error("the draws have changed the engine")
		}
		s.Finish()
		if err := e.CheckEnergies(); err != nil {
			t.Error(err)
		}
		levels, drawn := map[int]bool{}, s.lnOmega()
		for i := range walkers {
			_, level := e.State(i)
			levels[level] = true
			if w := e.window(i); !w.Contains(level) || !w.isOpen {
				t.Errorf("walker %d is on level %d of the window %v", i, level, w.Window)
			}
		}
		if len(levels) < 12 {
			t.Errorf("the walkers are on %d levels", len(levels))
		}
		for level, seen := range e.Seen() {
			if seen == math.IsInf(drawn[level], -1) {
				t.Errorf("level %d: seen %v, ln Omega %g", level, seen, drawn[level])
			}
		}
		other := engine()
		if err := other.Restore(e.Snapshot()); err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Engine{e, other} {
			for !x.Adapted(1e-4) {
				if err := x.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !reflect.DeepEqual(e.LnG(), other.LnG()) {
			t.Error("from a snapshot it goes on in another way")
		}
		e.Produce()
		for range 3000 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if windows == nil {
			checkAgainst(t, p, e.Samples(), exact)
		}
	}
}

func TestStartNeedsTargets(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	for _, o := range []Options{{Local: local.HeatBath}, {Proposer: newSiteProposer(p, 4)}} {
		o.System, o.Walkers = p, 4
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if e.NewStart() != nil {
			t.Errorf("a start without a network that aims at energies: %+v", o)
		}
	}
}
