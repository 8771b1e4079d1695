package dos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// windowed holds the arguments of FromWindows and sums over the blocks.
type windowed struct {
	energy  []float64
	windows []Window

	visits [][]int64 // by window and level
	levels []int     // those visited in any window, by ascending energy
	inside [][]int   // the windows that contain each of these levels
	both   [][]int   // the levels visited by both window w and the next, by w
}

// sum checks the blocks and adds them up.
func (s *windowed) sum() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	for w, window := range s.windows {
		visits := make([]int64, len(s.energy))
		s.visits = append(s.visits, visits)
		if window.Low < 0 || window.High >= len(s.energy) || window.Low > window.High {
			fault("window %d has the levels %d..%d, which must ascend and be within 0..%d", w+1, window.Low, window.High, len(s.energy)-1)
			continue
		}
		if len(window.LnWeight) != len(s.energy) {
			fault("%s has weights of %d levels, want all %d", s.name(w), len(window.LnWeight), len(s.energy))
		}
		if first := len(s.windows[0].Blocks); len(window.Blocks) != first {
			fault("%s has %d blocks, the first window has %d", s.name(w), len(window.Blocks), first)
		}
		for k, block := range window.Blocks {
			if len(block) != len(visits) {
				fault("%s: block %d has %d levels, want all %d", s.name(w), k+1, len(block), len(visits))
				continue
			}
			for b, n := range block {
				if n != 0 && (b < window.Low || b > window.High) {
					fault("%s: block %d has %d visits outside, at level %d (E = %g)", s.name(w), k+1, n, b, s.energy[b])
					break
				}
				visits[b] += n
			}
		}
		if len(s.windows) > 1 && slices.Max(visits) == 0 {
			fault("%s has no visit; run it for longer, or start its walkers inside", s.name(w))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	return s.place()
}

// place finds the visited levels and the overlaps of windows.
func (s *windowed) place() error {
	for b := range s.energy {
		if slices.ContainsFunc(s.visits, func(visits []int64) bool { return visits[b] > 0 }) {
			s.levels = append(s.levels, b)
		}
	}
	if len(s.levels) == 0 {
		return errors.New("no level was visited")
	}
	slices.SortFunc(s.levels, func(a, b int) int { return cmp.Compare(s.energy[a], s.energy[b]) })
	for _, b := range s.levels {
		var inside []int
		for w, window := range s.windows {
			if b < window.Low || b > window.High {
				continue
			}
			if x := window.LnWeight[b]; math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%s has ln weight %v at level %d (E = %g)", s.name(w), x, b, s.energy[b])
			}
			inside = append(inside, w)
		}
		s.inside = append(s.inside, inside)
	}
	for w := range s.windows[1:] {
		var both []int
		for _, b := range s.levels {
			if s.visits[w][b] > 0 && s.visits[w+1][b] > 0 {
				both = append(both, b)
			}
		}
		s.both = append(s.both, both)
	}
	return nil
}

// span formats the lowest and highest energy of a window.
func (s *windowed) span(w int) string {
	inside := s.energy[s.windows[w].Low : s.windows[w].High+1]
	return fmt.Sprintf("%g..%g", slices.Min(inside), slices.Max(inside))
}

func (s *windowed) name(w int) string {
	return fmt.Sprintf("window %d (E = %s)", w+1, s.span(w))
}

// counts returns the visits of all blocks.
func (s *windowed) counts() [][]float64 {
	counts := make([][]float64, len(s.visits))
	for w, visits := range s.visits {
		counts[w] = make([]float64, len(visits))
		for b, n := range visits {
			counts[w][b] = float64(n)
		}
	}
	return counts
}

// lnExposure returns ln of the factor that turns g(E) into the visits of window w.
func (s *windowed) lnExposure(offsets []float64, w, b int) float64 {
	return -offsets[w] - s.windows[w].LnWeight[b]
}

// difference is the excess, at a level, of ln g from window w over that from the next, up
// to their offsets.
func (s *windowed) difference(counts [][]float64, w, b int) float64 {
	return math.Log(counts[w][b]/counts[w+1][b]) + s.windows[w].LnWeight[b] - s.windows[w+1].LnWeight[b]
}

// density returns ln g, up to a constant, for given offsets.
func (s *windowed) density(counts [][]float64, offsets []float64) *Density {
	d := &Density{Energy: make([]float64, 0, len(s.levels)), LnG: make([]float64, 0, len(s.levels))}
	exposures := make([]float64, 0, len(s.windows))
	for i, b := range s.levels {
		n := 0.0
		exposures = exposures[:0]
		for _, w := range s.inside[i] {
			n += counts[w][b]
			exposures = append(exposures, s.lnExposure(offsets, w, b))
		}
		if n > 0 {
			d.Energy = append(d.Energy, s.energy[b])
			d.LnG = append(d.LnG, math.Log(n)-LogSumExp(exposures))
		}
	}
	return d
}

const (
	// maxNewton bounds the Newton steps for the offsets; a handful suffice.
	maxNewton = 200
	// smallNewton is a step so small that the next, quadratically smaller, is rounding.
	smallNewton = 1e-9
)

// offsets finds the offsets of largest likelihood, the first being zero. With g(E)
// eliminated, see FromWindows, a visit to E belongs to window w with the probability
//
//	p_w(E) = exp(-o_w - lnWeight_w(E)) / sum over v of exp(-o_v - lnWeight_v(E)),
//
// so the likelihood is that of a logistic regression, the sum over all levels and windows
// of H_w(E) ln p_w(E). It is concave. If neighbours have a visited level in common it has
// one maximum, where the sum of H_w(E) - p_w(E) sum_v H_v(E) over the levels is zero for
// every window.
//
// Newton's method starts from the weighted means of the differences level by level. A step
// is sure to improve if it changes no difference of two offsets by more than one: along it,
// the third derivative is no larger than that change times the second (Bach, Electron. J.
// Stat. 4, 384 (2010)). Longer steps are shortened to that.
func (s *windowed) offsets(counts [][]float64) ([]float64, error) {
	offsets, err := s.chain(counts)
	if err != nil || len(offsets) == 1 {
		return offsets, err
	}
	n := len(offsets) - 1 // unknowns
	p := make([]float64, len(offsets))
	for range maxNewton {
		curvature, slope := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
		for i, b := range s.levels {
			inside := s.inside[i]
			if len(inside) == 1 {
				continue // p = 1
			}
			all := s.probabilities(p, counts, offsets, b, inside)
			for k, w := range inside {
				if w == 0 {
					continue
				}
				slope.SetVec(w-1, slope.AtVec(w-1)+all*p[k]-counts[w][b])
				curvature.SetSym(w-1, w-1, curvature.At(w-1, w-1)+all*p[k])
				for l, v := range inside[:k+1] {
					if v > 0 {
						curvature.SetSym(v-1, w-1, curvature.At(v-1, w-1)-all*p[k]*p[l])
					}
				}
			}
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(curvature) {
			break
		}
		var step mat.VecDense
		// Ill-conditioning is expected: visits of windows differ by orders of magnitude.
		if err := cholesky.SolveVecTo(&step, slope); err != nil && !errors.As(err, new(mat.Condition)) {
			return nil, err
		}
		change := max(0, mat.Max(&step)) - min(0, mat.Min(&step))
		for i := range n {
			offsets[i+1] += step.AtVec(i) / max(1, change)
		}
		if change < smallNewton {
			return offsets, nil
		}
	}
	return nil, errors.New("the windows contradict each other too much to be joined; did their walkers move under these weights?")
}

// probabilities sets p to the p_w of a level for the windows that contain it, and returns
// their total visits.
func (s *windowed) probabilities(p []float64, counts [][]float64, offsets []float64, b int, inside []int) (all float64) {
	p = p[:len(inside)]
	for k, w := range inside {
		p[k] = s.lnExposure(offsets, w, b)
		all += counts[w][b]
	}
	lnSum := LogSumExp(p)
	for k := range p {
		p[k] = math.Exp(p[k] - lnSum)
	}
	return all
}

// chain estimates offsets from neighbours alone, by the mean of the differences at the
// levels that both have visited, with weights H_w H_w+1 / (H_w + H_w+1), the inverse
// variance of each. It is biased by about (1/H_w - 1/H_w+1)/2, which is good enough for a
// start.
func (s *windowed) chain(counts [][]float64) ([]float64, error) {
	offsets := make([]float64, len(s.windows))
	for w, both := range s.both {
		sum, total := 0.0, 0.0
		for _, b := range both {
			x, y := counts[w][b], counts[w+1][b]
			if x > 0 && y > 0 {
				weight := x * y / (x + y)
				sum += weight * s.difference(counts, w, b)
				total += weight
			}
		}
		if total == 0 {
			return nil, fmt.Errorf("windows %d and %d (E = %s and %s) have no visited level in common; let them overlap more, or run for longer",
				w+1, w+2, s.span(w), s.span(w+1))
		}
		offsets[w+1] = offsets[w] + sum/total
	}
	return offsets, nil
}
