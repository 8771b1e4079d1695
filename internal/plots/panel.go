package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	gridColour   = color.Gray{Y: 0xe4}
	markerColour = color.Gray{Y: 0x77}
)

// Panel is a pair of axes with what is drawn in it, later items above earlier ones. Named
// items appear in the legend. The first error in drawing, such as a value that is not
// finite, is kept and returned by Figure.Encode.
type Panel struct {
	plot *plot.Plot
	err  error
}

// NewPanel returns an empty panel with a grid and the axis labels x and y.
func NewPanel(title, x, y string) *Panel {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = 2 * vg.Millimeter
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(8), ticks(8)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColour, gridColour
	p.Add(grid)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Millimeter
	return &Panel{plot: p}
}

// IncludeY extends the range of y to values that need not be drawn.
func (p *Panel) IncludeY(values ...float64) {
	for _, y := range values {
		p.plot.Y.Min, p.plot.Y.Max = min(p.plot.Y.Min, y), max(p.plot.Y.Max, y)
	}
}

// LegendRight moves the legend to the right, away from curves that fall.
func (p *Panel) LegendRight() { p.plot.Legend.Left = false }

// LegendBottom moves the legend down, away from curves near the top.
func (p *Panel) LegendBottom() { p.plot.Legend.Top = false }

// AlignX gives the panel the current x range of other.
func (p *Panel) AlignX(other *Panel) {
	p.plot.X.Min, p.plot.X.Max = other.plot.X.Min, other.plot.X.Max
}

// Points draws points, with bars of one standard error where it is known.
func (p *Panel) Points(name string, s Series, c color.Color) {
	if known := s.Known(); len(known) > 0 {
		bars, err := plotter.NewYErrorBars(known)
		if p.failed(err) {
			return
		}
		bars.Color, bars.CapWidth = c, 0
		p.plot.Add(bars)
	}
	scatter, err := plotter.NewScatter(s)
	if p.failed(err) {
		return
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
	p.add(name, scatter)
}

// shades are the colours of Coloured, from its least value to its largest, of growing luminance and
// distinguishable even to the colour-blind (viridis of Smith, van der Walt, 2015).
var shades = []color.Color{
	color.RGBA{R: 0x44, G: 0x01, B: 0x54, A: 0xff}, color.RGBA{R: 0x41, G: 0x44, B: 0x87, A: 0xff}, color.RGBA{R: 0x2a, G: 0x78, B: 0x8e, A: 0xff},
	color.RGBA{R: 0x22, G: 0xa8, B: 0x84, A: 0xff}, color.RGBA{R: 0x7a, G: 0xd1, B: 0x51, A: 0xff}, color.RGBA{R: 0xfd, G: 0xe7, B: 0x25, A: 0xff},
}

// Coloured draws points without errors, in colours by values, one for each point. The legend names
// the values at the middle of each colour's range by a format.
func (p *Panel) Coloured(s Series, values []float64, format string) {
	if len(values) == 0 {
		return
	}
	low, high := slices.Min(values), slices.Max(values)
	groups := make([]Series, len(shades))
	for i, v := range values {
		k := 0
		if high > low {
			k = min(len(shades)-1, int((v-low)/(high-low)*float64(len(shades))))
		}
		groups[k] = append(groups[k], Point{s[i].X, s[i].Y, math.NaN()})
	}
	for k, group := range groups {
		if len(group) > 0 {
			p.Points(fmt.Sprintf(format, low+(high-low)*(float64(k)+0.5)/float64(len(shades))), group, shades[k])
		}
	}
}

// Line draws a line through the points, without errors. width is in points of 1/72 inch.
func (p *Panel) Line(name string, s Series, c color.Color, width float64) {
	line, err := plotter.NewLine(s)
	if p.failed(err) {
		return
	}
	line.Color, line.Width = c, vg.Points(width)
	p.add(name, line)
}

// Band fills the range of one standard error around the points whose error is known. It
// draws nothing if there are none.
func (p *Panel) Band(s Series, c color.Color) {
	known := s.Known()
	if len(known) == 0 {
		return
	}
	var outline plotter.XYs
	for _, p := range known {
		outline = append(outline, plotter.XY{X: p.X, Y: p.Y + p.Error})
	}
	for _, p := range slices.Backward(known) {
		outline = append(outline, plotter.XY{X: p.X, Y: p.Y - p.Error})
	}
	band, err := plotter.NewPolygon(outline)
	if p.failed(err) {
		return
	}
	band.Color, band.LineStyle.Width = c, 0
	p.plot.Add(band)
}

// Marker draws a dashed vertical line at x over the panel's current y range.
func (p *Panel) Marker(name string, x float64) {
	line, err := plotter.NewLine(plotter.XYs{{X: x, Y: p.plot.Y.Min}, {X: x, Y: p.plot.Y.Max}})
	if p.failed(err) {
		return
	}
	line.Color, line.Dashes = markerColour, []vg.Length{vg.Points(4), vg.Points(3)}
	p.add(name, line)
}

func (p *Panel) add(name string, drawn interface {
	plot.Plotter
	plot.Thumbnailer
}) {
	p.plot.Add(drawn)
	if name != "" {
		p.plot.Legend.Add(name, drawn)
	}
}

// failed keeps the first error.
func (p *Panel) failed(err error) bool {
	if p.err == nil {
		p.err = err
	}
	return err != nil
}

// ticks returns about n labelled marks at multiples of 1, 2 or 5 times a power of ten.
func ticks(n float64) plot.TickerFunc {
	return func(low, high float64) (marks []plot.Tick) {
		if math.IsInf(high-low, 0) {
			return nil // no number is that large
		}
		step := math.Pow(10, math.Floor(math.Log10((high-low)/n)))
		for _, factor := range []float64{1, 2, 5, 10} {
			if (high-low)/(factor*step) <= n {
				step *= factor
				break
			}
		}
		for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
			marks = append(marks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step+0, 'g', 6, 64)})
		}
		return marks
	}
}
