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
	first       []int32
	bonds       []lattice.Bond
	gain, field []int32
	q           int
	maxStep     int
	table       weightTable

	gains   [lattice.MaxColours]int32   // of a site, by colour
	borders [lattice.MaxColours]float64 // cumulative weights of the colours
}

func newTermsKernel(s *lattice.Terms, table weightTable) *termsKernel {
	k := &termsKernel{q: s.Colours(), maxStep: s.MaxStep(), table: table}
	k.first, k.bonds, k.gain, k.field = s.Tables()
	return k
}

// weigh computes a site's gain with each colour, and the cumulative weights of its colours
// given the level and the colours of all other sites.
func (k *termsKernel) weigh(state []uint8, site, level int) (gains []int32, borders []float64) {
	gains, borders = k.gains[:k.q], k.borders[:k.q]
	copy(gains, k.field)
	q := int32(len(gains))
	for _, b := range k.bonds[k.first[site]:k.first[site+1]] {
		at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*q
		for c, x := range k.gain[at : at+q] {
			gains[c] += x
		}
	}
	rest := level - int(gains[state[site]])
	table := k.table
	top := int64(math.MinInt64)
	for _, x := range gains {
		top = max(top, table[rest+int(x)].exponent)
	}
	sum := 0.0
	for c, x := range gains {
		sum += table[rest+int(x)].over(top)
		borders[c] = sum
	}
	return gains, borders
}

// heatBath makes N trials, each of which draws a site's colour from the conditional
// distribution under the weights 1/g: every site in turn, or sites drawn at random.
// situations, unless nil, counts by level and change, once for each colour that could have
// been drawn. It returns the level after the sweep.
func (k *termsKernel) heatBath(state []uint8, level int, random bool, hits, situations []int64, rng *rand.PCG) int {
	sites := uint64(len(state))
	for site := range state {
		draw := rng.Uint64()
		if random {
			// One draw serves both decisions, as in metropolisSweep.
			upper, lower := bits.Mul64(draw, sites)
			site, draw = int(upper), lower
		}
		gains, borders := k.weigh(state, site, level)
		old := gains[state[site]]
		if situations != nil {
			steps := 2*k.maxStep + 1
			row := situations[level*steps : (level+1)*steps]
			for _, x := range gains {
				row[int(x-old)+k.maxStep]++
			}
		}
		// u < 1 keeps x below the last border, rounding included.
		x := math.Float64bits(float64(draw>>11) * 0x1p-53 * borders[len(borders)-1])
		c := 0
		for _, border := range borders[:len(borders)-1] {
			c += notBelow(x, math.Float64bits(border))
		}
		level += int(gains[c] - old)
		state[site] = uint8(c)
		hits[level]++
	}
	return level
}

// metropolis makes N trials, as metropolisSweep does.
func (k *termsKernel) metropolis(state []uint8, level int, hits, situations []int64, rng *rand.PCG) (int, int) {
	sites, q := uint64(len(state)), uint64(k.q)
	gain, field, table := k.gain, k.field, k.table
	accepted := 0
	for range state {
		site, fraction := bits.Mul64(rng.Uint64(), sites)
		step, fraction := bits.Mul64(fraction, q-1)
		old := uint64(state[site])
		c := old + 1 + step
		if c >= q {
			c -= q
		}
		change := field[c] - field[old]
		for _, b := range k.bonds[k.first[site]:k.first[site+1]] {
			at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*int32(q)
			change += gain[at+int32(c)] - gain[at+int32(old)]
		}
		if situations != nil {
			situations[level*(2*k.maxStep+1)+int(change)+k.maxStep]++
		}
		if table.accepts(level, level+int(change), float64(fraction>>11)*0x1p-53) {
			state[site] = uint8(c)
			level += int(change)
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
