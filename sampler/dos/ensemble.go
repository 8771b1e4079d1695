package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"gonum.org/v1/gonum/stat"

	"neuralwl/internal/parallel"
)

// Ensemble is an estimated density of states with its jackknife replicas, from which every
// derived quantity gets its error.
type Ensemble struct {
	// Density is the estimate from all blocks; its errors come from the replicas.
	*Density
	// Replicas are the estimates with one block omitted each, or with several that follow
	// each other where there are too many (see Replicas). A replica lacks the levels that
	// only the omitted blocks visited. Nil if errors cannot be estimated: with fewer than two
	// blocks, or if one holds everything.
	Replicas []*Density
	// Deadline, unless zero, is when estimates must be complete: one that would take longer
	// is not made and fails with ErrTime.
	Deadline time.Time
}

// Clone copies the estimate with its replicas.
func (e *Ensemble) Clone() *Ensemble {
	c := *e
	c.Density = e.Density.clone()
	c.Replicas = nil
	for _, r := range e.Replicas {
		c.Replicas = append(c.Replicas, r.clone())
	}
	return &c
}

// ErrTime is the error of an estimate for which there is no time.
var ErrTime = errors.New("there is no time for it")

// maxReplicated is the number of values of ln g that all replicas hold at most, unless that
// were fewer than MinReplicas.
const maxReplicated = 1 << 22

// MinReplicas is the least number of jackknife replicas of an Ensemble, given so many blocks:
// with 32, an error bar has a relative error of 13 %.
const MinReplicas = 32

// Replicas is the number of jackknife replicas that an Ensemble makes of blocks: one of each,
// unless those of so many levels would take too much memory and time.
func Replicas(blocks, levels int) int {
	return min(blocks, max(MinReplicas, maxReplicated/max(levels, 1)))
}

// omissions divides blocks into the ranges that are omitted together, one for each replica.
func omissions(blocks, levels int) (ranges [][2]int) {
	n := Replicas(blocks, levels)
	for k := range n {
		ranges = append(ranges, [2]int{k * blocks / n, (k + 1) * blocks / n})
	}
	return ranges
}

// Estimate evaluates f, a vector of any length, for the density of states, and its error by
// the jackknife (Efron, Stein, Ann. Statist. 9, 586 (1981)): f is evaluated for each of the
// n replicas, and the variance is the sum of the squared deviations of these values from
// their mean times (n-1)/n. This accounts for correlations between levels and, to leading
// order, for any non-linearity of f.
//
// An error is NaN if it cannot be estimated: without replicas, or if f is not finite in one
// of them. If f itself fails, even in a replica, its error is returned.
//
// All cores that Go may use share the replicas, so f must be safe for concurrent use.
func (e *Ensemble) Estimate(f func(*Density) ([]float64, error)) (values, deviations []float64, err error) {
	began := time.Now()
	if values, err = f(e.Density); err != nil {
		return nil, nil, err
	}
	replicas := make([][]float64, len(e.Replicas))
	err = e.eachReplica(len(replicas), time.Since(began), func(k int) (err error) {
		if replicas[k], err = f(e.Replicas[k]); err != nil {
			err = fmt.Errorf("without block %d of %d: %w", k+1, len(e.Replicas), err)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return values, spread(len(values), replicas), nil
}

// eachReplica calls f for the numbers of n replicas, given that each takes about so long. It
// returns the error of the first one that fails.
func (e *Ensemble) eachReplica(n int, each time.Duration, f func(k int) error) error {
	workers := runtime.GOMAXPROCS(0)
	late := func(left int) bool {
		return !e.Deadline.IsZero() && time.Now().Add(each*time.Duration(left)/time.Duration(min(workers, max(n, 1)))).After(e.Deadline)
	}
	if late(n) {
		return ErrTime
	}
	faults := make([]error, n)
	parallel.Do(workers, n, 1, func(_, k int) {
		if late(0) {
			faults[k] = ErrTime
			return
		}
		faults[k] = f(k)
	})
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
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
