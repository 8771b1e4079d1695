package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTurnsCover draws turns of walkers whose mean and scatter are known, more regular
// and less regular than independent events, and counts how often the rate is within one
// and two errors.
func TestTurnsCover(t *testing.T) {
	const walkers, mean, seconds, trials = 64, 30.0, 2.5, 4000
	r := rand.New(rand.NewPCG(5, 6))
	for _, scatter := range []float64{2, math.Sqrt(mean), 12} {
		within := [2]int{}
		for range trials {
			before, after := make([]int64, walkers), make([]int64, walkers)
			for i := range after {
				before[i] = r.Int64N(100)
				after[i] = before[i] + int64(math.Round(mean+scatter*r.NormFloat64()))
			}
			rate, deviation := CountTurns(before, after).Rate(seconds)
			z := math.Abs(rate-walkers*mean/2/seconds) / deviation
			for k := range within {
				if z < float64(k+1) {
					within[k]++
				}
			}
		}
		for k, want := range []float64{0.6827, 0.9545} {
			// Student's t of 63 degrees of freedom covers half a per cent less.
			if got := float64(within[k]) / trials; math.Abs(got-want) > 0.005+3*math.Sqrt(want*(1-want)/trials) {
				t.Errorf("scatter %.1f: %.3f of the rates are within %d errors, want %.3f", scatter, got, k+1, want)
			}
		}
	}
}

// TestTurnsFew has an error where there is no scatter to take it from.
func TestTurnsFew(t *testing.T) {
	for _, c := range []struct {
		after []int64
		want  [2]float64 // rate and error in one second
	}{
		{[]int64{0, 0, 0}, [2]float64{0, 0.5}},
		{[]int64{2, 2}, [2]float64{2, 0.5}},
		{[]int64{16}, [2]float64{8, 2}},
	} {
		if rate, deviation := CountTurns(make([]int64, len(c.after)), c.after).Rate(1); rate != c.want[0] || deviation != c.want[1] {
			t.Errorf("%v turns in a second: %g(%g) round trips, want %v", c.after, rate, deviation, c.want)
		}
	}
}
