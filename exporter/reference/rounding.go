package reference

import "math"

// Rounding is how far ln q of a configuration of n sites may be off in single precision: by the
// rounding of the conditional probabilities, and by that of their sum, about sqrt(n) half units in
// its last place.
func Rounding(n int, logQ float64) float64 {
	return 5e-4 + math.Sqrt(float64(n))*0x1p-24*math.Abs(logQ)
}
