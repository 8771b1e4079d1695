package dos

import "math"

// Canonical averages at the inverse temperature beta (units of 1/J, k_B = 1).
type Canonical struct {
	Beta         float64
	LnZ          float64 // ln of the partition function sum g(E) exp(-beta E)
	Energy       float64 // U = <E>
	SpecificHeat float64 // C = beta^2 (<E^2> - <E>^2), of the whole system
	Entropy      float64 // S = ln Z + beta U
}

// FreeEnergy is F = -ln Z / beta.
func (c Canonical) FreeEnergy() float64 { return -c.LnZ / c.Beta }

// At returns the canonical averages at beta. ln g must be normalised for LnZ and
// Entropy to be absolute.
func (d *Density) At(beta float64) Canonical {
	lnP := make([]float64, d.Len())
	for i, e := range d.Energy {
		lnP[i] = d.LnG[i] - beta*e
	}
	lnZ := LogSumExp(lnP)
	mean := 0.0
	for i, e := range d.Energy {
		mean += math.Exp(lnP[i]-lnZ) * e
	}
	variance := 0.0
	for i, e := range d.Energy {
		variance += math.Exp(lnP[i]-lnZ) * (e - mean) * (e - mean)
	}
	return Canonical{
		Beta: beta, LnZ: lnZ, Energy: mean,
		SpecificHeat: beta * beta * variance,
		Entropy:      lnZ + beta*mean,
	}
}
