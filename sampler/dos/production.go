package dos

import (
	"errors"
	"math"
)

// FromHistograms estimates ln g from histograms taken under constant weights
// exp(-lnWeight(E)),
//
//	ln g(E) = ln H(E) + lnWeight(E) + const,
//
// normalised to a sum of exp(lnTotal), with errors from a jackknife over the
// blocks (Efron, Stein, Ann. Statist. 9, 586 (1981)): the estimate is repeated
// without each block in turn, and the spread of these estimates times (n-1)/n
// summed over the n blocks is the variance. Blocks must be independent of each
// other, or at least much longer than the autocorrelation time.
//
// energy, lnWeight and every block are indexed by level. Levels without a visit
// are left out. An error is NaN where there are fewer than two blocks or where
// one block holds all visits of a level.
func FromHistograms(energy, lnWeight []float64, blocks [][]int64, lnTotal float64) (*Density, error) {
	total := make([]int64, len(energy))
	for _, block := range blocks {
		for b, n := range block {
			total[b] += n
		}
	}
	d := &Density{}
	var levels []int
	for b, n := range total {
		if n > 0 {
			levels = append(levels, b)
		}
	}
	if len(levels) == 0 {
		return nil, errors.New("density of states from histograms: no level was visited")
	}
	estimate := func(counts func(level int) int64) []float64 {
		lnG := make([]float64, len(levels))
		for i, b := range levels {
			lnG[i] = math.Log(float64(counts(b))) + lnWeight[b]
		}
		shift := lnTotal - LogSumExp(lnG)
		for i := range lnG {
			lnG[i] += shift
		}
		return lnG
	}
	d.LnG = estimate(func(b int) int64 { return total[b] })
	d.Energy = make([]float64, len(levels))
	d.Error = make([]float64, len(levels))
	for i, b := range levels {
		d.Energy[i] = energy[b]
	}
	mean := make([]float64, len(levels))
	square := make([]float64, len(levels))
	for k, block := range blocks {
		// Deviations from the full estimate keep the sums well conditioned,
		// and the running mean (Welford) keeps them so.
		for i, x := range estimate(func(b int) int64 { return total[b] - block[b] }) {
			x -= d.LnG[i]
			delta := x - mean[i]
			mean[i] += delta / float64(k+1)
			square[i] += delta * (x - mean[i])
		}
	}
	n := float64(len(blocks))
	for i := range d.Error {
		d.Error[i] = math.Sqrt(square[i] * (n - 1) / n)
		if len(blocks) < 2 || math.IsInf(d.Error[i], 0) {
			d.Error[i] = math.NaN()
		}
	}
	d.sort()
	return d, nil
}
