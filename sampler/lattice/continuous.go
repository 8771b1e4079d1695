package lattice

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// Continuous is a System whose sites hold real numbers in place of colours, Colours() being 0. A
// configuration is then a []uint8 of StateBytes() that only the system and its kernels understand, and that
// everybody else copies: checkpoints so keep every bit of it.
type Continuous interface {
	System
	// StateBytes is the length of a configuration.
	StateBytes() int
	// Randomise draws a configuration, all those of the system's levels with the same probability density.
	Randomise(state []uint8, r *rand.Rand)
	// Wheel writes, for each site, its direction in 256ths of a turn, to be drawn on a wheel of hues.
	Wheel(dst, state []uint8)
}

// IsContinuous reports whether sites hold real numbers.
func IsContinuous(s System) bool {
	_, ok := s.(Continuous)
	return ok
}

// StateBytes is the length of a configuration: a byte for each site with a colour.
func StateBytes(s System) int {
	if c, ok := s.(Continuous); ok {
		return c.StateBytes()
	}
	return s.Sites()
}

// Randomise draws a configuration, all with the same probability.
func Randomise(s System, state []uint8, r *rand.Rand) {
	if c, ok := s.(Continuous); ok {
		c.Randomise(state, r)
		return
	}
	for j := range state {
		state[j] = uint8(r.IntN(s.Colours()))
	}
}

// Pictured returns a byte for each site by which to draw a configuration, and the number of colours, 0 for
// hues in 256ths of a turn.
func Pictured(s System, state []uint8) (sites []uint8, colours int) {
	c, ok := s.(Continuous)
	if !ok {
		return state, s.Colours()
	}
	sites = make([]uint8, s.Sites())
	c.Wheel(sites, state)
	return sites, 0
}

// Observed is a System with observables of its own, which production measures by level, once a pass for
// each walker. The first three are |m|, m^2 and m^4 of an order parameter m.
type Observed interface {
	System
	// Observables are their names, as of columns of a table.
	Observables() []string
	// Observe writes their values in a configuration, all within 0..1.
	Observe(values []float64, state []uint8)
}

// Stiff is a System with a helicity modulus.
type Stiff interface {
	Observed
	// Helicity is the helicity modulus per site at an inverse temperature, of averages of the Observables.
	Helicity(beta float64, averages []float64) float64
}

// angleBytes is the length of an angle in a configuration: a float64, its lowest byte first.
const angleBytes = 8

// Angle returns that of a site, 0 to below 2 pi.
func Angle(state []uint8, site int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(state[angleBytes*site:]))
}

// SetAngle sets that of a site, which must be within 0 and below 2 pi.
func SetAngle(state []uint8, site int, angle float64) {
	binary.LittleEndian.PutUint64(state[angleBytes*site:], math.Float64bits(angle))
}

// Wrap brings an angle from within a turn of the range 0 to 2 pi into it, without its end.
func Wrap(angle float64) float64 {
	if angle < 0 {
		angle += 2 * math.Pi
	}
	if angle >= 2*math.Pi {
		angle -= 2 * math.Pi
	}
	return angle
}
