package plots

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// saddle is the joint density ln g = E A on a grid without one corner.
func saddle() *dos.Joint {
	j := &dos.Joint{Name: "magnetisation", Cells: &dos.Ensemble{Density: &dos.Density{}}}
	for e := -2.; e <= 2; e++ {
		for a := -2.; a <= 2; a++ {
			if e == 2 && a == 2 {
				continue
			}
			j.Cells.Energy = append(j.Cells.Energy, float64(j.Len()))
			j.Energy, j.Second, j.Cells.LnG = append(j.Energy, e), append(j.Second, a), append(j.Cells.LnG, e*a)
		}
	}
	return j
}

// TestJointLines: a line of equal height runs where the function has this height, to first order, and not
// next to places without a value.
func TestJointLines(t *testing.T) {
	s := &surface{x: []float64{0, 1, 2}, y: []float64{0, 1, 2}, z: [][]float64{{0, 1, 2}, {1, 2, 3}, {2, 3, math.NaN()}}}
	lines := s.lines(1.5) // x + y = 1.5
	if len(lines) != 3 {
		t.Fatalf("%d pieces: %v", len(lines), lines)
	}
	for _, line := range lines {
		for _, p := range line {
			if math.Abs(p.X+p.Y-1.5) > 1e-12 {
				t.Errorf("the line passes through %v", p)
			}
		}
	}
	if lines := s.lines(3.5); lines != nil {
		t.Errorf("lines at a height that there is none of: %v", lines)
	}
	cross := &surface{x: []float64{0, 1}, y: []float64{0, 1}, z: [][]float64{{1, 0}, {0, 1.1}}}
	for _, line := range cross.lines(0.5) { // the corners of height 1 belong together: lines cut off the others
		if middle := (line[0].X + line[1].X) / 2; math.Abs(middle-0.5) < 0.1 {
			t.Errorf("a line crosses the saddle: %v", line)
		}
	}
}

// TestJointFigure draws every format, of some cells and of one, and refuses none.
func TestJointFigure(t *testing.T) {
	j := saddle()
	for _, name := range []string{"j.png", "j.svg", "j.pdf"} {
		var file bytes.Buffer
		if err := Joint(j, j.Cells.LnG, "saddle", "ln g", 4).Encode(&file, name); err != nil || file.Len() == 0 {
			t.Errorf("%s: %v, %d bytes", name, err, file.Len())
		}
		if name == "j.svg" && (!strings.Contains(file.String(), "E / N") || !strings.Contains(file.String(), "ln g = 4")) {
			t.Error("the figure lacks names")
		}
	}
	heights := make([]float64, j.Len())
	for i := range heights[1:] {
		heights[i+1] = math.Inf(-1)
	}
	var file bytes.Buffer
	if err := Joint(j, heights, "one", "ln P", 0).Encode(&file, "j.svg"); err != nil {
		t.Error(err)
	}
	heights[0] = math.NaN()
	if err := Joint(j, heights, "none", "ln P", 0).Encode(&file, "j.svg"); err == nil {
		t.Error("a figure of nothing")
	}
}
