package dos

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Ensemble is an estimated density of states with its jackknife replicas, from which
// whatever follows from ln g gets its error.
type Ensemble struct {
	// Density is the estimate from all blocks; its errors come from the replicas.
	*Density
	// Replicas are the estimates without one block each. A level that only the block
	// left out has visited is absent. Nil where errors cannot be estimated: there are
	// fewer than two blocks, or one block holds everything.
	Replicas []*Density
}

// Estimate evaluates f, a vector of any length, for the density of states and its
// error by the jackknife (Efron, Stein, Ann. Statist. 9, 586 (1981)): f is evaluated
// for each of the n replicas in turn, and the sum of the squared deviations of these
// values from their mean times (n-1)/n is the variance. Correlations between levels
// and any non-linearity of f are accounted for, the latter to leading order.
//
// An error is NaN where it cannot be estimated: there are no replicas, or f is not
// finite in one of them. An error of f itself, in a replica too, is returned.
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

// spread is the jackknife error of each of m values, of which a row holds those of one
// replica.
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

// lnGAt is ln g at ascending energies, of which those of d are a part; NaN at the
// others.
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

// Fill is Density.Fill for the estimate and all replicas. Levels that the estimate has
// and a replica lacks stay absent from it.
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

// Normalise is Density.Normalise for the estimate and all replicas.
func (e *Ensemble) Normalise(lnTotal float64) {
	e.Density.Normalise(lnTotal)
	for _, replica := range e.Replicas {
		replica.Normalise(lnTotal)
	}
}
