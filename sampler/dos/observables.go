package dos

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// unmeasured is the largest share of the canonical weight allowed on levels without a
// measurement. Averages may be off by this share of the observable's change between them
// and the nearest measured level.
const unmeasured = 0.01

// Canonical estimates canonical averages of the observables,
//
//	<O>(beta) = sum of g(E) exp(-beta E) <O>(E) / Z,
//
// or the vector, of any length, that derive computes from them; with derive nil, the
// averages themselves. Where levels are bins and m has Products, the mean in a bin at beta is
//
//	<O> - beta (<O E> - <O><E>),
//
// to first order in beta times the width. values and deviations, one standard error each, are by beta. Errors
// combine those of ln g and of the means: each replica of ln g is paired with the means
// that omit the same blocks, so e and m must come from the same blocks in the same order,
// those of FromHistograms or FromWindows. They are NaN if either has no replicas. derive must
// be safe for concurrent use. If there is no time until e's Deadline, the error is ErrTime.
//
// Levels that have ln g but no measurement, such as rare ones at the ends of what canonical
// walkers visit, take the means of the nearest measured level, as long as they have at most
// 1 % of the canonical weight. At betas where they have more, values and deviations are
// NaN, and a non-nil error names the levels; results for the other betas remain valid.
func (m *Means) Canonical(e *Ensemble, betas []float64, derive func(beta float64, averages []float64) []float64) (values, deviations [][]float64, err error) {
	if e.Replicas != nil && m.Replicas != nil && len(e.Replicas) != len(m.Replicas) {
		return nil, nil, fmt.Errorf("canonical averages: ln g is from %d blocks, the measurements from %d; both must come from the same blocks", len(e.Replicas), len(m.Replicas))
	}
	if derive == nil {
		derive = func(_ float64, averages []float64) []float64 { return averages }
	}
	began := time.Now()
	all := newReweighting(e.Density, m.Energy, m.Mean, m.Products)
	var faults []error
	for _, beta := range betas {
		averages, missing := all.averages(beta)
		row := derive(beta, averages)
		if missing > unmeasured {
			faults = append(faults, all.fault(beta, missing))
			for i := range row {
				row[i] = math.NaN()
			}
		}
		values = append(values, row)
	}
	replicas := make([][][]float64, len(betas)) // by beta, block and result of derive
	paired := min(len(e.Replicas), len(m.Replicas))
	for i := range replicas {
		replicas[i] = make([][]float64, paired)
	}
	err = e.eachReplica(paired, time.Since(began), func(k int) error {
		r := newReweighting(e.Replicas[k], m.Energy, m.Replicas[k], m.Products)
		for i, beta := range betas {
			averages, _ := r.averages(beta)
			replicas[i][k] = derive(beta, averages)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for i, rows := range replicas {
		row := spread(len(values[i]), rows)
		for j, x := range values[i] {
			if math.IsNaN(x) {
				row[j] = math.NaN()
			}
		}
		deviations = append(deviations, row)
	}
	return values, deviations, errors.Join(faults...)
}

// reweighting is a density of states with microcanonical means.
type reweighting struct {
	*Density
	means [][]float64 // by observable and level with a measurement
	place []int       // index of the measured level nearest to each level
	lacks []bool      // whether that is another level
	// products are the means of products with the place in the bin, nil for none
	products [][]float64
	// buffer for a distribution
	buffer []float64
}

func newReweighting(d *Density, energies []float64, means [][]float64, products bool) reweighting {
	r := reweighting{Density: d, means: means, place: make([]int, d.Len()), lacks: make([]bool, d.Len()), buffer: make([]float64, d.Len())}
	if n := len(means) / 2; products {
		if r.means = means[:n]; d.Bins != nil {
			r.products = means[n:]
		}
	}
	var measured []int
	for i := range energies {
		// In a replica, a level may have no measurement of any observable.
		if len(means) == 0 || !math.IsNaN(means[0][i]) {
			measured = append(measured, i)
		}
	}
	next := 0
	for i, e := range d.Energy {
		distance := func(k int) float64 { return math.Abs(energies[measured[k]] - e) }
		for next+1 < len(measured) && distance(next+1) < distance(next) {
			next++
		}
		r.place[i], r.lacks[i] = measured[next], distance(next) > 0
	}
	return r
}

// averages returns canonical averages of microcanonical means, by observable; missing is
// the canonical weight of the levels without a measurement.
func (r reweighting) averages(beta float64) (averages []float64, missing float64) {
	from, p, _ := r.distribution(beta, r.buffer)
	averages = make([]float64, len(r.means))
	for i, level := range r.place[from:][:len(p)] {
		if r.lacks[from+i] {
			missing += p[i]
		}
		for o, mean := range r.means {
			averages[o] += p[i] * mean[level]
			if r.products != nil && !r.lacks[from+i] {
				covariance := r.Bins.Width*r.products[o][level] - mean[level]*r.Bins.Mean[from+i]
				averages[o] -= p[i] * beta * covariance
			}
		}
	}
	return averages, missing
}

// fault names the levels without a measurement.
func (r reweighting) fault(beta, missing float64) error {
	const most = 8 // named
	p, _ := r.Distribution(beta)
	var names []string
	for i, lacks := range r.lacks {
		// Name only levels that contribute noticeably to the missing share.
		if lacks && p[i] > unmeasured/float64(r.Len()) {
			names = append(names, fmt.Sprintf("%g", r.Energy[i]))
		}
	}
	if n := len(names); n > most {
		names = append(names[:most], fmt.Sprintf("%d more", n-most))
	}
	return fmt.Errorf("canonical averages at beta = %g: levels with %.2g of the weight have ln g but no measurement, E = %s; measure more often, or for longer",
		beta, missing, strings.Join(names, ", "))
}
