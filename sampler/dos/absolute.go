package dos

import (
	"errors"
	"fmt"
	"math"
)

// WeightBlock sums weights of independent draws from known probabilities. Each draw of a
// configuration s adds a weight w(s), such as 1/q(s), to its level, with the expectation
//
//	<w(s) 1[E(s) = E]> = Omega(E),
//
// the number of states (Nicoli et al., Phys. Rev. E 101, 023304 (2020), eq. 10).
type WeightBlock struct {
	// Draws is, by level, the number of draws that can reach it, including those of weight
	// 0.
	Draws []float64
	// LnSum and LnSquares are ln of the sums of the weights and of their squares, by level;
	// -Inf without draws.
	LnSum, LnSquares []float64
}

// NewWeightBlock returns a block without draws for a number of levels.
func NewWeightBlock(levels int) WeightBlock {
	b := WeightBlock{Draws: make([]float64, levels), LnSum: make([]float64, levels), LnSquares: make([]float64, levels)}
	for i := range levels {
		b.LnSum[i], b.LnSquares[i] = math.Inf(-1), math.Inf(-1)
	}
	return b
}

// Add adds a draw's weight, given by its logarithm.
func (b *WeightBlock) Add(level int, lnWeight float64) {
	b.LnSum[level] = lnAdd(b.LnSum[level], lnWeight)
	b.LnSquares[level] = lnAdd(b.LnSquares[level], 2*lnWeight)
}

// lnAdd returns ln(exp a + exp b).
func lnAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// Absolute is an estimate of the numbers of states that needs no normalisation.
type Absolute struct {
	// Ensemble holds ln Omega as its ln g, not normalised, with jackknife errors.
	*Ensemble
	// Effective is the effective number of draws at each energy, (sum w)^2 / (sum w^2). Far
	// below a hundred, the error is unreliable: it misses states that were not drawn.
	Effective []float64
	// LnTotal is ln of the sum of Omega, to be compared with ln of the number of
	// configurations; LnTotalError is its standard error.
	LnTotal, LnTotalError float64
}

// FromWeights estimates the numbers of states from mutually independent blocks of draws.
// Levels without a draw are omitted.
func FromWeights(energy []float64, blocks []WeightBlock) (*Absolute, error) {
	total := NewWeightBlock(len(energy))
	for k, b := range blocks {
		if len(b.Draws) != len(energy) || len(b.LnSum) != len(energy) || len(b.LnSquares) != len(energy) {
			return nil, fmt.Errorf("density of states from weights: block %d has %d, %d and %d levels, want %d", k+1, len(b.Draws), len(b.LnSum), len(b.LnSquares), len(energy))
		}
		for i := range energy {
			total.Draws[i] += b.Draws[i]
			total.LnSum[i] = lnAdd(total.LnSum[i], b.LnSum[i])
			total.LnSquares[i] = lnAdd(total.LnSquares[i], b.LnSquares[i])
		}
	}
	estimate := func(lnSum func(i int) float64, draws func(i int) float64) *Density {
		d := &Density{}
		for i, e := range energy {
			if x := lnSum(i); !math.IsInf(x, -1) {
				d.Energy = append(d.Energy, e)
				d.LnG = append(d.LnG, x-math.Log(draws(i)))
			}
		}
		d.sort()
		return d
	}
	a := &Absolute{Ensemble: &Ensemble{Density: estimate(
		func(i int) float64 { return total.LnSum[i] }, func(i int) float64 { return total.Draws[i] })}}
	if a.Len() == 0 {
		return nil, errors.New("density of states from weights: all draws have weight 0")
	}
	if err := a.Density.Validate(); err != nil {
		return nil, fmt.Errorf("density of states from weights: %w", err)
	}
	for k := range blocks {
		if len(blocks) < 2 {
			break
		}
		// Sum again without the block: a difference of logarithms would lose all digits
		// where that block holds nearly everything.
		rest := func(of func(b *WeightBlock) []float64) func(i int) float64 {
			return func(i int) float64 {
				x := math.Inf(-1)
				for j := range blocks {
					if j != k {
						x = lnAdd(x, of(&blocks[j])[i])
					}
				}
				return x
			}
		}
		replica := estimate(rest(func(b *WeightBlock) []float64 { return b.LnSum }), func(i int) float64 { return total.Draws[i] - blocks[k].Draws[i] })
		if replica.Len() == 0 {
			a.Replicas = nil
			break
		}
		a.Replicas = append(a.Replicas, replica)
	}
	a.estimateErrors()
	place := map[float64]int{}
	for i, e := range energy {
		place[e] = i
	}
	for _, e := range a.Energy {
		i := place[e]
		a.Effective = append(a.Effective, math.Exp(2*total.LnSum[i]-total.LnSquares[i]))
	}
	sum, deviation, err := a.Estimate(func(d *Density) ([]float64, error) { return []float64{LogSumExp(d.LnG)}, nil })
	if err != nil {
		return nil, err
	}
	a.LnTotal, a.LnTotalError = sum[0], deviation[0]
	return a, nil
}
