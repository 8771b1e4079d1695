package sampler

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

func terms(t testing.TB) func(s *lattice.Terms, err error) *lattice.Terms {
	return func(s *lattice.Terms, err error) *lattice.Terms {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestTermsDetailedBalance builds the transition matrix of the kernels for systems made
// of terms, at every site of tiny lattices, and compares the flow s -> s' with s' -> s
// under the weights 1/g of an arbitrary g.
func TestTermsDetailedBalance(t *testing.T) {
	for _, s := range []*lattice.Terms{
		terms(t)(lattice.NewBlumeCapel(1.5, 3, 3)),
		terms(t)(lattice.NewIsingField(0.5, 3, 3)),
		terms(t)(lattice.NewRandomBond(0.5, 3, 3, 3)),
		terms(t)(lattice.NewBaxterWu(3, 3)),
		terms(t)(lattice.PottsTerms(mustPotts(t, 3, 3, 3))),
	} {
		r := rand.New(rand.NewPCG(5, 6))
		lnG := make([]float64, s.Levels())
		for b := range lnG {
			lnG[b] = 3 * r.NormFloat64()
		}
		// A third of the levels lies outside of the window, at both ends.
		window := lattice.Window{Low: s.Levels() / 6, High: s.Levels() - 1 - s.Levels()/6}
		table := make(weightTable, s.Levels())
		table.fill(lnG, window)
		k := newTermsKernel(s, table)
		heatBath := func(state []uint8, site, level int) []float64 {
			_, borders := k.weigh(state, site, level)
			last, p := 0.0, make([]float64, len(borders))
			for c, border := range borders {
				p[c] = (border - last) / borders[len(borders)-1]
				last = border
			}
			return p
		}
		// The acceptance is read off by bisection of the number that decides.
		accept := func(from, to int) float64 {
			low, high := 0.0, 1.0
			for range 53 {
				if u := (low + high) / 2; table.accepts(from, to, u) {
					low = u
				} else {
					high = u
				}
			}
			return (low + high) / 2
		}
		acceptance := map[[2]int]float64{}
		state := make([]uint8, s.Sites())
		for more := true; more; {
			level := s.Level(state)
			for site, old := range state {
				if !window.Contains(level) {
					break
				}
				forward := heatBath(state, site, level)
				sum := 0.0
				for c, p := range forward {
					sum += p
					state[site] = uint8(c)
					to := s.Level(state)
					if !window.Contains(to) {
						if p != 0 || table.accepts(level, to, 0) {
							t.Fatalf("%v: %v site %d -> %d leaves the window", s, state, site, c)
						}
						continue
					}
					for _, pair := range [][2]int{{level, to}, {to, level}} {
						if _, known := acceptance[pair]; !known {
							acceptance[pair] = accept(pair[0], pair[1])
						}
					}
					backward := heatBath(state, site, to)[old]
					for move, flow := range map[string][2]float64{
						"heat bath":  {p, backward},
						"metropolis": {acceptance[[2]int{level, to}], acceptance[[2]int{to, level}]},
					} {
						left, right := math.Exp(-lnG[level])*flow[0], math.Exp(-lnG[to])*flow[1]
						if !(flow[0] > 0) || math.Abs(left-right) > 1e-9*(left+right) {
							t.Fatalf("%v %s: %v site %d -> %d: flow %g forth, %g back", s, move, state, site, c, left, right)
						}
					}
				}
				state[site] = old
				if math.Abs(sum-1) > 1e-12 {
					t.Fatalf("%v: %v site %d: probabilities sum to %v", s, state, site, sum)
				}
			}
			more = false
			for i := range state {
				if state[i]++; int(state[i]) < s.Colours() {
					more = true
					break
				}
				state[i] = 0
			}
		}
	}
}

// TestWeightTable compares weights, relative to the largest of some, with exponentials,
// for mild and extreme ln g: a choice among levels without states, 3000 below all others,
// is still the right one.
func TestWeightTable(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, scale := range []float64{1, 300, 1e5} {
		lnG := make([]float64, 100)
		for b := range lnG {
			lnG[b] = scale * r.NormFloat64()
		}
		table := make(weightTable, len(lnG))
		table.fill(lnG, lattice.Window{Low: 0, High: len(lnG) - 1})
		for range 1000 {
			choices := []int{r.IntN(100), r.IntN(100), r.IntN(100)}
			top, least := int64(math.MinInt64), math.Inf(1)
			for _, b := range choices {
				top, least = max(top, table[b].exponent), min(least, lnG[b])
			}
			sum, want := 0.0, 0.0
			for _, b := range choices {
				sum += table[b].over(top)
				want += math.Exp(least - lnG[b])
			}
			for _, b := range choices {
				got, p := table[b].over(top)/sum, math.Exp(least-lnG[b])/want
				if !(sum > 0) || math.Abs(got-p) > 1e-15*(10+scale) {
					t.Fatalf("scale %g: choice of level with ln g = %v has probability %v, want %v", scale, lnG[b], got, p)
				}
			}
		}
	}
}

// tinySystems are systems small enough to be enumerated.
func tinySystems(t testing.TB) []*lattice.Terms {
	return []*lattice.Terms{
		terms(t)(lattice.NewBlumeCapel(0.5, 3, 3)),
		terms(t)(lattice.NewBlumeCapel(1.75, 3, 3)),
		terms(t)(lattice.NewIsingField(0.25, 4, 3)),
		terms(t)(lattice.NewRandomBond(0.5, 3, 4, 4)),
		terms(t)(lattice.NewBaxterWu(6, 3)),
		terms(t)(lattice.NewPotts3D(2, 3, 3, 3)),
	}
}

// TestSystems runs both phases from nothing on every system and compares ln g by both
// estimators with the exact one, in units of their errors.
func TestSystems(t *testing.T) {
	for _, s := range tinySystems(t) {
		g, err := exact.Enumerate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		want, energy := map[float64]float64{}, make([]float64, s.Levels())
		for b, n := range g {
			energy[b] = s.Energy(b)
			if n > 0 {
				want[energy[b]] = math.Log(float64(n))
			}
		}
		for _, local := range []LocalMove{HeatBath, RandomHeatBath, Metropolis} {
			t.Run(s.String()+" "+local.String(), func(t *testing.T) {
				t.Parallel()
				const seeds = 3
				square := map[string]float64{}
				for seed := range uint64(seeds) {
					for name, d := range produce(t, s, seed, local, energy) {
						if d.Len() != len(want) {
							t.Errorf("%s: %d levels of %d", name, d.Len(), len(want))
						}
						for i, x := range d.Energy {
							z := (d.LnG[i] - want[x]) / d.Error[i]
							square[name] += z * z / float64(seeds*d.Len())
							if !(math.Abs(z) < 6) {
								t.Errorf("%s: ln g(%g) = %.4f(%.4f), exact %.4f", name, x, d.LnG[i], d.Error[i], want[x])
							}
						}
					}
				}
				// Levels of one run deviate together: the mean square of a single one is
				// anything from 0.2 to 4.
				for name, z := range square {
					t.Logf("%s: mean square deviation %.2f errors squared", name, z)
					if z > 2.5 || z < 0.25 {
						t.Errorf("%s: mean square deviation %.2f errors squared", name, z)
					}
				}
			})
		}
	}
}

// produce runs both phases from nothing and returns the estimates by name.
func produce(t *testing.T, s *lattice.Terms, seed uint64, local LocalMove, energy []float64) map[string]*dos.Density {
	t.Helper()
	e, err := New(Options{System: s, Seed: seed, Walkers: 64, Local: local, Sweeps: 2})
	if err != nil {
		t.Fatal(err)
	}
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
	const passes = 1000
	for i := range passes {
		e.Samples().Segment(float64(i) / passes)
		pass()
	}
	if err := e.CheckEnergies(); err != nil {
		t.Fatal(err)
	}
	if trips := e.Progress().RoundTrips; trips < 100 {
		t.Errorf("%v round trips", trips)
	}
	samples := e.Samples()
	histogram, err := dos.FromHistograms(energy, samples.Windows[0].LnWeight, samples.Windows[0].Blocks, s.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	transitions, err := dos.FromTransitions(energy, lattice.Steps(s), samples.Transitions(), s.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*dos.Density{"histogram": histogram.Density, "transitions": transitions.Density}
}

// TestUnknownGround counts round trips of the spin glass to the highest level that was
// seen, though its ground states are not known.
func TestUnknownGround(t *testing.T) {
	s := terms(t)(lattice.NewRandomBond(0.5, 3, 4, 4))
	if lattice.GroundKnown(s) {
		t.Fatal("the system is not frustrated")
	}
	e, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	if e.groundLevel() != s.Levels() {
		t.Errorf("the walkers turn at level %d before any was seen", e.groundLevel())
	}
	for range 2000 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if at := e.groundLevel(); at >= s.Levels()-1 || !e.Seen()[at] {
		t.Errorf("the walkers turn at level %d of %d", at, s.Levels())
	}
}

// TestManyLevels leaves the transitions out where there are too many counts.
func TestManyLevels(t *testing.T) {
	s := terms(t)(lattice.NewBlumeCapel(1.97, 8, 8))
	e, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	if err := e.Pass(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e.Samples().Transitions() != nil {
		t.Errorf("%d levels and %d steps are counted by %d walkers", s.Levels(), lattice.Steps(s), 64)
	}
	other, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Restore(e.Snapshot()); err != nil {
		t.Error(err)
	}
}

// TestRandomOrder runs the Potts model's heat bath in random order under the exact
// weights, and finds the same transitions and levels in terms.
func TestRandomOrder(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	want := exactLnG(t, "potts_q3_4x4")
	for _, s := range []lattice.System{p, terms(t)(lattice.PottsTerms(p))} {
		lnG := make([]float64, s.Levels())
		for b := range lnG {
			lnG[b] = math.NaN()
		}
		for i, x := range want.Energy {
			lnG[int(-x)] = want.LnG[i]
		}
		e, err := New(Options{System: s, Seed: 11, Walkers: 64, Local: RandomHeatBath, LnG: lnG})
		if err != nil {
			t.Fatal(err)
		}
		for phase, passes := range []int{400, 4000} {
			e.Produce()
			for range passes {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if phase == 1 {
				checkAgainst(t, p, e.Samples(), want)
			}
		}
		energy := make([]float64, s.Levels())
		for b := range energy {
			energy[b] = s.Energy(b)
		}
		d, err := dos.FromTransitions(energy, lattice.Steps(s), e.Samples().Transitions(), s.LnStates())
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Energy {
			if z := (d.LnG[i] - want.LnG[i]) / d.Error[i]; !(math.Abs(z) < 5) {
				t.Errorf("%T: from transitions ln g(%g) = %.4f(%.4f), exact %.4f", s, want.Energy[i], d.LnG[i], d.Error[i], want.LnG[i])
			}
		}
	}
}

// TestOtherSystems refuses a network for a system made of terms, and systems that no
// kernel knows.
func TestOtherSystems(t *testing.T) {
	s := terms(t)(lattice.NewIsingField(0.5, 3, 3))
	p := mustPotts(t, 2, 3, 3)
	type other struct{ lattice.System }
	for _, o := range []Options{
		{System: s, Walkers: 4, Proposer: newSiteProposer(p, 4)},
		{System: other{p}, Local: HeatBath},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%v was accepted", o.System)
		}
	}
}

// TestTermsWorkers finds the same walkers, ln g and counts of systems made of terms, to the
// last bit, for any number of workers and after moving the state to a fresh engine.
func TestTermsWorkers(t *testing.T) {
	s := terms(t)(lattice.NewRandomBond(0.5, 3, 4, 4))
	for k, local := range []LocalMove{HeatBath, RandomHeatBath, Metropolis} {
		engine := func(workers int) *Engine {
			e, err := New(Options{System: s, Seed: 7, Walkers: 100, Workers: workers, Local: local, Windows: lattice.UniformWindows(s.Levels(), 1+k%2, 0.5)})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		run := func(e *Engine, from, to int) {
			for pass := from; pass < to; pass++ {
				if pass == 300 {
					e.Produce()
				}
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		one, three := engine(1), engine(3)
		run(one, 0, 500)
		run(three, 0, 400)
		moved := engine(2)
		if err := moved.Restore(three.Snapshot()); err != nil {
			t.Fatal(err)
		}
		run(moved, 400, 500)
		a, b := one.Snapshot(), moved.Snapshot()
		a.Times, b.Times = Times{}, Times{}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%v: the run differs with the number of workers, or when it is moved", local)
		}
	}
}
