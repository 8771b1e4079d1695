package dos

import (
	"fmt"
	"math"
)

// Estimate is a number with one standard error, nil where that is unknown.
type Estimate struct {
	Value float64  `json:"value"`
	Error *float64 `json:"error"`
}

// NewEstimate returns value with one standard error, NaN for an unknown one.
func NewEstimate(value, deviation float64) Estimate {
	if math.IsNaN(deviation) {
		return Estimate{Value: value}
	}
	return Estimate{value, &deviation}
}

// String writes the number with the error of its last two digits, as in 1.4142(21).
func (e Estimate) String() string {
	if e.Error == nil || !(*e.Error > 0) {
		return fmt.Sprintf("%.6g", e.Value)
	}
	digits := 1 - int(math.Floor(math.Log10(*e.Error)))
	if digits < 1 {
		return fmt.Sprintf("%.1f(%.1f)", e.Value, *e.Error)
	}
	return fmt.Sprintf("%.*f(%.0f)", digits, e.Value, *e.Error*math.Pow10(digits))
}
