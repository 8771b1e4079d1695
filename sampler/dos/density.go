// Package dos holds densities of states: estimation from histograms, also in energy
// windows; error bars; comparison; files; and what follows from them, namely canonical
// averages of the energy and other observables, and phase transitions. All computations use
// logarithms.
//
// A Density is ln g at a list of energies; an Ensemble is one with its jackknife replicas, and gives
// everything that follows from it an error bar. Either is estimated from counts (FromHistograms,
// FromTransitions, FromPinnedTransitions, FromWeights), or read (ReadFile, Reader), or made of several
// by Merge and MergeEnsembles:
//
//	e, err := dos.FromHistograms(energies, lnWeight, blocks, system.LnStates())
//	averages, err := e.Canonical([]float64{0.8, 0.9}) // U, C, F, S with errors
//	err = e.WriteFile("dos.npz")                      // with the replicas
//
// Energies ascend and are of the whole system in units of J, with k_B = 1. ln g is absolute where the
// sum of all states was known, and else known up to a constant. An error of NaN is unknown, one of zero
// exact. Functions leave their arguments as they are, unless their names say otherwise (Normalise, Fill),
// and results share no memory with them. Nothing here draws random numbers.
package dos

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Density is ln g(E) at a list of energies in ascending order. Levels without states, or
// never visited, are absent.
type Density struct {
	Energy []float64 // in units of J
	LnG    []float64 // natural logarithm
	// Error is one standard error of LnG at each energy, NaN where unknown. It is nil if no
	// errors are known.
	Error []float64
	// Bins are nil for levels that are single energies.
	Bins *Bins
	// Origin is where the density of states comes from, nil if that is not known. Files keep
	// it.
	Origin *Origin
}

// Len returns the number of levels.
func (d *Density) Len() int { return len(d.Energy) }

// MeanVariance is the mean of the squared standard errors of ln g over the levels up to an energy, in units of J; NaN where
// there is no level or one of them has no error.
func (d *Density) MeanVariance(energy float64) float64 {
	sum, n := 0.0, 0
	for n < len(d.Error) && d.Energy[n] <= energy {
		sum += d.Error[n] * d.Error[n]
		n++
	}
	return sum / float64(n)
}

// Validate returns an error unless energies ascend, lengths agree and every ln g is finite.
func (d *Density) Validate() error {
	if len(d.Energy) == 0 {
		return errors.New("density of states has no levels")
	}
	if len(d.LnG) != len(d.Energy) || d.Error != nil && len(d.Error) != len(d.Energy) {
		return fmt.Errorf("density of states has %d energies, %d values and %d errors", len(d.Energy), len(d.LnG), len(d.Error))
	}
	if b := d.Bins; b != nil && (len(b.Mean) != len(d.Energy) || len(b.Variance) != len(d.Energy) || b.Count != nil && len(b.Count) != len(d.Energy)) {
		return fmt.Errorf("density of states has %d energies, its bins %d means and %d variances", len(d.Energy), len(b.Mean), len(b.Variance))
	}
	for i, e := range d.Energy {
		switch {
		case math.IsNaN(e) || math.IsInf(e, 0):
			return fmt.Errorf("energy of level %d is %v", i, e)
		case i > 0 && e <= d.Energy[i-1]:
			return fmt.Errorf("energies must ascend: %v follows %v", e, d.Energy[i-1])
		case math.IsNaN(d.LnG[i]) || math.IsInf(d.LnG[i], 0):
			return fmt.Errorf("ln g(%v) is %v", e, d.LnG[i])
		}
	}
	return nil
}

// sort puts the levels in ascending order of energy.
func (d *Density) sort() {
	order := make([]int, len(d.Energy))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case d.Energy[a] < d.Energy[b]:
			return -1
		case d.Energy[a] > d.Energy[b]:
			return 1
		}
		return 0
	})
	permute := func(x []float64) []float64 {
		if x == nil {
			return nil
		}
		y := make([]float64, len(x))
		for i, j := range order {
			y[i] = x[j]
		}
		return y
	}
	d.Energy, d.LnG, d.Error = permute(d.Energy), permute(d.LnG), permute(d.Error)
	if b := d.Bins; b != nil {
		own := &Bins{Width: b.Width, Mean: permute(b.Mean), Variance: permute(b.Variance)}
		if b.Count != nil {
			for _, j := range order {
				own.Count = append(own.Count, b.Count[j])
			}
		}
		d.Bins = own
	}
}

func (d *Density) clone() *Density {
	c := *d
	c.Energy, c.LnG, c.Error = slices.Clone(d.Energy), slices.Clone(d.LnG), slices.Clone(d.Error)
	return &c
}

// Normalise shifts ln g so that the sum of g over all levels is exp(lnTotal),
// q^N for a Potts model.
func (d *Density) Normalise(lnTotal float64) {
	shift := lnTotal - LogSumExp(d.LnG)
	for i := range d.LnG {
		d.LnG[i] += shift
	}
}

// LogSumExp returns ln of the sum of exp(x), without overflow; -Inf for an empty x.
func LogSumExp(x []float64) float64 {
	largest := math.Inf(-1)
	for _, v := range x {
		largest = max(largest, v)
	}
	if math.IsInf(largest, -1) {
		return largest
	}
	sum := 0.0
	for _, v := range x {
		if v -= largest; v >= insignificant {
			sum += math.Exp(v)
		}
	}
	return largest + math.Log(sum)
}

// Difference compares two densities of states A and B by ln g_A - ln g_B over their common
// levels, after normalising both to the same sum over those levels.
type Difference struct {
	Levels   int       `json:"levels"`     // levels in common
	RMS      float64   `json:"rms"`        // root of the mean square
	Max      float64   `json:"max"`        // largest absolute value
	MaxAt    float64   `json:"max_energy"` // the energy where that occurs
	MissingA []float64 `json:"missing_in_a"`
	MissingB []float64 `json:"missing_in_b"`
}

// Compare returns the difference of a and b, or an error if they have no level in common or
// if their energies have different units.
// Energies are equal if they differ by less than 1e-9 of their size.
func Compare(a, b *Density) (Difference, error) {
	if err := sameUnits(a.Energy, b.Energy, "A", "B"); err != nil {
		return Difference{MissingA: []float64{}, MissingB: []float64{}}, fmt.Errorf("compare densities of states: %w", err)
	}
	return compareLevels(a, b)
}

// compareLevels is Compare for energies in the same units.
func compareLevels(a, b *Density) (Difference, error) {
	d := Difference{MissingA: []float64{}, MissingB: []float64{}}
	var energies, x, y []float64
	i, j := 0, 0
	for i < a.Len() || j < b.Len() {
		switch {
		case j == b.Len() || i < a.Len() && before(a.Energy[i], b.Energy[j]):
			d.MissingB = append(d.MissingB, a.Energy[i])
			i++
		case i == a.Len() || before(b.Energy[j], a.Energy[i]):
			d.MissingA = append(d.MissingA, b.Energy[j])
			j++
		default:
			energies = append(energies, a.Energy[i])
			x, y = append(x, a.LnG[i]), append(y, b.LnG[j])
			i++
			j++
		}
	}
	if len(x) == 0 {
		return d, errors.New("compare densities of states: they have no energy in common; do they belong to the same system?")
	}
	d.Levels = len(x)
	shift := LogSumExp(x) - LogSumExp(y)
	sum := 0.0
	for k := range x {
		delta := x[k] - y[k] - shift
		sum += delta * delta
		if math.Abs(delta) > d.Max {
			d.Max, d.MaxAt = math.Abs(delta), energies[k]
		}
	}
	d.RMS = math.Sqrt(sum / float64(len(x)))
	return d, nil
}

func before(a, b float64) bool {
	return a < b-1e-9*max(1, math.Abs(a), math.Abs(b))
}
