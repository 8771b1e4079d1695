package ensemble

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"neuralwl/sampler/dos"
)

// quantity is an average over the canonical distribution, per site.
type quantity struct {
	name, text string
	of         func(dos.Canonical) float64 // of the whole system
}

// quantities are those that are averaged over realisations. Quenched averages are of ln Z, and of what follows
// from it within one realisation, never of Z or g.
var quantities = []quantity{
	{"ln_z", "logarithm of the partition function per site", func(c dos.Canonical) float64 { return c.LnZ }},
	{"energy", "energy per site in units of J", func(c dos.Canonical) float64 { return c.Energy }},
	{"specific_heat", "specific heat per site in units of the Boltzmann constant", func(c dos.Canonical) float64 { return c.SpecificHeat }},
}

// curves are the quantities of one realisation at the inverse temperatures, by quantity and beta, with one
// standard error of its own, NaN if unknown.
type curves struct{ values, errors [][]float64 }

// curvesOf evaluates a density of states on so many sites. Values beyond its Reach are NaN, as they would be
// about the bins. The only error is dos.ErrTime.
func curvesOf(e *dos.Ensemble, betas []float64, sites int) (*curves, error) {
	n := float64(sites)
	values, errors, err := e.Estimate(func(d *dos.Density) ([]float64, error) {
		row := make([]float64, 0, len(quantities)*len(betas))
		for _, beta := range betas {
			c := dos.Canonical{LnZ: math.NaN(), Energy: math.NaN(), SpecificHeat: math.NaN()}
			if math.Abs(beta) <= d.Reach() {
				c = d.At(beta)
			}
			for _, q := range quantities {
				row = append(row, q.of(c)/n)
			}
		}
		return row, nil
	})
	if err != nil {
		return nil, err
	}
	c := &curves{}
	for k := range quantities {
		var v, s []float64
		for i := range betas {
			v, s = append(v, values[len(quantities)*i+k]), append(s, errors[len(quantities)*i+k])
		}
		c.values, c.errors = append(c.values, v), append(c.errors, s)
	}
	return c, nil
}

// Average is a mean over realisations.
type Average struct {
	Mean float64
	// Error is one standard error of the mean over all realisations that there could be: the standard
	// deviation of the estimates over the root of their number, as a jackknife over realisations has it,
	// too. It includes Own, the part that comes from the error of each run, with which alone Mean
	// would differ from the mean over these very realisations. NaN if unknown.
	Error, Own float64
	// Spread is the standard deviation between realisations without the errors of the runs: the root of
	// the variance of the estimates less the mean square of their errors, 0 where that is negative.
	Spread float64
	// Quantiles are those of the estimates at Levels.
	Quantiles []float64
}

// Levels are the probabilities of the quantiles: the ends, the median and, of a normal distribution, one and
// 1.64 standard deviations on either side.
var Levels = []float64{0, 0.05, 0.16, 0.25, 0.5, 0.75, 0.84, 0.95, 1}

// rounding bounds the relative differences of equal values that were computed in several ways.
const rounding = 1e-12

// average averages estimates of independent realisations, each with its own standard error.
func average(values, errors []float64) Average {
	n := float64(len(values))
	mean, variance := stat.MeanVariance(values, nil)
	own := 0.0
	for _, s := range errors {
		own += s * s / n
	}
	a := Average{Mean: mean, Error: math.Sqrt(variance / n), Own: math.Sqrt(own / n), Spread: math.Sqrt(max(variance-own, 0))}
	if len(values) < 2 {
		a.Error, a.Spread = math.NaN(), math.NaN()
	}
	// What is left of equal values by rounding is no error.
	for _, x := range []*float64{&a.Error, &a.Own, &a.Spread} {
		if *x < rounding*math.Abs(mean) {
			*x = 0
		}
	}
	sorted := slices.Sorted(slices.Values(values))
	for _, p := range Levels {
		a.Quantiles = append(a.Quantiles, quantile(p, sorted))
	}
	return a
}

// quantile interpolates linearly between the order statistics, of which the k-th of n has the
// probability (k-1)/(n-1).
func quantile(p float64, sorted []float64) float64 {
	at := p * float64(len(sorted)-1)
	k := int(at)
	if k+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[k] + (at-float64(k))*(sorted[k+1]-sorted[k])
}

// averages averages the quantities at every inverse temperature.
func averages(all []*curves, betas []float64) [][]Average {
	table := make([][]Average, len(quantities))
	for k := range quantities {
		for i := range betas {
			var values, errors []float64
			for _, c := range all {
				values, errors = append(values, c.values[k][i]), append(errors, c.errors[k][i])
			}
			table[k] = append(table[k], average(values, errors))
		}
	}
	return table
}
