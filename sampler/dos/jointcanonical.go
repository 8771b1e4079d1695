package dos

import (
	"math"
	"slices"
)

// Point is an inverse temperature, in units of 1/J, and a field in units of J; see Joint.InField.
type Point struct{ Beta, Field float64 }

// JointCanonical holds averages at a Point, each with one standard error, NaN if unknown. Energies are
// those in the field.
type JointCanonical struct {
	Field float64
	CanonicalEstimate
	// Second is <A>, and Susceptibility beta (<A^2> - <A>^2): how <A> changes with the field. Absolute
	// is <|A|>, and Cumulant 1 - <A^4>/(3 <A^2>^2).
	Second, Absolute, Susceptibility, Cumulant                     float64
	SecondError, AbsoluteError, SusceptibilityError, CumulantError float64
}

// Canonical estimates the averages at each of some points. The only error is ErrTime.
func (j *Joint) Canonical(points []Point) ([]JointCanonical, error) {
	const columns = 8
	values, deviations, err := j.Cells.Estimate(func(d *Density) ([]float64, error) {
		all := make([]float64, 0, columns*len(points))
		buffer := make([]float64, d.Len())
		for _, p := range points {
			all = append(all, j.averages(d, p, buffer)...)
		}
		return all, nil
	})
	if err != nil {
		return nil, err
	}
	if j.exact() {
		clear(deviations)
	}
	all := make([]JointCanonical, len(points))
	for i, p := range points {
		v, e := values[columns*i:], deviations[columns*i:]
		lnZ := -v[2]
		if p.Beta != 0 {
			lnZ = -p.Beta * v[2]
		}
		all[i] = JointCanonical{
			Field: p.Field,
			CanonicalEstimate: CanonicalEstimate{
				Canonical:   Canonical{Beta: p.Beta, LnZ: lnZ, Energy: v[0], SpecificHeat: v[1], Entropy: v[3]},
				EnergyError: e[0], SpecificHeatError: e[1], FreeEnergyError: e[2], EntropyError: e[3],
			},
			Second: v[4], Absolute: v[5], Susceptibility: v[6], Cumulant: v[7],
			SecondError: e[4], AbsoluteError: e[5], SusceptibilityError: e[6], CumulantError: e[7],
		}
	}
	return all, nil
}

// averages are U, C, F (at infinite temperature -ln Z), S, <A>, <|A|>, the susceptibility and the cumulant of a replica.
func (j *Joint) averages(d *Density, p Point, buffer []float64) []float64 {
	total := j.InField(p.Field)
	buffer = buffer[:d.Len()]
	for k, number := range d.Energy {
		i := int(number)
		buffer[k] = d.LnG[k] - p.Beta*total(j.Energy[i], j.Second[i])
	}
	lnZ := LogSumExp(buffer)
	var energy, second, absolute, square, fourth float64
	for k, number := range d.Energy {
		i := int(number)
		w := math.Exp(buffer[k] - lnZ)
		buffer[k] = w
		energy += w * total(j.Energy[i], j.Second[i])
		second += w * j.Second[i]
		absolute += w * math.Abs(j.Second[i])
		square += w * j.Second[i] * j.Second[i]
		fourth += w * math.Pow(j.Second[i], 4)
	}
	var variance, scatter float64
	for k, number := range d.Energy {
		i := int(number)
		variance += buffer[k] * math.Pow(total(j.Energy[i], j.Second[i])-energy, 2)
		scatter += buffer[k] * math.Pow(j.Second[i]-second, 2)
	}
	free := -lnZ
	if p.Beta != 0 {
		free = -lnZ / p.Beta
	}
	return []float64{energy, p.Beta * p.Beta * variance, free, lnZ + p.Beta*energy, second, absolute, p.Beta * scatter, 1 - fourth/(3*square*square)}
}

// LnP is ln of the probability of each pair at a point, and without one, at infinite temperature.
func (j *Joint) LnP(p Point) []float64 {
	total := j.InField(p.Field)
	lnP := slices.Clone(j.Cells.LnG)
	for i := range lnP {
		lnP[i] -= p.Beta * total(j.Energy[i], j.Second[i])
	}
	lnZ := LogSumExp(lnP)
	for i := range lnP {
		lnP[i] -= lnZ
	}
	return lnP
}
