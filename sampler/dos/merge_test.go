package dos

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func agrees(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance || math.IsNaN(a) && math.IsNaN(b)
}

// window returns the part of d between two energies, shifted by a constant.
func window(d *Density, from, to, shift float64) *Density {
	w := &Density{}
	for i, e := range d.Energy {
		if e >= from && e <= to {
			w.Energy = append(w.Energy, e)
			w.LnG = append(w.LnG, d.LnG[i]+shift)
			if d.Error != nil {
				w.Error = append(w.Error, d.Error[i])
			}
		}
	}
	return w
}

func exactDensity(t *testing.T, name string) *Density {
	t.Helper()
	d, err := ReadFile(filepath.Join("..", "exact", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestMergeKnown keeps what one density knows, and an error of zero where all know it; zeros
// throughout say nothing.
func TestMergeKnown(t *testing.T) {
	energy := []float64{-2, -1, 0}
	piece := func(ground, error float64) *Density {
		return &Density{Energy: energy, LnG: []float64{ground, 3, math.Log(100 - math.Exp(ground) - math.Exp(3))}, Error: []float64{error, 0.1, 0.1}}
	}
	known := math.Log(2)
	for _, c := range []struct {
		name         string
		a, b         *Density
		ground, want float64 // ln g and its error
	}{
		{"both", piece(known, 0), piece(known, 0), known, 0},
		{"first", piece(known, 0), piece(0.9, 0.2), known, 0},
		{"second", piece(0.9, 0.2), piece(known, 0), known, 0},
		{"none", piece(0.5, 0.2), piece(0.7, 0.2), 0.6, 0.2 / math.Sqrt2},
		{"zeros", &Density{Energy: energy, LnG: piece(0.5, 0).LnG, Error: []float64{0, 0, 0}}, piece(0.7, 0.2), 0.7, 0.2},
	} {
		d, _, err := Merge([]Piece{{"a", c.a}, {"b", c.b}}, math.Log(100))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(d.LnG[0]-c.ground) > 0.01 || math.Abs(d.Error[0]-c.want) > 1e-12 {
			t.Errorf("%s: ln g = %v(%v), want %v(%v)", c.name, d.LnG[0], d.Error[0], c.ground, c.want)
		}
	}
}

// TestMergeRepetitions averages three runs over the same levels by hand. The second is off
// by a constant, and the third has an error at only one level.
func TestMergeRepetitions(t *testing.T) {
	nan := math.NaN()
	ln := func(x ...float64) []float64 {
		for i := range x {
			x[i] = math.Log(x[i])
		}
		return x
	}
	a := &Density{Energy: []float64{-2, -1, 0}, LnG: ln(2, 30, 68), Error: []float64{0.1, 0.2, nan}}
	b := &Density{Energy: []float64{-2, -1, 0}, LnG: ln(2.2*7, 28.8*7, 69*7), Error: []float64{0.2, 0.1, nan}}
	c := &Density{Energy: []float64{-2, -1, 0}, LnG: ln(1.9, 29, 69.1), Error: []float64{nan, nan, 0.3}}
	d, overlaps, err := Merge([]Piece{{"a", a}, {"b", b}, {"c", c}}, math.NaN())
	if err != nil {
		t.Fatal(err)
	}
	first := (math.Log(2)*100 + math.Log(2.2)*25) / 125
	second := (math.Log(30)*25 + math.Log(28.8)*100) / 125
	third := math.Log(69.1) // the only one with an error
	shift := math.Log(100) - LogSumExp([]float64{first, second, third})
	for i, want := range []float64{first + shift, second + shift, third + shift} {
		if !agrees(d.LnG[i], want, 1e-13) {
			t.Errorf("ln g(%v) = %v, want %v", d.Energy[i], d.LnG[i], want)
		}
	}
	for i, want := range []float64{1 / math.Sqrt(125), 1 / math.Sqrt(125), 0.3} {
		if !agrees(d.Error[i], want, 1e-14) {
			t.Errorf("error of ln g(%v) = %v, want %v", d.Energy[i], d.Error[i], want)
		}
	}
	// a and b have two comparable levels, these and c none.
	u, v := math.Log(2/2.2), math.Log(30/28.8)
	chi2 := (u*u + v*v) / 0.05
	o := overlaps[0]
	if o.Piece != "b" || !slices.Equal(o.With, []string{"a"}) || o.Levels != 3 || o.Compared != 2 || o.From != -2 || o.To != 0 ||
		!agrees(o.Shift, -math.Log(7), 1e-13) || !agrees(o.RMS, math.Sqrt(chi2/2), 1e-12) || !agrees(o.ChiSquare, chi2, 1e-12) {
		t.Errorf("overlap of a and b: %+v", o)
	}
	if o = overlaps[1]; o.Piece != "c" || len(o.With) != 2 || o.Compared != 0 || !math.IsNaN(o.RMS) || !math.IsNaN(o.ChiSquare) {
		t.Errorf("overlap with c: %+v", o)
	}
	if slices.Equal(a.LnG, d.LnG) || a.LnG[0] != math.Log(2) || !math.IsNaN(b.Error[2]) {
		t.Error("the arguments changed")
	}
}

// TestMergeJunction joins two pieces by hand.
func TestMergeJunction(t *testing.T) {
	low := &Density{Energy: []float64{-3, -2, -1}, LnG: []float64{0, 1, 2}, Error: []float64{0.1, 0.1, 0.1}}
	high := &Density{Energy: []float64{-2, -1, 0}, LnG: []float64{11.1, 12.3, 40}, Error: []float64{0.2, 0.1, 0.3}}
	d, overlaps, err := Merge([]Piece{{"high", high}, {"low", low}}, 50)
	if err != nil {
		t.Fatal(err)
	}
	// Weights of the differences -10.1 and -10.3 are 20 and 50.
	shift := -(10.1*20 + 10.3*50) / 70
	u, v := -10.1-shift, -10.3-shift
	chi2 := 20*u*u + 50*v*v // for one degree of freedom
	if chi2 > 1 {
		t.Fatal("the example has too large a difference")
	}
	variance := (chi2 + 2*(1-chi2)) / 70
	o := overlaps[0]
	if o.Piece != "high" || o.Levels != 2 || o.Compared != 2 || o.From != -2 || o.To != -1 ||
		!agrees(o.Shift, shift, 1e-12) || !agrees(o.ShiftError, math.Sqrt(variance), 1e-12) ||
		!agrees(o.RMS, math.Sqrt(chi2/2), 1e-12) || !agrees(o.ChiSquare, chi2, 1e-12) || !agrees(o.Difference, math.Sqrt((u*u+v*v)/2), 1e-12) {
		t.Errorf("overlap: %+v, want shift %v(%v), chi square %v", o, shift, math.Sqrt(variance), chi2)
	}
	// Nearly all states have energy 0, so errors of shifts are relative to that.
	lnG := []float64{0, 0.8*1 + 0.2*(11.1+shift), 0.5*2 + 0.5*(12.3+shift), 40 + shift}
	total := LogSumExp(lnG)
	for i, want := range []float64{
		math.Sqrt(0.01 + variance), math.Sqrt(0.008 + 0.64*variance), math.Sqrt(0.005 + 0.25*variance), 0.3,
	} {
		if !agrees(d.LnG[i], lnG[i]+50-total, 1e-12) || !agrees(d.Error[i], want, 1e-10) {
			t.Errorf("ln g(%v) = %v(%v), want %v(%v)", d.Energy[i], d.LnG[i], d.Error[i], lnG[i]+50-total, want)
		}
	}
}

// TestMergeWindows cuts an exact density of states into windows, shifts each by a constant,
// and checks that it is recovered for any order of the windows.
func TestMergeWindows(t *testing.T) {
	whole := exactDensity(t, "potts_q3_6x6.csv")
	pieces := []Piece{
		{"0", window(whole, -72, -50, 10)}, {"1", window(whole, -55, -30, -3)}, {"2", window(whole, -52, -35, 0)},
		{"3", window(whole, -31, -10, 100)}, {"4", window(whole, -10, 0, 5)}, {"5", window(whole, -55, -30, 7)},
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		d, overlaps, err := Merge(pieces, 36*math.Log(3))
		if err != nil {
			t.Fatal(err)
		}
		if len(overlaps) != 5 {
			t.Errorf("%d overlaps", len(overlaps))
		}
		if difference, err := Compare(d, whole); err != nil || difference.Max > 1e-12 || len(difference.MissingA) > 0 || !agrees(d.LnG[0], math.Log(3), 1e-12) {
			t.Errorf("difference %+v, %v", difference, err)
		}
		first := pieces[0]
		if d, _, err = Merge(pieces, math.NaN()); err != nil {
			t.Fatal(err)
		}
		own := window(d, first.Energy[0], first.Energy[first.Len()-1], 0)
		if !agrees(LogSumExp(own.LnG), LogSumExp(first.LnG), 1e-12) {
			t.Errorf("sum over the first file's levels %v, was %v", LogSumExp(own.LnG), LogSumExp(first.LnG))
		}
	}
}

// TestMergeCoverage merges windows with known noise many times: the quoted errors must be
// right or slightly too large. The noise is independent from level to level, a random walk
// from level to level, or a mixture. With errors of shifts as for independent levels, the
// last two would have z of up to 3.3 and 2.6.
func TestMergeCoverage(t *testing.T) {
	exact := exactDensity(t, "potts_q10_4x16.csv")
	exact.Normalise(64 * math.Log(10))
	edges := [][2]float64{{-128, -80}, {-95, -50}, {-65, -20}, {-35, 0}}
	// noise draws the deviations of one window; deviations are its standard errors after
	// normalisation, determined by a first call with many draws.
	noise := func(r *rand.Rand, w *Density, white, walk float64) []float64 {
		x := make([]float64, w.Len())
		sum := 0.0
		for i := range x {
			sum += walk * r.NormFloat64()
			x[i] = sum + white*r.NormFloat64()
		}
		mean, total := 0.0, LogSumExp(w.LnG)
		for i := range x {
			mean += math.Exp(w.LnG[i]-total) * x[i]
		}
		for i := range x {
			x[i] -= mean
		}
		return x
	}
	for _, c := range []struct{ white, walk float64 }{{0.01, 0}, {0, 0.003}, {0.006, 0.002}} {
		t.Run(fmt.Sprintf("white=%g,walk=%g", c.white, c.walk), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			windows := make([]*Density, len(edges))
			for k, edge := range edges {
				w := window(exact, edge[0], edge[1], 0)
				w.Error = make([]float64, w.Len())
				const draws = 2000
				for range draws {
					for i, x := range noise(r, w, c.white, c.walk) {
						w.Error[i] += x * x / draws
					}
				}
				for i, variance := range w.Error {
					w.Error[i] = math.Sqrt(variance)
				}
				windows[k] = w
			}
			const repetitions = 400
			square, within, levels := 0.0, 0, 0
			byLevel := make([]float64, exact.Len())
			for range repetitions {
				var pieces []Piece
				for k, w := range windows {
					noisy := &Density{Energy: w.Energy, LnG: slices.Clone(w.LnG), Error: w.Error}
					for i, x := range noise(r, w, c.white, c.walk) {
						noisy.LnG[i] += x + float64(k)
					}
					pieces = append(pieces, Piece{fmt.Sprint(k), noisy})
				}
				d, _, err := Merge(pieces, 64*math.Log(10))
				if err != nil {
					t.Fatal(err)
				}
				for i, x := range d.LnG {
					z := (x - exact.LnG[i]) / d.Error[i]
					square += z * z
					byLevel[i] += z * z / repetitions
					if math.Abs(z) < 1 {
						within++
					}
					levels++
				}
			}
			rms, share := math.Sqrt(square/float64(levels)), float64(within)/float64(levels)
			least, largest := math.Sqrt(slices.Min(byLevel)), math.Sqrt(slices.Max(byLevel))
			t.Logf("z: rms %.3f over all levels, %.3f..%.3f by level; %.1f %% within one error", rms, least, largest, 100*share)
			if rms < 0.7 || rms > 1.1 || least < 0.5 || largest > 1.5 || share < 0.65 || share > 0.85 {
				t.Error("the errors are not those of the result")
			}
		})
	}
}

func TestMergeUnknownErrors(t *testing.T) {
	low := &Density{Energy: []float64{-3, -2, -1}, LnG: []float64{0, 1, 2}}
	high := &Density{Energy: []float64{-2, -1, 0}, LnG: []float64{1.1, 2.1, 3}, Error: []float64{0.2, 0.1, 0.3}}
	d, overlaps, err := Merge([]Piece{{"low", low}, {"high", high}}, math.NaN())
	if err != nil {
		t.Fatal(err)
	}
	if o := overlaps[0]; o.Compared != 0 || !agrees(o.Shift, -0.1, 1e-12) || !math.IsNaN(o.ShiftError) || !agrees(o.Difference, 0, 1e-12) {
		t.Errorf("overlap: %+v", o)
	}
	for i, deviation := range d.Error {
		if !math.IsNaN(deviation) {
			t.Errorf("the error at %v is %v, though that of the shift is unknown", d.Energy[i], deviation)
		}
	}
}

func TestMergeNamesTheFault(t *testing.T) {
	q2, q3, q10 := exactDensity(t, "potts_q2_4x4.csv"), exactDensity(t, "potts_q3_4x4.csv"), exactDensity(t, "potts_q10_4x4.csv")
	withErrors := func(d *Density) *Density {
		return &Density{Energy: d.Energy, LnG: d.LnG, Error: slices.Repeat([]float64{0.01}, d.Len())}
	}
	half := &Density{Energy: []float64{-32.5, -0.5}, LnG: []float64{0, 0}}
	for _, c := range []struct {
		a, b  *Density
		words []string
	}{
		{window(q3, -32, -20, 0), window(q3, -10, 0, 0), []string{"no overlap", "B", "E = -10", "of A is E = -20", "gap"}},
		{window(q3, -10, 0, 0), window(q3, -32, -20, 0), []string{"no overlap", "merge A", "E = -10", "of B is E = -20"}},
		{half, q3, []string{"none of its energies", "merge B", "same system", "-32.5..-0.5"}},
		{q2, q3, []string{"merge B", "1 apart", "those of A 2", "same system"}},
		{q10, q3, []string{"merge B", "differs from that of A", "same system"}},
		{withErrors(q10), withErrors(q3), []string{"merge B", "differs from A", "combined errors", "same system"}},
		{window(withErrors(q10), -32, -5, 0), withErrors(q3), []string{"combined errors"}},
		{q3, &Density{}, []string{"merge B", "no levels"}},
		{&Density{Energy: []float64{0}, LnG: []float64{math.MaxFloat64}}, &Density{Energy: []float64{0}, LnG: []float64{-math.MaxFloat64}}, []string{"merge"}},
	} {
		_, _, err := Merge([]Piece{{"A", c.a}, {"B", c.b}}, math.NaN())
		if err == nil {
			t.Errorf("no error, want one with %q", c.words)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in the error: %v", word, err)
			}
		}
	}
}
