package dos

import (
	"fmt"
	"math"
	"slices"
)

// Window is a range of levels and the histograms of the walkers restricted to it.
type Window struct {
	Low, High int // first and last level that it has, by index
	// LnWeight says under which constant weights exp(-LnWeight(E)) the walkers moved, by
	// level, of all levels. What it is outside, or up to a constant, is of no account.
	LnWeight []float64
	// Blocks are histograms by level, of all levels, zero outside the window. They
	// must be as independent as those of FromHistograms; but the k-th blocks of all windows
	// may depend on each other, as those of walkers that exchange configurations.
	Blocks [][]int64
}

// FromWindows makes the estimate of FromHistograms from walkers restricted to windows,
// each of which has its own weights and overlaps with the next. The histogram of window
// w is then
//
//	H_w(E) = exp(-o_w) g(E) exp(-lnWeight_w(E))
//
// within the window, up to noise. The offsets o_w and ln g are those of the largest
// likelihood for independent counts: for given offsets that is
//
//	g(E) = sum H_w(E) / sum exp(-o_w - lnWeight_w(E)),
//
// both sums over the windows that contain E, and the offsets make the histograms of this
// g have as many visits as each window really has (Ferrenberg, Swendsen, Phys. Rev. Lett.
// 63, 1195 (1989); Shirts, Chodera, J. Chem. Phys. 129, 124105 (2008)); see
// windowed.offsets. With many visits in an overlap, however few at each of its levels,
// they have no bias and the least variance. Where no level lies in more than two windows,
// neighbours are joined by Bennett's acceptance ratio over the levels that they share (J.
// Comput. Phys. 22, 245 (1976)), and if their weights are equal, too, exp(o_w+1 - o_w) is
// the ratio of their visits there. Correlations add to the variance but make no bias.
//
// Errors come from a jackknife over the blocks, of which the k-th of every window is left
// out together and everything redone, offsets too. Every window has as many blocks.
// There are no replicas if that is one, or if a single block holds all of a window or
// all that connects it to a neighbour.
//
// The overlaps, nil for a single window, tell how well each window agrees with the one
// before; see windowed.overlaps. However large a difference is, it is no error.
func FromWindows(energy []float64, windows []Window, lnTotal float64) (*Ensemble, []Overlap, error) {
	e, overlaps, err := fromWindows(&windowed{energy: energy, windows: windows}, lnTotal)
	if err != nil {
		return nil, nil, fmt.Errorf("density of states from histograms: %w", err)
	}
	return e, overlaps, nil
}

func fromWindows(s *windowed, lnTotal float64) (*Ensemble, []Overlap, error) {
	if err := s.sum(); err != nil {
		return nil, nil, err
	}
	counts := s.counts()
	offsets, err := s.offsets(counts)
	if err != nil {
		return nil, nil, err
	}
	e := &Ensemble{Density: s.density(counts, offsets)}
	e.Normalise(lnTotal)
	joints := s.joints(counts, offsets)
	deviations := slices.Repeat([]float64{math.NaN()}, len(joints))
	if replicas, jointReplicas := s.jackknife(); replicas != nil {
		e.Replicas = replicas
		for _, d := range e.Replicas {
			d.Normalise(lnTotal)
		}
		deviations = spread(len(joints), jointReplicas)
	}
	e.estimateErrors()
	return e, s.overlaps(joints, deviations), nil
}

// jackknife makes the estimate without each block in turn, ln g up to a constant; nil
// where that fails for one of them.
func (s *windowed) jackknife() (replicas []*Density, joints [][]float64) {
	blocks := len(s.windows[0].Blocks)
	if blocks < 2 {
		return nil, nil
	}
	rest := s.counts()
	for k := range blocks {
		for w, window := range s.windows {
			left := int64(0)
			for b, n := range s.visits[w] {
				left += n - window.Blocks[k][b]
				rest[w][b] = float64(n - window.Blocks[k][b])
			}
			if left == 0 {
				return nil, nil
			}
		}
		offsets, err := s.offsets(rest)
		if err != nil {
			return nil, nil
		}
		replicas = append(replicas, s.density(rest, offsets))
		joints = append(joints, s.joints(rest, offsets))
	}
	return replicas, joints
}

// joints compares neighbouring windows: for each but the last, o_w+1 - o_w and then what
// ln H_w + lnWeight_w exceeds ln H_w+1 + lnWeight_w+1 by beyond that, at the levels that
// both have visited.
func (s *windowed) joints(counts [][]float64, offsets []float64) (joints []float64) {
	for w, both := range s.both {
		shift := offsets[w+1] - offsets[w]
		joints = append(joints, shift)
		for _, b := range both {
			joints = append(joints, s.difference(counts, w, b)-shift)
		}
	}
	return joints
}

// overlaps reports the joints of the windows, with their errors. Other than in Merge,
// RMS and ChiSquare take the differences in units of their own errors, which are those
// that remain after the shift; the latter is 1 on average, nevertheless.
func (s *windowed) overlaps(joints, deviations []float64) (overlaps []Overlap) {
	for w, both := range s.both {
		o := Overlap{
			Piece: fmt.Sprintf("window %d", w+2), With: []string{fmt.Sprintf("window %d", w+1)}, Levels: len(both),
			From: math.Inf(1), To: math.Inf(-1), Shift: joints[0], ShiftError: deviations[0],
			RMS: math.NaN(), ChiSquare: math.NaN(),
		}
		squares, chi2 := 0.0, 0.0
		for i, b := range both {
			o.From, o.To = min(o.From, s.energy[b]), max(o.To, s.energy[b])
			d, deviation := joints[1+i], deviations[1+i]
			squares += d * d
			// Of a single level nothing remains.
			if deviation > 0 && len(both) > 1 {
				o.Compared++
				chi2 += d * d / (deviation * deviation)
			}
		}
		o.Difference = math.Sqrt(squares / float64(len(both)))
		if n := float64(o.Compared); n > 1 {
			o.RMS = math.Sqrt(chi2*(n-1)) / n
			o.ChiSquare = chi2 / n
		}
		overlaps = append(overlaps, o)
		joints, deviations = joints[1+len(both):], deviations[1+len(both):]
	}
	return overlaps
}
