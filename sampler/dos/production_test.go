package dos

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// multinomial adds n visits, drawn with the given cumulative probabilities, to a histogram.
func multinomial(r *rand.Rand, hist []int64, cumulative []float64, n int) {
	last := len(cumulative) - 1
	for range n {
		hist[min(last, sort.SearchFloat64s(cumulative, r.Float64()))]++
	}
}

// visited returns the cumulative probabilities of the levels under the weights
// exp(-lnWeight), proportional to g exp(-lnWeight).
func visited(lnG, lnWeight []float64) []float64 {
	lnP := make([]float64, len(lnG))
	for i := range lnG {
		lnP[i] = lnG[i] - lnWeight[i]
	}
	lnZ := LogSumExp(lnP)
	cumulative, sum := make([]float64, len(lnP)), 0.0
	for i, x := range lnP {
		sum += math.Exp(x - lnZ)
		cumulative[i] = sum
	}
	return cumulative
}

// TestFromHistograms repeats the estimate of a known density of states, which spans 38
// orders of magnitude, from independent histograms. Under each set of weights every level's
// deviation in units of its own error bar must be distributed like Student's t with one
// degree of freedom fewer than there are blocks.
func TestFromHistograms(t *testing.T) {
	const (
		blocks      = 32
		visits      = 500 // of a block
		repetitions = 400
	)
	r := rand.New(rand.NewPCG(11, 12))
	lnG := []float64{math.Log(2), 3.5, 7, 30, 60, 90, 85}
	energy := []float64{-10, -9, -8, -4, -2, 0, 1}
	lnTotal := LogSumExp(lnG)
	// Mean of t^2 and of t^4 for nu degrees of freedom.
	const nu = blocks - 1
	square := float64(nu) / (nu - 2)
	fourth := 3 * float64(nu) * nu / ((nu - 2) * (nu - 4))
	// Five standard deviations of a mean over the repetitions; six levels with two such
	// tests, for all three weights.
	squareBound := 5 * math.Sqrt((fourth-square*square)/repetitions)
	meanBound := 5 * math.Sqrt(square/repetitions)
	for _, c := range []struct {
		name string
		off  []float64 // ln of the weights' deviation from 1/g
	}{
		{"flat", make([]float64, len(lnG))},
		{"tilted", []float64{-1, -0.5, 0, 0.5, 1, 0.5, -0.5}},
		{"uneven, shifted by a constant", []float64{1000, 1001.5, 999.5, 1000.5, 1001, 1000, 1001.2}},
	} {
		lnWeight := make([]float64, len(lnG))
		for i := range lnG {
			lnWeight[i] = lnG[i] + c.off[i]
		}
		cumulative := visited(lnG, lnWeight)
		sum, sumSquares := make([]float64, len(lnG)), make([]float64, len(lnG))
		for range repetitions {
			hist := make([][]int64, blocks)
			for k := range hist {
				hist[k] = make([]int64, len(lnG))
				multinomial(r, hist[k], cumulative, visits)
			}
			d, err := FromHistograms(energy, lnWeight, hist, lnTotal)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.Energy, energy) {
				t.Fatalf("levels %v, want %v", d.Energy, energy)
			}
			if got := LogSumExp(d.LnG); math.Abs(got-lnTotal) > 1e-11 {
				t.Fatalf("%s: the sum of g is exp(%v), want exp(%v)", c.name, got, lnTotal)
			}
			for i := range d.LnG {
				z := (d.LnG[i] - lnG[i]) / d.Error[i]
				sum[i] += z
				sumSquares[i] += z * z
			}
		}
		for i := range lnG {
			// The level that holds nearly all states is fixed by the normalisation; its
			// error is only rounding.
			if lnG[i] == 90 {
				continue
			}
			if mean := sum[i] / repetitions; math.Abs(mean) > meanBound {
				t.Errorf("%s, E = %v: the mean deviation is %.3f error bars, more than %.3f", c.name, energy[i], mean, meanBound)
			}
			if got := sumSquares[i] / repetitions; math.Abs(got-square) > squareBound {
				t.Errorf("%s, E = %v: the mean square deviation is %.3f error bars squared, want %.3f±%.3f", c.name, energy[i], got, square, squareBound)
			}
		}
	}
}

// TestFromHistogramsUnequalBlocks uses blocks of very different length, as walkers leave
// them when a run ends early: the estimate is that of all visits together.
func TestFromHistogramsUnequalBlocks(t *testing.T) {
	lnWeight := []float64{5, -3, 0.5, 100}
	blocks := [][]int64{{1, 0, 30, 4}, {0, 0, 0, 0}, {10, 2, 700, 1}, {3, 1, 7, 0}}
	d, err := FromHistograms([]float64{-3, -2, -1, 0}, lnWeight, blocks, 0)
	if err != nil {
		t.Fatal(err)
	}
	total := []float64{14, 3, 737, 5}
	for i := range total {
		want := math.Log(total[i]/total[0]) + lnWeight[i] - lnWeight[0]
		if got := d.LnG[i] - d.LnG[0]; math.Abs(got-want) > 1e-12 {
			t.Errorf("ln g(%v) - ln g(-3) = %v, want %v", d.Energy[i], got, want)
		}
		if !(d.Error[i] >= 0) || math.IsInf(d.Error[i], 0) {
			t.Errorf("error at %v is %v", d.Energy[i], d.Error[i])
		}
	}
}

// TestJackknifeByHand computes the error of two levels from three blocks.
func TestJackknifeByHand(t *testing.T) {
	blocks := [][]int64{{10, 20}, {12, 17}, {7, 30}}
	d, err := FromHistograms([]float64{-1, 0}, []float64{0, 0}, blocks, 0)
	if err != nil {
		t.Fatal(err)
	}
	// With each block omitted the first level holds 19/66, 17/67, 22/59.
	x := []float64{math.Log(19. / 66), math.Log(17. / 67), math.Log(22. / 59)}
	mean := (x[0] + x[1] + x[2]) / 3
	variance := 0.0
	for _, v := range x {
		variance += 2. / 3 * (v - mean) * (v - mean)
	}
	if want := math.Sqrt(variance); math.Abs(d.Error[0]-want) > 1e-14 {
		t.Errorf("error = %v, by hand %v", d.Error[0], want)
	}
}

func TestFromHistogramsUnknownErrors(t *testing.T) {
	energy, lnWeight := []float64{-3, -2, -1, 0}, make([]float64, 4)
	known := func(d *Density) (known []bool) {
		for _, deviation := range d.Error {
			known = append(known, !math.IsNaN(deviation))
		}
		return known
	}
	for _, c := range []struct {
		name   string
		blocks [][]int64
		energy []float64
		known  []bool
	}{
		{"one block holds all visits of -3, whichever it is", [][]int64{{4, 9, 0, 8}, {0, 8, 0, 9}, {0, 9, 0, 9}}, []float64{-3, -2, 0}, []bool{false, true, true}},
		{"the last", [][]int64{{0, 9, 1, 8}, {0, 8, 1, 9}, {4, 9, 0, 9}}, energy, []bool{false, true, true, true}},
		{"one block holds everything", [][]int64{{1, 2, 3, 4}, {0, 0, 0, 0}}, energy, []bool{false, false, false, false}},
		{"one block", [][]int64{{1, 2, 3, 4}}, energy, []bool{false, false, false, false}},
	} {
		d, err := FromHistograms(energy, lnWeight, c.blocks, 0)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !slices.Equal(d.Energy, c.energy) || !slices.Equal(known(d.Density), c.known) {
			t.Errorf("%s: errors %v at %v", c.name, d.Error, d.Energy)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, blocks := range [][][]int64{nil, {{0, 0, 0, 0}, {0, 0, 0, 0}}} {
		if d, err := FromHistograms(energy, lnWeight, blocks, 0); err == nil {
			t.Errorf("without a visit: %+v", d)
		}
	}
}

// TestFromHistogramsDescending gives levels in descending order of energy, as the engine
// counts them, and expects everything back in ascending order.
func TestFromHistogramsDescending(t *testing.T) {
	blocks := [][]int64{{5, 0, 40, 9}, {6, 0, 44, 2}}
	up, err := FromHistograms([]float64{-3, -2, -1, 0}, []float64{1, 2, 3, 4}, blocks, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		slices.Reverse(block)
	}
	down, err := FromHistograms([]float64{0, -1, -2, -3}, []float64{4, 3, 2, 1}, blocks, 7)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b float64) bool { return math.Abs(a-b) < 1e-13 }
	if !slices.Equal(up.Energy, down.Energy) || !slices.EqualFunc(up.LnG, down.LnG, same) || !slices.EqualFunc(up.Error, down.Error, same) {
		t.Errorf("ascending %+v, descending %+v", up, down)
	}
}
