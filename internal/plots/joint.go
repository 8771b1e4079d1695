package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"neuralwl/sampler/dos"
)

// contours is the number of lines of equal height.
const contours = 12

// Joint draws heights of the pairs of a joint density, of which NaN and -Inf are left out, over both variables per
// site: each pair as a cell in the colour of its height, and lines of equal height between them. The legend
// calls heights by the name.
func Joint(j *dos.Joint, heights []float64, title, name string, sites int) Figure {
	n := float64(max(sites, 1))
	x, y := "E / N", j.Name+" / N"
	if sites < 1 {
		x, y = "E", j.Name
	}
	p := NewPanel(title, x, y)
	s := &surface{low: math.Inf(1), high: math.Inf(-1)}
	for i, z := range heights {
		if math.IsNaN(z) || math.IsInf(z, 0) {
			continue
		}
		s.x, s.y = append(s.x, j.Energy[i]/n), append(s.y, j.Second[i]/n)
		s.low, s.high = min(s.low, z), max(s.high, z)
	}
	if len(s.x) == 0 {
		p.failed(fmt.Errorf("there is no pair to draw"))
		return Figure{p}
	}
	s.x, s.y = axisOf(s.x), axisOf(s.y)
	s.z = make([][]float64, len(s.x))
	for i := range s.z {
		s.z[i] = slices.Repeat([]float64{math.NaN()}, len(s.y))
	}
	for i, z := range heights {
		if !math.IsNaN(z) && !math.IsInf(z, 0) {
			s.z[nearest(s.x, j.Energy[i]/n)][nearest(s.y, j.Second[i]/n)] = z
		}
	}
	p.plot.Add(s)
	for k := range shades {
		z := s.low + (s.high-s.low)*float64(k)/float64(len(shades)-1)
		p.plot.Legend.Add(fmt.Sprintf("%s = %.4g", name, z), patch{s.colour(z)})
	}
	p.LegendRight()
	p.plot.X.Max += legendShare / (1 - legendShare) * (p.plot.X.Max - p.plot.X.Min)
	return Figure{p}
}

// axisOf are the distinct values among some, ascending.
func axisOf(values []float64) []float64 {
	values = slices.Sorted(slices.Values(values))
	return slices.Compact(values)
}

func nearest(axis []float64, x float64) int {
	k, _ := slices.BinarySearch(axis, x)
	return min(k, len(axis)-1)
}

// surface is a function on a grid, NaN where it has no value, with the range of its values.
type surface struct {
	x, y      []float64
	z         [][]float64 // by x, then by y
	low, high float64
}

// colour of a height, between the shades.
func (s *surface) colour(z float64) color.Color {
	at := 0.0
	if s.high > s.low {
		at = (z - s.low) / (s.high - s.low) * float64(len(shades)-1)
	}
	k := max(0, min(int(at), len(shades)-2))
	a, b := shades[k].(color.RGBA), shades[k+1].(color.RGBA)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(k))*(float64(b)-float64(a)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// edges are the borders between the values of an axis, and those beyond its ends.
func edges(axis []float64) []float64 {
	if len(axis) == 1 {
		return []float64{axis[0] - 0.5, axis[0] + 0.5}
	}
	out := []float64{axis[0] - (axis[1]-axis[0])/2}
	for i := range axis[1:] {
		out = append(out, (axis[i]+axis[i+1])/2)
	}
	last := len(axis) - 1
	return append(out, axis[last]+(axis[last]-axis[last-1])/2)
}

// DataRange is that of the cells.
func (s *surface) DataRange() (xmin, xmax, ymin, ymax float64) {
	x, y := edges(s.x), edges(s.y)
	return x[0], x[len(x)-1], y[0], y[len(y)-1]
}

// Plot draws the cells and the lines.
func (s *surface) Plot(c draw.Canvas, p *plot.Plot) {
	atX, atY := p.Transforms(&c)
	x, y := edges(s.x), edges(s.y)
	for i := range s.x {
		for j := range s.y {
			if z := s.z[i][j]; !math.IsNaN(z) {
				c.FillPolygon(s.colour(z), []vg.Point{
					{X: atX(x[i]), Y: atY(y[j])}, {X: atX(x[i+1]), Y: atY(y[j])},
					{X: atX(x[i+1]), Y: atY(y[j+1])}, {X: atX(x[i]), Y: atY(y[j+1])},
				})
			}
		}
	}
	style := draw.LineStyle{Color: color.White, Width: vg.Points(0.6)}
	for k := 1; k <= contours; k++ {
		height := s.low + (s.high-s.low)*float64(k)/(contours+1)
		for _, line := range s.lines(height) {
			c.StrokeLine2(style, atX(line[0].X), atY(line[0].Y), atX(line[1].X), atY(line[1].Y))
		}
	}
}

// lines are the pieces of the line of a height, one or two in every square of the grid that it passes through
// and that has a value at each corner (marching squares).
func (s *surface) lines(height float64) (pieces [][2]Point) {
	for i := range len(s.x) - 1 {
		for j := range len(s.y) - 1 {
			corners := [4]Point{{s.x[i], s.y[j], 0}, {s.x[i+1], s.y[j], 0}, {s.x[i+1], s.y[j+1], 0}, {s.x[i], s.y[j+1], 0}}
			z := [4]float64{s.z[i][j], s.z[i+1][j], s.z[i+1][j+1], s.z[i][j+1]}
			var crossings []Point
			for k := range corners {
				next := (k + 1) % 4
				if (z[k] < height) != (z[next] < height) {
					t := (height - z[k]) / (z[next] - z[k])
					a, b := corners[k], corners[next]
					crossings = append(crossings, Point{X: a.X + t*(b.X-a.X), Y: a.Y + t*(b.Y-a.Y)})
				}
			}
			if math.IsNaN(z[0] + z[1] + z[2] + z[3]) {
				continue
			}
			switch len(crossings) {
			case 2:
				pieces = append(pieces, [2]Point{crossings[0], crossings[1]})
			case 4: // a saddle: the mean height tells which corners belong together
				if mean := (z[0] + z[1] + z[2] + z[3]) / 4; (mean < height) == (z[0] < height) {
					pieces = append(pieces, [2]Point{crossings[0], crossings[1]}, [2]Point{crossings[2], crossings[3]})
				} else {
					pieces = append(pieces, [2]Point{crossings[3], crossings[0]}, [2]Point{crossings[1], crossings[2]})
				}
			}
		}
	}
	return pieces
}

// patch is a colour in a legend.
type patch struct{ colour color.Color }

func (t patch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(t.colour, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}
