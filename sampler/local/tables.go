package local

import (
	"math"

	"neuralwl/sampler/lattice"
)

// fixed converts a probability to the scale of a 64-bit random number: a draw falls below
// the result with that probability, up to rounding by 2^-53. A probability that rounds to 1
// becomes the largest number, so that no draw selects a choice of zero weight beyond it.
func fixed(p float64) uint64 {
	switch {
	case p > 1-0x1p-51:
		return math.MaxUint64
	case p > 0:
		return uint64(p*(1<<53)) << 11
	}
	return 0 // also for NaN, where there is nothing to choose from
}

// maxStep is the largest change of the Potts model's level by a trial of one site.
const maxStep = lattice.Coordination

// siteTable holds the heat bath's cumulative probabilities by the level B_0 without the
// site's own bonds and the pattern of its neighbours' colours. Its four entries are the
// borders between five choices: any colour that no neighbour has, then the neighbours'
// colours in ascending order, a repeated colour at its first place. They are integers on
// the scale of a 64-bit random number.
type siteTable [][patterns][4]uint64

// fill computes the table for q colours from ln g. Levels outside the window have no
// weight.
func (t siteTable) fill(lnG []float64, q int, window lattice.Window) {
	for b0 := max(0, window.Low-maxStep); b0 <= window.High; b0++ {
		var lnWeight, weight [maxStep + 1]float64 // of n bonds gained
		low, high := math.Inf(1), math.Inf(-1)
		for n := range lnWeight {
			lnWeight[n] = math.Inf(-1)
			if window.Contains(b0 + n) {
				lnWeight[n] = -lnG[b0+n]
				low, high = min(low, lnWeight[n]), max(high, lnWeight[n])
			}
		}
		common := high-low < safeExponent
		if common {
			weight = exponentials(lnWeight, high)
		}
		for pattern := range patterns {
			start := &runStart[pattern]
			others := float64(max(q-runs[pattern], 0))
			if !common {
				weight = exponentials(lnWeight, largest(lnWeight, start, others > 0))
			}
			rest := 0.0
			if others > 0 {
				rest = others * weight[0]
			}
			w := [4]float64{}
			for k, n := range start {
				if n > 0 {
					w[k] = weight[n]
				}
			}
			scale := 1 / (rest + w[0] + w[1] + w[2] + w[3])
			row := &t[b0][pattern]
			row[0] = fixed(rest * scale)
			row[1] = fixed((rest + w[0]) * scale)
			row[2] = fixed((rest + w[0] + w[1]) * scale)
			row[3] = fixed((rest + w[0] + w[1] + w[2]) * scale)
		}
	}
}

// heatBathTables is everything that a sweep of the heat bath reads.
type heatBathTables struct {
	sites   siteTable
	hazards hazardTable
}

// safeExponent is the largest spread of logarithms of weights at which one common
// reference serves all of them. Beyond it, as between levels with states and neighbouring
// levels without, each pattern takes the largest weight it can choose as its reference.
const safeExponent = 600

func exponentials(ln [maxStep + 1]float64, reference float64) (x [maxStep + 1]float64) {
	for n := range x {
		x[n] = math.Exp(ln[n] - reference)
	}
	return x
}

// largest returns the logarithm of the largest weight that a site can choose: that of n
// bonds for each run of length n, and of no bonds if there are other colours.
func largest(lnWeight [maxStep + 1]float64, start *[4]uint8, others bool) float64 {
	m := math.Inf(-1)
	if others {
		m = lnWeight[0]
	}
	for _, n := range start {
		if n > 0 {
			m = max(m, lnWeight[n])
		}
	}
	return m
}

// metropolisTable holds min[1, g(B)/g(B+d)] at [B][d+maxStep] for |d| <= maxStep, on the
// scale of a 64-bit random number.
type metropolisTable [][2*maxStep + 1]uint64

// fill computes the table from ln g. Levels outside the window have no weight.
func (t metropolisTable) fill(lnG []float64, window lattice.Window) {
	for b := window.Low; b <= window.High; b++ {
		for d := max(-maxStep, window.Low-b); d <= maxStep && b+d <= window.High; d++ {
			t[b][d+maxStep] = fixed(math.Exp(lnG[b] - lnG[b+d]))
		}
	}
}
