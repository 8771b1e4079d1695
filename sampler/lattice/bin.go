package lattice

import "math/bits"

// Bin is how gains make up levels: one each, or as many as a bin holds. The zero value is the first.
type Bin struct {
	// Gains is how many gains make up a level, 0 for one each.
	Gains int

	offset     uint64
	reciprocal uint64  // 2^64/Gains, rounded up
	highest    int     // centre of level 0 in widths
	width      float64 // in units of J
}

// maxBin bounds the gains of a bin: the division by reciprocals is exact for dividends and divisors of
// 32 bits (Lemire, Kaser, Kurz, Softw. Pract. Exp. 49, 953 (2019)).
const maxBin = maxGain / 2

// newBin makes bins of a width for energies up to a highest one, in the unit of which all
// differences of energies are multiples, and which divides the width. J is denominator such energies.
func newBin(width, highest, unit, denominator int) Bin {
	b := Bin{Gains: width / unit, width: float64(width) / float64(denominator)}
	half := width / 2
	b.highest = floorDiv(highest-half-1, width) + 1
	b.offset = uint64((b.highest*width + half - highest) / unit)
	b.reciprocal = ^uint64(0)/uint64(b.Gains) + 1
	return b
}

// floorDiv is the quotient rounded down.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Of returns the level that holds a gain.
func (b *Bin) Of(gain int) int {
	if b.Gains == 0 {
		return gain
	}
	level, _ := bits.Mul64(b.reciprocal, b.offset+uint64(gain))
	return int(level)
}

// Split returns the level that holds a gain, and the place there: 0 for the first of the level's
// gains, the next one 1, and so on.
func (b *Bin) Split(gain int) (level, place int) {
	level = b.Of(gain)
	if b.Gains > 0 {
		place = int(b.offset) + gain - level*b.Gains
	}
	return level, place
}

// centre of a level's energies, in units of J.
func (b *Bin) centre(level int) float64 { return float64(b.highest-level) * b.width }

// most is how many levels a change of the gain can change at most.
func (b *Bin) most(gain int) int {
	if b.Gains == 0 {
		return gain
	}
	return (gain + b.Gains - 1) / b.Gains
}

// Binned reports whether levels hold more than one energy each.
func (t *Terms) Binned() bool { return t.bin.Gains > 0 }

// BinWidth is the width of the levels in units of J, 0 for levels of single energies.
func BinWidth(s System) float64 {
	switch s := s.(type) {
	case *Terms:
		return s.bin.width
	case *XY:
		return s.bin
	}
	return 0
}

// Place is where the energy of a configuration is in its bin: its distance from the centre over the
// width. Levels of s must be bins.
func Place(s System, state []uint8) float64 {
	if xy, ok := s.(*XY); ok {
		return xy.Place(state)
	}
	t := s.(*Terms)
	level, at := t.bin.Split(t.Gain(state))
	e, _ := t.Inside(level, float64(at), 0)
	return e / t.bin.width
}

// Inside returns the means of a level's energy minus its centre, in units of J, and of the square of that,
// from the means of the place in it, see Bin.Split, and of its square.
func (t *Terms) Inside(level int, place, square float64) (energy, energySquared float64) {
	if !t.Binned() {
		return 0, 0
	}
	unit := float64(t.unit) / float64(t.m.Denominator)
	first := t.energyOf(level*t.bin.Gains-int(t.bin.offset)) - t.Energy(level)
	// E = first - unit place
	return first - unit*place, first*first - 2*first*unit*place + unit*unit*square
}

// divide makes the bins, for which the unit of gains may have to be smaller. Those that are no wider
// than energies are apart hold one each and are not needed.
func (t *Terms) divide() {
	if t.m.Bin > t.unit {
		t.unit = gcd(t.unit, t.m.Bin)
		t.bin = newBin(t.m.Bin, t.top, t.unit, t.m.Denominator)
	}
}
