package dos_test

import (
	"math"
	"testing"

	"neuralwl/internal/exacttest"
	"neuralwl/sampler/dos"
)

// TestSmoothed integrates P(E) to one, and finds the peaks of Coexistence equally high.
func TestSmoothed(t *testing.T) {
	d := exacttest.Density(t, 10, 4, 16)
	const width = 8
	c, err := d.Coexistence(1.4, width, 10)
	if err != nil {
		t.Fatal(err)
	}
	energies := d.Grid(width)
	sum, ordered, disordered := 0.0, math.Inf(-1), math.Inf(-1)
	for k, lnP := range d.Smoothed(c.EqualHeight, width, energies) {
		sum += math.Exp(lnP) * (energies[1] - energies[0])
		if energies[k] < c.Minimum {
			ordered = max(ordered, lnP)
		} else {
			disordered = max(disordered, lnP)
		}
	}
	if math.Abs(sum-1) > 0.03 { // a part of it lies below the ground state
		t.Errorf("the integral of P is %g", sum)
	}
	if math.Abs(ordered-disordered) > 0.02 {
		t.Errorf("ln P is %g and %g at the peaks", ordered, disordered)
	}
}

// TestMicrocanonicalBeta finds the slope of a parabola, and Maxwell's equal areas between two phases.
func TestMicrocanonicalBeta(t *testing.T) {
	d := &dos.Density{}
	for e := -50.0; e <= 50; e++ {
		d.Energy, d.LnG = append(d.Energy, e), append(d.LnG, 7+1.5*e-0.01*e*e)
	}
	energies := []float64{-20, 0.5, 20}
	for k, beta := range d.MicrocanonicalBeta(6, energies) {
		if want := 1.5 - 0.02*energies[k]; math.Abs(beta-want) > 1e-9 {
			t.Errorf("E = %g: beta = %g, must be %g", energies[k], beta, want)
		}
	}
	if beta := d.MicrocanonicalBeta(0.4, []float64{0, 200}); !math.IsNaN(beta[0]) || !math.IsNaN(beta[1]) {
		t.Errorf("of one level and of none: %v", beta)
	}
	potts := exacttest.Density(t, 10, 4, 16)
	c, err := potts.Coexistence(1.4, 8, 10)
	if err != nil {
		t.Fatal(err)
	}
	var between []float64
	for e := c.Ordered; e <= c.Disordered; e++ {
		between = append(between, e)
	}
	mean := 0.0
	for _, beta := range potts.MicrocanonicalBeta(8, between) {
		mean += beta / float64(len(between))
	}
	if math.Abs(mean-c.EqualHeight) > 1e-2 {
		t.Errorf("beta is %g on average between the peaks, which are equally high at %g", mean, c.EqualHeight)
	}
}
