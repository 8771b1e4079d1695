package dos

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestBandInverse compares with the whole inverse.
func TestBandInverse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ n, band int }{{1, 0}, {2, 1}, {9, 1}, {12, 4}, {12, 11}} {
		a := mat.NewSymBandDense(c.n, c.band, nil)
		for i := range c.n {
			a.SetSymBand(i, i, 2*float64(c.band)+r.Float64())
			for j := i + 1; j <= min(i+c.band, c.n-1); j++ {
				a.SetSymBand(i, j, r.Float64()-1)
			}
		}
		got, err := bandInverse(a)
		if err != nil {
			t.Fatal(err)
		}
		var want mat.Dense
		if err := want.Inverse(a); err != nil {
			t.Fatal(err)
		}
		for i := range c.n {
			for j := max(0, i-c.band); j <= min(i+c.band, c.n-1); j++ {
				if math.Abs(got.At(i, j)-want.At(i, j)) > 1e-12 {
					t.Errorf("%d sites, band %d: (%d, %d) is %g, expected %g", c.n, c.band, i, j, got.At(i, j), want.At(i, j))
				}
			}
		}
	}
	if _, err := bandInverse(mat.NewSymBandDense(2, 1, []float64{1, 2, 1, 0})); err == nil {
		t.Error("a matrix that is not positive definite has an inverse")
	}
}
