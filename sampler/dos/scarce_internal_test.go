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

// TestRefinedFromAfar comes to the most likely difference of two levels from any start, as that of a replica may be.
func TestRefinedFromAfar(t *testing.T) {
	p := newTransitions([]int{-1, 0, 1}, []float64{0, 60, 40, 5, 75, 0})
	want := math.Log(40./100) - math.Log(5./80)
	for _, start := range []float64{-60, -5, 0, 5, 60} {
		d := start
		for range 30 {
			edges := p.refined([]float64{0, d}, nil)
			if len(edges) != 1 || math.Abs(edges[0].difference-d) > longestStep+1e-9 {
				t.Fatalf("from %g: edges %+v at %g", start, edges, d)
			}
			d = edges[0].difference
		}
		if math.Abs(d-want) > 1e-9 {
			t.Errorf("from %g to %g, the most likely is %g", start, d, want)
		}
	}
}
