package dos

import (
	"fmt"
	"math"
	"slices"
)

// Window is a range of levels and the histograms of the walkers restricted to it.
type Window struct {
	Low, High int // indices of its first and last level
	// LnWeight gives the constant weights exp(-LnWeight(E)) under which the walkers moved,
	// for all levels. Its values outside the window, and a constant, do not matter.
	LnWeight []float64
	// Blocks are histograms over all levels, zero outside the window. They must be as
	// independent as those of FromHistograms, but the k-th blocks of all windows may depend
	// on each other, as they do if walkers exchange configurations.
	Blocks [][]int64
}

// FromWindows is FromHistograms for walkers restricted to overlapping windows, each with
// its own weights. The histogram of window w is then
//
//	H_w(E) = exp(-o_w) g(E) exp(-lnWeight_w(E))
//
// within the window, up to noise. The offsets o_w and ln g maximise the likelihood for
// independent counts: for given offsets that is
//
//	g(E) = sum H_w(E) / sum exp(-o_w - lnWeight_w(E)),
//
// both sums over the windows that contain E, and the offsets are such that this g predicts
// the number of visits that each window really has (Ferrenberg, Swendsen, Phys. Rev. Lett.
// 63, 1195 (1989); Shirts, Chodera, J. Chem. Phys. 129, 124105 (2008)); see
// windowed.offsets. With many visits in an overlap, however few at each of its levels, they
// are unbiased with the least variance. If no level lies in more than two windows,
// neighbours are joined by Bennett's acceptance ratio over their common levels (J. Comput.
// Phys. 22, 245 (1976)); if their weights are also equal, exp(o_w+1 - o_w) is the ratio of
// their visits there. Correlations add variance but no bias.
//
// Errors come from a jackknife over the blocks: the k-th blocks of all windows are omitted
// together (several of them where there are too many for so many levels) and everything,
// including the offsets, is recomputed. Every window has the same
// number of blocks. There are no replicas if that is one, or if a single block holds all of
// a window or everything that connects it to a neighbour.
//
// The overlaps, nil for a single window, measure how well each window agrees with the
// previous one; see windowed.overlaps. A difference is never an error, however large.
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

// jackknife repeats the estimate with each block omitted, ln g up to a constant. It returns
// nil if that fails for any block.
func (s *windowed) jackknife() (replicas []*Density, joints [][]float64) {
	blocks := len(s.windows[0].Blocks)
	if blocks < 2 {
		return nil, nil
	}
	rest := s.counts()
	for _, omitted := range omissions(blocks, len(s.levels)) {
		for w, window := range s.windows {
			left := 0.0
			for b, n := range s.visits[w] {
				for _, block := range window.Blocks[omitted[0]:omitted[1]] {
					n -= block[b]
				}
				rest[w][b] = float64(n)
				left += rest[w][b]
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

// joints compares neighbouring windows. For each but the last it returns o_w+1 - o_w and
// then, at the levels that both have visited, the excess of ln H_w + lnWeight_w over ln
// H_w+1 + lnWeight_w+1 beyond that.
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

// overlaps reports the joints of the windows, with their errors. Unlike Merge, it measures
// RMS and ChiSquare in units of the differences' own errors after the shift; ChiSquare is
// nevertheless 1 on average.
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
			// A single level leaves no difference.
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
