package lattice

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// XY is the XY model, spins of angles theta in [0, 2 pi) on a periodic square lattice or, with one side of
// 1, on a ring,
//
//	E = -J sum over bonds <ij> of cos(theta_i - theta_j),  J = 1.
//
// Its levels are bins between a lowest and a highest energy, and ln g is the logarithm of the volume of a
// level in the space of the angles, (2 pi)^N in all. A move to an energy outside is rejected like any move
// that leaves a window, so that ln g within the range is that of the whole system. What the range leaves
// out is at most MostOutside of the volume, to which ln g is normalised: ln g is too large by as much at most.
// There is no lowest level with a known ln g, as ground states have none: their volume is zero.
//
// The energy of a bond is the cosine, rounded toward zero to a multiple of 2^-32 J. Energies are thus
// integers, which sums of changes and of bonds make alike, without any drift, and off by 1e-10 J for each bond.
type XY struct {
	sides      []int
	sites      int
	bonds      int
	neighbours []int32 // of site i at [z i, z i + z): one step up and one down along each axis
	z          int
	bin        float64 // in units of J, as the next
	low, high  float64
	most       float64 // the highest energy there is
	first      int     // centre of level 0 in widths
	top        int64   // upper end of level 0, in energyUnits
	width      int64   // of a level
	levels     int
}

// energyUnits are those of J.
const energyUnits = 1 << 32

// Spin is a unit vector.
type Spin struct{ X, Y float64 }

// SpinOf is the direction of an angle.
func SpinOf(angle float64) Spin {
	y, x := math.Sincos(angle)
	return Spin{x, y}
}

// Bond is minus the energy of two neighbours, in units of 2^-32 J. The conversions keep processors from
// rounding a product and a sum at once, some of which would.
func (a Spin) Bond(b Spin) int64 {
	return int64((float64(a.X*b.X) + float64(a.Y*b.Y)) * energyUnits)
}

// defaultHighest is the end of the range of energies by default, in standard deviations at infinite temperature
// above the mean there.
const defaultHighest = 7

// defaultLowest is the beginning of the range by default: that of the energies down to a temperature of some 0.64 J on
// the square lattice, of which the mean is -0.82 of the bonds and 4 standard deviations are 1.5 of their square root;
// but not so low that ln g changes by more than some 3 within a level, beyond which walkers do not get. Near
// the ground states g is proportional to (E - E_min)^(N/2).
func (s *XY) defaultLowest() float64 {
	bonds := float64(s.bonds)
	return max(-0.82*bonds-1.5*math.Sqrt(bonds), -bonds+float64(s.sites)*s.bin/6)
}

// mostOutside is the largest share of the states that a range of energies may leave out.
const mostOutside = 1e-4

// CheckXY returns an error that names every argument for which there is no such system: with bins of a
// width in units of J, and a range of energies per site, of which 0 stands for the default.
func CheckXY(bin, lowest, highest float64, sides ...int) error {
	_, err := newXY(bin, lowest, highest, sides)
	return err
}

// NewXY returns the XY model with levels of a width in units of J, between two energies per site in units of J.
// 0 stands for energies down to a temperature of about 0.64 J, as far as levels of this width allow, and up to 7
// standard deviations at infinite temperature above 0, or the highest there is.
func NewXY(bin, lowest, highest float64, sides ...int) (*XY, error) {
	s, err := newXY(bin, lowest, highest, sides)
	if err != nil {
		return nil, fmt.Errorf("xy model: %w", err)
	}
	s.neighbours = make([]int32, 0, s.z*s.sites)
	lx, ly := sides[0], sides[1]
	for y := range ly {
		for x := range lx {
			if lx > 1 {
				s.neighbours = append(s.neighbours, int32(y*lx+(x+1)%lx), int32(y*lx+(x+lx-1)%lx))
			}
			if ly > 1 {
				s.neighbours = append(s.neighbours, int32((y+1)%ly*lx+x), int32((y+ly-1)%ly*lx+x))
			}
		}
	}
	return s, nil
}

func newXY(bin, lowest, highest float64, sides []int) (*XY, error) {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	s := &XY{sides: sides, sites: product(sides), bin: bin}
	if len(sides) != 2 || min(sides[0], sides[1]) < 1 {
		return nil, fmt.Errorf("size = %s: two sides are needed", sizeString(sides))
	}
	if !(bin >= minBin && bin <= maxCoupling) {
		fault("bin = %g: angles make a continuum of energies, so that levels need a width (system.bin) within %g..%g, as of 0.5", bin, minBin, maxCoupling)
	}
	most := 0.0 // the highest energy: neighbours opposite or, along an odd side, as nearly so as they all can be
	for _, l := range sides {
		switch {
		case l == 1:
		case l < MinSide || sides[0] > maxSites/sides[1]:
			fault("size = %s: each side must be at least %d, or one of them 1 for a ring, and all sites together at most %d", sizeString(sides), MinSide, maxSites)
		default:
			s.bonds += s.sites
			s.z += 2
			if most += float64(s.sites); l%2 == 1 {
				most += float64(s.sites) * (math.Cos(math.Pi/float64(l)) - 1)
			}
		}
	}
	if s.bonds == 0 && len(faults) == 0 {
		fault("size = %s: there are no bonds", sizeString(sides))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	n, least := float64(s.sites), -float64(s.bonds)
	s.most = most
	if s.low = lowest * n; lowest == 0 {
		if s.low = s.defaultLowest(); s.low >= 0 || math.Exp(s.lnTail(-s.low)) > mostOutside/2 {
			s.low = least
		}
	}
	if s.high = highest * n; highest == 0 {
		s.high = min(most, defaultHighest*math.Sqrt(float64(s.bonds)/2))
	}
	if !(s.low >= least && s.low < 0) {
		fault("lowest = %g: the range of energies must begin within %g..0 per site (system.lowest)", lowest, least/n)
	}
	if !(s.high <= most && s.high > 0) {
		fault("highest = %g: the range of energies must end within 0..%g per site (system.highest)", highest, most/n)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	// Each of the bins holds energies inside of the range.
	s.first = int(math.Ceil(s.high/bin - 0.5))
	last := int(math.Floor(s.low/bin + 0.5))
	if levels := float64(s.first) - float64(last) + 1; levels > maxLevels {
		fault("%.3g energy levels, at most %d are supported; choose a smaller lattice or wider bins", levels, maxLevels)
	}
	s.levels = s.first - last + 1
	s.width = int64(math.Round(bin * energyUnits))
	s.top = int64(s.first)*s.width + s.width/2
	if p := s.MostOutside(); p > mostOutside {
		fault("energies of %.4g..%.4g per site leave out up to %.2g of all states, so that ln g has no normalisation; "+
			"take a wider range (system.lowest, system.highest), of which the defaults leave out less than %g", s.low/n, s.high/n, p, mostOutside)
	}
	return s, errors.Join(faults...)
}

// minBin is the least width of levels of continuous energies, in units of J.
const minBin = 1e-3

// MostOutside bounds the share of all states that have no level: those outside of the range of energies.
//
// By Chernoff's inequality the share above e is at most exp(-t e) <exp(t E)> for each t, and below -e as
// much. By Schwarz's, <exp(t E)> is at most the geometric mean of <exp(2t E_x)> and <exp(2t E_y)> with the energies of
// the bonds along each axis, which are rings: for a ring of L sites <exp(t E)> is the sum over n of I_n(t)^L, with
// the modified Bessel functions. The bound is about exp(-e^2/(4N)) on the square lattice, where the truth
// is about exp(-e^2/(2N)).
func (s *XY) MostOutside() float64 {
	p := 0.0
	if low := s.Energy(s.levels-1) - s.bin/2; low > -float64(s.bonds) {
		p += math.Exp(s.lnTail(-low))
	}
	if high := s.Energy(0) + s.bin/2; high < s.most {
		p += math.Exp(s.lnTail(high))
	}
	return p
}

// lnTail bounds the logarithm of the share of the states with an energy above e.
func (s *XY) lnTail(e float64) float64 {
	axes := float64(s.z / 2)
	least := 0.0
	for t := 1.0 / 256; t < 16; t *= 1.2 {
		ln := -t * e
		for _, l := range s.sides {
			if l > 1 {
				ln += float64(s.sites/l) * lnRing(axes*t, l) / axes
			}
		}
		least = min(least, ln)
	}
	return least
}

// lnRing is the logarithm of the mean of exp(t sum of cos(theta_i - theta_{i+1})) on a ring of l sites.
func lnRing(t float64, l int) float64 {
	// I_n(t)/exp(t) is the mean of cos(n theta) exp(t (cos theta - 1)), by the trapezoidal rule, which is exact
	// to rounding for so smooth and periodic a function.
	const points, terms = 64, 24
	var bessel [terms]float64
	for k := range points {
		x := math.Cos(2 * math.Pi * float64(k) / points)
		w := math.Exp(t*(x-1)) / points
		last, cosine := x, 1.0 // of n-1 and n angles
		for n := range bessel {
			bessel[n] += w * cosine
			last, cosine = cosine, 2*x*cosine-last
		}
	}
	sum := 1.0
	for _, x := range bessel[1:] {
		sum += 2 * math.Pow(max(x, 0)/bessel[0], float64(l))
	}
	return float64(l)*(t+math.Log(bessel[0])) + math.Log(sum)
}

// Neighbours returns those of site i at [z i, z i + z), z of them. Along each axis with more than one site the
// one upward stands before the one downward. Shared, not to be written.
func (s *XY) Neighbours() (table []int32, z int) { return s.neighbours, s.z }

// Spins writes the directions of a configuration.
func (s *XY) Spins(spins []Spin, state []uint8) {
	for i := range spins {
		spins[i] = SpinOf(Angle(state, i))
	}
}

// Exact is the energy of spins, in units of 2^-32 J.
func (s *XY) Exact(spins []Spin) (energy int64) {
	z := s.z
	for i, a := range spins {
		for k := 0; k < z; k += 2 {
			energy -= a.Bond(spins[s.neighbours[i*z+k]])
		}
	}
	return energy
}

// LevelOf is the level of such an energy, -1 outside of the range.
func (s *XY) LevelOf(energy int64) int {
	gain := s.top - energy
	if gain < 0 || gain >= int64(s.levels)*s.width {
		return -1
	}
	return int(gain / s.width)
}

// EnergyOf is such an energy in units of J.
func (s *XY) EnergyOf(energy int64) float64 { return float64(energy) / energyUnits }

func (s *XY) exactOf(state []uint8) int64 {
	spins := make([]Spin, s.sites)
	s.Spins(spins, state)
	return s.Exact(spins)
}

// Level of a configuration, -1 outside of the range of energies.
func (s *XY) Level(state []uint8) int { return s.LevelOf(s.exactOf(state)) }

// Energy of the centre of a level in units of J.
func (s *XY) Energy(level int) float64 { return float64(s.first-level) * s.bin }

// Place is where the energy of a configuration is in its level: its distance from the centre in widths.
func (s *XY) Place(state []uint8) float64 {
	e := s.exactOf(state)
	return (s.EnergyOf(e) - s.Energy(s.LevelOf(e))) / s.bin
}

// Observables are |m|, m^2 and m^4 of the magnetisation m per site, and what makes up the helicity
// modulus per site, the mean over the axes of
//
//	<sum of cos>/N - beta <(sum of sin)^2>/N
//
// over the bonds along an axis (Teitel, Jayaprakash, Phys. Rev. B 27, 598 (1983)): (1 + c)/2 with the mean c of all cosines, and
// the mean over the axes of the square of the mean sine.
func (s *XY) Observables() []string { return []string{"m", "m2", "m4", "bonds", "twist"} }

// Observe writes the values of a configuration.
func (s *XY) Observe(values []float64, state []uint8) {
	spins := make([]Spin, s.sites)
	s.Spins(spins, state)
	var m Spin
	cosine, sine, axes, n := 0.0, [2]float64{}, s.z/2, float64(s.sites)
	for i, a := range spins {
		m.X += a.X
		m.Y += a.Y
		for axis := range axes {
			b := spins[s.neighbours[i*s.z+2*axis]]
			cosine += a.X*b.X + a.Y*b.Y
			sine[axis] += a.X*b.Y - a.Y*b.X
		}
	}
	square := (m.X*m.X + m.Y*m.Y) / (n * n)
	values[0], values[1], values[2] = math.Sqrt(square), square, square*square
	values[3] = (1 + cosine/float64(s.bonds)) / 2
	values[4] = (sine[0]*sine[0] + sine[1]*sine[1]) / (n * n * float64(axes))
}

// Helicity is the helicity modulus per site at an inverse temperature, of averages of the Observables.
func (s *XY) Helicity(beta float64, averages []float64) float64 {
	return 2*averages[3] - 1 - beta*float64(s.sites)*averages[4]
}

// StateBytes is the length of a configuration: eight bytes for each angle.
func (s *XY) StateBytes() int { return angleBytes * s.sites }

// Randomise draws all angles, and again if their energy is outside of the range.
func (s *XY) Randomise(state []uint8, r *rand.Rand) {
	for {
		for i := range s.sites {
			SetAngle(state, i, Wrap(2*math.Pi*r.Float64()))
		}
		if s.Level(state) >= 0 {
			return
		}
	}
}

// Wheel writes the angles in 256ths of a turn.
func (s *XY) Wheel(dst, state []uint8) {
	for i := range dst {
		dst[i] = uint8(Angle(state, i) * (256 / (2 * math.Pi)))
	}
}

// Validate returns an error if state is not a configuration of this system.
func (s *XY) Validate(state []uint8) error {
	if len(state) != s.StateBytes() {
		return fmt.Errorf("configuration of %d bytes, %d angles have %d", len(state), s.sites, s.StateBytes())
	}
	for i := range s.sites {
		if x := Angle(state, i); !(x >= 0 && x < 2*math.Pi) {
			return fmt.Errorf("configuration: site %d has the angle %v, allowed are 0 to below 2 pi", i, x)
		}
	}
	return nil
}

// Sides of the lattice. Shared, not to be written.
func (s *XY) Sides() []int { return s.sides }

// Sites is their product N.
func (s *XY) Sites() int { return s.sites }

// Colours is 0: sites have angles.
func (s *XY) Colours() int { return 0 }

// Levels is the number of bins in the range of energies.
func (s *XY) Levels() int { return s.levels }

// Possible is true for all levels: the energy takes every value between any two that it has.
func (s *XY) Possible(level int) bool { return level >= 0 && level < s.levels }

// LevelsKnown is true; see Possible.
func (s *XY) LevelsKnown() bool { return true }

// MaxStep bounds the change of the level by one site, all of whose bonds change by 2 J at most.
func (s *XY) MaxStep() int {
	change := int64(s.z) * (2*energyUnits + 2)
	return int((change + s.width - 1) / s.width)
}

// GroundLevel is the lowest level of the range.
func (s *XY) GroundLevel() int { return s.levels - 1 }

// LnGroundStates is unknown: those of the lowest level are not ground states alone.
func (s *XY) LnGroundStates() float64 { return math.NaN() }

// PeakLevel is that of the mean energy at infinite temperature, 0.
func (s *XY) PeakLevel() int { return s.LevelOf(0) }

// LnStates is N ln 2 pi.
func (s *XY) LnStates() float64 { return float64(s.sites) * math.Log(2*math.Pi) }

// Truncated reports whether there are states of lower energy than the range has.
func (s *XY) Truncated() bool { return s.low > -float64(s.bonds) }

// InfiniteTransition is 0: the transition of the infinite lattice, of the type of Berezinskii, Kosterlitz and
// Thouless at beta = 1.1199 (Hasenbusch, J. Phys. A 38, 5869 (2005)), is not where the specific heat has its maximum.
func (s *XY) InfiniteTransition() float64 { return 0 }

// ColoursOrder is false.
func (s *XY) ColoursOrder() bool { return false }

func (s *XY) String() string {
	return fmt.Sprintf("xy E=%.6g..%.6g %s", s.low, s.high, sizeString(s.sides))
}
