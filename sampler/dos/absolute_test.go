package dos

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// drawWeights draws configurations of a known density of states. The probabilities favour
// levels by tilt and vary within each level by spread.
func drawWeights(r *rand.Rand, exact *Density, tilt []float64, spread float64, draws int) WeightBlock {
	n := exact.Len()
	b := NewWeightBlock(n)
	cumulative := visited(tilt, make([]float64, n))
	counts := make([]int64, n)
	multinomial(r, counts, cumulative, draws)
	lnP := make([]float64, n)
	copy(lnP, tilt)
	shift := LogSumExp(tilt)
	for i := range counts {
		b.Draws[i] = float64(draws)
		for range counts[i] {
			// A state of the level is drawn with x times the even probability, where x has
			// the log-normal density times x, so that <1/x> = 1.
			x := math.Exp(spread*r.NormFloat64() + spread*spread/2)
			b.Add(i, exact.LnG[i]-(lnP[i]-shift)-math.Log(x))
		}
	}
	return b
}

// TestFromWeights repeats the estimate with weights of a known distribution and checks that
// it is unbiased, that its errors are right, and that the sum is the number of
// configurations.
func TestFromWeights(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	n := exact.Len()
	tilt := make([]float64, n)
	for i := range tilt {
		tilt[i] = 0.3 * math.Sin(float64(i))
	}
	r := rand.New(rand.NewPCG(4, 5))
	const repetitions, blocks, draws = 150, 16, 2000
	square, count, totals, effective := 0.0, 0.0, 0.0, 0.0
	for range repetitions {
		var all []WeightBlock
		for range blocks {
			all = append(all, drawWeights(r, exact, tilt, 0.7, draws))
		}
		a, err := FromWeights(exact.Energy, all)
		if err != nil {
			t.Fatal(err)
		}
		if a.Len() != n || len(a.Replicas) != blocks {
			t.Fatalf("%d levels, %d replicas", a.Len(), len(a.Replicas))
		}
		for i, x := range a.LnG {
			z := (x - exact.LnG[i]) / a.Error[i]
			square += z * z
			count++
			effective += a.Effective[i] / (blocks * draws * math.Exp(tilt[i]-LogSumExp(tilt)))
		}
		z := (a.LnTotal - 25*math.Log(10)) / a.LnTotalError
		totals += z * z / repetitions
	}
	// For Student's t with 15 degrees of freedom: 15/13.
	t.Logf("mean square of z %.3f, of the total %.3f, effective share %.3f", square/count, totals, effective/count)
	if z := square / count; math.Abs(z-15./13) > 0.08 {
		t.Errorf("mean square of z is %.3f", z)
	}
	if totals < 0.7 || totals > 1.7 {
		t.Errorf("mean square of z of the total is %.3f", totals)
	}
	// <1/x>^2 / <1/x^2> = exp(-spread^2).
	if want := math.Exp(-0.49); math.Abs(effective/count-want) > 0.03 {
		t.Errorf("effective share %.3f, want %.3f", effective/count, want)
	}
}

func TestFromWeightsErrors(t *testing.T) {
	energy := []float64{-1, 0}
	if _, err := FromWeights(energy, []WeightBlock{NewWeightBlock(2)}); err == nil || !strings.Contains(err.Error(), "all draws have weight 0") {
		t.Errorf("error %v", err)
	}
	if _, err := FromWeights(energy, []WeightBlock{NewWeightBlock(3)}); err == nil || !strings.Contains(err.Error(), "want 2") {
		t.Errorf("error %v", err)
	}
	// One block: a value without an error.
	b := NewWeightBlock(2)
	b.Draws[0], b.Draws[1] = 4, 4
	b.Add(1, math.Log(12))
	a, err := FromWeights(energy, []WeightBlock{b})
	if err != nil || a.Len() != 1 || a.Energy[0] != 0 || !near(a.LnG[0], math.Log(3), 1e-14) || !math.IsNaN(a.Error[0]) || !near(a.Effective[0], 1, 1e-14) {
		t.Errorf("%+v, %v", a, err)
	}
}
