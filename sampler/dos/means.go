package dos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Measurements are values of observables, summed by level and block, from walkers under
// constant weights.
type Measurements struct {
	Energy []float64     // by level
	Count  [][]int64     // number of measurements, by block and level
	Sums   [][][]float64 // sums of the values, by block, observable and level
	// Replicas is their number in the Ensemble with which the means are to be combined; 0 for
	// one per block.
	Replicas int
	// Of is, by block, the number of the Ensemble's block that contains it; nil where they are the
	// same.
	Of []int
}

// Means are microcanonical means with their jackknife replicas.
type Means struct {
	Energy []float64 // of the levels with a measurement, ascending
	Count  []int64   // number of measurements, by level
	// Mean is <O>(E) by observable and level; Error is its standard error, NaN where
	// unknown.
	Mean, Error [][]float64
	// Replicas are the means with one block omitted each, by block, observable and level;
	// NaN where only the omitted block has measurements. They correspond to those of an
	// Ensemble from the same blocks. Nil if errors cannot be estimated.
	Replicas [][][]float64
	// Products says that the second half of the observables are the products of the first half with the
	// place of the energy in its bin, in widths from the centre. See Bins.
	Products bool
}

// Means estimates microcanonical means, the sum of the values at a level divided by their
// number; they do not depend on the weights. A block holds the measurements of the k-th
// blocks of all windows of FromWindows: at a level in two windows they simply add.
//
// Errors come from a jackknife over the blocks. There are none with fewer than two blocks,
// or if one holds everything.
func (m Measurements) Means() (*Means, error) {
	levels, err := m.check()
	if err != nil {
		return nil, fmt.Errorf("microcanonical means: %w", err)
	}
	means := &Means{}
	for _, b := range levels {
		means.Energy = append(means.Energy, m.Energy[b])
	}
	total := make([]float64, (1+len(m.Sums[0]))*len(levels))
	for k := range m.Count {
		m.add(total, levels, k, 1)
	}
	for i := range levels {
		means.Count = append(means.Count, int64(total[i]))
	}
	means.Mean = quotients(total, len(levels))
	means.Replicas = m.jackknife(levels, total)
	rows := make([][]float64, len(means.Replicas))
	for o := range means.Mean {
		for k, replica := range means.Replicas {
			rows[k] = replica[o]
		}
		means.Error = append(means.Error, spread(len(levels), rows))
	}
	return means, nil
}

// add adds block k, times sign, to a sum: the counts at the levels, then the sums of each
// observable there.
func (m Measurements) add(sum []float64, levels []int, k int, sign float64) {
	for i, b := range levels {
		sum[i] += sign * float64(m.Count[k][b])
		for o, sums := range m.Sums[k] {
			sum[(1+o)*len(levels)+i] += sign * sums[b]
		}
	}
}

// quotients returns the means for given counts and sums, by observable and level.
func quotients(sum []float64, levels int) [][]float64 {
	counts := sum[:levels]
	var means [][]float64
	for rest := sum[levels:]; len(rest) > 0; rest = rest[levels:] {
		mean := make([]float64, levels)
		for i, n := range counts {
			mean[i] = math.NaN()
			if n > 0 {
				mean[i] = rest[i] / n
			}
		}
		means = append(means, mean)
	}
	return means
}

// jackknife returns the means with each block omitted, or nil if there are too few blocks.
func (m Measurements) jackknife(levels []int, total []float64) (replicas [][][]float64) {
	n := len(m.Count)
	if m.Replicas > 0 {
		n = m.Replicas
	}
	if n < 2 {
		return nil
	}
	of, blocks := func(k int) int { return k }, len(m.Count)
	if m.Of != nil {
		of, blocks = func(k int) int { return m.Of[k] }, slices.Max(m.Of)+1
	}
	if m.Replicas == 0 {
		n = blocks
	}
	rest := make([]float64, len(total))
	for r := range n {
		copy(rest, total)
		for k := range m.Count {
			if of(k) >= r*blocks/n && of(k) < (r+1)*blocks/n {
				m.add(rest, levels, k, -1)
			}
		}
		if floats.Sum(rest[:len(levels)]) == 0 {
			return nil
		}
		replicas = append(replicas, quotients(rest, len(levels)))
	}
	return replicas
}

// At returns the means and their errors at ascending energies, by observable: NaN where
// nothing was measured.
func (m *Means) At(energies []float64) (mean, deviation [][]float64) {
	for o := range m.Mean {
		row, errors := slices.Repeat([]float64{math.NaN()}, len(energies)), slices.Repeat([]float64{math.NaN()}, len(energies))
		for _, level := range common(energies, m.Energy) {
			row[level.a], errors[level.a] = m.Mean[o][level.b], m.Error[o][level.b]
		}
		mean, deviation = append(mean, row), append(deviation, errors)
	}
	return mean, deviation
}

// check returns the levels with a measurement, by ascending energy, or an error if lengths
// do not agree.
func (m Measurements) check() (levels []int, err error) {
	if len(m.Sums) != len(m.Count) {
		return nil, fmt.Errorf("counts of %d blocks and sums of %d", len(m.Count), len(m.Sums))
	}
	var faults []error
	measured := make([]bool, len(m.Energy))
	for k, count := range m.Count {
		if len(count) != len(m.Energy) {
			faults = append(faults, fmt.Errorf("block %d has counts of %d levels, want %d", k+1, len(count), len(m.Energy)))
			continue
		}
		for b, n := range count {
			measured[b] = measured[b] || n > 0
		}
		if len(m.Sums[k]) != len(m.Sums[0]) {
			faults = append(faults, fmt.Errorf("block %d has %d observables, the first %d", k+1, len(m.Sums[k]), len(m.Sums[0])))
		}
		for o, sums := range m.Sums[k] {
			if len(sums) != len(m.Energy) {
				faults = append(faults, fmt.Errorf("block %d has sums of %d levels, want %d", k+1, len(sums), len(m.Energy)))
				break
			}
			if b := slices.IndexFunc(sums, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }); b >= 0 {
				faults = append(faults, fmt.Errorf("block %d: the sum of observable %d at level %d (E = %g) is %v", k+1, o+1, b, m.Energy[b], sums[b]))
			}
		}
	}
	for b := range measured {
		if measured[b] {
			levels = append(levels, b)
		}
	}
	if len(faults) == 0 && len(levels) == 0 {
		return nil, errors.New("nothing was measured")
	}
	slices.SortFunc(levels, func(a, b int) int { return cmp.Compare(m.Energy[a], m.Energy[b]) })
	return levels, errors.Join(faults...)
}
