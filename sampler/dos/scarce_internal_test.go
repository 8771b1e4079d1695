package dos

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/lapack/lapack64"
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
		var want mat.Dense
		if err := want.Inverse(a); err != nil {
			t.Fatal(err)
		}
		factor, positive := lapack64.Pbtrf(a.RawSymBand())
		if !positive {
			t.Fatal("no factor")
		}
		got := bandInverse(factor)
		for i := range c.n {
			for j := max(0, i-c.band); j <= min(i+c.band, c.n-1); j++ {
				if math.Abs(got.At(i, j)-want.At(i, j)) > 1e-12 {
					t.Errorf("%d sites, band %d: (%d, %d) is %g, expected %g", c.n, c.band, i, j, got.At(i, j), want.At(i, j))
				}
			}
		}
	}
}

// TestSingular refuses edges of which one has no weight.
func TestSingular(t *testing.T) {
	if _, err := newLadder([]int{2, 3, 4}, []edge{{i: 2, j: 3, difference: 1, weight: 1}, {i: 3, j: 4}}, []Pin{{Level: 2}}); !errors.Is(err, errSingular) {
		t.Errorf("a level without weight: %v", err)
	}
}
