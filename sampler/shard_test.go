package sampler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// divided is a production to be made in shards.
type divided struct {
	o       Options
	propose func(walkers int) Proposer
	low     bool // histogram
}

func dividedProductions(t *testing.T) map[string]divided {
	p := mustPotts(t, 3, 4, 4)
	site := func(walkers int) Proposer { return newSiteProposer(p, walkers) }
	chain := func(walkers int) Proposer { return newChainProposer(p, walkers, 2) }
	fine, err := lattice.NewBlumeCapel(1.97, 8, 8) // so many levels that columns count together
	if err != nil {
		t.Fatal(err)
	}
	return map[string]divided{
		"local":    {Options{System: p, Walkers: 20, Local: local.Metropolis}, nil, true},
		"groups":   {Options{System: p, Walkers: 77, Local: local.HeatBath, Sweeps: 2}, nil, false},
		"together": {Options{System: fine, Walkers: 130, Local: local.HeatBath}, nil, false},
		"network":  {Options{System: p, Walkers: 40, Local: local.HeatBath, Partial: 0.5}, site, false},
		"targets":  {Options{System: p, Walkers: 70, Local: local.HeatBath, Partial: 0.3, Across: 0.5, Trials: 2}, chain, true},
		"windows":  {Options{System: p, Walkers: 66, Local: local.HeatBath, Windows: lattice.UniformWindows(p.Levels(), 2, 0.5)}, chain, false},
		"hills":    {Options{System: p, Walkers: 40, Local: local.HeatBath, Adaptation: Metadynamics, Partial: 0.5}, site, false},
		"chained":  {Options{System: p, Walkers: 36, Local: local.HeatBath, Adaptation: MultipleGaussian, Gaussians: Gaussians{Sweeps: 1}, Windows: lattice.UniformWindows(p.Levels(), 2, 0.5)}, chain, true},
		"iterated": {Options{System: p, Walkers: 36, Local: local.HeatBath, Adaptation: Multicanonical, Windows: lattice.UniformWindows(p.Levels(), 3, 0.5)}, site, true},
	}
}

// engine returns one of a shard, with a number of workers.
func (d *divided) engine(t *testing.T, s Shard, workers int) *Engine {
	t.Helper()
	o := d.o
	o.Seed, o.Shard, o.Workers = 11, s, workers
	if d.propose != nil {
		o.Proposer = d.propose(o.Share())
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// adapted returns the state at the end of a short adaptation, and its engine.
func (d *divided) adapted(t *testing.T) (*Engine, *Snapshot) {
	t.Helper()
	e := d.engine(t, Shard{}, 2)
	pass(t, e, 30)
	return e, clone(t, e.Snapshot())
}

// begin begins a production with a burn-in.
func (d *divided) begin(t *testing.T, e *Engine) {
	t.Helper()
	if d.low {
		e.SetHistogram(e.LowHistogram())
	}
	e.Produce()
	pass(t, e, 5)
	e.Produce()
}

func pass(t *testing.T, e *Engine, n int) {
	t.Helper()
	for range n {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// segmented makes passes of a production from one pass to before another, of so many.
func segmented(t *testing.T, e *Engine, from, to, of int) {
	t.Helper()
	for n := from; n < to; n++ {
		e.Samples().Segment(float64(n) / float64(of))
		pass(t, e, 1)
	}
}

// TestShards makes productions in shards: pass by pass together, and one shard after the other in
// another order, with other numbers of workers, interrupted anywhere. The counts are the same to
// the last bit. Where nothing goes on between walkers they are also those of a production without
// shards.
func TestShards(t *testing.T) {
	const passes = 40
	for name, d := range dividedProductions(t) {
		for _, of := range []int{1, 3, 7} {
			t.Run(fmt.Sprint(name, of), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(of)))
				whole, end := d.adapted(t)
				var together Shards
				for k := range of {
					e := d.engine(t, Shard{k, of}, 1)
					if err := e.TakeUp(end); err != nil {
						t.Fatal(err)
					}
					if d.low {
						e.SetHistogram(e.LowHistogram())
					}
					together = append(together, e)
				}
				together.Produce()
				for range 5 {
					if err := together.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				together.Produce()
				for n := range passes {
					together.Segment(float64(n) / passes)
					if err := together.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				apart := make(Shards, of)
				for _, k := range r.Perm(of) {
					e := d.engine(t, Shard{k, of}, 2)
					if err := e.TakeUp(end); err != nil {
						t.Fatal(err)
					}
					d.begin(t, e)
					for from := 0; from < passes; {
						to := min(passes, from+1+r.IntN(passes))
						segmented(t, e, from, to, passes)
						next := d.engine(t, Shard{k, of}, 1+r.IntN(3))
						if err := next.Restore(clone(t, e.Snapshot())); err != nil {
							t.Fatal(err)
						}
						e, from = next, to
					}
					apart[k] = e
				}
				x, y := counts(t, together), counts(t, apart)
				if !reflect.DeepEqual(x, y) {
					t.Error("shards apart count otherwise than together")
				}
				p, q := together.Progress(), apart.Progress()
				if p.Times, q.Times = (Times{}), (Times{}); !reflect.DeepEqual(p, q) || p.Passes != passes {
					t.Errorf("progress %+v and %+v", p, q)
				}
				d.begin(t, whole)
				segmented(t, whole, 0, passes, passes)
				z := countsOf(whole.Samples())
				if moves := whole.Progress().Moves[Local]; moves != p.Moves[Local] {
					t.Errorf("%v local moves, without shards %v", p.Moves[Local], moves)
				}
				alone := len(d.o.Windows) == 0 && d.o.Across == 0
				if alone && !reflect.DeepEqual(x, z) {
					t.Error("shards count otherwise than all walkers together")
				}
				if v, w := together.View(), whole.View(); len(v.States) != d.o.Walkers || len(v.Windows) != len(w.Windows) || sum(v.Visits()) != sum(w.Visits()) {
					t.Errorf("view of %d walkers, %d windows and %d visits", len(v.States), len(v.Windows), sum(v.Visits()))
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

// counts are all that shards have counted together.
func counts(t *testing.T, s Shards) []any {
	t.Helper()
	samples, err := s.Samples()
	if err != nil {
		t.Fatal(err)
	}
	return countsOf(samples)
}

func countsOf(s *Samples) []any {
	count, sums := s.Order()
	return []any{s.Windows, s.Transitions(), s.Groups(), count, sums, s.Proposals(), s.Weights(), s.Bridge(), s.Timeline(), s.Passes()}
}

// TestShardsExact compares estimates of shards of a run with a network that aims at energies with the exact
// density of states: those of the histograms, of transitions, and of draws and states.
func TestShardsExact(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	o := Options{System: p, Seed: 5, Walkers: 64, Local: local.HeatBath, Sweeps: 2, Across: 0.5, Partial: 0.2}
	d := divided{o, func(walkers int) Proposer { return newChainProposer(p, walkers, 3) }, false}
	e := d.engine(t, Shard{}, 2)
	for e.LnF() > 1e-4 {
		pass(t, e, 1)
	}
	end := clone(t, e.Snapshot())
	var all []*Samples
	for k := range 4 {
		e := d.engine(t, Shard{k, 4}, 2)
		if err := e.TakeUp(end); err != nil {
			t.Fatal(err)
		}
		e.Produce()
		pass(t, e, 50)
		e.Produce()
		pass(t, e, 1000)
		all = append(all, e.Samples())
	}
	s, err := Join(all)
	if err != nil {
		t.Fatal(err)
	}
	energies, pins := lattice.Energies(p), []dos.Pin{{Level: p.GroundLevel(), LnG: p.LnGroundStates()}}
	histogram, err := dos.FromHistograms(energies, s.Windows[0].LnWeight, s.Windows[0].Blocks, p.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	transitions, err := dos.FromTransitions(energies, lattice.Changes(p), s.Transitions(), p.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := dos.FromPinnedTransitions(energies, lattice.Changes(p), s.Transitions(), p.LnStates(), pins, s.Bridge())
	if err != nil {
		t.Fatal(err)
	}
	if len(pinned.Bridge) == 0 {
		t.Error("draws and states are not compared")
	}
	for name, d := range map[string]*dos.Density{"histogram": histogram.Density, "transitions": transitions.Density, "pinned": pinned.Density} {
		c := &coverage{}
		c.add(d, exact)
		if d.Len() != exact.Len() || c.square/c.all > 4 || c.variance/c.all > 0.01 {
			t.Errorf("%s: %d levels, mean square %.2f errors of %.3g", name, d.Len(), c.square/c.all, c.variance/c.all)
		}
	}
}

// TestShardFaults refuses divisions that cannot be, and counts that do not belong together.
func TestShardFaults(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	d := divided{Options{System: p, Walkers: 77, Local: local.HeatBath}, nil, false}
	for _, c := range []struct {
		s    Shard
		want string
	}{
		{Shard{0, 40}, "40 shards, 77 walkers in 1 windows can be divided into 39 at most"}, {Shard{3, 3}, "shard 3 of 3"}, {Shard{-1, 3}, "shard -1 of 3"}, {Shard{0, -1}, "of -1"},
	} {
		o := d.o
		o.Shard = c.s
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.s, err, c.want)
		}
	}
	if n := MaxShards(77, 1); n != 39 {
		t.Errorf("%d shards at most", n)
	}
	all := 0
	for k := range 39 {
		o := d.o
		o.Shard = Shard{k, 39}
		if o.Share() < 1 {
			t.Errorf("shard %d has no walkers", k)
		}
		all += o.Share()
	}
	if all != 77 {
		t.Errorf("the shards have %d walkers", all)
	}
	_, end := d.adapted(t)
	start := func(k, of, passes int) *Samples {
		e := d.engine(t, Shard{k, of}, 1)
		if err := e.TakeUp(end); err != nil {
			t.Fatal(err)
		}
		e.Produce()
		pass(t, e, passes)
		return e.Samples()
	}
	if _, err := Join([]*Samples{start(0, 2, 3), start(1, 2, 2)}); err == nil || !strings.Contains(err.Error(), "shard 1: it has made 2 passes") {
		t.Error(err)
	}
	other := start(1, 2, 3)
	other.Windows[0].LnWeight[4]++
	if _, err := Join([]*Samples{start(0, 2, 3), other}); err == nil || !strings.Contains(err.Error(), "other weights") {
		t.Error(err)
	}
	e := d.engine(t, Shard{0, 2}, 1)
	short := *end
	short.Turns = short.Turns[1:]
	if err := e.TakeUp(&short); err == nil || !strings.Contains(err.Error(), "77 walkers") {
		t.Error(err)
	}
	whole := d.engine(t, Shard{}, 1)
	whole.Produce()
	if err := e.TakeUp(whole.Snapshot()); err == nil || !strings.Contains(err.Error(), "production has begun") {
		t.Error(err)
	}
}
