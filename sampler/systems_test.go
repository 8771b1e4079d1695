package sampler

import (
	"context"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
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

// enumerated is a system with its exact numbers of states.
type enumerated struct {
	*lattice.Terms
	g []int64
}

// tinySystems are systems small enough to be enumerated, once for all tests.
var tinySystems = sync.OnceValues(func() (all []enumerated, err error) {
	for _, make := range []func() (*lattice.Terms, error){
		func() (*lattice.Terms, error) { return lattice.NewBlumeCapel(0.5, 3, 3) },
		func() (*lattice.Terms, error) { return lattice.NewBlumeCapel(1.75, 3, 3) },
		func() (*lattice.Terms, error) { return lattice.NewIsingField(0.25, 4, 3) },
		func() (*lattice.Terms, error) { return lattice.NewRandomBond(0.5, 3, 4, 4) },
		func() (*lattice.Terms, error) { return lattice.NewBaxterWu(6, 3) },
		func() (*lattice.Terms, error) {
			return joint(lattice.Magnetisation(-1, 1))(lattice.NewIsingField(0, 4, 3))
		},
		func() (*lattice.Terms, error) {
			return joint(lattice.Squares(-1, 0, 1))(lattice.NewBlumeCapel(0, 3, 3))
		},
		func() (*lattice.Terms, error) { return lattice.NewClock(4, 0, 3, 3) },
		func() (*lattice.Terms, error) { return lattice.NewPotts3D(2, 3, 3, 3) }, // takes seconds
	}[:long.Or(9, 8)] {
		s, err := make()
		if err != nil {
			return nil, err
		}
		g, err := exact.Enumerate(context.Background(), s)
		if err != nil {
			return nil, err
		}
		all = append(all, enumerated{s, g})
	}
	return all, nil
})

// joint makes levels of a system pairs of its energy and a second variable.
func joint(a lattice.Second) func(*lattice.Terms, error) (*lattice.Terms, error) {
	return func(t *lattice.Terms, err error) (*lattice.Terms, error) {
		if err != nil {
			return nil, err
		}
		return lattice.NewJoint(t, a)
	}
}

// TestSystems runs both phases from nothing on every system and compares ln g by both
// estimators with the exact one, in units of their errors.
func TestSystems(t *testing.T) {
	all, err := tinySystems()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		s, g := x.Terms, x.g
		want, energy := map[float64]float64{}, lattice.Energies(s)
		for b, n := range g {
			if n > 0 {
				want[energy[b]] = math.Log(float64(n))
			}
		}
		for _, move := range []local.Move{local.HeatBath, local.RandomHeatBath, local.Metropolis, local.Cluster} {
			if local.Check(s, move) != nil {
				continue
			}
			t.Run(s.String()+" "+move.String(), func(t *testing.T) {
				t.Parallel()
				seeds := long.Or(3, 1)
				square := map[string]float64{}
				for seed := range seeds {
					for name, d := range produce(t, s, uint64(seed), move, energy) {
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
					if z > long.Or(2.5, 4.5) || z < long.Or(0.25, 0.1) {
						t.Errorf("%s: mean square deviation %.2f errors squared", name, z)
					}
				}
			})
		}
	}
}

// produce runs both phases from nothing and returns the estimates by name.
func produce(t *testing.T, s *lattice.Terms, seed uint64, move local.Move, energy []float64) map[string]*dos.Density {
	t.Helper()
	e, err := New(Options{System: s, Seed: seed, Walkers: 64, Local: move, Sweeps: 2})
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
	transitions, err := dos.FromTransitions(energy, lattice.Changes(s), samples.Transitions(), s.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*dos.Density{"histogram": histogram.Density, "transitions": transitions.Density}
}

// TestIsing runs the heat bath on the Ising model, where half of the levels have no
// states, on a lattice large enough for ln g to span hundreds: walkers go back and
// forth between the ends.
func TestIsing(t *testing.T) {
	p := mustPotts(t, 2, 14, 14)
	e, err := New(Options{System: p, Seed: 1, Walkers: 32, Local: local.HeatBath, Sweeps: 4})
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if s := e.Progress(); s.RoundTrips < 30 || s.Levels != 195 {
		t.Errorf("%.0f round trips, %d levels of 195", s.RoundTrips, s.Levels)
	}
}

// TestUnknownGround counts round trips of the spin glass to the highest level that was
// seen, though its ground states are not known.
func TestUnknownGround(t *testing.T) {
	s := terms(t)(lattice.NewRandomBond(0.5, 3, 4, 4))
	if lattice.GroundKnown(s) {
		t.Fatal("the system is not frustrated")
	}
	e, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: local.HeatBath})
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
	e, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: local.HeatBath})
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
	other, err := New(Options{System: s, Seed: 3, Walkers: 64, Local: local.HeatBath})
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
		e, err := New(Options{System: s, Seed: 11, Walkers: 64, Local: local.RandomHeatBath, LnG: lnG})
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
		d, err := dos.FromTransitions(energy, lattice.Changes(s), e.Samples().Transitions(), s.LnStates())
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

// TestOtherSystems refuses local moves on systems that no kernel knows, and networks on
// systems without frames.
func TestOtherSystems(t *testing.T) {
	p := mustPotts(t, 2, 3, 3)
	baxterWu := terms(t)(lattice.NewBaxterWu(3, 3))
	type other struct{ lattice.System }
	type framed struct{ lattice.Symmetric }
	for _, c := range []struct {
		o    Options
		want string // in the error, empty for none
	}{
		{Options{System: other{p}, Local: local.HeatBath}, "no local moves"},
		{Options{System: baxterWu, Local: local.Cluster}, "no cluster moves: baxter-wu couples 3 sites"},
		{Options{System: other{p}, Walkers: 4, Proposer: newSiteProposer(p, 4)}, "no frames"},
		{Options{System: framed{p}, Walkers: 4, Proposer: newSiteProposer(p, 4)}, ""},
	} {
		_, err := New(c.o)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %q", c.o.System, err, c.want)
		}
	}
}

// TestNeuralSystems runs neural moves, full ones and partial refreshes in random frames, on
// every system under its exact weights: each level is visited as often as every other.
// Walkers are independent, so that their shares tell the error.
func TestNeuralSystems(t *testing.T) {
	all, err := tinySystems()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		s, g := x.Terms, x.g
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			lnG, levels := make([]float64, s.Levels()), 0.0
			for b, n := range g {
				if lnG[b] = math.NaN(); n > 0 {
					lnG[b] = math.Log(float64(n))
					levels++
				}
			}
			const walkers = 128
			passes := long.Or(3000, 800)
			e, err := New(Options{System: s, Seed: 3, Walkers: walkers, Proposer: newSiteProposer(s, walkers), Partial: 0.5, LnG: lnG})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{long.Or(750, 400), passes} {
				e.Produce()
				for range n {
					if err := e.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := e.CheckEnergies(); err != nil {
				t.Error(err)
			}
			for b, n := range g {
				mean, square := 0.0, 0.0
				for _, block := range e.Samples().Windows[0].Blocks {
					x := float64(block[b]) / float64(passes)
					mean += x / walkers
					square += x * x / walkers
				}
				if n == 0 {
					if mean > 0 {
						t.Errorf("level %d has no states and was visited", b)
					}
					continue
				}
				deviation := math.Sqrt((square - mean*mean) / (walkers - 1))
				if z := (mean - 1/levels) / deviation; !(math.Abs(z) < 4.5) {
					t.Errorf("level %d: share %.5f(%.5f), expected %.5f", b, mean, deviation, 1/levels)
				}
			}
		})
	}
}

// TestTermsWorkers finds the same walkers, ln g and counts of systems made of terms, to the
// last bit, for any number of workers and after moving the state to a fresh engine.
func TestTermsWorkers(t *testing.T) {
	s := terms(t)(lattice.NewRandomBond(0.5, 3, 4, 4))
	for k, move := range []local.Move{local.HeatBath, local.RandomHeatBath, local.Metropolis, local.Cluster} {
		engine := func(workers int) *Engine {
			e, err := New(Options{System: s, Seed: 7, Walkers: 100, Workers: workers, Local: move, Windows: lattice.UniformWindows(s.Levels(), 1+k%2, 0.5)})
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
			t.Errorf("%v: the run differs with the number of workers, or when it is moved", move)
		}
	}
}

// frameWatcher notes whether the network was ever shown another configuration than a walker's.
type frameWatcher struct {
	*siteProposer
	engine *Engine
	framed int
}

func (f *frameWatcher) Propose(ctx context.Context) error {
	n := f.b.Sites
	for i := range f.engine.Walkers() {
		state, _ := f.engine.State(i)
		for k, c := range f.b.State[i*n : (i+1)*n] {
			if c != int32(state[k]) {
				f.framed++
				break
			}
		}
	}
	return f.siteProposer.Propose(ctx)
}

// TestUpright shows the network configurations as they are, and by default in random frames.
func TestUpright(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	for _, upright := range []bool{false, true} {
		f := &frameWatcher{siteProposer: newSiteProposer(p, 16)}
		e, err := New(Options{System: p, Walkers: 16, Proposer: f, Upright: upright})
		if err != nil {
			t.Fatal(err)
		}
		f.engine = e
		for range 20 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if upright == (f.framed > 0) {
			t.Errorf("upright %v: %d of 320 configurations were shown in another frame", upright, f.framed)
		}
	}
}
