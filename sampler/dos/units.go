package dos

import (
	"fmt"
	"math"
	"strconv"
)

// sameUnits returns an error if the energies b are, nearly all, those of a by another factor,
// sign or origin, and not the same: by E per site, say, or the two conventions E = -J sum
// delta(s, s') and E = -J sum s s' of an Ising model. nameA and nameB stand for them.
func sameUnits(a, b []float64, nameA, nameB string) error {
	few := min(len(a), len(b))
	same := matches(a, b, 1, 0)
	switch {
	case few < leastMatched:
		return nil
	case 10*same >= 9*few:
		if n := len(common(a, b)); 2*n < same {
			return fmt.Errorf("the energies of %s and %s are nearly the same, but only %d of %d within 1e-9; write them in full", nameB, nameA, n, same)
		}
		return nil
	}
	best, factor, shift := same, 1.0, 0.0
	for _, f := range factors(a, b) {
		for _, s := range shifts(a, b, f) {
			// A shift maps windows of energies on each other, as their distances are equal, and
			// a reversal those at the two ends of a symmetric system.
			if math.Abs(f) == 1 && (10*same > few || s != 0 && (even(a) || even(b))) {
				continue
			}
			if n := matches(a, b, f, s); n > best {
				best, factor, shift = n, f, s
			}
		}
	}
	if best == same || 20*best < 19*few || 2*best < max(len(a), len(b)) {
		return nil
	}
	return fmt.Errorf("the energies of %s are those of %s%s (%d of %d levels; %d have the same energy); convert one of them",
		nameB, nameA, mapping(factor, shift), best, max(len(a), len(b)), same)
}

// leastMatched is the number of energies from which on a mapping is no accident.
const leastMatched = 4

// mapping puts E -> factor E + shift into words.
func mapping(factor, shift float64) (text string) {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 9, 64) }
	if factor < 0 {
		text, factor = " with the sign reversed", -factor
	}
	switch inverse := math.Round(1 / factor); {
	case factor == 1:
	case factor < 1 && math.Abs(inverse*factor-1) < 1e-9:
		text += " divided by " + number(inverse)
	default:
		text += " times " + number(factor)
	}
	switch {
	case shift > 0:
		text += " plus " + number(shift)
	case shift < 0:
		text += " minus " + number(-shift)
	}
	return text
}

// factors lists simple ratios of the energies b to those of a, both ascending: that of their
// least distances, which few digits make inexact, and that of their ranges if it is about the
// same. Whole numbers and fractions are made exact.
func factors(a, b []float64) (list []float64) {
	gaps := gap(b) / gap(a)
	for _, f := range []float64{1, span(b) / span(a), gaps} {
		if math.Abs(f/gaps-1) < 0.1 {
			list = append(list, simple(f), -simple(f))
		}
	}
	return list
}

// simple returns the fraction next to x whose smaller part is at most 4, where it is within
// the digits to which energies are written, and otherwise x.
func simple(x float64) float64 {
	if x < 1 {
		return 1 / simple(1/x)
	}
	for q := 1.0; q <= 4; q++ {
		if p := math.Round(x * q); math.Abs(p-x*q) < 2e-3*min(x*q, 10) {
			return p / q
		}
	}
	return x
}

// shifts lists what to add to the energies a times f such that an end of theirs, or a level
// next to it, comes upon one of b; none first.
func shifts(a, b []float64, f float64) []float64 {
	list := []float64{0}
	for i := range 3 {
		for j := range 3 {
			low, high := a[i], a[len(a)-1-i]
			if f < 0 {
				low, high = high, low
			}
			list = append(list, b[j]-f*low, b[len(b)-1-j]-f*high)
		}
	}
	return list
}

// matches counts the energies that are in both lists after a became f a + shift.
func matches(a, b []float64, f, shift float64) (n int) {
	tolerance := gap(b) / 50 // of energies written with few digits
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := a[i]
		if f < 0 {
			x = a[len(a)-1-i]
		}
		switch x = f*x + shift; {
		case x < b[j]-tolerance:
			i++
		case x > b[j]+tolerance:
			j++
		default:
			n++
			i++
			j++
		}
	}
	return n
}

func span(x []float64) float64 { return x[len(x)-1] - x[0] }

// gap is the least distance of energies.
func gap(x []float64) float64 {
	least := math.Inf(1)
	for i := 1; i < len(x); i++ {
		least = min(least, x[i]-x[i-1])
	}
	return least
}

// even reports whether energies have equal distances.
func even(x []float64) bool {
	least := gap(x)
	for i := 1; i < len(x); i++ {
		if x[i]-x[i-1] > 1.5*least {
			return false
		}
	}
	return true
}
