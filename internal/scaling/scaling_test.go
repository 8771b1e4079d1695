package scaling

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// noisy returns 0.7 + 1.6/L^2 - 20/L^4 at some sizes, with different errors.
func noisy(random *rand.Rand, noise float64) (points []Point) {
	for _, l := range []float64{8, 12, 16, 24, 32} {
		deviation := 1e-3 / l
		value := 0.7 + 1.6/(l*l) - 20/math.Pow(l, 4)
		points = append(points, Point{l, value + noise*deviation*random.NormFloat64(), deviation})
	}
	return points
}

func TestExtrapolateRecoversCoefficients(t *testing.T) {
	f, err := Extrapolate(noisy(rand.New(rand.NewPCG(1, 1)), 0), 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []float64{0.7, 1.6, -20} {
		if math.Abs(f.Coefficients[k]-want) > 1e-9*math.Abs(want) {
			t.Errorf("coefficient %d is %v, want %v", k, f.Coefficients[k], want)
		}
	}
	if f.ChiSquare > 1e-12 || f.Freedom != 2 {
		t.Errorf("chi^2 = %v with %d degrees of freedom", f.ChiSquare, f.Freedom)
	}
}

// TestExtrapolateErrors repeats noisy fits: the limits must scatter by the quoted error,
// and chi^2 must have the mean and variance of its distribution.
func TestExtrapolateErrors(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	const repeats = 4000
	var z, chi []float64
	for range repeats {
		f, err := Extrapolate(noisy(random, 1), 2, 4)
		if err != nil {
			t.Fatal(err)
		}
		value, deviation := f.Limit()
		z, chi = append(z, (value-0.7)/deviation), append(chi, f.ChiSquare)
	}
	// Five standard errors: of a mean sqrt(variance/n), of the normal's variance sqrt(2/n).
	// That of chi^2 with two degrees of freedom has the variance (9 - 1) 4^2/n.
	for _, c := range []struct {
		name            string
		got, want, unit float64
	}{
		{"mean of z", stat.Mean(z, nil), 0, 1},
		{"variance of z", stat.Variance(z, nil), 1, math.Sqrt2},
		{"mean of chi^2", stat.Mean(chi, nil), 2, 2},
		{"variance of chi^2", stat.Variance(chi, nil), 4, 4 * math.Sqrt(8)},
	} {
		if math.Abs(c.got-c.want) > 5*c.unit/math.Sqrt(repeats) {
			t.Errorf("%s is %.3f, want %.0f", c.name, c.got, c.want)
		}
	}
}

func TestExtrapolateByHand(t *testing.T) {
	// Two sizes and two coefficients: the line through both points.
	f, err := Extrapolate([]Point{{1, 5, 0.3}, {2, 4, 0.4}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	value, deviation := f.Limit() // 2 y(2) - y(1)
	if math.Abs(value-3) > 1e-12 || math.Abs(deviation-math.Hypot(0.8, 0.3)) > 1e-12 || f.Freedom != 0 {
		t.Errorf("limit %v with error %v, %d degrees of freedom", value, deviation, f.Freedom)
	}
}

func TestProbability(t *testing.T) {
	points := noisy(rand.New(rand.NewPCG(3, 1)), 1)
	for _, c := range []struct {
		powers []float64
		right  bool
	}{{[]float64{2}, false}, {[]float64{2, 4}, true}, {[]float64{2, 4, 6, 8}, true}} {
		f, err := Extrapolate(points, c.powers...)
		if err != nil {
			t.Fatal(err)
		}
		if p := f.Probability(); p > 0.01 != c.right {
			t.Errorf("powers %v: chi^2 = %.1f with %d degrees of freedom, probability %.2g", c.powers, f.ChiSquare, f.Freedom, p)
		}
	}
}

func TestBadPoints(t *testing.T) {
	for name, points := range map[string][]Point{
		"none":      {},
		"one":       {{8, 1, 1}},
		"no error":  {{8, 1, 0}, {16, 1, 1}},
		"nan error": {{8, 1, math.NaN()}, {16, 1, 1}},
		"no size":   {{0, 1, 1}, {16, 1, 1}},
		"repeated":  {{8, 1, 1}, {8, 1, 1}},
	} {
		if _, err := Extrapolate(points, 2); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestExact compares with values quoted in the literature.
func TestExact(t *testing.T) {
	for _, c := range []struct{ got, want, within float64 }{
		{TransitionTemperature(10), 0.701232, 5e-7},
		{1 / TransitionTemperature(10), 1.426062, 5e-7},
		{LatentHeat(10), 0.69605, 5e-6},
		{LatentHeat(8), 0.4864, 5e-5},
		{LatentHeat(20), 1.1942, 5e-5},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}
