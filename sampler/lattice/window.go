package lattice

import (
	"fmt"
	"iter"
	"sort"
)

// Window is a range of levels, both ends included.
type Window struct{ Low, High int }

// Contains reports whether the level lies in the window.
func (w Window) Contains(level int) bool { return w.Low <= level && level <= w.High }

// Levels is the number of levels in the window.
func (w Window) Levels() int { return w.High - w.Low + 1 }

func (w Window) String() string { return fmt.Sprintf("levels %d..%d", w.Low, w.High) }

// UniformWindows divides levels 0..levels-1 into count windows of equal width.
// Neighbours share the given part of their width, 0..1.
func UniformWindows(levels, count int, overlap float64) []Window {
	width := float64(levels) / (1 + float64(count-1)*(1-overlap))
	windows := make([]Window, count)
	for k := range windows {
		low := float64(k) * width * (1 - overlap)
		windows[k] = Window{Low: int(low), High: min(levels-1, int(low+width))}
	}
	windows[count-1].High = levels - 1
	return windows
}

// Windows divides the levels of a system into count windows of equal width, of which
// neighbours share the given part, 0..1. The first also takes the levels that are known to
// have no states at the upper end of the energies. Pairs are divided by their energies.
func Windows(s System, count int, overlap float64) []Window {
	_, last := Row(s, 0)
	row := last + 1
	low, high := 0, s.Levels()-1
	for low < high && !s.Possible(low) {
		low++
	}
	windows := UniformWindows((high-low+1)/row, count, overlap)
	for k, w := range windows {
		windows[k] = Window{Low: low + w.Low*row, High: low + w.High*row + last}
	}
	windows[0].Low = 0
	return windows
}

// WindowFaults yields the faults of windows of a system: together they must cover all
// levels, each must be as wide as the steps of its walkers, and neighbours must share more
// levels than the longest step passes over.
func WindowFaults(s System, windows []Window) iter.Seq[error] {
	return func(yield func(error) bool) {
		n, last := len(windows), s.Levels()-1
		if windows[0].Low != 0 || windows[n-1].High != last {
			if !yield(fmt.Errorf("the windows reach from level %d to %d, must from 0 to %d", windows[0].Low, windows[n-1].High, last)) {
				return
			}
		}
		for k, w := range windows {
			if steps := Steps(s); w.Levels() < steps {
				if !yield(fmt.Errorf("window %d, %v, has fewer than %d levels", k+1, w, steps)) {
					return
				}
			}
			if k == 0 {
				continue
			}
			if before := windows[k-1]; w.Low <= before.Low || w.High <= before.High || w.Low > before.High-s.MaxStep() {
				if !yield(fmt.Errorf("windows %d and %d, %v and %v: the second must begin and end later and share more than %d levels with the first", k, k+1, before, w, s.MaxStep())) {
					return
				}
			}
		}
	}
}

// WindowsFit reports whether Windows have no faults.
func WindowsFit(s System, count int, overlap float64) bool {
	for range WindowFaults(s, Windows(s, count, overlap)) {
		return false
	}
	return true
}

// MostWindows is the largest number of Windows, at most count, that fit. A few more may fit
// where one fewer does not, as windows end at whole levels; so far it looks.
func MostWindows(s System, count int, overlap float64) int {
	const few = 64
	most := 1 + sort.Search(count-1, func(i int) bool { return !WindowsFit(s, i+2, overlap) })
	for n := min(most+few, count); n > most; n-- {
		if WindowsFit(s, n, overlap) {
			return n
		}
	}
	return most
}
