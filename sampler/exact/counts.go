package exact

import (
	"math"
	"math/big"
)

// Counts is an exact density of states. It lists only levels with g > 0, by falling energy,
// from the top of the spectrum to the ground state.
type Counts struct {
	Q, Lx, Ly int
	// Method is the one that produced the numbers.
	Method Method
	// Energies of the levels, in units of the coupling.
	Energies []int
	// G[k] is the number of configurations with energy Energies[k].
	G []*big.Int
}

// newCounts lists the occupied levels of byBonds, the numbers of
// configurations with 0, 1, 2, ... satisfied bonds.
func newCounts(method Method, q, lx, ly int, byBonds []*big.Int) *Counts {
	c := &Counts{Q: q, Lx: lx, Ly: ly, Method: method}
	for bonds, g := range byBonds {
		if g.Sign() != 0 {
			c.Energies = append(c.Energies, -bonds)
			c.G = append(c.G, g)
		}
	}
	return c
}

// Total returns the sum of g over all levels, q^N for a complete result.
func (c *Counts) Total() *big.Int {
	total := new(big.Int)
	for _, g := range c.G {
		total.Add(total, g)
	}
	return total
}

// ln returns the natural logarithm of g > 0 from its 64 leading bits. The remainder changes
// the result by less than 2^-63, and a float64 has room for the exponent of any integer
// that fits in memory.
func ln(g *big.Int) float64 {
	shift := max(g.BitLen()-64, 0)
	leading := new(big.Int).Rsh(g, uint(shift)).Uint64()
	// The conversion keeps the compiler from fusing product and sum, so the digits are the
	// same on every processor.
	return math.Log(float64(leading)) + float64(float64(shift)*math.Ln2)
}
