package dos

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTailShape finds the shape of weights with a known tail.
func TestTailShape(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 50000
	for _, k := range []float64{-0.3, 0.2, 0.5, 0.8, 1.2} {
		var tail Tail
		for range n {
			u := r.Float64()
			tail.Add(math.Log1p((math.Pow(u, -k) - 1) / k)) // 1 + a number of a generalised Pareto distribution
		}
		got := tail.Shape(n)
		t.Logf("shape %.3f, drawn with %.1f", got, k)
		if !(math.Abs(got-k) < 0.12) { // sqrt((1+k)^2/670) is 0.085 at most
			t.Errorf("shape %v, drawn with %v", got, k)
		}
	}
	if x := (Tail{1, 2, 3}).Shape(3); !math.IsNaN(x) {
		t.Errorf("three weights have the shape %v", x)
	}
	var alike Tail
	for range n {
		alike.Add(0.5)
	}
	if x := alike.Shape(n); !math.IsInf(x, -1) {
		t.Errorf("equal weights have the shape %v", x)
	}
}

// TestWeighted compares blocks joined in any order with sums without a scale, and refuses errors
// where one block holds everything.
func TestWeighted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	blocks := make([]WeightedBlock, 5)
	for k := range blocks {
		blocks[k] = NewWeightedBlock(2)
	}
	var z, u, squares, phase float64
	const n = 400
	for i := range n {
		lnW, e := 3*r.NormFloat64(), float64(-r.IntN(9))
		first := float64(r.IntN(2))
		blocks[i%4].Add(lnW, e, 0.5, []float64{first, 1 - first}) // the last block has none
		w := math.Exp(lnW)
		z += w
		squares += w * w
		u += w * e
		phase += w * first
	}
	got := FromWeighted(0.5, 4, blocks)
	for name, pair := range map[string][2]float64{
		"ln Z": {got.LnZ, math.Log(z / n)}, "U": {got.Energy, u / z}, "effective": {got.Effective, z * z / squares},
		"phase": {got.Phases[0], phase / z}, "m": {got.Order.Mean, 0.5}, "F": {got.FreeEnergy(), -2 * math.Log(z/n)},
	} {
		if !(math.Abs(pair[0]-pair[1]) < 1e-9*math.Abs(pair[1])) {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
	if !math.IsNaN(got.LnZError) {
		t.Errorf("an error of %v although a block is empty", got.LnZError)
	}
	if got = FromWeighted(0.5, 4, blocks[:4]); !(got.LnZError > 0) || !(got.PhaseErrors[1] > 0) || got.Bound > got.LnZ {
		t.Errorf("%+v", got)
	}
	if got = FromWeighted(0.5, 4, []WeightedBlock{NewWeightedBlock(0)}); got.Phases != nil || !math.IsNaN(got.Order.Mean) {
		t.Errorf("%+v", got)
	}
}
