package local

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// weight is 1/g of a level as fraction * 2^exponent, with the fraction in [1, 2). This form
// allows weights to be compared without an exponential, however far apart they are: taken
// relative to the largest of the choices at hand nothing overflows, and a choice vanishes
// only if it is 2^-1022 times less likely than another.
type weight struct {
	fraction float64
	exponent int64
}

// weightTable holds the weights by level.
type weightTable []weight

// nowhere is the exponent at levels outside the window.
const nowhere = math.MinInt64 / 4

// fill computes the table from ln g. Levels outside the window have no weight.
func (t weightTable) fill(lnG []float64, window lattice.Window) {
	for b := range t {
		if !window.Contains(b) {
			t[b] = weight{1, nowhere}
			continue
		}
		x := -lnG[b] * math.Log2E
		whole := math.Floor(x)
		t[b] = weight{math.Exp2(x - whole), int64(whole)}
	}
}

// over is the weight divided by 2^top, where top is at least the exponent.
func (w weight) over(top int64) float64 {
	const bias = 1023 // of the exponent of a float64
	return w.fraction * math.Float64frombits(uint64(max(bias-(top-w.exponent), 0))<<52)
}

// termsKernels is what all moves on systems made of terms have in common: the weights, and
// scratch space for each worker.
type termsKernels struct {
	system  *lattice.Terms
	window  lattice.Window
	weights weightTable
	workers []*termsKernel
}

func newTermsKernels(s *lattice.Terms, window lattice.Window, workers int) *termsKernels {
	k := &termsKernels{system: s, window: window, weights: make(weightTable, s.Levels())}
	for range workers {
		k.workers = append(k.workers, newTermsKernel(s, k.weights))
	}
	return k
}

func (k *termsKernels) Fill(lnWeight []float64) { k.weights.fill(lnWeight, k.window) }

func (k *termsKernels) Transitions(blocks int) *Transitions { return newChanges(k.system, blocks) }

// termsHeatBath is the heat bath at every site in turn.
type termsHeatBath struct{ *termsKernels }

func (k *termsHeatBath) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return k.workers[worker].heatBath(state, level, false, hits, situations, rng), len(state)
}

// termsRandomHeatBath is the heat bath at sites drawn at random.
type termsRandomHeatBath struct{ *termsKernels }

func (k *termsRandomHeatBath) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return k.workers[worker].heatBath(state, level, true, hits, situations, rng), len(state)
}

// termsMetropolis proposes other colours at sites drawn at random.
type termsMetropolis struct{ *termsKernels }

func (k *termsMetropolis) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return k.workers[worker].metropolis(state, level, hits, situations, rng)
}

// termsKernel moves the sites of any system made of terms. Unlike the tables, it holds
// scratch space, so goroutines must not share it.
type termsKernel struct {
	lattice.Tables
	system  *lattice.Terms
	q       int
	maxStep int
	places  []int32 // of changes of the level among lattice.Changes, by change + maxStep
	steps   int     // number of these
	table   weightTable

	gains   [lattice.MaxColours]int32   // of a site, by colour
	levels  [lattice.MaxColours]int     // of the configuration, by the site's colour
	borders [lattice.MaxColours]float64 // cumulative weights of the colours
}

func newTermsKernel(s *lattice.Terms, table weightTable) *termsKernel {
	k := &termsKernel{Tables: s.Tables(), system: s, q: s.Colours(), maxStep: s.MaxStep(), table: table}
	changes := lattice.Changes(s)
	k.places, k.steps = make([]int32, 2*k.maxStep+1), len(changes)
	for place, change := range changes {
		k.places[change+k.maxStep] = int32(place)
	}
	return k
}

// begin returns the gain of a configuration of a level.
func (k *termsKernel) begin(state []uint8, level int) (gain int) {
	if k.Bin.Gains == 0 {
		return level
	}
	return k.system.Gain(state)
}

// weigh computes a site's gain with each colour, the levels to which the colours lead, and their
// cumulative weights, given the gain of the configuration and the colours of all other sites.
func (k *termsKernel) weigh(state []uint8, site, gain int) (gains []int32, levels []int, borders []float64) {
	gains, levels, borders = k.gains[:k.q], k.levels[:k.q], k.borders[:k.q]
	copy(gains, k.Field[site*k.FieldStride:])
	q := int32(len(gains))
	for _, b := range k.Bonds[k.First[site]:k.First[site+1]] {
		at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*q
		for c, x := range k.Gain[at : at+q] {
			gains[c] += x
		}
	}
	rest := gain - int(gains[state[site]])
	if k.Bin.Gains == 0 {
		for c, x := range gains {
			levels[c] = rest + int(x)
		}
	} else {
		for c, x := range gains {
			levels[c] = k.Bin.Of(rest + int(x))
		}
	}
	table := k.table
	top := int64(math.MinInt64)
	for _, b := range levels {
		top = max(top, table[b].exponent)
	}
	sum := 0.0
	for c, b := range levels {
		sum += table[b].over(top)
		borders[c] = sum
	}
	return gains, levels, borders
}

// heatBath makes N trials, each of which draws a site's colour from the conditional
// distribution under the weights 1/g: every site in turn, or sites drawn at random.
// situations, unless nil, counts by level and change, once for each colour that could have
// been drawn. It returns the level after the sweep.
func (k *termsKernel) heatBath(state []uint8, level int, random bool, hits, situations []int64, rng *rand.PCG) int {
	sites := uint64(len(state))
	gain := k.begin(state, level)
	for site := range state {
		draw := rng.Uint64()
		if random {
			// One draw serves both decisions, as in metropolisSweep.
			upper, lower := bits.Mul64(draw, sites)
			site, draw = int(upper), lower
		}
		gains, levels, borders := k.weigh(state, site, gain)
		if situations != nil {
			row := situations[level*k.steps : (level+1)*k.steps]
			for _, b := range levels {
				row[k.places[b-level+k.maxStep]]++
			}
		}
		// u < 1 keeps x below the last border, rounding included.
		x := math.Float64bits(float64(draw>>11) * 0x1p-53 * borders[len(borders)-1])
		c := 0
		for _, border := range borders[:len(borders)-1] {
			c += notBelow(x, math.Float64bits(border))
		}
		gain += int(gains[c] - gains[state[site]])
		level = levels[c]
		state[site] = uint8(c)
		hits[level]++
	}
	return level
}

// metropolis makes N trials, as metropolisSweep does.
func (k *termsKernel) metropolis(state []uint8, level int, hits, situations []int64, rng *rand.PCG) (int, int) {
	sites, q := uint64(len(state)), uint64(k.q)
	table := k.table
	gain := k.begin(state, level)
	accepted := 0
	for range state {
		site, fraction := bits.Mul64(rng.Uint64(), sites)
		step, fraction := bits.Mul64(fraction, q-1)
		old := uint64(state[site])
		c := old + 1 + step
		if c >= q {
			c -= q
		}
		field := k.Field[int(site)*k.FieldStride:]
		change := field[c] - field[old]
		for _, b := range k.Bonds[k.First[site]:k.First[site+1]] {
			at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*int32(q)
			change += k.Gain[at+int32(c)] - k.Gain[at+int32(old)]
		}
		to := level + int(change)
		if k.Bin.Gains > 0 {
			to = k.Bin.Of(gain + int(change))
		}
		if situations != nil {
			situations[level*k.steps+int(k.places[to-level+k.maxStep])]++
		}
		if table.accepts(level, to, float64(fraction>>11)*0x1p-53) {
			state[site] = uint8(c)
			gain += int(change)
			level = to
			accepted++
		}
		hits[level]++
	}
	return level, accepted
}

// accepts decides by the uniform number u whether to go from one level to another: it does
// with probability min[1, g(from)/g(to)].
func (t weightTable) accepts(from, to int, u float64) bool {
	a, b := t[from], t[to]
	top := max(a.exponent, b.exponent)
	return u*a.over(top) < b.over(top)
}
