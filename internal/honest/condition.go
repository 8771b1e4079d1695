package honest

import (
	"math"
	"math/rand/v2"
)

// condition draws what the w-th proposal of a batch depends on, other than the uniform
// numbers. Half of the proposals that can keep sites do, log-uniformly many; half of the
// shifts are 0; target energies are uniform over the range.
func (c *checker) condition(r *rand.Rand, w int) trial {
	n, card := c.o.System.Sites(), &c.bundle.Card
	t := trial{from: c.state(r, w)}
	if c.keeps && r.IntN(2) == 0 {
		t.start = int32(n - logUniform(r, n))
	}
	low, high := c.energies()
	if card.TakesShift() && r.IntN(2) == 0 {
		t.shift = float32(math.Round((2*r.Float64() - 1) * (high - low)))
	}
	if card.TakesEnergy() {
		t.energy = float32(low) + float32(r.IntN(int(high-low)+1))
	}
	return t
}

// energies returns the ends of the energies.
func (c *checker) energies() (low, high float64) {
	s := c.o.System
	a, b := float64(s.Energy(0)), float64(s.Energy(s.Levels()-1))
	return min(a, b), max(a, b)
}

// state returns a configuration of any energy from which the w-th proposal starts: one of
// the given ones, an earlier proposal, or independent sites that prefer one colour more or
// less.
func (c *checker) state(r *rand.Rand, w int) []int32 {
	n, q := c.o.System.Sites(), c.o.System.Colours()
	s := make([]int32, n)
	switch {
	case w%4 == 0 && len(c.o.States) > 0:
		for i, colour := range c.o.States[r.IntN(len(c.o.States))] {
			s[i] = int32(colour)
		}
	case w%4 < 2 && c.earlier != nil:
		copy(s, c.earlier[w].to)
	default:
		preferred, share := r.IntN(q), r.Float64()
		for i := range s {
			s[i] = int32(preferred)
			if r.Float64() >= share {
				s[i] = int32(r.IntN(q))
			}
		}
	}
	return s
}

// logUniform returns a number in 1..n of any scale.
func logUniform(r *rand.Rand, n int) int {
	return min(n, int(math.Exp(r.Float64()*math.Log(float64(n+1)))))
}
