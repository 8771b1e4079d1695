package dos

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestLogSumExp(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		x    []float64
		want float64
	}{
		{nil, -inf},
		{[]float64{-inf, -inf}, -inf},
		{[]float64{0}, 0},
		{[]float64{math.Log(2), math.Log(3), math.Log(5)}, math.Log(10)},
		{[]float64{1e5, 1e5 + math.Log(3)}, 1e5 + math.Log(4)},
		{[]float64{-1e5, -1e5 + math.Log(3)}, -1e5 + math.Log(4)},
		{[]float64{-inf, 7, -inf}, 7},
		{[]float64{1e4, -1e4}, 1e4},
		{slices.Repeat([]float64{-800}, 1000), -800 + math.Log(1000)},
		{[]float64{-math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
	} {
		got := LogSumExp(c.x)
		if got != c.want && !(math.Abs(got-c.want) <= 1e-14*math.Abs(c.want)) {
			t.Errorf("LogSumExp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}

func TestNormalise(t *testing.T) {
	d := &Density{Energy: []float64{-3, -2, 0}, LnG: []float64{-5000, -4999, -4990}}
	ratios := []float64{d.LnG[1] - d.LnG[0], d.LnG[2] - d.LnG[0]}
	const total = 12345.678
	d.Normalise(total)
	if got := LogSumExp(d.LnG); math.Abs(got-total) > 1e-11 {
		t.Errorf("the sum of g is exp(%v), want exp(%v)", got, total)
	}
	for i, want := range ratios {
		if got := d.LnG[i+1] - d.LnG[0]; math.Abs(got-want) > 1e-11 {
			t.Errorf("ln g(%v) - ln g(%v) became %v, was %v", d.Energy[i+1], d.Energy[0], got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		d    Density
		word string // of the error, none for a valid density
	}{
		{Density{Energy: []float64{-1, 0}, LnG: []float64{1, -1}}, ""},
		{Density{Energy: []float64{-1, 0}, LnG: []float64{1, -1}, Error: []float64{nan, 0.1}}, ""},
		{Density{}, "no levels"},
		{Density{Energy: []float64{-1, 0}, LnG: []float64{1}}, "2 energies, 1 values"},
		{Density{Energy: []float64{-1}, LnG: []float64{1}, Error: []float64{}}, "0 errors"},
		{Density{Energy: []float64{0, -1}, LnG: []float64{1, 1}}, "ascend"},
		{Density{Energy: []float64{-1, -1}, LnG: []float64{1, 1}}, "ascend"},
		{Density{Energy: []float64{-1, nan}, LnG: []float64{1, 1}}, "level 1"},
		{Density{Energy: []float64{-inf, 0}, LnG: []float64{1, 1}}, "level 0"},
		{Density{Energy: []float64{-7, 0}, LnG: []float64{-inf, 1}}, "ln g(-7)"},
		{Density{Energy: []float64{-7, 3}, LnG: []float64{0, nan}}, "ln g(3)"},
	} {
		err := c.d.Validate()
		if c.word == "" && err != nil || c.word != "" && (err == nil || !strings.Contains(err.Error(), c.word)) {
			t.Errorf("Validate(%+v) = %v, want %q", c.d, err, c.word)
		}
	}
}

// TestCompare checks the difference of two densities by hand: over the common levels -2 and
// 0, A has the ratio e^1 and B the ratio e^3.
func TestCompare(t *testing.T) {
	a := &Density{Energy: []float64{-4, -2, 0}, LnG: []float64{9, 100, 101}}
	b := &Density{Energy: []float64{-2, -1, 0, 4}, LnG: []float64{-50, 0, -47, 2}}
	// ln g normalised to a sum of 1 over the common levels.
	a0, b0 := -math.Log(1+math.Exp(1)), -math.Log(1+math.Exp(3))
	first, second := a0-b0, a0+1-b0-3
	want := Difference{
		Levels: 2,
		RMS:    math.Sqrt((first*first + second*second) / 2),
		Max:    math.Abs(first), MaxAt: -2,
		MissingA: []float64{-1, 4},
		MissingB: []float64{-4},
	}
	check := func(what string, got Difference, err error, want Difference) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got.Levels != want.Levels || got.MaxAt != want.MaxAt ||
			math.Abs(got.RMS-want.RMS) > 1e-11 || math.Abs(got.Max-want.Max) > 1e-11 ||
			!slices.Equal(got.MissingA, want.MissingA) || !slices.Equal(got.MissingB, want.MissingB) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	if math.Abs(first) < math.Abs(second) {
		t.Fatal("the example has its largest difference elsewhere")
	}
	got, err := Compare(a, b)
	check("A, B", got, err, want)

	swapped := want
	swapped.MissingA, swapped.MissingB = want.MissingB, want.MissingA
	got, err = Compare(b, a)
	check("B, A", got, err, swapped)

	shifted := &Density{Energy: a.Energy, LnG: slices.Clone(a.LnG)}
	for i := range shifted.LnG {
		shifted.LnG[i] -= 1e4
	}
	got, err = Compare(shifted, b)
	check("A shifted, B", got, err, want)
	got, err = Compare(shifted, a)
	check("A shifted, A", got, err, Difference{Levels: 3, MaxAt: got.MaxAt})

	// Energies that differ in their last digits are the same level; nearby ones are not.
	const e = 1234.5
	rounded := &Density{Energy: []float64{-e * (1 + 1e-12), 0.25}, LnG: []float64{1, 2}}
	near := &Density{Energy: []float64{-e, 0.25 + 1e-6}, LnG: []float64{1, 2}}
	got, err = Compare(rounded, near)
	check("rounded energies", got, err, Difference{Levels: 1, MaxAt: got.MaxAt, MissingA: []float64{0.25 + 1e-6}, MissingB: []float64{0.25}})
}

func TestCompareDisjoint(t *testing.T) {
	a := &Density{Energy: []float64{-4, -2}, LnG: []float64{0, 0}}
	for _, b := range []*Density{
		{Energy: []float64{-3, -1}, LnG: []float64{0, 0}},
		{Energy: []float64{5}, LnG: []float64{0}},
		{},
	} {
		for _, pair := range [][2]*Density{{a, b}, {b, a}} {
			d, err := Compare(pair[0], pair[1])
			if err == nil {
				t.Errorf("%v and %v were compared: %+v", pair[0].Energy, pair[1].Energy, d)
			}
			if !slices.Equal(d.MissingA, pair[1].Energy) || !slices.Equal(d.MissingB, pair[0].Energy) {
				t.Errorf("%v and %v: missing are %v and %v", pair[0].Energy, pair[1].Energy, d.MissingA, d.MissingB)
			}
		}
	}
}

// TestFill joins a part with errors and the rest of a density that is off by a constant in
// each of its two pieces.
func TestFill(t *testing.T) {
	d := &Density{Energy: []float64{-6, -2, 0}, LnG: []float64{1, 20, 30}, Error: []float64{0.1, 0.2, 0.3}}
	other := &Density{
		Energy: []float64{-8, -7, -6, -4, -3, -2, 5},
		LnG:    []float64{100, 101, 102, 200, 201, 202, 210},
	}
	filled := d.Fill(other)
	if want := []float64{-8, -7, -4, -3, 5}; !slices.Equal(filled, want) {
		t.Errorf("filled %v, want %v", filled, want)
	}
	// At -6 other is 101 too high, at -2 it is 182 too high. -8 and -7 are nearest to -6,
	// -3 and 5 to -2; -4 is equally near to both.
	wantEnergy := []float64{-8, -7, -6, -4, -3, -2, 0, 5}
	wantLnG := []float64{-1, 0, 1, d.LnG[3], 19, 20, 30, 28}
	if !slices.Equal(d.Energy, wantEnergy) || !slices.Equal(d.LnG, wantLnG) {
		t.Errorf("energies %v, ln g %v; want %v, %v", d.Energy, d.LnG, wantEnergy, wantLnG)
	}
	if x := d.LnG[3]; x != 200-101 && x != 200-182 {
		t.Errorf("ln g(-4) = %v follows neither of the nearest common levels", x)
	}
	nan := math.NaN()
	for i, want := range []float64{nan, nan, 0.1, nan, nan, 0.2, 0.3, nan} {
		if got := d.Error[i]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("error at %v is %v, want %v", d.Energy[i], got, want)
		}
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if again := d.Fill(other); len(again) != 0 {
		t.Errorf("filled a second time: %v", again)
	}
}

func TestFillNothingInCommon(t *testing.T) {
	other := &Density{Energy: []float64{-3, 1}, LnG: []float64{5, 6}, Error: []float64{0.5, 0.5}}
	for _, d := range []*Density{{}, {Energy: []float64{-1}, LnG: []float64{2}}} {
		own := d.Len()
		d.Fill(other)
		if d.Len() != own+2 || d.LnG[0] != 5 || d.LnG[own+1] != 6 {
			t.Errorf("ln g %v at %v", d.LnG, d.Energy)
		}
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
		for i, deviation := range d.Error {
			if !math.IsNaN(deviation) {
				t.Errorf("error at %v is %v, should be unknown", d.Energy[i], deviation)
			}
		}
	}
}

func TestMeanVariance(t *testing.T) {
	d := &Density{Energy: []float64{-4, -2, 0, 2}, LnG: make([]float64, 4), Error: []float64{0, 0.5, math.NaN(), 1}}
	for energy, want := range map[float64]float64{-5: math.NaN(), -4: 0, -1: 0.125, 0: math.NaN()} {
		if got := d.MeanVariance(energy); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("up to %g the mean variance is %g, not %g", energy, got, want)
		}
	}
}
