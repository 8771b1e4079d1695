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

// nearest is the closest fraction to x that is not zero unless x is.
func nearest(x float64) float64 {
	if y := math.Round(x*maxDenominator) / maxDenominator; y != 0 || x == 0 {
		return y
	}
	return math.Copysign(1./maxDenominator, x)
}

// fraction writes a coupling in units of J as numerator/denominator: energies can be levels
// only if all couplings have a common unit.
func fraction(name string, x float64) (numerator, denominator int, err error) {
	if math.IsNaN(x) || math.Abs(x) > maxCoupling {
		return 0, 0, fmt.Errorf("%s = %g: it must be a number within -%g..%g", name, x, maxCoupling, maxCoupling)
	}
	for d := 1; d <= maxDenominator; d++ {
		y := x * float64(d)
		if n := math.Round(y); math.Abs(y-n) <= 1e-9*max(1, math.Abs(y)) {
			return int(n), d, nil
		}
	}
	return 0, 0, fmt.Errorf("%s = %g: energies have no common unit with J; take a fraction of J with a denominator up to %d, such as %g",
		name, x, maxDenominator, nearest(x))
}
