package local

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
)

// xyWeighted draws configurations of a ring of three spins by rejection, with probability densities exp(-lnWeight).
type xyWeighted struct {
	s        *lattice.XY
	lnWeight []float64
	window   lattice.Window
}

func newXYWeighted(t *testing.T) *xyWeighted {
	s, err := lattice.NewXY(0.5, -1, 0, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	// The window leaves out the lowest energies.
	w := &xyWeighted{s, make([]float64, s.Levels()), lattice.Window{Low: 0, High: s.Levels() - 2}}
	for b := range w.lnWeight {
		w.lnWeight[b] = 1.5 * math.Sin(float64(5*b*b))
	}
	return w
}

func (w *xyWeighted) draw(state []uint8, r *rand.Rand) (level int) {
	for {
		w.s.Randomise(state, r)
		level = w.s.Level(state)
		if w.window.Contains(level) && r.Float64() < math.Exp(-1.5-w.lnWeight[level]) {
			return level
		}
	}
}

// class is one of 12 parts of the angles' differences on a level.
func (w *xyWeighted) class(state []uint8, level int) int {
	turn := func(a, b float64) float64 { return lattice.Wrap(a-b) / (2 * math.Pi) }
	first := int(4 * turn(lattice.Angle(state, 1), lattice.Angle(state, 0)))
	second := int(3 * turn(lattice.Angle(state, 2), lattice.Angle(state, 1)))
	return (level*4+first)*3 + second
}

func (w *xyWeighted) classes() int { return 12 * w.s.Levels() }

// asymmetry is chi squared of the flows i -> j and j -> i between classes and between levels, which are alike in
// detailed balance, in standard deviations from its mean, for a move of configurations in equilibrium.
func (w *xyWeighted) asymmetry(draws int, move func(state []uint8, level int, rng *rand.PCG) int) (classes, levels float64) {
	pcg := rand.NewPCG(9, 10)
	r, n := rand.New(pcg), w.classes()
	flows, state := make([]float64, n*n), make([]uint8, w.s.StateBytes())
	for range draws {
		level := w.draw(state, r)
		from := w.class(state, level)
		level = move(state, level, pcg)
		flows[from*n+w.class(state, level)]++
	}
	deviation := func(each int) float64 {
		n := n / each
		sums := make([]float64, n*n)
		for k, x := range flows {
			sums[k/(n*each)/each*n+k%(n*each)/each] += x
		}
		chi, degrees := 0.0, 0.0
		for i := range n {
			for j := range i {
				if a, b := sums[i*n+j], sums[j*n+i]; a+b >= 10 {
					chi += (a - b) * (a - b) / (a + b)
					degrees++
				}
			}
		}
		return (chi - degrees) / math.Sqrt(2*max(1, degrees))
	}
	return deviation(1), deviation(w.classes() / w.s.Levels())
}

// TestXYDetailedBalance compares the flows between parts of the space of the angles in equilibrium under
// arbitrary weights, with steps that differ much from level to level: trials of the Metropolis move, and
// reflections. 100,000 moves show, by more than six standard deviations, a weight of the most frequent level that is
// wrong by 0.15, and an acceptance that neglects the steps, whose weights are wrong by as much as the logarithms of the
// steps differ.
func TestXYDetailedBalance(t *testing.T) {
	const draws = 100_000
	w := newXYWeighted(t)
	newKernel := func(lnWeight []float64) *xyMetropolis {
		k := newXYMetropolis(w.s, w.window, 1)
		k.Fill(lnWeight)
		for b := range k.steps {
			k.steps[b] = math.Pi * (0.3 + 0.7*float64(b%3)/2)
		}
		return k
	}
	hits, situations := make([]int64, w.s.Levels()), make([]int64, w.s.Levels()*lattice.Steps(w.s))
	sweep := func(k Kernel) func(state []uint8, level int, rng *rand.PCG) int {
		return func(state []uint8, level int, rng *rand.PCG) int {
			level, _ = k.Sweep(0, state, level, hits, situations, rng)
			return level
		}
	}
	good := newKernel(w.lnWeight)
	if z, y := w.asymmetry(draws, sweep(good)); max(math.Abs(z), math.Abs(y)) > 4 {
		t.Errorf("metropolis: flows differ by %.1f and %.1f standard deviations", z, y)
	}
	wrong := append([]float64{}, w.lnWeight...)
	wrong[slices.Index(hits, slices.Max(hits))] += 0.15
	if _, z := w.asymmetry(draws, sweep(newKernel(wrong))); z < 6 {
		t.Errorf("a weight wrong by 0.15 shows by %.1f standard deviations alone", z)
	}
	neglected := append([]float64{}, w.lnWeight...)
	for b := range neglected {
		neglected[b] -= math.Log(good.steps[b])
	}
	if _, z := w.asymmetry(draws, sweep(newKernel(neglected))); z < 6 {
		t.Errorf("an acceptance without the steps shows by %.1f standard deviations alone", z)
	}
	o := &xyOverrelaxation{good}
	reflect := func(state []uint8, level int, rng *rand.PCG) int {
		c := o.workers[0]
		_, to := o.reflect(c, state, int(rng.Uint64()%3), o.begin(c, state), level, rng)
		if to != level || w.s.Level(state) != level {
			t.Fatalf("a reflection goes from level %d to %d", level, to)
		}
		return to
	}
	if z, _ := w.asymmetry(draws, reflect); math.Abs(z) > 4 {
		t.Errorf("reflections: flows differ by %.1f standard deviations", z)
	}
	// The whole sweep has no detailed balance, but keeps the distribution, from which fresh draws do not differ.
	before, after := make([]float64, w.classes()), make([]float64, w.classes())
	pcg := rand.NewPCG(11, 12)
	r, state := rand.New(pcg), make([]uint8, w.s.StateBytes())
	for range draws {
		before[w.class(state, w.draw(state, r))]++
		level := w.draw(state, r)
		level = sweep(o)(state, level, pcg)
		after[w.class(state, level)]++
	}
	chi, degrees := 0.0, -1.0
	for i, a := range before {
		if b := after[i]; a+b >= 10 {
			chi += (a - b) * (a - b) / (a + b)
			degrees++
		}
	}
	if z := (chi - degrees) / math.Sqrt(2*degrees); math.Abs(z) > 4 {
		t.Errorf("a sweep with reflections changes the distribution by %.1f standard deviations", z)
	}

	// Transitions, counted from all levels alike at infinite temperature, obey detailed balance.
	for b := range w.lnWeight {
		w.lnWeight[b] = 0
	}
	clear(situations)
	w.window = lattice.Window{Low: 0, High: w.s.Levels() - 1}
	free := newXYMetropolis(w.s, w.window, 1)
	free.Fill(w.lnWeight)
	copy(free.steps, good.steps)
	for range draws {
		level := w.draw(state, r)
		free.Sweep(0, state, level, hits, situations, pcg)
	}
	chi, degrees = 0, 0
	maxStep, steps := w.s.MaxStep(), lattice.Steps(w.s)
	for a := range w.s.Levels() {
		for b := range a {
			if a-b > maxStep {
				continue
			}
			up, down := float64(situations[b*steps+a-b+maxStep]), float64(situations[a*steps+b-a+maxStep])
			if up+down >= 10 {
				chi += (up - down) * (up - down) / (up + down)
				degrees++
			}
		}
	}
	if z := (chi - degrees) / math.Sqrt(2*degrees); math.Abs(z) > 4 || degrees < 20 {
		t.Errorf("transitions back and forth differ by %.1f standard deviations, %v pairs of levels", z, degrees)
	}
}

// TestXYSweep checks what every kernel promises, see TestSweep, and that steps follow ln g: a spin turns by the less the
// steeper that is.
func TestXYSweep(t *testing.T) {
	s, err := lattice.NewXY(0.5, 0, 0, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, move := range []Move{Metropolis, Overrelaxation} {
		pcg := rand.NewPCG(3, 4)
		state := make([]uint8, s.StateBytes())
		s.Randomise(state, rand.New(pcg))
		level := s.Level(state)
		window := lattice.Window{Low: level - 40, High: level + 40}
		k := New(s, move, window, 2).(Adaptive)
		lnG := archLnG(s)
		k.Fill(lnG)
		k.Adapt(lnG)
		transitions, hits := k.Transitions(2), make([]int64, s.Levels())
		const sweeps = 200
		all := 0
		for i := range sweeps {
			var accepted int
			level, accepted = k.Sweep(i%2, state, level, hits, transitions.Block(1), pcg)
			if s.Level(state) != level || !window.Contains(level) || s.Validate(state) != nil {
				t.Fatalf("%v: level %d carried along, %d counted", move, level, s.Level(state))
			}
			all += accepted
		}
		trials := int64(sweeps * s.Sites())
		if n := sum(hits); n != trials || sum(transitions.Counts()[1]) != trials {
			t.Errorf("%v: %d visits and %d transitions of %d trials", move, n, sum(transitions.Counts()[1]), trials)
		}
		if share := float64(all) / float64(trials); share < 0.3 || share > 0.95 {
			t.Errorf("%v: %.2f of the trials accepted", move, share)
		}
		if n := testing.AllocsPerRun(20, func() { level, _ = k.Sweep(0, state, level, hits, transitions.Block(0), pcg) }); n != 0 {
			t.Errorf("%v: %v allocations per sweep", move, n)
		}
		if err := Check(s, move); err != nil {
			t.Error(err)
		}
		if err := Check(mustPotts(t, 2, 3, 3), move); (err != nil) != (move == Overrelaxation) {
			t.Errorf("%v of colours: %v", move, err)
		}
	}
	for _, move := range []Move{HeatBath, RandomHeatBath, Cluster} {
		if Check(s, move) == nil {
			t.Errorf("%v of angles", move)
		}
	}
	k := newXYMetropolis(s, lattice.Window{Low: 0, High: s.Levels() - 1}, 1)
	lnG := make([]float64, s.Levels())
	for b := range lnG {
		lnG[b] = 2 * s.Energy(b) // beta = 2
	}
	k.Adapt(lnG)
	// The field of a spin's neighbours is 4 in the ground state, and in proportion to the energy.
	field := -2 * s.Energy(s.GroundLevel()) / float64(s.Sites())
	if low := k.steps[s.GroundLevel()]; math.Abs(low-xyStep/math.Sqrt(2*field)) > 0.02 || k.steps[s.PeakLevel()] != math.Pi {
		t.Errorf("steps of %v at the lowest energies and %v at the peak", low, k.steps[s.PeakLevel()])
	}
}
