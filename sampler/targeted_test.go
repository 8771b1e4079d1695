package sampler

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// chainProposer is a Proposer in plain Go that aims at a level: each site has the colour
// of the one before with a probability that grows with the target. It also notes what
// it is asked.
type chainProposer struct {
	p           *lattice.Potts
	b           *Batch
	dull        float64 // 0..1, how little the target says
	evaluations int     // calls of LogProb
	places      int     // evaluated by them
}

func newChainProposer(p *lattice.Potts, walkers, tolerance int) *chainProposer {
	b := newSiteProposer(p, walkers).b
	b.Target, b.Current, b.Tolerance = make([]float32, walkers), make([]float32, walkers), tolerance
	return &chainProposer{p: p, b: b}
}

func (c *chainProposer) Batch() *Batch { return c.b }

func (c *chainProposer) Pin() Version { return 1 }

func (c *chainProposer) stay(energy float32) float64 {
	x := min(1, max(0, -float64(energy)/float64(c.p.GroundLevel())))
	return 0.1 + 0.8*(x+c.dull*(0.5-x))
}

// walk goes through the sites from start on, with a colour that choose returns given
// the one before, and sums up ln q.
func (c *chainProposer) walk(state []int32, start int, energy float32, choose func(i int, before int32, stay float64) int32) float32 {
	stay, q := c.stay(energy), float64(c.p.Q())
	x := 0.0
	for i := start; i < len(state); i++ {
		if i == 0 {
			state[i] = choose(i, 0, 1/q)
			x -= math.Log(q)
			continue
		}
		if state[i] = choose(i, state[i-1], stay); state[i] == state[i-1] {
			x += math.Log(stay)
		} else {
			x += math.Log((1 - stay) / (q - 1))
		}
	}
	return float32(x)
}

func (c *chainProposer) Propose(context.Context) error {
	n, q := c.b.Sites, c.p.Q()
	for w := range c.b.Walkers {
		proposal := c.b.Proposal[w*n : w*n+n]
		copy(proposal, c.b.State[w*n:w*n+n])
		c.b.Forward[w] = c.walk(proposal, int(c.b.Start[w]), c.b.Target[w], func(i int, before int32, stay float64) int32 {
			u := float64(c.b.Uniform[w*n+i])
			if u < stay {
				return before
			}
			step := 1 + min(int((u-stay)/(1-stay)*float64(q-1)), q-2)
			return (before + int32(step)) % int32(q)
		})
	}
	return nil
}

func (c *chainProposer) LogProb(context.Context) error {
	c.evaluations++
	c.places += c.b.Used
	n := c.b.Sites
	for w := range c.b.Used {
		state := append([]int32(nil), c.b.State[w*n:w*n+n]...)
		c.b.Reverse[w] = c.walk(state, int(c.b.Start[w]), c.b.Current[w], func(i int, _ int32, _ float64) int32 { return state[i] })
	}
	return nil
}

// TestTargetedMove runs moves with a target, full ones and partial refreshs, alone and
// with others, under exact weights, also for another histogram than a flat one: every
// configuration of the 3x3 lattice must be visited as often as its weight says. Walkers are independent, so that their shares tell
// the error.
func TestTargetedMove(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	count := make([]float64, p.Levels())
	configurations(p, func(_ []uint8, level int) { count[level]++ })
	lnG := make([]float64, p.Levels())
	for b, n := range count {
		if lnG[b] = math.NaN(); n > 0 {
			lnG[b] = math.Log(n)
		}
	}
	uneven, ends := make([]float64, p.Levels()), make([]float64, p.Levels()) // ln of histograms; ends has enough there for moves across
	for b := range uneven {
		uneven[b], ends[b] = 1.5*math.Sin(float64(b)/3), math.Cos(float64(b)/3)
	}
	const walkers = 256
	for _, c := range []struct {
		name      string
		tolerance int
		o         Options
		lnH       []float64
		short     bool // also with -short
	}{
		{"full", 2, Options{}, nil, true},
		{"exact target", 0, Options{}, nil, false},
		{"partial", 1, Options{Partial: 1}, nil, false},
		{"both", 3, Options{Partial: 0.4, Trials: 3}, nil, false},
		{"across", 1, Options{Across: 1, Trials: 2, Local: local.HeatBath}, nil, false},
		{"several trials", 2, Options{Across: 0.5, Trials: 3, Local: local.HeatBath}, nil, false},
		{"across or not", 2, Options{Across: 0.5, Partial: 0.2}, nil, true},
		{"across, targets kept", 3, Options{Across: 0.8}, nil, false},
		{"with heat bath", 2, Options{Partial: 0.3, Trials: 2, Local: local.HeatBath}, nil, false},
		{"windows", 2, Options{Partial: 0.3, Across: 0.7, Windows: []lattice.Window{{Low: 0, High: 11}, {Low: 4, High: 18}}}, nil, false},
		{"histogram", 2, Options{}, uneven, false},
		{"histogram without ends", 1, Options{Across: 0.6, Partial: 0.3, Trials: 2, Local: local.HeatBath}, uneven, false},
		{"histogram, all moves", 1, Options{Across: 0.6, Partial: 0.3, Trials: 2, Local: local.HeatBath}, ends, true},
		{"histogram in windows", 2, Options{Across: 0.5, Local: local.Metropolis, Windows: []lattice.Window{{Low: 0, High: 11}, {Low: 4, High: 18}}}, uneven, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.short {
				long.Only(t, "2400 passes of 256 walkers")
			}
			t.Parallel()
			passes := 2400
			if c.tolerance == 0 || c.name == "windows" { // few are accepted, or lead to some configurations
				passes *= 3
			}
			proposer := newChainProposer(p, walkers, c.tolerance)
			c.o.System, c.o.Seed, c.o.Walkers, c.o.LnG, c.o.Proposer = p, 20, walkers, lnG, proposer
			e, err := New(c.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.lnH != nil {
				e.SetHistogram(c.lnH)
			}
			e.Produce()
			visits := make([][walkers]float64, 1<<p.Sites()) // of a configuration, by walker
			number := func(state []uint8) (k int) {
				for i, colour := range state {
					k |= int(colour) << i
				}
				return k
			}
			for pass := range passes {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
				for i := range walkers {
					if state, _ := e.State(i); pass >= passes/10 {
						visits[number(state)][i]++
					}
				}
			}
			windows := len(e.windows)
			square, n := 0.0, 0.0
			configurations(p, func(state []uint8, level int) {
				for k, w := range e.windows {
					h := func(b int) float64 {
						if c.lnH == nil {
							return 1
						}
						return math.Exp(c.lnH[b])
					}
					sumH := 0.0
					for b := w.Low; b <= w.High; b++ {
						sumH += h(b) * min(1, count[b])
					}
					want := float64(passes) * 0.9 * h(level) / (sumH * count[level])
					if !w.Contains(level) {
						want = 0
					}
					// Columns are independent.
					sum, sum2, columns := 0.0, 0.0, 0.0
					for i := k; i < walkers; i += windows {
						x := visits[number(state)][i]
						sum += x
						sum2 += x * x
						columns++
					}
					mean := sum / columns
					if want == 0 {
						if sum > 0 {
							t.Errorf("window %d: configuration %v of level %d was visited", k, state, level)
						}
						continue
					}
					z := (mean - want) / math.Sqrt((sum2/columns-mean*mean)/(columns-1))
					square += z * z
					n++
					if !(math.Abs(z) < 5) {
						t.Errorf("window %d: configuration %v: %.2f visits, expected %.2f: %.1f errors", k, state, mean, want, z)
					}
				}
			})
			accepted := e.Progress().Moves[Neural]
			t.Logf("mean square deviation %.3f errors squared, %.3f accepted", square/n, accepted.Ratio())
			if square/n > 1.25 || square/n < 0.75 {
				t.Errorf("mean square deviation %.3f errors squared", square/n)
			}
			if all := int64(walkers * passes * max(1, c.o.Trials)); (accepted.Trials == all) != (c.o.Across == 0 || c.lnH != nil && &c.lnH[0] != &ends[0]) || accepted.Trials > all {
				t.Errorf("%d trials of %d", accepted.Trials, all)
			}
			if c.o.Partial < 1 && c.o.Across < 1 {
				checkWeights(t, p, e.Samples(), count)
			}
			counts, changed := e.Samples().Proposals(), int64(0)
			for b := range counts.Trials {
				accepted.Trials -= counts.Trials[b]
				accepted.Accepted -= counts.Accepted[b]
				changed += counts.Changed[b]
			}
			if accepted.Trials != 0 || accepted.Accepted != 0 || changed == 0 {
				t.Errorf("%+v proposals are missing by level, %d sites changed", accepted, changed)
			}
			// Aims of configurations that stay are not evaluated again, unless another move or
			// target intervenes.
			if c.o.Local == 0 && c.o.Partial == 0 && c.o.Across == 0 && proposer.evaluations > passes/refreshPeriod+1 {
				t.Errorf("%d evaluations in %d passes", proposer.evaluations, passes)
			}
			// Nor are those of walkers that did not move, where others did.
			if c.o.Local == 0 && c.o.Partial == 0 && proposer.places > walkers*(passes/refreshPeriod+2) {
				t.Errorf("%d evaluations of a configuration in %d passes", proposer.places, passes)
			}
			if c.o.Local != 0 && c.o.Partial == 0 && c.o.Across < 1 && c.o.Trials > 1 && proposer.places > passes*walkers*3/2 {
				t.Errorf("%d evaluations of a configuration in %d passes of %d trials", proposer.places, passes, c.o.Trials)
			}
		})
	}
}

// checkWeights compares the numbers of states that follow from the proposals alone with
// the exact ones.
func checkWeights(t *testing.T, p *lattice.Potts, s *Samples, count []float64) {
	t.Helper()
	energy := make([]float64, p.Levels())
	for b := range energy {
		energy[b] = p.Energy(b)
	}
	a, err := dos.FromWeights(energy, s.Weights())
	if err != nil {
		t.Fatal(err)
	}
	square, total := 0.0, 0.0
	for i, e := range a.Energy {
		z := (a.LnG[i] - math.Log(count[int(-e)])) / a.Error[i]
		square += z * z / float64(a.Len())
		if !(math.Abs(z) < 5) {
			t.Errorf("E = %g: ln of the number of states %.4f(%.4f), exact %.4f", e, a.LnG[i], a.Error[i], math.Log(count[int(-e)]))
		}
	}
	for _, n := range count {
		total += min(n, 1)
	}
	z := (a.LnTotal - p.LnStates()) / a.LnTotalError
	t.Logf("inverse probabilities: mean square deviation %.2f errors squared, sum off by %.1f errors", square, z)
	if float64(a.Len()) != total || square > 3 || !(math.Abs(z) < 4.5) {
		t.Errorf("inverse probabilities: %d levels of %.0f, mean square deviation %.2f errors squared, sum off by %.1f errors", a.Len(), total, square, z)
	}
}

// TestAcrossAlone refuses moves that would leave the energies in between out.
func TestAcrossAlone(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	o := Options{System: p, Walkers: 4, Proposer: newChainProposer(p, 4, 1), Across: 1}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "across = 1") {
		t.Errorf("across alone: %v", err)
	}
}

// TestTargetsAdapt runs Wang-Landau sampling with proposals that aim at levels and finds
// the exact density of states in production with more time at low energies, of which the
// histogram tells, the same for any number of workers.
func TestTargetsAdapt(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	var first string
	for workers := 1; workers <= 2; workers++ {
		const walkers = 64
		e, err := New(Options{System: p, Seed: 4, Walkers: walkers, Workers: workers, Proposer: newChainProposer(p, walkers, 3), Partial: 0.5, Trials: 4, Local: local.HeatBath})
		if err != nil {
			t.Fatal(err)
		}
		for !e.Adapted(5e-5) {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		e.SetHistogram(e.LowHistogram())
		e.Produce()
		for range 3000 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		checkAgainst(t, p, e.Samples(), exact)
		if x := e.Progress().Flatness; x < 0.8 {
			t.Errorf("in units of the histogram asked for, the least visited level has %.2f of the mean", x)
		}
		visits := make([]int64, p.Levels())
		for _, block := range e.Samples().Windows[0].Blocks {
			for b, n := range block {
				visits[b] += n
			}
		}
		if ratio := float64(visits[p.GroundLevel()]) / float64(visits[p.PeakLevel()]); ratio < 2 {
			t.Errorf("the ground state has %.2f times the visits of the peak", ratio)
		}
		if workers == 1 {
			first = fmt.Sprint(e.LnG(), e.Samples().Windows[0].Blocks)
		} else if first != fmt.Sprint(e.LnG(), e.Samples().Windows[0].Blocks) {
			t.Error("another result with two workers")
		}
	}
}

// constantProposer draws uniform configurations and calls the logarithm of their probability
// lnQ, whatever it is.
type constantProposer struct {
	*chainProposer
	lnQ     float32
	version Version
}

func (c *constantProposer) Pin() Version { return c.version }

func (c *constantProposer) Propose(context.Context) error {
	for i, u := range c.b.Uniform {
		c.b.Proposal[i] = int32(u * float32(c.p.Q()))
	}
	for w := range c.b.Forward {
		c.b.Forward[w] = c.lnQ
	}
	return nil
}

func (c *constantProposer) LogProb(context.Context) error {
	c.evaluations++
	for w := range c.b.Reverse {
		c.b.Reverse[w] = c.lnQ
	}
	return nil
}

// TestAimsForgetNetwork changes the network in the middle of production. Under flat weights
// and constant ln q, exactly the proposals that meet their target are accepted. If one side
// of a move used the ln q of the former network and that is lower, all would be rejected.
// The engine evaluates ln q again after a change of the network and only then.
func TestAimsForgetNetwork(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	const walkers = 16
	c := &constantProposer{newChainProposer(p, walkers, p.Levels()), -70, 1}
	e, err := New(Options{System: p, Seed: 1, Walkers: walkers, Proposer: c, LnG: make([]float64, p.Levels())})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	pass := func() {
		t.Helper()
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		m := e.neural.(*targetedMove)
		for i := range m.trials {
			trial := &m.trials[i]
			if met := m.meets(trial, m.to[trial.place]); met != (trial.changed >= 0) {
				t.Fatalf("pass %d, walker %d: its proposal meets the target: %v, and is accepted: %v", e.passes, i, met, !met)
			}
		}
	}
	for range 2 {
		pass()
	}
	for k, lnQ := range []float32{-40, -5} {
		before := c.evaluations
		pass()
		if c.evaluations != before {
			t.Fatal("the network was asked again for what is known")
		}
		c.lnQ, c.version = lnQ, c.version+1
		// A snapshot taken after the change must not hold the aims of the former network.
		if k == 1 {
			s := e.Snapshot()
			for i, a := range s.Aims {
				if a.Known {
					t.Errorf("walker %d: the snapshot holds ln q of another network", i)
				}
			}
			if err := e.Restore(s); err != nil {
				t.Fatal(err)
			}
		}
		pass()
		if c.evaluations != before+1 {
			t.Errorf("%d evaluations after a change of the network, want 1", c.evaluations-before)
		}
	}
	// A restored engine goes on without an evaluation.
	s := e.Snapshot()
	c.version++ // as in another process, where versions are others
	before := c.evaluations
	if err := e.Restore(s); err != nil {
		t.Fatal(err)
	}
	pass()
	if c.evaluations != before {
		t.Errorf("%d evaluations after Restore", c.evaluations-before)
	}
}
