package plots

import (
	"math"
	"testing"
)

// TestTicks marks axes of any width a few times, also where neighbouring numbers are farther apart
// than the marks would be.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high   float64
		least, most int
	}{
		{0, 1, 3, 9}, {-2, 0, 3, 9}, {0.001, 0.0011, 3, 9}, {1e6, 1e6 + 1, 3, 9}, {-3e-300, 2e-300, 3, 9},
		{-0.2070312500000001, math.Nextafter(-0.2070312500000001, 0), 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 9},
		{1e15, 1e15 + 1, 1, 1}, {-math.MaxFloat64, math.MaxFloat64, 0, 0}, {5, 5 + 1e-7, 3, 9},
	} {
		marks := ticks(8)(c.low, c.high)
		if n := len(marks); n < c.least || n > c.most {
			t.Errorf("%g..%g: %d marks, want %d to %d", c.low, c.high, n, c.least, c.most)
		}
	}
}
