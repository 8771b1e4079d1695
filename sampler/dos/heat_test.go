package dos

import (
	"math"
	"testing"
)

// TestHeatMaximum compares with a scan in steps of 1e-4.
func TestHeatMaximum(t *testing.T) {
	betas := []float64{0.5, 0.75, 0.85, 0.95, 1.1, 1.25, 1.35, 1.45, 1.6}
	for name, outside := range map[string][][]float64{
		"potts_q2_16x16": {betas[6:], betas[:2], nil},
		"potts_q3_6x6":   {betas[6:], betas[:2], nil},
		"potts_q10_5x5":  {betas[6:], betas[:2], nil},
		"potts_q10_4x16": {betas[:2], nil}, // its maximum is near 1.43
	} {
		d := readReference(t, name)
		got, err := d.HeatMaximum(betas)
		if err != nil {
			t.Fatal(err)
		}
		at, largest := 0.0, 0.0
		for beta := 0.5; beta < 1.6; beta += 1e-4 {
			if c := d.At(beta).SpecificHeat; c > largest {
				at, largest = beta, c
			}
		}
		if math.Abs(got.Beta-at) > 1e-4 || got.Height < largest || got.Height > largest*(1+1e-4) {
			t.Errorf("%s: %+v, by scan %v at %v", name, got, largest, at)
		}
		// At the maximum a small change of beta changes nothing.
		for _, beta := range []float64{got.Beta - 1e-6, got.Beta + 1e-6} {
			if c := d.At(beta).SpecificHeat; c > got.Height*(1+1e-14) {
				t.Errorf("%s: C(%v) = %v is larger than C(%v) = %v", name, beta, c, got.Beta, got.Height)
			}
		}
		for _, betas := range outside {
			if m, err := d.HeatMaximum(betas); err == nil {
				t.Errorf("%s: a maximum %+v in %v", name, m, betas)
			}
		}
	}
}
