package dos

import "math"

// Canonical holds averages at the inverse temperature beta (units of 1/J, k_B = 1).
type Canonical struct {
	Beta         float64
	LnZ          float64 // ln of the partition function sum g(E) exp(-beta E)
	Energy       float64 // U = <E>
	SpecificHeat float64 // C = beta^2 (<E^2> - <E>^2), of the whole system
	Entropy      float64 // S = ln Z + beta U
}

// FreeEnergy returns F = -ln Z / beta.
func (c Canonical) FreeEnergy() float64 { return -c.LnZ / c.Beta }

// Distribution returns the canonical probability of every level at beta,
//
//	P(E; beta) = g(E) exp(-beta E) / Z,
//
// of the states of a bin where levels are bins, and ln Z, which is absolute if ln g is normalised. Levels at the ends whose probability is
// insignificant have none.
func (d *Density) Distribution(beta float64) (p []float64, lnZ float64) {
	all := make([]float64, d.Len())
	from, p, lnZ := d.distribution(beta, all)
	clear(all[:from])
	clear(all[from+len(p):])
	return all, lnZ
}

// insignificant is ln of a probability, relative to the largest, that changes no sum of
// probabilities in double precision: with fewer than a million million levels.
const insignificant = -60

// distribution is Distribution for the levels from the first to the last significant one,
// the first being from. It uses the memory of buffer, which has room for all levels.
func (d *Density) distribution(beta float64, buffer []float64) (from int, p []float64, lnZ float64) {
	largest := math.Inf(-1)
	for i := range d.Energy {
		x := d.lnShare(i, beta)
		buffer[i] = x
		largest = max(largest, x)
	}
	to := d.Len()
	for buffer[from]-largest < insignificant {
		from++
	}
	for buffer[to-1]-largest < insignificant {
		to--
	}
	p = buffer[from:to]
	sum := 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - largest)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return from, p, largest + math.Log(sum)
}

// At returns the canonical averages at beta. LnZ and Entropy are absolute only if ln g is
// normalised.
func (d *Density) At(beta float64) Canonical { return d.at(beta, make([]float64, d.Len())) }

// at is At with a buffer that has room for all levels.
func (d *Density) at(beta float64, buffer []float64) Canonical {
	from, p, lnZ := d.distribution(beta, buffer)
	energy, inside := d.Inside(beta)
	energy = energy[from:][:len(p)]
	mean := 0.0
	for i, e := range energy {
		mean += p[i] * e
	}
	variance := 0.0
	for i, e := range energy {
		variance += p[i] * (e - mean) * (e - mean)
	}
	if inside != nil {
		for i, v := range inside[from:][:len(p)] {
			variance += p[i] * v
		}
	}
	return Canonical{
		Beta: beta, LnZ: lnZ, Energy: mean,
		SpecificHeat: beta * beta * variance,
		Entropy:      lnZ + beta*mean,
	}
}

// CanonicalEstimate holds canonical averages with one standard error each, NaN if unknown.
type CanonicalEstimate struct {
	Canonical
	EnergyError, SpecificHeatError, FreeEnergyError, EntropyError float64
}

// Canonical estimates the canonical averages at each of the inverse temperatures. The only
// error is ErrTime.
func (e *Ensemble) Canonical(betas []float64) ([]CanonicalEstimate, error) {
	const columns = 4
	_, deviations, err := e.Estimate(func(d *Density) ([]float64, error) {
		values, buffer := make([]float64, 0, columns*len(betas)), make([]float64, d.Len())
		for _, beta := range betas {
			c := d.at(beta, buffer)
			values = append(values, c.Energy, c.SpecificHeat, c.FreeEnergy(), c.Entropy)
		}
		return values, nil
	})
	if err != nil {
		return nil, err
	}
	estimates := make([]CanonicalEstimate, len(betas))
	for i, beta := range betas {
		row := deviations[columns*i:]
		estimates[i] = CanonicalEstimate{e.At(beta), row[0], row[1], row[2], row[3]}
	}
	return estimates, nil
}
