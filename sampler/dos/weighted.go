package dos

import "math"

// WeightedBlock sums independent draws s of a known probability q(s) for averages at an inverse
// temperature beta. A draw has the weight
//
//	w(s) = exp(-beta E(s)) / q(s), <w> = Z
//
// (Nicoli et al., Phys. Rev. E 101, 023304 (2020), eqs. 4 and 7). Phases are those that a
// symmetry makes alike, in the Potts model one for each colour.
type WeightedBlock struct {
	Draws int64
	// LnScale is ln of the largest weight, the unit of Sums and Phases; -Inf without draws.
	LnScale float64
	// Sums of w times 1, w, E, E^2, |m|, m^2 and m^4, m being the order parameter.
	Sums [weightedTerms]float64
	// LnWeights are the sums of ln w and of its square, without weights.
	LnWeights [2]float64
	// Phases are the sums of w by phase, and Drawn those of 1. Both are nil for a system
	// without order.
	Phases, Drawn []float64
}

const (
	ofOne = iota
	ofWeight
	ofEnergy
	ofEnergySquared
	ofOrder
	weightedTerms = ofOrder + 3
)

// NewWeightedBlock returns a block without draws, for a number of phases or none.
func NewWeightedBlock(phases int) WeightedBlock {
	b := WeightedBlock{LnScale: math.Inf(-1)}
	if phases > 0 {
		b.Phases, b.Drawn = make([]float64, phases), make([]float64, phases)
	}
	return b
}

// Add adds a draw of a configuration of energy e, given ln of its weight. In a system with order
// it has the order parameter m and belongs to each phase by a share.
func (b *WeightedBlock) Add(lnWeight, e, m float64, shares []float64) {
	b.Draws++
	b.LnWeights[0] += lnWeight
	b.LnWeights[1] += lnWeight * lnWeight
	b.rescale(lnWeight)
	w := math.Exp(lnWeight - b.LnScale)
	for k, x := range [...]float64{1, w, e, e * e, m, m * m, m * m * m * m} {
		b.Sums[k] += w * x
	}
	for c := range b.Phases {
		b.Phases[c] += w * shares[c]
		b.Drawn[c] += shares[c]
	}
}

// rescale raises the unit of the sums to a weight.
func (b *WeightedBlock) rescale(lnWeight float64) {
	if lnWeight <= b.LnScale {
		return
	}
	factor := math.Exp(b.LnScale - lnWeight)
	for k := range b.Sums {
		b.Sums[k] *= factor
	}
	b.Sums[ofWeight] *= factor // it has the square of the unit
	for c := range b.Phases {
		b.Phases[c] *= factor
	}
	b.LnScale = lnWeight
}

// join adds the sums of another block.
func (b *WeightedBlock) join(other *WeightedBlock) {
	b.rescale(other.LnScale)
	factor := math.Exp(other.LnScale - b.LnScale)
	if other.Draws == 0 {
		return
	}
	b.Draws += other.Draws
	for k, x := range other.LnWeights {
		b.LnWeights[k] += x
	}
	for k, x := range other.Sums {
		if k == ofWeight {
			x *= factor
		}
		b.Sums[k] += x * factor
	}
	for c, x := range other.Phases {
		b.Phases[c] += x * factor
		b.Drawn[c] += other.Drawn[c]
	}
}

// WeightedEstimate holds averages at an inverse temperature from weighted draws, with standard
// errors by the jackknife over blocks, NaN if unknown.
type WeightedEstimate struct {
	CanonicalEstimate
	LnZError float64
	// Order is that of the order parameter, all NaN without.
	Order OrderEstimate
	// Bound is <ln w>, the mean over the draws, which is at most ln Z: ln Z - Bound is the
	// Kullback-Leibler divergence D(q||p) of p = exp(-beta E)/Z.
	Bound, BoundError float64
	Draws             int64
	// Effective is the effective number of draws, (sum w)^2 / (sum w^2).
	Effective float64
	// Phases are the shares of the phases in the average, and Drawn those in the draws; nil
	// without order.
	Phases, PhaseErrors, Drawn []float64
}

// FromWeighted makes averages at beta of a system of so many sites from blocks of draws.
func FromWeighted(beta float64, sites int, blocks []WeightedBlock) WeightedEstimate {
	n := float64(sites)
	observe := func(b *WeightedBlock) []float64 {
		var x [weightedTerms]float64 // averages
		for k := range x {
			x[k] = b.Sums[k] / b.Sums[ofOne]
		}
		lnZ := b.LnScale + math.Log(b.Sums[ofOne]/float64(b.Draws))
		energy, m := x[ofEnergy], x[ofOrder:]
		values := []float64{
			lnZ, -lnZ / beta, energy, beta * beta * (x[ofEnergySquared] - energy*energy), lnZ + beta*energy,
			b.LnWeights[0] / float64(b.Draws),
			m[0], m[1], m[2], beta * n * (m[1] - m[0]*m[0]), 1 - m[2]/(3*m[1]*m[1]),
		}
		for _, p := range b.Phases {
			values = append(values, p/b.Sums[ofOne])
		}
		return values
	}
	total := NewWeightedBlock(phasesOf(blocks))
	for k := range blocks {
		total.join(&blocks[k])
	}
	values := observe(&total)
	deviations := jackknife(len(blocks), func(k int) []float64 {
		rest := NewWeightedBlock(len(total.Phases))
		for j := range blocks {
			if j != k {
				rest.join(&blocks[j])
			}
		}
		if rest.Draws == 0 || blocks[k].Draws == 0 {
			return nil
		}
		return observe(&rest)
	}, len(values))
	e := WeightedEstimate{
		CanonicalEstimate: CanonicalEstimate{
			Canonical{beta, values[0], values[2], values[3], values[4]}, deviations[2], deviations[3], deviations[1], deviations[4],
		},
		LnZError: deviations[0], Bound: values[5], BoundError: deviations[5],
		Order: OrderEstimate{
			Order{beta, values[6], values[7], values[8], values[9], values[10]},
			deviations[6], deviations[7], deviations[8], deviations[9], deviations[10],
		},
		Draws: total.Draws, Effective: total.Sums[ofOne] * total.Sums[ofOne] / total.Sums[ofWeight],
	}
	if total.Phases == nil {
		nan := math.NaN()
		e.Order = OrderEstimate{Order{beta, nan, nan, nan, nan, nan}, nan, nan, nan, nan, nan}
		return e
	}
	const before = 11 // values of other things
	e.Phases, e.PhaseErrors = values[before:], deviations[before:]
	for _, x := range total.Drawn {
		e.Drawn = append(e.Drawn, x/float64(total.Draws))
	}
	return e
}

func phasesOf(blocks []WeightedBlock) int {
	if len(blocks) == 0 {
		return 0
	}
	return len(blocks[0].Phases)
}

// jackknife returns the standard errors of n quantities from their values without each of a number
// of blocks; nil for those stands for a block that holds everything or nothing. With fewer than
// two blocks, or such a block, they are NaN.
func jackknife(blocks int, without func(k int) []float64, n int) []float64 {
	deviations, mean := make([]float64, n), make([]float64, n)
	replicas := make([][]float64, blocks)
	for k := range replicas {
		if replicas[k] = without(k); replicas[k] == nil || blocks < 2 {
			for i := range deviations {
				deviations[i] = math.NaN()
			}
			return deviations
		}
		for i, x := range replicas[k] {
			mean[i] += x / float64(blocks)
		}
	}
	for i := range deviations {
		sum := 0.0
		for _, r := range replicas {
			sum += (r[i] - mean[i]) * (r[i] - mean[i])
		}
		deviations[i] = math.Sqrt(sum * float64(blocks-1) / float64(blocks))
	}
	return deviations
}
