package lattice

import (
	"fmt"
	"math"
)

// maxDenominator is the largest denominator of a coupling in units of J. A larger one would
// make more levels than anyone samples.
const maxDenominator = 100

// maxCoupling is the largest coupling in units of J.
const maxCoupling = 1e4

// resolution is that of energies whose levels are bins: their common unit is J/resolution or larger.
const resolution = 1_000_000

// unit is the unit of a model's energies, J/denominator.
type unit struct{ denominator int }

// of is an energy in units of J, in this unit.
func (u unit) of(x float64) int { return int(math.Round(x * float64(u.denominator))) }

// newUnit returns the unit of couplings in units of J. With levels of single energies it is a common one
// of all; with bins it is the largest of J, J/10, J/100, ... J/resolution of which the couplings, and the
// width of the bins, are multiples, or else the smallest, to whose multiples couplings are rounded.
// That is larger than J/resolution where the energies span so much that there were more than maxGain units.
func newUnit(bin, span float64, name string, couplings ...float64) (unit, error) {
	for _, x := range couplings {
		if math.IsNaN(x) || math.Abs(x) > maxCoupling {
			return unit{}, fmt.Errorf("%s = %g: it must be a number within -%g..%g", name, x, maxCoupling, maxCoupling)
		}
	}
	multiples := func(d int, of ...float64) (all bool, other float64) {
		for _, x := range of {
			if y := x * float64(d); math.Abs(y-math.Round(y)) > 1e-9*max(1, math.Abs(y)) {
				return false, x
			}
		}
		return true, 0
	}
	if bin == 0 {
		var other float64
		for d := 1; d <= maxDenominator; d++ {
			var all bool
			if all, other = multiples(d, couplings...); all {
				return unit{d}, nil
			}
		}
		return unit{}, fmt.Errorf("%s = %g: energies have no common unit with J; give the levels a width (system.bin), or take a fraction of J with a denominator up to %d, such as %g",
			name, other, maxDenominator, nearest(other))
	}
	finest := resolution
	for finest > 1 && span*float64(finest) > maxGain {
		finest /= 10
	}
	if fits, _ := multiples(finest, bin); !fits || !(bin > 0) || bin > maxCoupling {
		return unit{}, fmt.Errorf("bin = %g: it must be a multiple of %g between that and %g", bin, 1/float64(finest), maxCoupling)
	}
	for d := 1; d < finest; d *= 10 {
		if all, _ := multiples(d, append(couplings, bin)...); all {
			return unit{d}, nil
		}
	}
	return unit{finest}, nil
}

// nearest is the closest fraction to x that is not zero unless x is.
func nearest(x float64) float64 {
	if y := math.Round(x*maxDenominator) / maxDenominator; y != 0 || x == 0 {
		return y
	}
	return math.Copysign(1./maxDenominator, x)
}
