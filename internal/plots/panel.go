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
	plot  *plot.Plot
	inset *Panel // nil without
	top   bool   // of an inset: at the top
	err   error
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

// LabelX names the x axis.
func (p *Panel) LabelX(name string) { p.plot.X.Label.Text = name }

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

// legendShare is the part of the width that Coloured leaves free for its legend.
const legendShare = 0.22

// Coloured draws points without errors, in colours by values, one for each point. The legend, on the
// right, names the values at the middle of each colour's range by a format.
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
	p.LegendRight()
	p.plot.X.Max += legendShare / (1 - legendShare) * (p.plot.X.Max - p.plot.X.Min)
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

// Marker draws a dashed vertical line at x from the bottom to the top of the panel.
func (p *Panel) Marker(name string, x float64) {
	p.add(name, &marker{x, draw.LineStyle{Color: markerColour, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}})
}

// marker is a vertical line.
type marker struct {
	x     float64
	style draw.LineStyle
}

func (m *marker) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.StrokeLine2(m.style, x(m.x), c.Min.Y, x(m.x), c.Max.Y)
}

// DataRange extends x to the line and leaves y alone.
func (m *marker) DataRange() (xmin, xmax, ymin, ymax float64) {
	return m.x, m.x, math.Inf(1), math.Inf(-1)
}

func (m *marker) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(m.style, c.Min.X, y, c.Max.X, y)
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

// narrowest is the least width of an axis with several marks, as a part of its values.
const narrowest = 1e-9

// ticks returns about n labelled marks at multiples of 1, 2 or 5 times a power of ten.
func ticks(n float64) plot.TickerFunc {
	return func(low, high float64) (marks []plot.Tick) {
		if math.IsInf(high-low, 0) {
			return nil // no number is that large
		}
		if high-low < narrowest*max(math.Abs(low), math.Abs(high)) {
			// Steps would be lost in rounding: what differs so little is one value.
			return []plot.Tick{{Value: (low + high) / 2, Label: strconv.FormatFloat((low+high)/2, 'g', 6, 64)}}
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

// LogX and LogY give the panel a logarithmic axis. Values must be positive.
func (p *Panel) LogX() { logarithmic(&p.plot.X) }

// LogY is like LogX.
func (p *Panel) LogY() { logarithmic(&p.plot.Y) }

func logarithmic(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Tick.Marker = plot.TickerFunc(decades)
}

// widen gives a logarithmic axis of a single value some room; a linear one gets it by itself, by which another would reach
// below zero.
func (p *Panel) widen() {
	for _, a := range []*plot.Axis{&p.plot.X, &p.plot.Y} {
		if _, log := a.Scale.(plot.LogScale); log && a.Min == a.Max {
			a.Min, a.Max = a.Min/2, 2*a.Max
		}
	}
}

// decades marks powers of ten and, where there are few, 2 and 5 times them.
func decades(low, high float64) (marks []plot.Tick) {
	if !(low > 0) || math.IsInf(high, 0) {
		return nil
	}
	factors := []float64{1, 2, 5}
	span := math.Log10(high / low)
	if span > 3 {
		factors = []float64{1}
	}
	step := int(math.Ceil(span / 9))
	for k := int(math.Floor(math.Log10(low))); ; k++ {
		for _, f := range factors {
			x := f * math.Pow(10, float64(k))
			if x > high*(1+1e-9) {
				return marks
			}
			if x >= low*(1-1e-9) && (f > 1 || k%max(1, step) == 0) {
				marks = append(marks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'g', 6, 64)})
			}
		}
	}
}

// Names marks places on the y axis by names, from the top down at 0, -1, -2 and so on.
func (p *Panel) Names(names []string) {
	var marks []plot.Tick
	for i, name := range names {
		marks = append(marks, plot.Tick{Value: -float64(i), Label: name})
	}
	p.plot.Y.Tick.Marker = plot.ConstantTicks(marks)
	p.plot.Y.Min, p.plot.Y.Max = -float64(len(names))+0.5, 0.5
}

// Inset shows another panel in a corner of this one, small: on the right, at the top or at the bottom.
func (p *Panel) Inset(inner *Panel, top bool) {
	q := inner.plot
	q.BackgroundColor = color.White
	q.X.Tick.Marker, q.Y.Tick.Marker = ticks(3), ticks(4)
	for _, a := range []*plot.Axis{&q.X, &q.Y} {
		a.Label.Text, a.Tick.Label.Font.Size = "", vg.Points(8)
	}
	p.inset, inner.top = inner, top
	p.failed(inner.err)
}

// drawInset draws the inset into the area of the panel.
func (p *Panel) drawInset(c draw.Canvas) {
	const width, height, margin = 0.36, 0.52, 0.03 // shares of the area
	area := p.plot.DataCanvas(c)
	size := area.Max.Sub(area.Min)
	right := area.Max.X - margin*size.X
	low := area.Min.Y + margin*size.Y
	if p.inset.top {
		low = area.Max.Y - (margin+height)*size.Y
	}
	area.Min, area.Max = vg.Point{X: right - width*size.X, Y: low}, vg.Point{X: right, Y: low + height*size.Y}
	p.inset.plot.Draw(area)
}

// IncludeX extends the range of x to values that need not be drawn.
func (p *Panel) IncludeX(values ...float64) {
	for _, x := range values {
		p.plot.X.Min, p.plot.X.Max = min(p.plot.X.Min, x), max(p.plot.X.Max, x)
	}
}

// Span draws a horizontal line from low to high at y with a mark at x.
func (p *Panel) Span(y, low, x, high float64, c color.Color) {
	line, err := plotter.NewLine(plotter.XYs{{X: low, Y: y}, {X: high, Y: y}})
	if p.failed(err) {
		return
	}
	line.Color, line.Width = c, vg.Points(1.5)
	p.plot.Add(line)
	mark, err := plotter.NewScatter(plotter.XYs{{X: x, Y: y}})
	if p.failed(err) {
		return
	}
	mark.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	p.plot.Add(mark)
}

// Outline fills the range between two curves of the same x.
func (p *Panel) Outline(low, high Series, c color.Color) {
	if len(low) < 2 {
		return
	}
	var outline plotter.XYs
	for _, q := range high {
		outline = append(outline, plotter.XY{X: q.X, Y: q.Y})
	}
	for _, q := range slices.Backward(low) {
		outline = append(outline, plotter.XY{X: q.X, Y: q.Y})
	}
	band, err := plotter.NewPolygon(outline)
	if p.failed(err) {
		return
	}
	band.Color, band.LineStyle.Width = c, 0
	p.plot.Add(band)
}

// Curve draws a line in the k-th Style.
func (p *Panel) Curve(name string, s Series, k int) {
	line, err := plotter.NewLine(s)
	if p.failed(err) {
		return
	}
	colour, dashes := Style(k)
	line.Color, line.Width = colour, vg.Points(1.5)
	for _, d := range dashes {
		line.Dashes = append(line.Dashes, vg.Points(d))
	}
	p.add(name, line)
}

// patterns of lines, lengths in points.
var patterns = [][]float64{nil, {6, 3}, {1.5, 2.5}, {8, 2, 2, 2}}

// Style is the colour and the pattern of the k-th of many curves.
func Style(k int) (c color.Color, dashes []float64) {
	return Colours[k%len(Colours)], patterns[k/len(Colours)%len(patterns)]
}

// Faint is a colour for a band behind the curve of that colour.
func Faint(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	const alpha = 0x30
	scale := func(x uint32) uint8 { return uint8(x >> 8 * alpha / 0xff) }
	return color.RGBA{scale(r), scale(g), scale(b), alpha}
}
