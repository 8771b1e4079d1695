package dos

import (
	"errors"
	"math"
)

// AutocorrelationTime estimates the integrated autocorrelation time of the energy from
// histograms of independent chains, each of steps measurements. Since
//
//	variance of a chain's mean = 2 tau / steps * variance of the energy
//
// (Sokal, Monte Carlo Methods in Statistical Mechanics, 1989, eq. 2.20), the scatter of the
// chains' means gives tau, in the unit of time of steps, without any time series. This
// holds if the chains are much longer than tau. The error is that of the scatter, tau
// sqrt(2/(chains-1)).
//
// energy and every block are indexed by level. Blocks without a count are omitted. Fewer
// than two remaining blocks, or no variance at all, are an error.
func AutocorrelationTime(energy []float64, blocks [][]int64, steps float64) (tau, deviation float64, err error) {
	var means []float64
	var mean, square float64 // of the energy, over all chains
	for _, block := range blocks {
		n, sum, squares := 0.0, 0.0, 0.0
		for b, count := range block {
			n += float64(count)
			sum += float64(count) * energy[b]
			squares += float64(count) * energy[b] * energy[b]
		}
		if n > 0 {
			means = append(means, sum/n)
			mean += sum / n
			square += squares / n
		}
	}
	return scatterTime(means, mean, square, steps)
}

// scatterTime makes the time from the means of chains, and the sums of the chains' means and mean
// squares.
func scatterTime(means []float64, mean, square, steps float64) (tau, deviation float64, err error) {
	chains := float64(len(means))
	mean, square = mean/chains, square/chains
	variance := square - mean*mean
	if len(means) < 2 || !(variance > 0) {
		return 0, 0, errors.New("autocorrelation time: at least two chains with different energies are needed")
	}
	scatter := 0.0
	for _, m := range means {
		scatter += (m - mean) * (m - mean) / (chains - 1)
	}
	tau = steps * scatter / (2 * variance)
	return tau, tau * math.Sqrt(2/(chains-1)), nil
}
