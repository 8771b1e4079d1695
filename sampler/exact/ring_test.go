package exact

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

func xy(t testing.TB, bin, lowest float64, sides ...int) *lattice.XY {
	t.Helper()
	s, err := lattice.NewXY(bin, lowest, 0, sides...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRing compares the density of states of rings with their partition function, the sum over n of
// (2 pi I_n(beta))^N, at inverse temperatures of both signs, and the shares of levels at infinite temperature
// with random angles.
func TestRing(t *testing.T) {
	for sites, lowest := range map[int]float64{8: -1, 13: -0.98, 64: 0} {
		s := xy(t, 0.125, lowest, sites, 1)
		d, err := Ring(s)
		if err != nil {
			t.Fatal(err)
		}
		if d.Len() != s.Levels() || d.Energy[0] != s.Energy(s.GroundLevel()) {
			t.Fatalf("%v: %d levels from %v", s, d.Len(), d.Energy[0])
		}
		for _, beta := range []float64{-1, 0, 0.5, 1, 2} {
			if most := s.Energy(0); beta < 0 && most < 0.9*float64(sites) {
				continue // the range cuts what matters
			}
			lnZ, energy := ringPartition(beta, sites)
			at := d.At(beta)
			// What bins leave out is of third order in beta times their width.
			if math.Abs(at.LnZ-lnZ) > 1e-4 || math.Abs(at.Energy-energy) > 2e-3 {
				t.Errorf("%v at beta = %v: ln Z = %.7f, E = %.6f; by Bessel functions %.7f, %.6f", s, beta, at.LnZ, at.Energy, lnZ, energy)
			}
		}
	}

	s := xy(t, 0.5, 0, 1, 9)
	d, err := Density(context.Background(), s, 0)
	if err != nil || d == nil {
		t.Fatalf("%v (%v)", d, err)
	}
	const draws = 100_000
	r, state := rand.New(rand.NewPCG(1, 2)), make([]uint8, s.StateBytes())
	counts, sums := make([]float64, s.Levels()), make([]float64, s.Levels())
	for range draws {
		s.Randomise(state, r)
		level := s.Level(state)
		counts[level]++
		sums[level] += s.Place(state)
	}
	chi, places, n := 0.0, 0.0, 0.0
	for i, lnG := range d.LnG {
		level := s.Levels() - 1 - i
		if want := draws * math.Exp(lnG-s.LnStates()); want > 25 {
			chi += (counts[level] - want) * (counts[level] - want) / want
			error := math.Sqrt(d.Bins.Variance[i] / counts[level])
			z := (sums[level]/counts[level]*0.5 - d.Bins.Mean[i]) / error
			places += z * z
			n++
		}
	}
	for name, x := range map[string]float64{"levels": chi, "means in bins": places} {
		if z := (x - n) / math.Sqrt(2*n); math.Abs(z) > 4 {
			t.Errorf("%s: chi squared %.1f of %v", name, x, n)
		}
	}
}

// ringPartition is ln of the sum over n of (2 pi I_n(beta))^N, and minus its derivative, by the integral of I_n.
func ringPartition(beta float64, sites int) (lnZ, energy float64) {
	const points = 400
	z, dz := 0.0, 0.0
	for n := -40; n <= 40; n++ {
		i, di := 0.0, 0.0
		for k := range points {
			theta := 2 * math.Pi * (float64(k) + 0.5) / points
			w := math.Cos(float64(n)*theta) * math.Exp(beta*math.Cos(theta)) / points
			i += w
			di += w * math.Cos(theta)
		}
		z += math.Pow(i, float64(sites))
		dz += float64(sites) * math.Pow(i, float64(sites-1)) * di
	}
	return float64(sites)*math.Log(2*math.Pi) + math.Log(z), -dz / z
}

// TestRingFaults refuses what has no exact density of states.
func TestRingFaults(t *testing.T) {
	for _, s := range []*lattice.XY{xy(t, 0.5, 0, 4, 4), xy(t, 0.5, -1, 6, 1), xy(t, 0.5, 0, 100, 1)} {
		if d, err := Ring(s); err == nil {
			t.Errorf("%v: %v", s, d)
		}
		if d, err := Density(context.Background(), s, 0); d != nil || err != nil {
			t.Errorf("%v: %v (%v)", s, d, err)
		}
		if _, err := Of(context.Background(), s, Options{}); err == nil {
			t.Errorf("%v: a spectrum", s)
		}
	}
}
