package dos

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Ensemble is an estimated density of states with its jackknife replicas, from which every
// derived quantity gets its error.
type Ensemble struct {
	// Density is the estimate from all blocks; its errors come from the replicas.
	*Density
	// Replicas are the estimates with one block omitted each. A replica lacks the levels
	// that only the omitted block visited. Nil if errors cannot be estimated: with fewer
	// than two blocks, or if one block holds everything.
	Replicas []*Density
}

// Estimate evaluates f, a vector of any length, for the density of states, and its error by
// the jackknife (Efron, Stein, Ann. Statist. 9, 586 (1981)): f is evaluated for each of the
// n replicas, and the variance is the sum of the squared deviations of these values from
// their mean times (n-1)/n. This accounts for correlations between levels and, to leading
// order, for any non-linearity of f.
//
// An error is NaN if it cannot be estimated: without replicas, or if f is not finite in one
// of them. If f itself fails, even in a replica, its error is returned.
func (e *Ensemble) Estimate(f func(*Density) ([]float64, error)) (values, deviations []float64, err error) {
	if values, err = f(e.Density); err != nil {
		return nil, nil, err
	}
	replicas := make([][]float64, len(e.Replicas))
	for k, d := range e.Replicas {
		if replicas[k], err = f(d); err != nil {
			return nil, nil, fmt.Errorf("without block %d of %d: %w", k+1, len(e.Replicas), err)
		}
	}
	return values, spread(len(values), replicas), nil
}

// spread returns the jackknife error of each of m values. Each row of replicas holds the
// values of one replica.
func spread(m int, replicas [][]float64) []float64 {
	deviations := make([]float64, m)
	column := make([]float64, len(replicas))
	n := float64(len(replicas))
	for i := range deviations {
		for k, values := range replicas {
			column[k] = values[i]
		}
		// stat.Variance divides by n-1.
		deviations[i] = (n - 1) * math.Sqrt(stat.Variance(column, nil)/n)
		if n < 2 || math.IsInf(deviations[i], 0) {
			deviations[i] = math.NaN()
		}
	}
	return deviations
}

// estimateErrors sets the errors of ln g.
func (e *Ensemble) estimateErrors() {
	replicas := make([][]float64, len(e.Replicas))
	for k, d := range e.Replicas {
		replicas[k] = d.lnGAt(e.Energy)
	}
	e.Error = spread(e.Len(), replicas)
}

// lnGAt returns ln g at ascending energies, which include those of d; NaN at the others.
func (d *Density) lnGAt(energies []float64) []float64 {
	lnG := make([]float64, len(energies))
	next := 0
	for i, e := range energies {
		lnG[i] = math.NaN()
		if next < d.Len() && d.Energy[next] == e {
			lnG[i] = d.LnG[next]
			next++
		}
	}
	return lnG
}

// Fill applies Density.Fill to the estimate and all replicas. A level that the estimate has
// and a replica lacks stays absent from the replica.
func (e *Ensemble) Fill(other *Density) (filled []float64) {
	own := make(map[float64]bool, e.Len())
	for _, energy := range e.Energy {
		own[energy] = true
	}
	filled = e.Density.Fill(other)
	for _, replica := range e.Replicas {
		part, next := &Density{}, 0
		for i, energy := range other.Energy {
			for next < replica.Len() && replica.Energy[next] < energy {
				next++
			}
			if has := next < replica.Len() && replica.Energy[next] == energy; has || !own[energy] {
				part.Energy = append(part.Energy, energy)
				part.LnG = append(part.LnG, other.LnG[i])
			}
		}
		replica.Fill(part)
	}
	return filled
}

// Normalise applies Density.Normalise to the estimate and all replicas.
func (e *Ensemble) Normalise(lnTotal float64) {
	e.Density.Normalise(lnTotal)
	for _, replica := range e.Replicas {
		replica.Normalise(lnTotal)
	}
}
