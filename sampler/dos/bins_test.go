package dos

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fine is a density of states with many energies in each bin, and the same in bins of a width.
func fine(width float64) (sharp, binned *Density) {
	r := rand.New(rand.NewPCG(1, 2))
	sharp = &Density{}
	for e := -20.0; e < 0; e += 0.01 + 0.02*r.Float64() {
		sharp.Energy, sharp.LnG = append(sharp.Energy, e), append(sharp.LnG, 60-0.15*e*e+0.3*r.NormFloat64())
	}
	var states, first, second []float64
	binned = &Density{}
	for i, e := range sharp.Energy {
		centre := math.Round(e/width) * width
		if n := len(binned.Energy); n == 0 || binned.Energy[n-1] != centre {
			binned.Energy, states = append(binned.Energy, centre), append(states, 0)
			first, second = append(first, 0), append(second, 0)
		}
		k, g := len(binned.Energy)-1, math.Exp(sharp.LnG[i])
		states[k] += g
		first[k] += g * (e - centre)
		second[k] += g * (e - centre) * (e - centre)
	}
	for k, g := range states {
		binned.LnG = append(binned.LnG, math.Log(g))
		first[k] /= g * width
		second[k] /= g * width * width
	}
	binned.Bins = NewBins(width, binned.Energy, &Means{Energy: binned.Energy, Mean: [][]float64{first, second}})
	return sharp, binned
}

// TestBins finds the averages of a density of states in bins of every width, to third order in beta
// times the width.
func TestBins(t *testing.T) {
	for _, width := range []float64{0.1, 0.25, 0.5} {
		sharp, binned := fine(width)
		for _, beta := range []float64{-1, 0, 0.5, 1, 2, 4} {
			a, b := sharp.At(beta), binned.At(beta)
			x := math.Abs(beta) * width
			for _, c := range []struct {
				name               string
				got, want, allowed float64
			}{
				{"ln Z", b.LnZ, a.LnZ, 0.01 * x * x * x},
				{"energy", b.Energy, a.Energy, 0.03*width*x*x + 1e-9},
				{"specific heat", b.SpecificHeat, a.SpecificHeat, 0.05*x*x*x*max(1, 1/x) + 1e-9},
			} {
				if math.Abs(c.got-c.want) > c.allowed+1e-9 {
					t.Errorf("bins of %v, beta = %v: %s %v, want %v +- %v", width, beta, c.name, c.got, c.want, c.allowed)
				}
			}
			const step = 1e-5
			slope := (binned.At(beta+step).SpecificHeat - binned.At(beta-step).SpecificHeat) / (2 * step)
			if beta != 0 && math.Abs(binned.heatSlope(beta)-slope) > 1e-5*(1+math.Abs(slope)) {
				t.Errorf("bins of %v, beta = %v: dC/dbeta = %v, by differences %v", width, beta, binned.heatSlope(beta), slope)
			}
		}
		// Without the means the same is off by far more.
		spoilt := binned.clone()
		spoilt.Bins = nil
		if a, b := sharp.At(4), spoilt.At(4); width == 0.5 && math.Abs(a.LnZ-b.LnZ) < 0.05 {
			t.Errorf("ln Z of the centres alone is %v, as good as %v: the test shows nothing", b.LnZ, a.LnZ)
		}
	}
}

// TestObservablesInBins reweights an observable that changes within the bins: to second order in beta times the
// width by its products with the place of the energy, and to first order without.
func TestObservablesInBins(t *testing.T) {
	const width = 0.5
	sharp, binned := fine(width)
	of := func(e float64) float64 { return math.Tanh((e + 12) / 3) }
	n := binned.Len()
	states, value, product := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, e := range sharp.Energy {
		k := slices.Index(binned.Energy, math.Round(e/width)*width)
		g := math.Exp(sharp.LnG[i])
		states[k] += g
		value[k] += g * of(e)
		product[k] += g * of(e) * (e - binned.Energy[k]) / width
	}
	for k, g := range states {
		value[k] /= g
		product[k] /= g
	}
	with := &Means{Energy: binned.Energy, Mean: [][]float64{value, product}, Products: true}
	without := &Means{Energy: binned.Energy, Mean: [][]float64{value}}
	for _, beta := range []float64{-1, 0, 0.5, 1, 2} {
		p, z := 0.0, 0.0
		for i, e := range sharp.Energy {
			w := math.Exp(sharp.LnG[i] - beta*e - sharp.At(beta).LnZ)
			z += w
			p += w * of(e)
		}
		off := func(m *Means) float64 {
			values, _, err := m.Canonical(&Ensemble{Density: binned}, []float64{beta}, nil)
			if err != nil || len(values[0]) != 1 {
				t.Fatalf("%v, %v", values, err)
			}
			return math.Abs(values[0][0] - p/z)
		}
		x := math.Abs(beta) * width
		if d := off(with); d > 0.002*x*x+1e-12 {
			t.Errorf("beta = %v: off by %v", beta, d)
		}
		if a, b := off(with), off(without); beta != 0 && a > b/4 {
			t.Errorf("beta = %v: off by %v, without products by %v: they are of no use", beta, a, b)
		}
	}
}

// TestBinFiles keeps the bins in files, and in replicas.
func TestBinFiles(t *testing.T) {
	_, d := fine(0.5)
	e := &Ensemble{Density: d}
	for k := range 3 {
		r := d.clone()
		r.LnG[k] += 0.5
		r.Bins = &Bins{0.5, slices.Clone(d.Bins.Mean), slices.Clone(d.Bins.Variance), nil}
		r.Bins.Mean[10] += 0.01 * float64(1+k)
		e.Replicas = append(e.Replicas, r)
	}
	for _, name := range []string{"dos.csv", "dos.npz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := e.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := Reader{}.ReadEnsemble(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Bins.Width != 0.5 || len(got.Bins.Mean) != d.Len() {
			t.Fatalf("%s: bins %+v", name, got.Bins)
		}
		if n := len(got.Replicas); n != len(e.Replicas) && name == "dos.npz" {
			t.Fatalf("%s: %d replicas", name, n)
		}
		for k, x := range append(got.Replicas, got.Density) {
			want := d
			if k < len(got.Replicas) {
				want = e.Replicas[k]
			}
			if a, b := x.At(2), want.At(2); math.Abs(a.Energy-b.Energy) > 1e-6 || math.Abs(a.SpecificHeat-b.SpecificHeat) > 1e-6 {
				t.Errorf("%s, %d: energy %v, specific heat %v; want %v, %v", name, k, a.Energy, a.SpecificHeat, b.Energy, b.SpecificHeat)
			}
		}
	}
	var table bytes.Buffer
	if err := d.WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{",0.5,", ",0.25,"}, {",0.5,", ",0,"}, {"energy_width", "energy"},
	} {
		text := strings.Replace(table.String(), c[0], c[1], 1)
		if _, err := ReadCSV(strings.NewReader(text)); err == nil {
			t.Errorf("%q in the place of %q was accepted", c[1], c[0])
		}
	}
}

// TestMergeBins merges densities in the same bins alone.
func TestMergeBins(t *testing.T) {
	_, a := fine(0.5)
	_, c := fine(0.25)
	b := a.clone()
	counts := func(n int64) []int64 { return slices.Repeat([]int64{n}, a.Len()) }
	a.Bins.Count = counts(100)
	b.Bins = &Bins{0.5, slices.Clone(a.Bins.Mean), slices.Clone(a.Bins.Variance), counts(300)}
	b.Bins.Mean[3] += 0.02
	b.Bins.Mean[4], b.Bins.Count[4] = 0.2, 0 // without a measurement
	d, _, err := Merge([]Piece{{"a", a}, {"b", b}}, math.NaN())
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(d.Bins.Mean[3]-a.Bins.Mean[3]-0.015) > 1e-12 || math.Abs(d.Bins.Mean[4]-a.Bins.Mean[4]) > 1e-12 || d.Bins.Count[3] != 400 || d.Bins.Count[4] != 100 ||
		math.Abs(d.Bins.Variance[5]-a.Bins.Variance[5]) > 1e-12 || math.Abs(d.Bins.Variance[3]-a.Bins.Variance[3]-0.02*0.02*0.25*0.75) > 1e-12 {
		t.Errorf("merged bins %+v", d.Bins)
	}
	parts := []Part{{"a", &Ensemble{Density: a}}, {"b", &Ensemble{Density: b}}}
	for _, p := range parts {
		for k := range 8 {
			r := p.clone()
			r.Bins = &Bins{0.5, slices.Clone(p.Bins.Mean), p.Bins.Variance, p.Bins.Count}
			r.Bins.Mean[3] += 0.01 * float64(k)
			p.Replicas = append(p.Replicas, r)
		}
	}
	all, _, err := MergeEnsembles(parts, math.NaN())
	if err != nil {
		t.Fatal(err)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range all.Replicas {
		low, high = min(low, r.Bins.Mean[3]), max(high, r.Bins.Mean[3])
	}
	if high-low < 0.03 {
		t.Errorf("the means of bins in the replicas of what was merged differ by %v: their errors are lost", high-low)
	}
	sharp := a.clone()
	sharp.Bins = nil
	for _, other := range []*Density{c, sharp} {
		if _, _, err := Merge([]Piece{{"a", a}, {"b", other}}, math.NaN()); err == nil || !strings.Contains(err.Error(), "take runs with the same system.bin") && !strings.Contains(err.Error(), "same system") {
			t.Errorf("%v", err)
		}
	}
}
