package dos

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
)

// TestSupportComplete checks that every exact density of states supports every beta >= 0,
// and every negative one if there are states of energy zero.
func TestSupportComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "exact", "testdata", "potts_*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files: %v", err)
	}
	for _, file := range files {
		d, err := ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		low, high := d.Support()
		want := math.Inf(-1)
		if d.Energy[d.Len()-1] != 0 {
			want = 0
		}
		if low != want || !math.IsInf(high, 1) {
			t.Errorf("%s: supports %v..%v", file, low, high)
		}
		total := LogSumExp(d.LnG)
		d.LnG[0] += 0.2 // as estimated
		d.Normalise(total)
		if _, high := d.Support(); !math.IsInf(high, 1) {
			t.Errorf("%s with another estimate of the ground state: supports %v..%v", file, low, high)
		}
	}
}

// TestSupportTruncated cuts off both ends. Up to the limits, the averages are those of the
// whole density; at the limits, the edge levels have the defining probability.
func TestSupportTruncated(t *testing.T) {
	whole := readReference(t, "potts_q10_4x16")
	d := window(whole, -110, -4, 0)
	for _, shift := range []float64{0, -100, math.NaN()} {
		if math.IsNaN(shift) { // normalised to all states, which it does not have
			d.Normalise(64 * math.Log(10))
		} else {
			d = window(whole, -110, -4, shift)
		}
		low, high := d.Support()
		if !(0 < low && low < 1 && 1 < high && high < 3) {
			t.Fatalf("supports %v..%v", low, high)
		}
		for beta, edge := range map[float64]int{low: d.Len() - 1, high: 0} {
			p := make([]float64, d.Len())
			for i, e := range d.Energy {
				p[i] = d.LnG[i] - beta*e
			}
			if got := p[edge] - slices.Max(p); math.Abs(got-math.Log(1e-4)) > 1e-9 {
				t.Errorf("at %v the level at the edge has exp(%v) of the largest probability", beta, got)
			}
			a, b := d.At(beta), whole.At(beta)
			if math.Abs(a.Energy-b.Energy) > 1e-2*math.Sqrt(b.SpecificHeat)/beta {
				t.Errorf("at %v the energy is %v, that of the whole is %v", beta, a.Energy, b.Energy)
			}
		}
	}
	for _, d := range []*Density{{Energy: []float64{-3}, LnG: []float64{1}}, window(whole, -60, -58, 0)} {
		if low, high := d.Support(); low <= high {
			t.Errorf("energies %v support %v..%v", d.Energy, low, high)
		}
	}
	if low, high := window(readReference(t, "potts_q2_8x8"), -128, -66, 0).Support(); !(low > 0) || high > 10 {
		t.Errorf("the lower half: supports %v..%v", low, high)
	}
}
