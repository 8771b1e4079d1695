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
// and ln Z, which is absolute if ln g is normalised.
func (d *Density) Distribution(beta float64) (p []float64, lnZ float64) {
	p = make([]float64, d.Len())
	largest := math.Inf(-1)
	for i, e := range d.Energy {
		p[i] = d.LnG[i] - beta*e
		largest = max(largest, p[i])
	}
	sum := 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - largest)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p, largest + math.Log(sum)
}

// At returns the canonical averages at beta. LnZ and Entropy are absolute only if ln g is
// normalised.
func (d *Density) At(beta float64) Canonical {
	p, lnZ := d.Distribution(beta)
	mean := 0.0
	for i, e := range d.Energy {
		mean += p[i] * e
	}
	variance := 0.0
	for i, e := range d.Energy {
		variance += p[i] * (e - mean) * (e - mean)
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

// Canonical estimates the canonical averages at each of the inverse temperatures.
func (e *Ensemble) Canonical(betas []float64) []CanonicalEstimate {
	const columns = 4
	// Averages always exist, so there is no error.
	_, deviations, _ := e.Estimate(func(d *Density) ([]float64, error) {
		values := make([]float64, 0, columns*len(betas))
		for _, beta := range betas {
			c := d.At(beta)
			values = append(values, c.Energy, c.SpecificHeat, c.FreeEnergy(), c.Entropy)
		}
		return values, nil
	})
	estimates := make([]CanonicalEstimate, len(betas))
	for i, beta := range betas {
		row := deviations[columns*i:]
		estimates[i] = CanonicalEstimate{e.At(beta), row[0], row[1], row[2], row[3]}
	}
	return estimates
}
