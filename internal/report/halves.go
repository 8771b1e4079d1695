package report

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"neuralwl/sampler"
)

// HalvesSummary compares the mean energy of the walkers in the two halves of production. In
// equilibrium they differ by chance; walkers still on their way from where the adaptation
// left them drift, and ln g is off in the same direction.
type HalvesSummary struct {
	// Passes that were compared: all of production, unless it was begun by a program that
	// kept no record of it.
	Passes int64 `json:"passes"`
	// InErrors is the difference of the second half from the first in standard errors, of
	// the window in which it is the least probable, and Probability that of a difference as
	// large in any window if there is no drift.
	InErrors    float64 `json:"difference_in_errors"`
	Probability float64 `json:"probability"`
}

// falseAlarm is the share of the runs in equilibrium in which the halves of production are
// found to differ.
const falseAlarm = 1e-3

// fewChains is how many chains of walkers it takes at least to tell the error of their mean
// drift from its scatter alone. With fewer, the parts of each chain's course count as
// independent.
const fewChains = 16

// compareHalves returns nil if production was too short to have halves, or nothing moved.
func (r *Result) compareHalves() *HalvesSummary {
	if r.Samples == nil {
		return nil
	}
	return halves(r.Samples.Timeline())
}

func halves(t *sampler.Timeline) *HalvesSummary {
	if t.Parts() < 2 {
		return nil
	}
	s := &HalvesSummary{Passes: t.Passes, Probability: math.Inf(1)}
	for window := range t.Sums {
		z, freedom := drift(t, window)
		if math.IsNaN(z) {
			continue
		}
		// Levels ascend as energies fall.
		p := 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.CDF(-math.Abs(z))
		if p < s.Probability {
			s.InErrors, s.Probability = -z, p
		}
	}
	if math.IsInf(s.Probability, 1) {
		return nil
	}
	s.Probability = min(1, s.Probability*float64(len(t.Sums))) // Bonferroni
	return s
}

// drift is the difference of the mean level in the second half from that in the first, in
// units of its standard error, and the degrees of freedom of that error; NaN if it has none.
func drift(t *sampler.Timeline, window int) (z, freedom float64) {
	chains, parts := len(t.Sums[window]), t.Parts()
	half := parts / 2
	if chains >= fewChains {
		differences := make([]float64, chains)
		for i := range differences {
			differences[i] = t.Mean(window, i, half, parts) - t.Mean(window, i, 0, half)
		}
		mean, variance := stat.MeanVariance(differences, nil)
		return mean / math.Sqrt(variance/float64(chains)), float64(chains - 1)
	}
	var first, second []float64
	for i := range chains {
		for p := range parts {
			if mean := t.Mean(window, i, p, p+1); p < half {
				first = append(first, mean)
			} else {
				second = append(second, mean)
			}
		}
	}
	// Student's test: under its hypothesis both halves scatter alike.
	n, m := float64(len(first)), float64(len(second))
	if freedom = n + m - 2; freedom < 1 {
		return math.NaN(), 0
	}
	before, squares := meanSquares(first)
	after, more := meanSquares(second)
	return (after - before) / math.Sqrt((squares+more)/freedom*(1/n+1/m)), freedom
}

// meanSquares returns the mean and the sum of the squared deviations from it.
func meanSquares(x []float64) (mean, squares float64) {
	mean = stat.Mean(x, nil)
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return mean, squares
}

func (h *HalvesSummary) String() string {
	return fmt.Sprintf("the mean energies in the two halves of %d passes differ by %.1f errors (probability %.2g)", h.Passes, math.Abs(h.InErrors), h.Probability)
}
