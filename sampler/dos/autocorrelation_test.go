package dos_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/dos"
)

// TestAutocorrelationTime uses chains that keep their level with a known probability p and
// otherwise draw a new one: their autocorrelation function is p^t, and tau is 1/2 +
// p/(1-p).
func TestAutocorrelationTime(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	energy := []float64{-3, -1, 0, 5}
	const chains, steps = 200, 5000
	for _, p := range []float64{0, 0.5, 0.95} {
		blocks := make([][]int64, chains)
		for k := range blocks {
			blocks[k] = make([]int64, len(energy))
			level := r.IntN(len(energy))
			for range steps {
				if r.Float64() >= p {
					level = r.IntN(len(energy))
				}
				blocks[k][level]++
			}
		}
		tau, deviation, err := dos.AutocorrelationTime(energy, blocks, steps)
		if err != nil {
			t.Fatal(err)
		}
		if want := 0.5 + p/(1-p); math.Abs(tau-want) > 4*deviation || deviation > 0.11*tau {
			t.Errorf("p = %g: tau = %.3f(%.3f), want %.3f", p, tau, deviation, want)
		}
	}
	for _, blocks := range [][][]int64{nil, {{1, 2, 0, 0}}, {{0, 7, 0, 0}, {0, 7, 0, 0}}, {{1, 1, 0, 0}, {0, 0, 0, 0}}} {
		if tau, _, err := dos.AutocorrelationTime(energy, blocks, 10); err == nil {
			t.Errorf("%v: tau = %v without an error", blocks, tau)
		}
	}
}
