package local

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"neuralwl/sampler/lattice"
)

// moves are all moves, and kernelSystems systems of every type.
var moves = []Move{HeatBath, Metropolis, RandomHeatBath, Cluster}

func kernelSystems(t testing.TB) []lattice.System {
	return []lattice.System{
		mustPotts(t, 3, 18, 4),
		mustPotts(t, 2, 5, 7),
		terms(t)(lattice.NewBlumeCapel(1.5, 6, 5)),
		terms(t)(lattice.NewBaxterWu(6, 6)),
		terms(t)(lattice.NewPotts3D(3, 3, 3, 4)),
		terms(t)(lattice.NewRandomBond(0.3, 1, 5, 6)),
	}
}

// TestSweep checks what every kernel promises: the level that it carries along is that of
// the configuration, walkers stay in the window, each sweep is N trials in the histogram
// and in the transitions, and none allocates.
func TestSweep(t *testing.T) {
	for _, s := range kernelSystems(t) {
		for _, move := range moves {
			if Check(s, move) != nil {
				continue
			}
			t.Run(fmt.Sprint(s, " ", move), func(t *testing.T) {
				state, level, rng := randomWalker(s)
				window := lattice.Window{Low: max(0, level-40), High: min(s.Levels()-1, level+40)}
				k := New(s, move, window, 2)
				k.Fill(archLnG(s))
				transitions := k.Transitions(3)
				hits := make([]int64, s.Levels())
				const sweeps = 200
				clusters := 0
				for i := range sweeps {
					var accepted int
					level, accepted = k.Sweep(i%2, state, level, hits, transitions.Block(1), rng)
					if counted := s.Level(state); counted != level || !window.Contains(level) {
						t.Fatalf("level %d carried along, %d counted, %v", level, counted, window)
					}
					switch {
					case move == Cluster && (accepted == 0 || accepted == s.Sites()):
						clusters += accepted / s.Sites()
					case accepted > s.Sites() || move != Metropolis && accepted != s.Sites():
						t.Fatalf("%d of %d trials accepted", accepted, s.Sites())
					}
				}
				if move == Cluster && clusters < sweeps/8 {
					t.Errorf("%d of %d cluster moves accepted", clusters, sweeps)
				}
				trials := int64(sweeps * s.Sites())
				if n := sum(hits); n != trials {
					t.Errorf("%d visits of %d trials", n, trials)
				}
				each := int64(s.Colours())
				if move == Metropolis {
					each = 1
				}
				counts := transitions.Counts()
				if n := sum(counts[1]); n != each*trials {
					t.Errorf("%d transitions of %d trials with %d colours each", n, trials, each)
				}
				if sum(counts[0]) != 0 || sum(counts[2]) != 0 {
					t.Error("transitions were counted in other blocks")
				}
				moved := k.Transitions(3)
				moved.Restore(counts)
				if !reflect.DeepEqual(moved.Counts(), counts) {
					t.Error("restored transitions differ")
				}
				if n := testing.AllocsPerRun(20, func() {
					level, _ = k.Sweep(0, state, level, hits, transitions.Block(0), rng)
				}); n != 0 {
					t.Errorf("%v allocations per sweep", n)
				}
			})
		}
	}
}

func sum(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestNoKernel covers the move None and systems of foreign types.
func TestNoKernel(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	window := lattice.Window{Low: 0, High: p.Levels() - 1}
	if k := New(p, None, window, 1); k != nil {
		t.Errorf("the move none has the kernel %v", k)
	}
	for _, move := range moves {
		if err := Check(struct{ lattice.System }{p}, move); err == nil || !strings.Contains(err.Error(), "no local moves for systems of the type") {
			t.Errorf("%v of a foreign type: %v", move, err)
		}
		if err := Check(p, move); err != nil {
			t.Error(err)
		}
	}
	if err := Check(terms(t)(lattice.NewBaxterWu(3, 3)), Cluster); err == nil || !strings.Contains(err.Error(), "no cluster moves: baxter-wu couples 3 sites") {
		t.Errorf("clusters of a Baxter-Wu model: %v", err)
	}
	var none *Transitions
	if none.Restore(nil); none.Block(0) != nil || none.Counts() != nil {
		t.Error("nil transitions hold counts")
	}
}
