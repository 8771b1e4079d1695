package dos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Joint is a density of states g(E, A) of the energy and a second variable, a sum over the sites: one run,
// or one computation, gives averages at every inverse temperature and in every field that A goes
// with. Pairs without states, or never visited, are absent.
type Joint struct {
	// Name is that of A: magnetisation, squares or colour.
	Name string
	// Energy and Second are the pairs, ascending by E, then by A; E in units of J.
	Energy, Second []float64
	// Cells holds ln g of the pairs with its errors and replicas. What it has in place of energies
	// are the numbers of the pairs, from 0.
	Cells *Ensemble
}

// crystal is the second variable that goes with a crystal field.
const crystal = "squares"

// seconds are the names of second variables, those of the columns in files.
var seconds = []string{"magnetisation", crystal, "colour"}

// NewJoint makes a joint density of an estimate of levels that are known by numbers, which ascend with the
// pairs that cell returns.
func NewJoint(name string, e *Ensemble, cell func(number float64) (energy, second float64)) *Joint {
	j := &Joint{Name: name, Cells: e.Clone()}
	place := map[float64]float64{}
	for i, number := range e.Energy {
		energy, second := cell(number)
		j.Energy, j.Second = append(j.Energy, energy), append(j.Second, second)
		place[number] = float64(i)
	}
	for _, d := range append([]*Density{j.Cells.Density}, j.Cells.Replicas...) {
		for i, number := range d.Energy {
			d.Energy[i] = place[number]
		}
	}
	return j
}

// Len is the number of pairs.
func (j *Joint) Len() int { return len(j.Energy) }

// Validate returns an error unless pairs ascend, lengths agree and every ln g is finite.
func (j *Joint) Validate() error {
	if len(j.Energy) != j.Cells.Len() || len(j.Second) != j.Cells.Len() {
		return fmt.Errorf("joint density of states has %d energies and %d values of the %s for %d pairs", len(j.Energy), len(j.Second), j.Name, j.Cells.Len())
	}
	if !slices.Contains(seconds, j.Name) {
		return fmt.Errorf("joint density of states of %q, known are %v", j.Name, seconds)
	}
	for i := range j.Energy {
		if math.IsNaN(j.Second[i]) || math.IsInf(j.Second[i], 0) {
			return fmt.Errorf("%s of pair %d is %v", j.Name, i, j.Second[i])
		}
		if i > 0 && j.compare(i-1, j, i) >= 0 {
			return fmt.Errorf("pairs must ascend: (%v, %v) follows (%v, %v)", j.Energy[i], j.Second[i], j.Energy[i-1], j.Second[i-1])
		}
	}
	return j.Cells.Validate()
}

// compare compares pair i with pair k of another.
func (j *Joint) compare(i int, other *Joint, k int) int {
	return cmp.Or(cmp.Compare(j.Energy[i], other.Energy[k]), cmp.Compare(j.Second[i], other.Second[k]))
}

// Field is what the second variable goes with.
func (j *Joint) Field() string {
	if j.Name == crystal {
		return "crystal field D"
	}
	return "field h"
}

// InField is the energy of a pair in a field x, E - x A, or E + x A in a crystal field.
func (j *Joint) InField(x float64) func(energy, second float64) float64 {
	if j.Name == crystal {
		x = -x
	}
	return func(energy, second float64) float64 { return energy - x*second }
}

// sameEnergy is how far energies of pairs that are the same may be apart by rounding, as a part of the largest.
const sameEnergy = 1e-10

// Project sums g over the pairs of the same energy in a field, which it returns by ascending energy, with
// the replicas. Zero is the field of g(E).
func (j *Joint) Project(field float64) *Ensemble {
	total := j.InField(field)
	energies := make([]float64, j.Len())
	order := make([]int, j.Len())
	scale := 0.0
	for i := range order {
		energies[i], order[i] = total(j.Energy[i], j.Second[i]), i
		scale = max(scale, math.Abs(energies[i]))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(energies[a], energies[b]) })
	var values []float64 // distinct energies
	level := make([]int, j.Len())
	for _, i := range order {
		if n := len(values); n == 0 || energies[i] > values[n-1]+sameEnergy*scale {
			values = append(values, energies[i])
		}
		level[i] = len(values) - 1
	}
	sum := func(cells *Density) *Density {
		terms := make([][]float64, len(values))
		for k, number := range cells.Energy {
			at := level[int(number)]
			terms[at] = append(terms[at], cells.LnG[k])
		}
		d := &Density{}
		for at, t := range terms {
			if t != nil {
				d.Energy, d.LnG = append(d.Energy, values[at]), append(d.LnG, LogSumExp(t))
			}
		}
		return d
	}
	e := &Ensemble{Density: sum(j.Cells.Density), Deadline: j.Cells.Deadline}
	for _, r := range j.Cells.Replicas {
		e.Replicas = append(e.Replicas, sum(r))
	}
	e.estimateErrors()
	if j.exact() {
		clear(e.Error)
	}
	e.Origin = j.Cells.Origin.Alone()
	return e
}

// exact reports whether no cell has an error.
func (j *Joint) exact() bool {
	return j.Cells.Error != nil && !slices.ContainsFunc(j.Cells.Error, func(x float64) bool { return x != 0 })
}

// Alone is the origin of a sum over the second variable, nil for nil.
func (o *Origin) Alone() *Origin {
	if o == nil {
		return nil
	}
	own := *o
	own.System.Name = strings.Replace(own.System.Name, " by "+own.System.Joint, "", 1)
	own.System.Joint = ""
	return &own
}

// CompareJoint is Compare for the pairs of two joint densities. What it says of missing levels and of the
// largest difference are their energies.
func CompareJoint(a, b *Joint) (Difference, error) {
	if a.Name != b.Name {
		return Difference{}, fmt.Errorf("compare densities of states: one is of the energy and the %s, the other of the energy and the %s", a.Name, b.Name)
	}
	// Both take the numbers of the pairs that either has.
	var energies []float64
	x, y := &Density{LnG: a.Cells.LnG}, &Density{LnG: b.Cells.LnG}
	for i, k := 0, 0; i < a.Len() || k < b.Len(); {
		order := -1
		switch {
		case i == a.Len():
			order = 1
		case k < b.Len():
			order = a.compare(i, b, k)
		}
		number := float64(len(energies))
		if order <= 0 {
			energies = append(energies, a.Energy[i])
			x.Energy = append(x.Energy, number)
			i++
		}
		if order >= 0 {
			if order > 0 {
				energies = append(energies, b.Energy[k])
			}
			y.Energy = append(y.Energy, number)
			k++
		}
	}
	// Compare looks for different units, which numbers do not have.
	if err := sameUnits(distinct(a.Energy), distinct(b.Energy), "A", "B"); err != nil {
		return Difference{}, fmt.Errorf("compare densities of states: %w", err)
	}
	d, err := compareLevels(x, y)
	if err != nil {
		return d, err
	}
	d.MaxAt = energies[int(d.MaxAt)]
	for _, missing := range [][]float64{d.MissingA, d.MissingB} {
		for i, number := range missing {
			missing[i] = energies[int(number)]
		}
	}
	return d, nil
}

// distinct are ascending numbers without repetitions.
func distinct(x []float64) []float64 { return slices.Compact(slices.Clone(x)) }

// errNotJoint is the error of a file that is not of a joint density.
var errNotJoint = errors.New("it is not a joint density of states: it has no second variable beside the energy (columns energy, magnetisation or squares or colour, ln_g)")
