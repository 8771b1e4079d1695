package bench

import (
	"math"

	"neuralwl/sampler/dos"
)

// Turns are how often walkers turned around at an end of the energies, two of which make
// a round trip.
type Turns struct {
	Total float64
	// Variance of Total, from the scatter over the walkers, which are independent of each
	// other. The turns of one walker are not: each needs the way back, so that they follow
	// each other more regularly than independent events would.
	Variance float64
}

// CountTurns returns the turns that walkers made between two counts of
// sampler.Engine.Turns. A single walker has no scatter; its turns count as independent
// events.
func CountTurns(before, after []int64) Turns {
	n, sum, squares := float64(len(after)), 0.0, 0.0
	for i := range after {
		x := float64(after[i] - before[i])
		sum += x
		squares += x * x
	}
	if n < 2 {
		return Turns{sum, sum}
	}
	return Turns{sum, n / (n - 1) * (squares - sum*sum/n)}
}

// Add adds the turns of another measurement.
func (t *Turns) Add(other Turns) {
	t.Total += other.Total
	t.Variance += other.Variance
}

// RoundTrips is their number.
func (t Turns) RoundTrips() float64 { return t.Total / 2 }

// Rate is the number of round trips per second in a measurement of some seconds, with one
// standard error. The error is at least that of a single turn, even if there was none.
func (t Turns) Rate(seconds float64) (rate, deviation float64) {
	return t.RoundTrips() / seconds, math.Sqrt(max(1, t.Variance)) / 2 / seconds
}

// Estimate is Rate with its error.
func (t Turns) Estimate(seconds float64) dos.Estimate { return dos.NewEstimate(t.Rate(seconds)) }
