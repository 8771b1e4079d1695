package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// inShards returns an engine whose adaptation shards make.
func (d *divided) inShards(t *testing.T, of, round, workers int) *Engine {
	t.Helper()
	e := d.engine(t, Shard{}, workers)
	propose := func(o *Options) error {
		o.Proposer = d.propose(o.Share())
		return nil
	}
	if err := e.AdaptInShards(of, round, propose); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAdaptInShards makes adaptations in shards: with several numbers of workers, the shards of each
// pass in any order, and restored anywhere in a round. All come to the same weights and states, to
// the last bit, and all trials are counted.
func TestAdaptInShards(t *testing.T) {
	const passes = 60
	for name, d := range dividedProductions(t) {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			first := d.inShards(t, 5, 3, 1)
			pass(t, first, passes)
			other := d.inShards(t, 5, 3, 2)
			for made := 0; made < passes; {
				n := min(passes-made, 1+r.IntN(11))
				for range n {
					r.Shuffle(len(other.parts), func(i, k int) { other.parts[i], other.parts[k] = other.parts[k], other.parts[i] })
					pass(t, other, 1)
				}
				slices.SortFunc(other.parts, func(a, b *Engine) int { return a.o.Shard.Index - b.o.Shard.Index })
				made += n
				next := d.inShards(t, 5, 3, 1+r.IntN(3))
				if err := next.Restore(clone(t, other.Snapshot())); err != nil {
					t.Fatal(err)
				}
				other = next
			}
			x, y := clone(t, first.Snapshot()), clone(t, other.Snapshot())
			x.Times, y.Times = Times{}, Times{}
			if !reflect.DeepEqual(x, y) {
				t.Error("the order of shards, or an interruption, changes the adaptation")
			}
			all := int64(0)
			for _, w := range x.Windows {
				all += w.Trials + w.Waiting
			}
			trials := x.Moves[Local].Trials + x.Moves[Neural].Trials
			if d.o.Adaptation != Multicanonical && d.o.Across == 0 && (all != trials || trials == 0) {
				t.Errorf("%d trials count, %d were made", all, trials)
			}
			short := clone(t, first.Snapshot())
			short.Parts = short.Parts[1:]
			if err := d.inShards(t, 5, 3, 1).Restore(short); err == nil || !strings.Contains(err.Error(), "shards of the adaptation: 4") {
				t.Error(err)
			}
		})
	}
}

// TestAdaptInShardsExact compares ln g as adapted in shards, by both methods, with the exact one.
func TestAdaptInShardsExact(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	for _, method := range []Phase{WangLandau, Multicanonical} {
		for _, windows := range []int{1, 2} {
			t.Run(fmt.Sprint(method, windows), func(t *testing.T) {
				d := divided{Options{System: p, Walkers: 64, Local: local.HeatBath, Sweeps: 2, Adaptation: method, Windows: lattice.UniformWindows(p.Levels(), windows, 0.5)}, nil, false}
				e := d.inShards(t, 4, 2, 2)
				for n := 0; !e.Adapted(1e-5) || method == Multicanonical && n < 2000; n++ {
					if err := e.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
					if n > 200000 {
						t.Fatal("no end")
					}
				}
				lnG, shift, n, square := e.LnG(), 0.0, 0.0, 0.0
				for i, energy := range exact.Energy {
					shift += exact.LnG[i] - lnG[int(-energy)]
					n++
				}
				for i, energy := range exact.Energy {
					x := exact.LnG[i] - lnG[int(-energy)] - shift/n
					square += x * x / n
				}
				if rms := math.Sqrt(square); !(rms < 0.05) {
					t.Errorf("ln g is off by %.3f", rms)
				} else {
					t.Logf("ln g is off by %.4f after %d passes", rms, e.Progress().Passes)
				}
			})
		}
	}
	d := divided{Options{System: p, Walkers: 64, Local: local.HeatBath}, nil, false}
	for _, c := range [][2]int{{33, 1}, {2, 0}} {
		if err := d.engine(t, Shard{}, 1).AdaptInShards(c[0], c[1], nil); err == nil {
			t.Errorf("%v is possible", c)
		}
	}
}

// TestShardRounds makes rounds of an adaptation with the shards of each on several engines, in any order, and
// gives some rounds up half-way: it comes to what one engine alone comes to, to the last bit.
func TestShardRounds(t *testing.T) {
	const rounds, of, round = 12, 5, 3
	stop := func(after int) func() bool { return func() bool { after--; return after < 0 } }
	never := func() bool { return false }
	for name, d := range dividedProductions(t) {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			first, other := d.inShards(t, of, round, 1), d.inShards(t, of, round, 2)
			pass(t, first, rounds*round)
			helper := d.inShards(t, of, round, 1)
			for n := range rounds {
				if other.RoundBegins() != round {
					t.Fatal("no round begins")
				}
				began := clone(t, other.Snapshot())
				if n%3 == 1 { // one that is given up
					for k, passes := range []int{round, 1} {
						if got, err := other.ShardRound(t.Context(), k, stop(passes)); err != nil || (got == nil) != (passes < round) {
							t.Fatal(got, err)
						}
					}
					if err := other.Restore(clone(t, began)); err != nil {
						t.Fatal(err)
					}
				}
				if err := helper.Restore(clone(t, began)); err != nil {
					t.Fatal(err)
				}
				all := make([]*ShardRound, of)
				for _, k := range r.Perm(of) {
					by := other
					if r.IntN(2) == 0 {
						by = helper
					}
					got, err := by.ShardRound(t.Context(), k, never)
					if err != nil {
						t.Fatal(err)
					}
					if by == helper {
						got = clone(t, got)
					}
					all[k] = got
				}
				if n == rounds-1 {
					all[0], all[1] = all[1], all[0]
					damaged := d.inShards(t, of, round, 1)
					if err := damaged.Restore(clone(t, began)); err != nil {
						t.Fatal(err)
					}
					if err := damaged.EndRound(all[:of-1]); err == nil {
						t.Error("a round without a shard")
					}
					all[2].Snapshot.Passes++
					if err := damaged.EndRound(all); err == nil {
						t.Error("a round with a shard of another one")
					}
					all[2].Snapshot.Passes--
					all[0], all[1] = all[1], all[0]
				}
				if err := other.EndRound(all); err != nil {
					t.Fatal(err)
				}
			}
			x, y := clone(t, first.Snapshot()), clone(t, other.Snapshot())
			x.Times, y.Times = Times{}, Times{}
			if !reflect.DeepEqual(x, y) {
				t.Error("who makes the shards of a round changes the adaptation")
			}
			if x := first.tally; x != nil && !reflect.DeepEqual(x, other.tally) {
				t.Errorf("counts of proposals %v, not %v", other.tally, x)
			}
		})
	}
}
