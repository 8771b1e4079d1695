package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/compare/stats"
	"neuralwl/internal/long"
)

func exactly(x ...float64) (b []stats.Bounds) {
	for _, v := range x {
		b = append(b, stats.Exactly(v))
	}
	return b
}

// TestSignFlip compares with all signs tried one by one.
func TestSignFlip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 9; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64() + 0.5
		}
		d := stats.NewDifferences(exactly(x...))
		for _, theta := range []float64{-1, 0, 0.3, 2} {
			observed, above, below := 0.0, 0, 0
			for _, v := range x {
				observed += v - theta
			}
			for signs := range 1 << n {
				sum := 0.0
				for i, v := range x {
					if signs>>i&1 == 1 {
						sum -= v - theta
					} else {
						sum += v - theta
					}
				}
				if sum >= observed-1e-12 {
					above++
				}
				if sum <= observed+1e-12 {
					below++
				}
			}
			all := float64(int(1) << n)
			if got, want := d.Above(theta), float64(above)/all; got != want {
				t.Errorf("n = %d, theta = %g: above %g, want %g", n, theta, got, want)
			}
			if got, want := d.Below(theta), float64(below)/all; got != want {
				t.Errorf("n = %d, theta = %g: below %g, want %g", n, theta, got, want)
			}
		}
		// The interval is where P exceeds alpha.
		const alpha, little = 0.1, 1e-9
		in := d.Interval(alpha)
		if math.IsInf(in.Low, 0) {
			if d.P(-1e9) <= alpha {
				t.Errorf("n = %d: infinite, though it could be bounded", n)
			}
			continue
		}
		if d.P(in.Low-little) > alpha || d.P(in.Low+little) <= alpha || d.P(in.High+little) > alpha || d.P(in.High-little) <= alpha {
			t.Errorf("n = %d: the interval %v is not where P exceeds %g", n, in, alpha)
		}
	}
}

// TestFloors are the least probabilities that so many pairs can give.
func TestFloors(t *testing.T) {
	for n, want := range map[int]float64{5: 0.0625, 6: 0.03125, 8: 0.0078125} {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(1 + i)
		}
		if got := stats.NewDifferences(exactly(x...)).P(0); got != want {
			t.Errorf("%d pairs: %g, want %g", n, got, want)
		}
	}
	for m, want := range map[int]int{1: 6, 4: 8, 20: 10} {
		if got := stats.SeedsNeeded(m); got != want {
			t.Errorf("%d comparisons: %d seeds, want %d", m, got, want)
		}
	}
}

func TestHolm(t *testing.T) {
	got := stats.Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%d: %g, want %g", i, got[i], want)
		}
	}
}

// TestCensored makes the same statement, or a weaker one, when times are cut off.
func TestCensored(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	stronger := 0
	for range long.Or(2000, 300) {
		const n = 8
		a, b := make([]stats.Time, n), make([]stats.Time, n)
		for i := range a {
			a[i].Value, b[i].Value = math.Exp(r.NormFloat64()+0.7), math.Exp(r.NormFloat64())
		}
		whole := stats.NewDifferences(stats.LnRatios(a, b))
		limit := math.Exp(1.0)
		for _, side := range [][]stats.Time{a, b} {
			for i := range side {
				if side[i].Value > limit {
					side[i] = stats.Time{Value: limit, Censored: true}
				}
			}
		}
		cut := stats.NewDifferences(stats.LnRatios(a, b))
		if cut.Above(0) < whole.Above(0) || cut.Below(0) < whole.Below(0) {
			t.Fatal("less is known and more is said")
		}
		w, c := whole.Interval(0.05), cut.Interval(0.05)
		if c.Low > w.Low || c.High < w.High {
			t.Fatalf("the interval shrinks from %v to %v", w, c)
		}
		if c.Low > 0 {
			stronger++
		}
	}
	if stronger == 0 {
		t.Error("with censored times nothing is ever decided")
	}
}

// TestTimes checks what is made of times besides.
func TestTimes(t *testing.T) {
	if at := stats.Reached([]float64{3, 0.5, 2, 0.9, 0.8}, 1); at != 3 {
		t.Errorf("reached at %d", at)
	}
	if at := stats.Reached([]float64{0.1, 2}, 1); at != -1 {
		t.Errorf("reached at %d", at)
	}
	times := []stats.Time{{Value: 2}, {Value: 4}, {Value: 10, Censored: true}}
	if s, n := stats.Expected(times); s != 8 || n != 2 {
		t.Errorf("expected %g, %d successes", s, n)
	}
	p := stats.Profiles([][]stats.Time{{{Value: 1}, {Value: 9, Censored: true}}, {{Value: 3}, {Value: 2}}})
	if len(p[0]) != 1 || p[0][0] != (stats.Step{Ratio: 1, Share: 0.5}) || len(p[1]) != 2 || p[1][1] != (stats.Step{Ratio: 3, Share: 1}) {
		t.Errorf("profiles %v", p)
	}
	if b := stats.BreakEven(30, 0.4); b != 50 {
		t.Errorf("break-even at %g", b)
	}
	if b := stats.BreakEven(30, 1); !math.IsInf(b, 1) {
		t.Errorf("break-even at %g", b)
	}
	if c, _ := stats.Typical([]stats.Time{{Value: 1}, {Value: 4}, {Value: 16, Censored: true}}); c < 2 {
		t.Errorf("typically %g", c)
	}
}

// TestCoverage draws times with known effects, skewed and with shared scatter within blocks, some
// of them censored, and puts them through Judge: intervals cover the truth, and no more families
// than Alpha have a verdict that is wrong.
func TestCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	families := long.Or(1500, 400)
	// ln of the ratios of a family's comparisons: none, little, and real ones.
	truth := []float64{0, 0, 0.02, math.Log(1.3), -math.Log(2), -math.Log(4)}
	for name, c := range map[string]struct {
		seeds   int
		scatter float64
		limit   float64 // of times
		decided float64 // share of the verdicts on the last two that must be right
	}{
		"narrow":   {10, 0.02, math.Inf(1), 0.99},
		"wide":     {10, 0.4, math.Inf(1), 0.7},
		"censored": {10, 0.4, 3, 0.2},
		"few":      {4, 0.4, math.Inf(1), 0},
	} {
		covered, wrongDirection, wrongEquivalent, right := 0, 0, 0, 0
		for range families {
			pairs := make([][2][]stats.Time, len(truth))
			for k, effect := range truth {
				a, b := make([]stats.Time, c.seeds), make([]stats.Time, c.seeds)
				for i := range a {
					block := r.NormFloat64()
					x := math.Exp(0.5*block + c.scatter*r.NormFloat64() + effect)
					y := math.Exp(0.5*block + c.scatter*r.NormFloat64())
					a[i], b[i] = stats.Time{Value: min(x, c.limit), Censored: x > c.limit}, stats.Time{Value: min(y, c.limit), Censored: y > c.limit}
				}
				pairs[k] = [2][]stats.Time{a, b}
			}
			direction, equivalent := false, false
			for k, j := range stats.Judge(pairs) {
				ratio := math.Exp(truth[k])
				if j.Interval.Low <= ratio && ratio <= j.Interval.High {
					covered++
				}
				direction = direction || j.Verdict == stats.Faster && truth[k] >= 0 || j.Verdict == stats.Slower && truth[k] <= 0
				equivalent = equivalent || j.Verdict == stats.Equivalent && math.Abs(truth[k]) > math.Log(stats.Margin)
				if k >= 4 && j.Verdict == stats.Faster {
					right++
				}
			}
			if direction {
				wrongDirection++
			}
			if equivalent {
				wrongEquivalent++
			}
		}
		n := float64(families)
		share := float64(covered) / n / float64(len(truth))
		decided := float64(right) / n / 2
		t.Logf("%s: intervals cover %.3f, wrong direction in %.4f, wrong equivalence in %.4f of the families, %.2f of the real effects found", name, share, float64(wrongDirection)/n, float64(wrongEquivalent)/n, decided)
		if sigma := math.Sqrt(0.05 * 0.95 / n / float64(len(truth))); share < 0.95-4*sigma {
			t.Errorf("%s: intervals cover %.4f of the time, 0.95 was promised", name, share)
		}
		sigma := math.Sqrt(0.05 * 0.95 / n)
		if float64(wrongDirection)/n > 0.05+4*sigma || float64(wrongEquivalent)/n > 0.05+4*sigma {
			t.Errorf("%s: wrong verdicts in %d and %d families of %d, at most 0.05 of them were promised", name, wrongDirection, wrongEquivalent, families)
		}
		if decided < c.decided {
			t.Errorf("%s: only %.2f of the real effects are found", name, decided)
		}
	}
}
