package dos

import (
	"math"
	"slices"
	"testing"
)

func TestDeviation(t *testing.T) {
	nan := math.NaN()
	a := &Density{Energy: []float64{-4, -2, -1, 0}, LnG: []float64{9, 100, 102, 101}, Error: []float64{1, 3, 0.1, nan}}
	b := &Density{Energy: []float64{-2, -1, 0, 4}, LnG: []float64{-50, -49, -47, 2}, Error: []float64{4, nan, 1, 1}}
	d, shift, err := Deviation(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if want := LogSumExp(b.LnG[:3]) - LogSumExp(a.LnG[1:]); !agrees(shift, want, 1e-12) {
		t.Errorf("shift %v, want %v", shift, want)
	}
	if !slices.Equal(d.Energy, []float64{-2, -1, 0}) {
		t.Errorf("energies %v", d.Energy)
	}
	for i, want := range []float64{150 + shift, 151 + shift, 148 + shift} {
		if !agrees(d.LnG[i], want, 1e-12) || !agrees(d.Error[i], []float64{5, 0.1, nan}[i], 1e-12) {
			t.Errorf("at %v the deviation is %v(%v)", d.Energy[i], d.LnG[i], d.Error[i])
		}
	}
	if _, _, err := Deviation(a, &Density{Energy: []float64{7}, LnG: []float64{0}}); err == nil {
		t.Error("no level in common and no error")
	}
}
