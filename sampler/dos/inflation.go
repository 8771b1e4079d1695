package dos

import (
	"errors"
	"math"
	"runtime"
	"slices"

	"gonum.org/v1/gonum/stat"

	"neuralwl/internal/parallel"
)

const (
	// stretches is the number of pieces of the energies for each of which kappa is measured.
	stretches = 32
	// minStretchBlocks is the least number of blocks from which kappa is measured: with 8, its
	// relative error is 50 %, where it varies by a factor of ten and more.
	minStretchBlocks = 8
	// leastKappa bounds kappa where it happens to come out too small.
	leastKappa = 0.05
)

// inflation is kappa of FromPinnedTransitions, from some blocks: for each of a number of
// stretches of levels, the variance by the jackknife of the difference of ln g between its ends,
// divided by the variance of independent counts.
type inflation struct {
	of [][]int // levels of each stretch
	// influence of each block on the differences: their jackknife variance is that of these
	// numbers, over a stretch, divided by the number of blocks.
	influence [][]float64
	counting  []float64 // variance of independent counts, times the number of blocks
	levels    int
}

// inflation measures kappa, or returns nil if it cannot be told.
func (s *pinning) inflation(blocks [][]int64) *inflation {
	n := len(blocks)
	if n < minStretchBlocks {
		return nil
	}
	total := sumOf(blocks)
	p := newTransitions(s.changes, total)
	levels := p.levels
	l, err := newLadder(levels, p.edges, nil)
	if err != nil {
		return nil
	}
	whole := l.solve()
	f := &inflation{levels: len(s.energy)}
	ends := stretchEnds(len(levels))
	for i := range ends[1:] {
		r := l.resistance(ends[i], ends[i+1])
		f.of, f.counting = append(f.of, levels[ends[i]:ends[i+1]+1]), append(f.counting, r*float64(n))
		f.influence = append(f.influence, make([]float64, n))
	}
	faults := make([]error, n)
	parallel.Do(runtime.GOMAXPROCS(0), n, 1, func(_, k int) {
		rest := slices.Clone(total)
		subtract(rest, blocks[k])
		d, x, err := newTransitions(s.changes, rest).solve(nil, nil, nil)
		if faults[k] = err; err != nil {
			return
		}
		for i := range f.influence {
			a, b := d.at(levels[ends[i]]), d.at(levels[ends[i+1]])
			if f.influence[i][k] = math.NaN(); a >= 0 && b >= 0 {
				f.influence[i][k] = float64(n-1) * (whole[ends[i+1]] - whole[ends[i]] - x[b] + x[a])
			}
		}
	})
	if errors.Join(faults...) != nil {
		return nil
	}
	return f
}

// without returns kappa by level without some of the blocks, to first order in their influence.
// It is nil, for 1, if kappa cannot be told.
func (f *inflation) without(blocks []int) []float64 {
	if f == nil {
		return nil
	}
	kappa := make([]float64, f.levels)
	for i, influence := range f.influence {
		if len(blocks) > 0 {
			rest := make([]float64, 0, len(influence))
			for k, x := range influence {
				if !slices.Contains(blocks, k) {
					rest = append(rest, x)
				}
			}
			influence = rest
		}
		value := stat.Variance(influence, nil) / f.counting[i]
		switch {
		case math.IsNaN(value):
			value = 1
		case value < leastKappa:
			value = leastKappa
		}
		for _, b := range f.of[i] {
			kappa[b] = value
		}
	}
	// Levels that these blocks have not visited are like their neighbours.
	nearest := 1.0
	for b := range kappa {
		if kappa[b] == 0 {
			kappa[b] = nearest
		}
		nearest = kappa[b]
	}
	return kappa
}

// stretchEnds divides places 0..n-1 into stretches, given by their ends.
func stretchEnds(n int) (ends []int) {
	m := min(stretches, n-1)
	for i := range m + 1 {
		ends = append(ends, i*(n-1)/m)
	}
	return ends
}

// resistance is the variance of x_b - x_a if the weights of the edges are inverse variances. It
// is for a ladder without known x.
func (l *ladder) resistance(a, b int) float64 {
	right := make([]float64, len(l.levels))
	right[a], right[b] = -1, 1
	x := l.solveFor(right)
	return x[b] - x[a]
}
