package report

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler"
)

// course makes a timeline of chains whose level, after each of some passes, is noise around 50
// plus a drift: rate in the units of the noise from the first part to the last.
func course(random *rand.Rand, windows, chains, parts int, rate float64) *sampler.Timeline {
	const width = 1000
	t := &sampler.Timeline{Passes: int64(width*parts - width/3), Width: width}
	for range windows {
		var rows [][]int64
		for range chains {
			row := make([]int64, 8)
			for p := range parts {
				passes := float64(width)
				if p == parts-1 {
					passes -= width / 3
				}
				// Scattered as the mean of so many passes.
				row[p] = int64(passes * (50 + (random.NormFloat64()+rate*float64(p)/float64(parts))*math.Sqrt(width/passes)))
			}
			rows = append(rows, row)
		}
		t.Sums = append(t.Sums, rows)
	}
	return t
}

// TestHalvesFalseAlarms counts how often halves without a drift differ: as often as the
// probability says, for many chains and few, windows and one.
func TestHalvesFalseAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ windows, chains, parts int }{{1, 64, 8}, {1, 16, 5}, {1, 5, 6}, {1, 1, 7}, {3, 32, 8}} {
		n, tenth, alarms := long.Or(40000, 10000), 0, 0
		for range n {
			h := halves(course(random, c.windows, c.chains, c.parts, 0))
			if h.Probability < 0.1 {
				tenth++
			}
			if h.Probability < falseAlarm {
				alarms++
			}
		}
		// Bonferroni is a little cautious for several windows.
		within := func(name string, got int, p float64) {
			mean := p * float64(n)
			if low, high := mean-4*math.Sqrt(mean), mean+4*math.Sqrt(mean); float64(got) > high || float64(got) < low*0.9-1 {
				t.Errorf("%+v: %d of %d with a probability below %s, want about %.0f", c, got, n, name, mean)
			}
		}
		// With parts of different lengths, Student's test is not quite exact.
		within("0.1", tenth, 0.1)
		within("the threshold", alarms, falseAlarm)
	}
}

// TestHalvesDrift finds a drift of the size of its error's multiple, with the sign of the
// energy.
func TestHalvesDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, rate := range []float64{-3, 3} {
		for _, chains := range []int{8, 64} {
			h := halves(course(random, 2, chains, 8, rate))
			if h.Probability > falseAlarm || h.InErrors*rate > 0 {
				t.Errorf("levels drift by %g: %s", rate, h)
			}
		}
	}
	still := &sampler.Timeline{Passes: 4, Width: 1, Sums: [][][]int64{{{5, 5, 5, 5}, {5, 5, 5, 5}}}}
	if h := halves(still); h != nil {
		t.Errorf("walkers that never move: %+v", h)
	}
	still.Passes = 1
	if h := halves(still); h != nil {
		t.Errorf("a single pass: %+v", h)
	}
}
