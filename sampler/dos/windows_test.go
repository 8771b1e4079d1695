package dos

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"neuralwl/internal/long"
)

// cover returns windows of equal width with uneven weights that overlap so far that a level
// lies in as many as fold.
func cover(lnG []float64, windows, fold int) []Window {
	n := len(lnG)
	w := make([]Window, windows)
	for k := range w {
		w[k] = Window{Low: k * n / (windows + fold - 1), High: (k+fold)*n/(windows+fold-1) - 1, LnWeight: uneven(lnG, k)}
	}
	return w
}

// outside spoils the weights where they must not matter.
func outside(windows []Window) {
	for _, w := range windows {
		for b := range w.LnWeight {
			if b < w.Low || b > w.High {
				w.LnWeight[b] = math.NaN()
			}
		}
	}
}

// draw gives each window blocks of independent visits, on average those of walkers
// restricted to it. With a tilt, the k-th blocks of all windows favour higher or lower
// levels together, by normal numbers of that deviation for ln g per level.
func draw(r *rand.Rand, windows []Window, blocks, visits []int, lnG []float64, tilt float64) []Window {
	drawn := slices.Clone(windows)
	slopes := make([]float64, slices.Max(blocks))
	for i := range slopes {
		slopes[i] = tilt * r.NormFloat64()
	}
	for k, w := range drawn {
		cumulative := visited(lnG[w.Low:w.High+1], w.LnWeight[w.Low:w.High+1])
		drawn[k].Blocks = make([][]int64, blocks[k])
		for i := range drawn[k].Blocks {
			if tilt != 0 {
				tilted := slices.Clone(lnG[w.Low : w.High+1])
				for b := range tilted {
					tilted[b] += slopes[i] * float64(b)
				}
				cumulative = visited(tilted, w.LnWeight[w.Low:w.High+1])
			}
			block := make([]int64, len(lnG))
			multinomial(r, block[w.Low:w.High+1], cumulative, visits[k])
			drawn[k].Blocks[i] = block
		}
	}
	return drawn
}

// uneven returns weights off the exact ones by up to one, different for every phase, and by
// a constant.
func uneven(lnG []float64, phase int) []float64 {
	lnWeight := slices.Clone(lnG)
	for i := range lnWeight {
		lnWeight[i] += math.Sin(float64(i)+3*float64(phase)) + float64(300-200*phase)
	}
	return lnWeight
}

// TestWindowsWithoutNoise uses histograms that follow ln g up to rounding to integers, of
// windows whose visits differ by orders of magnitude.
func TestWindowsWithoutNoise(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	for _, c := range []struct{ windows, fold int }{{1, 1}, {2, 2}, {4, 2}, {4, 3}} {
		windows := cover(exact.LnG, c.windows, c.fold)
		outside(windows)
		want := make([]float64, c.windows) // offsets
		for k, scale := range []float64{1e13, 3e14, 5e12, 7e13}[:c.windows] {
			w := &windows[k]
			want[k] = -math.Log(3*scale) - float64(300-200*k)
			for range 3 {
				block := make([]int64, exact.Len())
				for b := w.Low; b <= w.High; b++ {
					block[b] = int64(math.Round(scale * math.Exp(exact.LnG[b]-w.LnWeight[b]+float64(300-200*k))))
				}
				w.Blocks = append(w.Blocks, block)
			}
		}
		for _, descending := range []bool{false, true} {
			energy := slices.Clone(exact.Energy)
			if descending {
				slices.Reverse(energy)
				slices.Reverse(want)
				for k, w := range windows {
					windows[k].Low, windows[k].High = len(energy)-1-w.High, len(energy)-1-w.Low
					slices.Reverse(w.LnWeight)
					for _, block := range w.Blocks {
						slices.Reverse(block)
					}
				}
				slices.Reverse(windows)
			}
			e, overlaps, err := FromWindows(energy, windows, 25*math.Log(10))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(e.Energy, exact.Energy) || len(e.Replicas) != 3 || len(overlaps) != c.windows-1 || c.windows == 1 && overlaps != nil {
				t.Fatalf("%v: levels %v, %d replicas, %d overlaps", c, e.Energy, len(e.Replicas), len(overlaps))
			}
			for _, d := range append(slices.Clone(e.Replicas), e.Density) {
				for i := range d.LnG {
					if !near(d.LnG[i], exact.LnG[i], 1e-11) {
						t.Errorf("%v: ln g(%v) = %v, want %v", c, d.Energy[i], d.LnG[i], exact.LnG[i])
					}
				}
			}
			for k, o := range overlaps {
				if !near(o.Shift, want[k+1]-want[k], 1e-11) || o.Difference > 1e-11 {
					t.Errorf("%v: overlap %d: shift %v, want %v; left %v", c, k, o.Shift, want[k+1]-want[k], o.Difference)
				}
			}
		}
	}
}

// TestWindowsSelfConsistent checks that the estimate from few visits predicts the visits of
// every window, and those of all windows together at every level.
func TestWindowsSelfConsistent(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	for _, fold := range []int{2, 3} {
		windows := draw(rand.New(rand.NewPCG(7, 8)), cover(exact.LnG, 5, fold), []int{3, 3, 3, 3, 3}, []int{200, 1000, 50, 3000, 300}, exact.LnG, 0)
		e, overlaps, err := FromWindows(exact.Energy, windows, 0)
		if err != nil {
			t.Fatal(err)
		}
		all, expected := make([]float64, exact.Len()), make([]float64, exact.Len())
		// The sum of g is one, so the offset of the first window must be found.
		offset := 0.0
		for k, w := range windows {
			visits, sum, shares := 0.0, 0.0, make([]float64, exact.Len())
			for i, energy := range e.Energy {
				if b := slices.Index(exact.Energy, energy); b >= w.Low && b <= w.High {
					shares[b] = math.Exp(e.LnG[i] - w.LnWeight[b])
					sum += shares[b]
					for _, block := range w.Blocks {
						visits += float64(block[b])
						all[b] += float64(block[b])
					}
				}
			}
			if k == 0 {
				offset = math.Log(sum / visits)
			} else {
				offset += overlaps[k-1].Shift
			}
			if got := sum * math.Exp(-offset); !near(got, visits, 1e-10) {
				t.Errorf("%d-fold: window %d has %v visits, the estimate says %v", fold, k+1, visits, got)
			}
			for b, share := range shares {
				expected[b] += share * math.Exp(-offset)
			}
		}
		for b := range all {
			if !near(all[b], expected[b], 1e-10) {
				t.Errorf("%d-fold: level %d has %v visits, the estimate says %v", fold, b, all[b], expected[b])
			}
		}
	}
}

// TestWindowOffset checks that where an overlap has many levels with few visits each, and
// different numbers in the two windows, the offset is unbiased with the least variance,
//
//	1 / sum over the overlap of H H'/(H + H') - 1/N - 1/N'
//
// with the expected visits H and H' of a level and N and N' of the windows (Bennett, J.
// Comput. Phys. 22, 245 (1976)).
func TestWindowOffset(t *testing.T) {
	const levels, repetitions = 600, 400
	lnG := make([]float64, levels)
	energy := make([]float64, levels)
	for b := range energy {
		energy[b] = float64(b)
		lnG[b] = 0.01*float64(b) + math.Sin(0.1*float64(b))
	}
	windows := []Window{{Low: 0, High: levels*2/3 - 1, LnWeight: uneven(lnG, 0)}, {Low: levels / 3, High: levels - 1, LnWeight: uneven(lnG, 1)}}
	blocks, visits := []int{4, 4}, []int{levels / 6 * 2, levels / 6 * 20} // 2 and 20 for each level
	lnP := func(k int) []float64 {
		w, p := windows[k], make([]float64, levels)
		for b := range p {
			p[b] = math.Inf(-1)
			if b >= w.Low && b <= w.High {
				p[b] = lnG[b] - w.LnWeight[b]
			}
		}
		all := LogSumExp(p)
		for b := range p {
			p[b] += math.Log(float64(blocks[k]*visits[k])) - all
		}
		return p
	}
	first, second := lnP(0), lnP(1)
	// H = exp(-o) g / weight.
	want := (first[levels/2] + windows[0].LnWeight[levels/2]) - (second[levels/2] + windows[1].LnWeight[levels/2])
	information, total := 0.0, []float64{float64(blocks[0] * visits[0]), float64(blocks[1] * visits[1])}
	for b := range first {
		x, y := math.Exp(first[b]), math.Exp(second[b])
		information += x * y / (x + y)
	}
	least := math.Sqrt(1/information - 1/total[0] - 1/total[1])
	sum, squares, quoted, chain := 0.0, 0.0, 0.0, 0.0
	r := rand.New(rand.NewPCG(31, 32))
	for range repetitions {
		drawn := draw(r, windows, blocks, visits, lnG, 0)
		_, overlaps, err := FromWindows(energy, drawn, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := overlaps[0].Shift - want
		sum += d / repetitions
		squares += d * d / repetitions
		quoted += overlaps[0].ShiftError * overlaps[0].ShiftError / repetitions
		s := &windowed{energy: energy, windows: drawn}
		if err := s.sum(); err != nil {
			t.Fatal(err)
		}
		offsets, err := s.chain(s.counts())
		if err != nil {
			t.Fatal(err)
		}
		chain += (offsets[1] - want) / repetitions
	}
	deviation := math.Sqrt(squares - sum*sum)
	t.Logf("bias %.4f, standard deviation %.4f, quoted %.4f, least %.4f; means level by level have the bias %.4f", sum, deviation, math.Sqrt(quoted), least, chain)
	if math.Abs(sum) > 4*deviation/math.Sqrt(repetitions) {
		t.Errorf("bias %v", sum)
	}
	// Four standard deviations of a standard deviation.
	for name, x := range map[string]float64{"standard deviation": deviation, "quoted": math.Sqrt(quoted)} {
		if math.Abs(x/least-1) > 4/math.Sqrt(2*repetitions) {
			t.Errorf("%s %.4f, want %.4f", name, x, least)
		}
	}
}

// TestWindowAlone checks that a single window gives ln H + lnWeight and its jackknife to
// the last bit, whether or not it has all levels.
func TestWindowAlone(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	lnWeight := uneven(exact.LnG, 0)
	for _, low := range []int{0, 7} {
		window := []Window{{Low: low, High: exact.Len() - 1, LnWeight: lnWeight}}
		window = draw(rand.New(rand.NewPCG(1, 2)), window, []int{8}, []int{4000}, exact.LnG, 0)
		blocks := window[0].Blocks
		e, _, err := FromWindows(exact.Energy, window, 3)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := FromHistograms(exact.Energy, lnWeight, blocks, 3)
		if err != nil {
			t.Fatal(err)
		}
		var replicas [][]float64
		for k := range len(blocks) + 1 {
			d := &Density{}
			for b := range lnWeight {
				n := int64(0)
				for i, block := range blocks {
					if i != k {
						n += block[b]
					}
				}
				if n > 0 {
					d.LnG = append(d.LnG, math.Log(float64(n))+lnWeight[b])
				}
			}
			d.Normalise(3)
			got, same := e.Density, whole.Density
			if k < len(blocks) {
				got, same = e.Replicas[k], whole.Replicas[k]
				replicas = append(replicas, d.LnG)
			}
			if !slices.Equal(got.LnG, d.LnG) || !slices.Equal(same.LnG, d.LnG) || !slices.Equal(same.Energy, got.Energy) {
				t.Errorf("without block %d: ln g = %v, want %v", k, got.LnG, d.LnG)
			}
		}
		if want := spread(e.Len(), replicas); !slices.Equal(e.Error, want) || !slices.Equal(whole.Error, want) {
			t.Errorf("errors %v, want %v", e.Error, want)
		}
	}
}

// TestWindowCoverage repeats the estimate of a known density of states from four windows.
// Deviations in units of the quoted errors must be distributed between Student's t, with
// one degree of freedom fewer than there are blocks, and a normal. The mean square of the
// errors must be that of the deviations even if windows have few blocks, different numbers
// of visits, or blocks that depend on those of the others.
func TestWindowCoverage(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	lnTotal := 25 * math.Log(10)
	for _, c := range []struct {
		name           string
		blocks, visits []int
		repetitions    int
		fold           int
		tails          bool    // also compare the distribution
		tilt           float64 // of the visits of a block in all windows, standard deviation
	}{
		{"even", []int{16, 16, 16, 16}, []int{3000, 3000, 3000, 3000}, 200, 2, true, 0},
		{"threefold", []int{16, 16, 16, 16}, []int{3000, 3000, 3000, 3000}, 200, 3, true, 0},
		{"two", []int{2, 2, 2, 2}, []int{8000, 8000, 8000, 8000}, 500, 2, false, 0},
		{"uneven", []int{6, 6, 6, 6}, []int{8000, 2000, 5000, 2000}, 500, 2, false, 0},
		{"dependent", []int{16, 16, 16, 16}, []int{10000, 10000, 10000, 10000}, 200, 2, false, 0.003},
	} {
		t.Run(c.name, func(t *testing.T) {
			windows := cover(exact.LnG, 4, c.fold)
			r := rand.New(rand.NewPCG(21, 22))
			deviations, variances := make([]float64, exact.Len()), make([]float64, exact.Len())
			squares := make([]float64, exact.Len())
			within := make([][2]float64, exact.Len())
			shifts := make([]float64, len(windows)-1) // mean square in units of the errors
			rms, chi2 := 0.0, 0.0
			c.repetitions = long.Or(c.repetitions, c.repetitions/5)
			part := 1 / float64(c.repetitions)
			for range c.repetitions {
				drawn := draw(r, windows, c.blocks, c.visits, exact.LnG, c.tilt)
				e, overlaps, err := FromWindows(exact.Energy, drawn, lnTotal)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(e.Energy, exact.Energy) {
					t.Fatalf("levels %v", e.Energy)
				}
				for i, x := range e.LnG {
					square, variance := (x-exact.LnG[i])*(x-exact.LnG[i]), e.Error[i]*e.Error[i]
					deviations[i] += part * square
					variances[i] += part * variance
					squares[i] += part * square / variance
					for n := range within[i] {
						if square <= float64((n+1)*(n+1))*variance {
							within[i][n] += part
						}
					}
				}
				for k, o := range overlaps {
					a, b := windows[k], windows[k+1]
					want := LogSumExp(diff(exact.LnG, b)) - LogSumExp(diff(exact.LnG, a)) +
						math.Log(float64(c.blocks[k]*c.visits[k])/float64(c.blocks[k+1]*c.visits[k+1]))
					shifts[k] += part * (o.Shift - want) * (o.Shift - want) / (o.ShiftError * o.ShiftError)
					rms += part * o.RMS / float64(len(overlaps))
					chi2 += part * o.ChiSquare / float64(len(overlaps))
				}
			}
			ratio, square, tails := 0.0, 0.0, [2]float64{}
			levels := float64(exact.Len())
			for i := range deviations {
				ratio += variances[i] / deviations[i] / levels
				square += squares[i] / levels
				for n := range tails {
					tails[n] += within[i][n] / levels
				}
			}
			t.Logf("mean square error / deviation %.3f; mean square of z %.3f, within one %.3f, two %.3f; shifts: mean squares of z %.3f; overlaps: rms %.3f, chi^2/dof %.3f",
				ratio, square, tails[0], tails[1], shifts, rms, chi2)
			// The mean over the levels of a chi^2 with one degree of freedom for each
			// repetition, if all levels were alike: two standard deviations of that.
			if bound := 2 * math.Sqrt(2*part); math.Abs(ratio-1) > bound {
				t.Errorf("the mean square error is %.3f of that of the deviations, want 1±%.3f", ratio, bound)
			}
			if !c.tails {
				return
			}
			student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(c.blocks[0] - 1)}
			nu := student.Nu
			// The bounds of one level and of the mean over all, which vary together.
			check := func(what string, got, least, largest, deviation float64) {
				if got < least-deviation || got > largest+deviation {
					t.Errorf("%s: %.3f, want %.3f..%.3f, give or take %.3f", what, got, least, largest, deviation)
				}
			}
			for n, name := range []string{"within one error", "within two errors"} {
				least, largest := 1-2*student.Survival(float64(n+1)), 1-2*distuv.UnitNormal.Survival(float64(n+1))
				sigma := math.Sqrt(least * (1 - least) * part)
				for i := range within {
					check(name, within[i][n], least, largest, 4*sigma)
				}
				check(name+", all levels", tails[n], least, largest, long.Or(1., 2.)*sigma)
			}
			// <t^2> = nu/(nu-2), <t^4> = 3 nu^2/((nu-2)(nu-4)).
			mean := nu / (nu - 2)
			sigma := math.Sqrt((3*nu*nu/((nu-2)*(nu-4)) - mean*mean) * part)
			for i := range squares {
				check("mean square", squares[i], 1, mean, 4*sigma)
			}
			check("mean square, all levels", square, 1, mean, long.Or(1., 2.)*sigma)
			for _, got := range shifts {
				check("mean square of a shift", got, 1, mean, 4*sigma)
			}
			check("rms of overlaps", rms, 0.85, 1.05, long.Or(0, 0.1))
			check("chi^2 of overlaps", chi2, 0.95, mean, long.Or(0.05, 0.2))
		})
	}
}

// diff returns the logarithm of the visits of walkers in a window.
func diff(lnG []float64, w Window) []float64 {
	var x []float64
	for b := w.Low; b <= w.High; b++ {
		x = append(x, lnG[b]-w.LnWeight[b])
	}
	return x
}

// TestWindowMismatch checks that a window with wrong weights shows in its overlap.
func TestWindowMismatch(t *testing.T) {
	exact := readReference(t, "potts_q10_5x5")
	windows := draw(rand.New(rand.NewPCG(3, 4)), cover(exact.LnG, 3, 2), []int{8, 8, 8}, []int{9000, 9000, 9000}, exact.LnG, 0)
	for _, block := range windows[2].Blocks {
		for b := range block {
			block[b] *= int64(b)
		}
	}
	_, overlaps, err := FromWindows(exact.Energy, windows, 0)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := overlaps[0], overlaps[1]
	if good.Piece != "window 2" || !slices.Equal(good.With, []string{"window 1"}) ||
		good.From != exact.Energy[windows[1].Low] || good.To != exact.Energy[windows[0].High] || good.Levels != windows[0].High-windows[1].Low+1 {
		t.Errorf("overlap of windows 1 and 2: %+v", good)
	}
	if good.RMS > 2 || bad.RMS < 3 || bad.ChiSquare < 9 || bad.Difference < 2*good.Difference {
		t.Errorf("overlaps %+v, %+v", good, bad)
	}
}

// TestWindowUnknownErrors checks that ln g is returned even without errors.
func TestWindowUnknownErrors(t *testing.T) {
	even := make([]float64, 3)
	for name, windows := range map[string][]Window{
		"one block":                      {{0, 1, even, [][]int64{{12, 14, 0}}}, {1, 2, even, [][]int64{{0, 6, 6}}}},
		"one block connects the windows": {{0, 1, even, [][]int64{{5, 14, 0}, {7, 0, 0}}}, {1, 2, even, [][]int64{{0, 3, 3}, {0, 3, 3}}}},
	} {
		e, overlaps, err := FromWindows([]float64{-2, -1, 0}, windows, math.Log(40))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// Offsets 0 and ln(14/6): g is as 12, 14, 14.
		for i, want := range []float64{12, 14, 14} {
			if !near(e.LnG[i], math.Log(want), 1e-13) || !math.IsNaN(e.Error[i]) {
				t.Errorf("%s: g(%v) = %v(%v), want %v", name, e.Energy[i], math.Exp(e.LnG[i]), e.Error[i], want)
			}
		}
		o := overlaps[0]
		if e.Replicas != nil || !near(o.Shift, math.Log(14./6), 1e-13) || !math.IsNaN(o.ShiftError) || o.Compared != 0 || !math.IsNaN(o.RMS) || o.Levels != 1 || o.Difference > 1e-14 {
			t.Errorf("%s: %d replicas, overlap %+v", name, len(e.Replicas), o)
		}
	}
}

// TestWindowsOfLargeWeights checks that extreme weights do not overflow, and that weights
// strongly contradicted by the visits are an error.
func TestWindowsOfLargeWeights(t *testing.T) {
	energy := []float64{0, 1, 2, 3}
	windows := []Window{
		{0, 2, []float64{0, 2000, -1000, 0}, [][]int64{{1, 1, 1, 0}, {1, 1, 1, 0}}},
		{1, 3, []float64{0, -500, -3500, 9000}, [][]int64{{0, 1, 1, 1}, {0, 1, 1, 1}}},
	}
	e, _, err := FromWindows(energy, windows, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 2000, -1000, 11500} {
		if got := e.LnG[i] - e.LnG[0]; !near(got, want, 1e-13) {
			t.Errorf("ln g(%v) = %v, want %v", energy[i], got, want)
		}
	}
	windows[1].LnWeight[1] = 2500
	if _, _, err := FromWindows(energy, windows, 0); err == nil || !strings.Contains(err.Error(), "contradict") {
		t.Errorf("error %v", err)
	}
}

// TestWindowsThatDisagree: where the differences level by level are far from the ratio of
// all visits, which is right for equal weights, no step towards it may diverge.
func TestWindowsThatDisagree(t *testing.T) {
	even := make([]float64, 4)
	for _, c := range [][2]int64{{1000, 1}, {1, 1000}} {
		windows := []Window{{0, 2, even, [][]int64{{9, c[0], 0, 0}}}, {1, 3, even, [][]int64{{0, c[1], 500, 9}}}}
		_, overlaps, err := FromWindows([]float64{0, 1, 2, 3}, windows, 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := math.Log(float64(c[0]) / float64(c[1]+500)); !near(overlaps[0].Shift, want, 1e-13) {
			t.Errorf("shift %v, want %v", overlaps[0].Shift, want)
		}
	}
}

func TestWindowErrors(t *testing.T) {
	energy := []float64{0, -1, -2, -3, -4}
	even, bad := make([]float64, 5), []float64{0, 0, math.NaN(), 0, 0}
	first := Window{0, 2, even, [][]int64{{1, 2, 3, 0, 0}}}
	last := Window{2, 4, even, [][]int64{{0, 0, 5, 6, 7}}}
	for _, c := range []struct {
		windows []Window
		words   []string
	}{
		{nil, []string{"no level was visited"}},
		{[]Window{first, last, {3, 4, even, [][]int64{{0, 0, 0, 0, 0}}}}, []string{"window 3 (E = -4..-3) has no visit"}},
		{[]Window{first, {1, 2, even, [][]int64{{0, 5, 0, 0, 0}}}, last}, []string{"windows 2 and 3 (E = -2..-1 and -4..-2) have no visited level in common"}},
		{[]Window{{0, 1, even, [][]int64{{1, 2, 0, 0, 0}}}, last}, []string{"windows 1 and 2 (E = -1..0 and -4..-2) have no visited level in common"}},
		{[]Window{first, {3, 4, even, last.Blocks}}, []string{"window 2 (E = -4..-3)", "block 1 has 5 visits outside, at level 2 (E = -2)"}},
		{[]Window{first, {2, 5, even, last.Blocks}, {3, 2, even, nil}, {-1, 2, even, nil}, {2, 4, even, slices.Repeat(last.Blocks, 2)}, {2, 4, even, [][]int64{{1, 2}}}, {2, 4, even[:4], last.Blocks}},
			[]string{"window 2 has the levels 2..5", "window 3 has the levels 3..2", "window 4 has the levels -1..2", "0..4", "window 5 (E = -4..-2) has 2 blocks, the first window has 1", "window 6 (E = -4..-2): block 1 has 2 levels, want all 5", "window 7 (E = -4..-2) has weights of 4 levels, want all 5"}},
		{[]Window{first, {2, 4, bad, last.Blocks}}, []string{"window 2 (E = -4..-2) has ln weight NaN at level 2 (E = -2)"}},
	} {
		_, _, err := FromWindows(energy, c.windows, 0)
		if err == nil {
			t.Errorf("no error, want one with %q", c.words)
			continue
		}
		for _, word := range append(c.words, "density of states from histograms") {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in the error: %v", word, err)
			}
		}
	}
}

// BenchmarkFromWindows is the estimate of the largest runs: 256 blocks, 2049 levels.
func BenchmarkFromWindows(b *testing.B) {
	const levels = 2049
	energy, lnG := make([]float64, levels), make([]float64, levels)
	for i := range energy {
		energy[i], lnG[i] = float64(i), float64(i)
	}
	windows := draw(rand.New(rand.NewPCG(5, 6)), cover(lnG, 8, 2), slices.Repeat([]int{32}, 8), slices.Repeat([]int{40000}, 8), lnG, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := FromWindows(energy, windows, 0); err != nil {
			b.Fatal(err)
		}
	}
}
