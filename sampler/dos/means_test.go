package dos

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// values returns measurements of one observable at two levels, from counts and sums of each
// block.
func values(blocks ...[4]float64) Measurements {
	m := Measurements{Energy: []float64{0, -1}}
	for _, b := range blocks {
		m.Count = append(m.Count, []int64{int64(b[0]), int64(b[1])})
		m.Sums = append(m.Sums, [][]float64{{b[2], b[3]}})
	}
	return m
}

// TestMeansByHand computes errors from three blocks.
func TestMeansByHand(t *testing.T) {
	blocks := [][4]float64{{10, 20, 5, 8}, {12, 18, 7, 9}, {6, 24, 2, 12}}
	means, err := values(blocks...).Means()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(means.Energy, []float64{-1, 0}) || !slices.Equal(means.Count, []int64{62, 28}) || !near(means.Mean[0][1], 14./28, 1e-15) || !near(means.Mean[0][0], 29./62, 1e-15) {
		t.Errorf("means %+v", means)
	}
	// With each block omitted, at E = 0.
	x := []float64{9. / 18, 7. / 16, 12. / 22}
	mean := (x[0] + x[1] + x[2]) / 3
	variance := 0.0
	for k, v := range x {
		variance += 2. / 3 * (v - mean) * (v - mean)
		if !near(means.Replicas[k][0][1], v, 1e-15) {
			t.Errorf("without block %d: %v, by hand %v", k, means.Replicas[k][0][1], v)
		}
	}
	if !near(means.Error[0][1], math.Sqrt(variance), 1e-14) {
		t.Errorf("error %v, by hand %v", means.Error[0][1], math.Sqrt(variance))
	}
}

func TestMeansUnknownErrors(t *testing.T) {
	full, empty := [4]float64{10, 20, 5, 8}, [4]float64{}
	for name, c := range map[string]struct {
		m     Measurements
		known [2]bool // at E = -1, 0
	}{
		"one block":                        {values(full), [2]bool{}},
		"one block holds everything":       {values(full, empty), [2]bool{}},
		"one block alone measured a level": {values(full, [4]float64{0, 20, 0, 8}), [2]bool{true, false}},
	} {
		means, err := c.m.Means()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range []float64{0.4, 0.5} {
			if !near(means.Mean[0][i], want, 1e-15) || math.IsNaN(means.Error[0][i]) == c.known[i] {
				t.Errorf("%s: %v(%v) at E = %v", name, means.Mean[0][i], means.Error[0][i], means.Energy[i])
			}
		}
	}
}

func TestMeansErrors(t *testing.T) {
	full := [4]float64{10, 20, 5, 8}
	short := values(full, full, full)
	short.Count[1] = short.Count[1][:1]
	short.Sums[2] = [][]float64{{1}, {1, 2}}
	uneven := values(full, full, full)
	uneven.Sums = uneven.Sums[:2]
	infinite := values(full, full)
	infinite.Sums[1][0][1] = math.Inf(1)
	for _, c := range []struct {
		m     Measurements
		words []string
	}{
		{Measurements{}, []string{"nothing was measured"}},
		{values([4]float64{}), []string{"nothing was measured"}},
		{uneven, []string{"counts of 3 blocks and sums of 2"}},
		{short, []string{"block 2 has counts of 1 levels, want 2", "block 3 has 2 observables, the first 1", "block 3 has sums of 1 levels, want 2"}},
		{infinite, []string{"block 2: the sum of observable 1 at level 1 (E = -1) is +Inf"}},
	} {
		_, err := c.m.Means()
		if err == nil {
			t.Errorf("no error, want one with %q", c.words)
			continue
		}
		for _, word := range append(c.words, "microcanonical means") {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in the error: %v", word, err)
			}
		}
	}
}
