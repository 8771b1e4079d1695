package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// exactLnG reads the exact ln g of a system from the reference data.
func exactLnG(t testing.TB, name string) *dos.Density {
	t.Helper()
	path := filepath.Join("exact", "testdata", name+".csv")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	d, err := dos.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// siteProposer is a Proposer in plain Go with a closed form: every site to be
// resampled keeps the colour that the condition has there with probability stay,
// a probability that depends on the condition's bonds and the shift, if it takes
// one, so that forward and reverse differ.
type siteProposer struct {
	p lattice.Symmetric
	b *Batch
}

func newSiteProposer(p lattice.Symmetric, walkers int) *siteProposer {
	n := p.Sites()
	return &siteProposer{p: p, b: &Batch{
		Walkers: walkers, Sites: n, Used: walkers,
		State: make([]int32, walkers*n), Start: make([]int32, walkers), Uniform: make([]float32, walkers*n),
		Proposal: make([]int32, walkers*n), Forward: make([]float32, walkers), Reverse: make([]float32, walkers),
	}}
}

// newShiftedProposer is one that takes shifts.
func newShiftedProposer(p lattice.Symmetric, walkers int) *siteProposer {
	s := newSiteProposer(p, walkers)
	s.b.Shift, s.b.Back = make([]float32, walkers), make([]float32, walkers)
	return s
}

func (s *siteProposer) Batch() *Batch { return s.b }

func (s *siteProposer) Pin() Version { return 1 }

func (s *siteProposer) stay(condition []int32, shifts []float32, walker int) float64 {
	bonds, ground := float64(s.p.LevelInt32(condition)), float64(s.p.GroundLevel())
	if shifts != nil {
		bonds = min(ground, max(0, bonds-float64(shifts[walker])))
	}
	return 0.3 + 0.6*bonds/ground
}

// lnQ is the log-likelihood of state given condition.
func (s *siteProposer) lnQ(state, condition []int32, start int, stay float64) float32 {
	q := float64(s.p.Colours())
	x := 0.0
	for i := start; i < len(state); i++ {
		if state[i] == condition[i] {
			x += math.Log(stay)
		} else {
			x += math.Log((1 - stay) / (q - 1))
		}
	}
	return float32(x)
}

func (s *siteProposer) Propose(context.Context) error {
	n := s.b.Sites
	for w := range s.b.Walkers {
		state, proposal := s.b.State[w*n:w*n+n], s.b.Proposal[w*n:w*n+n]
		stay := s.stay(state, s.b.Shift, w)
		copy(proposal, state)
		for i := int(s.b.Start[w]); i < n; i++ {
			if u := float64(s.b.Uniform[w*n+i]); u >= stay {
				step := 1 + int32((u-stay)/(1-stay)*float64(s.p.Colours()-1))
				proposal[i] = (state[i] + min(step, int32(s.p.Colours()-1))) % int32(s.p.Colours())
			}
		}
		s.b.Forward[w] = s.lnQ(proposal, state, int(s.b.Start[w]), stay)
	}
	return nil
}

func (s *siteProposer) LogProb(context.Context) error {
	n := s.b.Sites
	for w := range s.b.Walkers {
		state, proposal := s.b.State[w*n:w*n+n], s.b.Proposal[w*n:w*n+n]
		s.b.Reverse[w] = s.lnQ(state, proposal, int(s.b.Start[w]), s.stay(proposal, s.b.Back, w))
	}
	return nil
}

// TestFrozenWeights runs every kind of move under the exact weights: ln g from the
// histograms must meet the exact one within its own error bars.
func TestFrozenWeights(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	const walkers = 64
	for _, c := range []struct {
		name   string
		o      Options
		passes int
		short  int // passes with -short, 0 for none
	}{
		{"heat bath", Options{Local: local.HeatBath}, 4000, 1000},
		{"metropolis", Options{Local: local.Metropolis}, 6000, 1500},
		{"cluster", Options{Local: local.Cluster, Sweeps: 2}, 2000, 600},
		{"neural", Options{Proposer: newSiteProposer(p, walkers)}, 30000, 0},
		{"neural, partial", Options{Proposer: newSiteProposer(p, walkers), Partial: 0.7}, 30000, 15000},
		{"neural, shifted", Options{Proposer: newShiftedProposer(p, walkers), Partial: 0.4, Shift: 30}, 30000, 0},
		{"local and neural", Options{Local: local.HeatBath, Proposer: newSiteProposer(p, walkers), Partial: 0.3}, 4000, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.passes = long.Or(c.passes, c.short); c.passes == 0 {
				long.Only(t, "30000 passes")
			}
			t.Parallel()
			c.o.System, c.o.Seed, c.o.Walkers = p, 11, walkers
			c.o.LnG = slices.Repeat([]float64{math.NaN()}, p.Levels())
			for i, energy := range exact.Energy {
				c.o.LnG[-int(energy)] = exact.LnG[i]
			}
			e, err := New(c.o)
			if err != nil {
				t.Fatal(err)
			}
			run := func(passes int) {
				for range passes {
					if err := e.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			e.Produce()
			run(c.passes / 10)
			e.Produce()
			run(c.passes)
			checkAgainst(t, p, e.Samples(), exact)
			if r := e.Progress().RoundTrips; r < 100 {
				t.Errorf("%v round trips: too few for error bars to hold", r)
			}
		})
	}
}

// checkAgainst compares the estimate from samples with the exact density in units
// of its error bars.
func checkAgainst(t *testing.T, p *lattice.Potts, s *Samples, exact *dos.Density) {
	t.Helper()
	d := density(t, p, s)
	if !slices.Equal(d.Energy, exact.Energy) {
		t.Fatalf("levels %v, exact %v", d.Energy, exact.Energy)
	}
	sum := 0.0
	for i := range d.Energy {
		z := (d.LnG[i] - exact.LnG[i]) / d.Error[i]
		sum += z * z
		if !(math.Abs(z) < 4.5) {
			t.Errorf("E = %v: ln g = %.4f(%.4f), exact %.4f", d.Energy[i], d.LnG[i], d.Error[i], exact.LnG[i])
		}
	}
	// The levels are correlated, so the mean square of z scatters by more than
	// sqrt(2/levels) = 0.26 around 1.
	if z := sum / float64(d.Len()); !(z > 0.3 && z < 2.5) {
		t.Errorf("mean square deviation is %.2f error bars squared, should be near 1", z)
	}
}

func density(t testing.TB, p *lattice.Potts, s *Samples) *dos.Density {
	t.Helper()
	return ensemble(t, p, s).Density
}

func ensemble(t testing.TB, p *lattice.Potts, s *Samples) *dos.Ensemble {
	t.Helper()
	energy := make([]float64, p.Levels())
	for b := range energy {
		energy[b] = p.Energy(b)
	}
	d, err := dos.FromHistograms(energy, s.Windows[0].LnWeight, s.Windows[0].Blocks, p.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAdaptation runs both phases from nothing and compares with the exact result.
func TestAdaptation(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		name      string
		local     local.Move
		walkers   int
		method    Phase
	}{
		{2, 4, 4, "potts_q2_4x4", local.HeatBath, 16, WangLandau},
		{3, 4, 4, "potts_q3_4x4", local.Metropolis, 1, WangLandau},
		{10, 4, 4, "potts_q10_4x4", local.HeatBath, 64, WangLandau},
		{10, 5, 5, "potts_q10_5x5", local.HeatBath, 40, WangLandau},
		{10, 5, 5, "potts_q10_5x5", local.Cluster, 40, WangLandau},
		{2, 8, 8, "potts_q2_8x8", local.HeatBath, 32, Multicanonical},
		{3, 4, 4, "potts_q3_4x4", local.Metropolis, 1, Multicanonical},
		{10, 5, 5, "potts_q10_5x5", local.HeatBath, 40, Multicanonical},
		{2, 6, 6, "potts_q2_6x6", local.HeatBath, 32, Metadynamics},
		{3, 4, 4, "potts_q3_4x4", local.Metropolis, 1, Metadynamics},
		{10, 5, 5, "potts_q10_5x5", local.HeatBath, 40, Metadynamics},
		{2, 6, 6, "potts_q2_6x6", local.HeatBath, 32, MultipleGaussian},
		{3, 4, 4, "potts_q3_4x4", local.Metropolis, 1, MultipleGaussian},
		{10, 5, 5, "potts_q10_5x5", local.Cluster, 40, MultipleGaussian},
	} {
		t.Run(fmt.Sprint(c.method, " ", c.name, " ", c.local), func(t *testing.T) {
			t.Parallel()
			p := mustPotts(t, c.q, c.lx, c.ly)
			e, err := New(Options{System: p, Seed: 1, Walkers: c.walkers, Local: c.local, Adaptation: c.method})
			if err != nil {
				t.Fatal(err)
			}
			last, final := math.Inf(1), 1e-5
			if c.method == Metadynamics {
				final = 3e-2
			}
			for !e.Adapted(final) {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
				if e.LnF() > last {
					t.Fatalf("ln f grew from %g to %g", last, e.LnF())
				}
				last = e.LnF()
			}
			e.Produce()
			trials := long.Or[int64](10_000_000, 2_000_000)
			passes := trials / int64(c.walkers*p.Sites())
			for i := range passes {
				e.Samples().Segment(float64(i) / float64(passes))
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			d := density(t, p, e.Samples())
			diff, err := dos.Compare(d, exactLnG(t, c.name))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("flatness %.2f, rms %.4f, max %.4f, %.0f round trips", e.Progress().Flatness, diff.RMS, diff.Max, e.Progress().RoundTrips)
			if diff.RMS > long.Or(0.05, 0.1) || len(diff.MissingA)+len(diff.MissingB) > 0 {
				t.Errorf("difference from the exact density of states: %+v", diff)
			}
		})
	}
}

// TestCanonical compares energy and specific heat at an inverse temperature with the
// exact ones.
func TestCanonical(t *testing.T) {
	p := mustPotts(t, 10, 5, 5)
	for _, move := range []local.Move{local.HeatBath, local.Metropolis, local.Cluster} {
		const beta = 1.2
		e, err := New(Options{System: p, Seed: 3, Walkers: 64, Local: move, Adaptation: Canonical, Beta: beta})
		if err != nil {
			t.Fatal(err)
		}
		if !e.Adapted(0) {
			t.Error("canonical weights want adaptation")
		}
		for _, passes := range []int{500, 10000} {
			e.Produce()
			for range passes {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		d := ensemble(t, p, e.Samples())
		estimates, err := d.Canonical([]float64{beta})
		if err != nil {
			t.Fatal(err)
		}
		got, want := estimates[0], exactLnG(t, "potts_q10_5x5").At(beta)
		t.Logf("%v: U = %.4f(%.4f), exact %.4f, C = %.3f(%.3f), exact %.3f", move, got.Energy, got.EnergyError, want.Energy, got.SpecificHeat, got.SpecificHeatError, want.SpecificHeat)
		if z := (got.Energy - want.Energy) / got.EnergyError; !(math.Abs(z) < 3.5) || got.EnergyError > 0.2 {
			t.Errorf("%v: U = %.4f(%.4f), exact %.4f", move, got.Energy, got.EnergyError, want.Energy)
		}
		if z := (got.SpecificHeat - want.SpecificHeat) / got.SpecificHeatError; !(math.Abs(z) < 3.5) {
			t.Errorf("%v: C = %.3f(%.3f), exact %.3f", move, got.SpecificHeat, got.SpecificHeatError, want.SpecificHeat)
		}
	}
}

// TestWorkers finds the same walkers and ln g, to the last bit, for any number of
// workers. A pass is long enough for all of them to take part, and the run goes on
// until ln f follows the 1/t rule, when it is no power of two any more and a sum in
// another order would show.
func TestWorkers(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	const walkers = 2000
	var lnG []float64
	var states [][]uint8
	for _, workers := range []int{1, 2, 5} {
		e, err := New(Options{System: p, Seed: 7, Walkers: walkers, Workers: workers, Local: local.HeatBath, Sweeps: 2, Proposer: newSiteProposer(p, walkers), Partial: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if !e.Progress().Inverse {
			t.Fatal("the 1/t rule was not reached: the test shows less than it should")
		}
		var got [][]uint8
		for i := range e.Walkers() {
			state, level := e.State(i)
			if level != p.Bonds(state) {
				t.Fatalf("walker %d: level %d carried along, %d counted", i, level, p.Bonds(state))
			}
			got = append(got, slices.Clone(state))
		}
		if workers == 1 {
			lnG, states = slices.Clone(e.LnG()), got
			continue
		}
		if !slices.Equal(lnG, e.LnG()) || !slices.EqualFunc(states, got, slices.Equal) {
			t.Fatalf("%d workers: the run differs from that of 1 worker", workers)
		}
	}
}

// TestEveryTrialCounts finds that a phase's histogram holds all trials, rejected
// ones too.
func TestEveryTrialCounts(t *testing.T) {
	p := mustPotts(t, 3, 3, 5)
	e, err := New(Options{System: p, Seed: 2, Walkers: 10, Local: local.Metropolis, Sweeps: 3, Proposer: newSiteProposer(p, 10)})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	for range 20 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	total := int64(0)
	for _, block := range e.Samples().Windows[0].Blocks {
		for _, n := range block {
			total += n
		}
	}
	if want := int64(20 * 10 * (3*15 + 1)); total != want {
		t.Errorf("%d trials counted, %d made", total, want)
	}
}

// TestSetMix finds that an engine whose mix of moves was set goes on as one that was made
// with it, also through production and back from none to some neural trials, and that no
// counts of proposals are shown where none were made.
func TestSetMix(t *testing.T) {
	p := mustPotts(t, 3, 3, 5)
	o := Options{System: p, Seed: 3, Walkers: 10, Local: local.HeatBath, Sweeps: 3, Trials: 2}
	engine := func(o Options) *Engine {
		o.Proposer = newSiteProposer(p, o.Walkers)
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	a := engine(o)
	o.Sweeps, o.Trials = 1, 1
	b := engine(o)
	b.SetMix(3, 2)
	pass := func(e *Engine) {
		for range 5 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, mix := range [][2]int{{3, 2}, {2, 0}, {0, 1}, {5, 3}} {
		a.SetMix(mix[0], mix[1])
		b.SetMix(mix[0], mix[1])
		a.Produce()
		b.Produce()
		pass(a)
		pass(b)
		x, y := a.Snapshot(), b.Snapshot()
		x.Times, y.Times = Times{}, Times{}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("mix %v: the engines differ", mix)
		}
		want := [2]int64{int64(5 * 10 * 15 * mix[0]), int64(5 * 10 * mix[1])}
		if m := a.Progress().Moves; m[Local].Trials != want[0] || m[Neural].Trials != want[1] {
			t.Errorf("mix %v: %d local and %d neural trials, want %v", mix, m[Local].Trials, m[Neural].Trials, want)
		}
		if none := a.Samples().Proposals() == nil; none != (mix[1] == 0) {
			t.Errorf("mix %v: no counts of proposals: %v", mix, none)
		}
	}
}

// badProposer damages what a good one says.
type badProposer struct {
	*siteProposer
	damage func(b *Batch)
}

func (s badProposer) LogProb(ctx context.Context) error {
	err := s.siteProposer.LogProb(ctx)
	s.damage(s.b)
	return err
}

// TestDamagedNetwork finds that a NaN or an infinite likelihood stops the run
// before any walker moves.
func TestDamagedNetwork(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	for _, x := range []float64{math.NaN(), math.Inf(-1), math.Inf(1), 0.5} {
		proposer := badProposer{newSiteProposer(p, 4), func(b *Batch) { b.Reverse[2] = float32(x) }}
		e, err := New(Options{System: p, Walkers: 4, Proposer: proposer})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := e.State(2)
		before = slices.Clone(before)
		if err := e.Pass(context.Background()); err == nil {
			t.Errorf("log-likelihood %v was accepted", x)
		}
		if after, _ := e.State(2); !slices.Equal(before, after) {
			t.Errorf("log-likelihood %v: the walker moved", x)
		}
	}
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := New(Options{Walkers: -1, Workers: -2, Sweeps: -3, Partial: 2, Shift: -1, Flatness: 1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"system", "walkers", "workers", "sweeps", "moves", "partial", "shift", "flatness"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no fault about %s in: %v", word, err)
		}
	}
}

// TestShiftNeedsNetwork finds that a network without shifts is refused where some are
// asked for.
func TestShiftNeedsNetwork(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	if _, err := New(Options{System: p, Walkers: 4, Proposer: newSiteProposer(p, 4), Shift: 2}); err == nil || !strings.Contains(err.Error(), "shift = 2") {
		t.Error(err)
	}
}

// TestWayBack finds that the way back of a move is given the opposite shift, and that moves
// without shifts are among them.
func TestWayBack(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	const walkers = 64
	proposer := newShiftedProposer(p, walkers)
	e, err := New(Options{System: p, Walkers: walkers, Proposer: proposer, Shift: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Pass(context.Background()); err != nil {
		t.Fatal(err)
	}
	still := 0
	for i, d := range proposer.b.Shift {
		if proposer.b.Back[i] != -d {
			t.Errorf("walker %d: shift %v forth and %v back", i, d, proposer.b.Back[i])
		}
		if d == 0 {
			still++
		}
	}
	if still == 0 || still == walkers {
		t.Errorf("%d of %d moves have no shift", still, walkers)
	}
}

// TestDrawShift counts shifts: d as often as -d, which detailed balance rests on, half of
// them without a choice, and the others of all sizes.
func TestDrawShift(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const draws, most = 400000, 5
	count := map[float32]float64{}
	for range draws {
		count[drawShift(r, most)]++
	}
	for d := float32(-most); d <= most; d++ {
		want := draws * shiftedShare / (2*most + 1)
		if d == 0 {
			want += draws * (1 - shiftedShare)
		}
		if math.Abs(count[d]-want) > 4.5*math.Sqrt(want) {
			t.Errorf("%v shifts by %v, expected %.0f", count[d], d, want)
		}
	}
	if len(count) != 2*most+1 {
		t.Errorf("shifts and their numbers %v", count)
	}
}

// TestIterationHeals: levels whose weights are so small that no walker comes to them, though it
// does to those beside them, are found again by multicanonical iterations.
func TestIterationHeals(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	lnG := make([]float64, p.Levels())
	for level := range lnG {
		lnG[level] = math.NaN()
	}
	exact := exactLnG(t, "potts_q3_4x4")
	for i, energy := range exact.Energy {
		lnG[int(-energy)] = exact.LnG[i]
	}
	lnG[12] += 40
	lnG[20] += 25
	lnG[21] += 30
	e, err := New(Options{System: p, Seed: 6, Walkers: 32, Local: local.HeatBath, LnG: lnG, Adaptation: Multicanonical})
	if err != nil {
		t.Fatal(err)
	}
	for range 4000 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		if e.Adapted(0) {
			return
		}
	}
	t.Errorf("no iteration was flat, flatness %.2f", e.Progress().Flatness)
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(20) {
		for purpose := range uint64(3) {
			for index := range uint64(50) {
				seen[rand.New(Stream(seed, purpose, index)).Uint64()] = true
			}
		}
	}
	if len(seen) != 20*3*50 {
		t.Errorf("%d different first numbers of %d streams", len(seen), 20*3*50)
	}
}
