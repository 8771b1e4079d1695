package lattice

import "fmt"

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
