package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// chart is a figure with two axes. The server draws it as SVG, for a page without script and for
// print; chart.json is what the script draws on demand, with all of its points.
type chart struct {
	Name  string // within the page
	Title string
	X, Y  axis
	// Curves are drawn in their order.
	Curves []curve
	Marks  []mark
	// None says why there is nothing to see, where that is so.
	None string
	Note string // what one should know about it
}

// axis is a direction of a chart.
type axis struct {
	Label string
	Log   bool // with a logarithmic scale, on which values up to 0 are left out
}

// curve is a sequence of points, X ascending, at which Y may be NaN for a gap.
type curve struct {
	Name   string
	Colour int  // 0.. of the style sheet; exactColour for exact results
	Points bool // unconnected
	X, Y   []float64
	// Low and High are the limits of a band around the curve, nil for none.
	Low, High []float64
}

// exactColour marks exact results in all charts.
const exactColour = -1

// mark is an event at an X.
type mark struct {
	X    float64
	Name string
}

// Bounds of what is sent of a chart.
const (
	mostPoints = 2000 // in the JSON
	mostDrawn  = 360  // in the SVG, which is less than a point per pixel
)

// empty reports whether there is nothing to draw.
func (c *chart) empty() bool {
	for _, k := range c.Curves {
		for _, y := range k.Y {
			if c.shows(y) {
				return false
			}
		}
	}
	return true
}

// shows reports whether a value has a place on the Y axis.
func (c *chart) shows(y float64) bool {
	return !math.IsNaN(y) && !math.IsInf(y, 0) && (!c.Y.Log || y > 0)
}

// thinned returns curves with at most that many different X all together: of neighbours the last
// stays. Curves with the same X keep the same of them.
func (c *chart) thinned(most int) []curve {
	same := func(a, b []float64) bool { return slices.Equal(a, b) }
	var axes [][]float64
	for _, k := range c.Curves {
		if !slices.ContainsFunc(axes, func(x []float64) bool { return same(x, k.X) }) {
			axes = append(axes, k.X)
		}
	}
	thin := slices.Clone(c.Curves)
	if len(axes) == 0 {
		return thin
	}
	each := max(2, most/len(axes))
	for i, k := range thin {
		n := len(k.X)
		if n <= each {
			continue
		}
		pick := func(values []float64) []float64 {
			if values == nil {
				return nil
			}
			picked := make([]float64, 0, each)
			for j := range each {
				picked = append(picked, values[(j+1)*n/each-1])
			}
			return picked
		}
		thin[i].X, thin[i].Y, thin[i].Low, thin[i].High = pick(k.X), pick(k.Y), pick(k.Low), pick(k.High)
	}
	return thin
}

// chartJSON is a chart for the script: a table whose columns share one X.
type chartJSON struct {
	Title  string      `json:"title"`
	X      axisJSON    `json:"x"`
	Y      axisJSON    `json:"y"`
	At     []short     `json:"at"` // X, ascending
	Curves []curveJSON `json:"curves"`
	Marks  []markJSON  `json:"marks"`
	None   string      `json:"none,omitempty"`
}

type axisJSON struct {
	Label string `json:"label"`
	Log   bool   `json:"log,omitempty"`
}

type curveJSON struct {
	Name   string  `json:"name"`
	Colour int     `json:"colour"`
	Points bool    `json:"points,omitempty"`
	Values []short `json:"values"`
	Low    []short `json:"low,omitempty"`
	High   []short `json:"high,omitempty"`
}

type markJSON struct {
	X    short  `json:"x"`
	Name string `json:"name"`
}

// short is a number of six digits, null for NaN.
type short float64

func (s short) MarshalJSON() ([]byte, error) {
	x := float64(s)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	// As a number of JSON: 1e+06 is one.
	return strconv.AppendFloat(nil, x, 'g', 6, 64), nil
}

// json is the chart for the script, of at most mostPoints X.
func (c *chart) json() ([]byte, error) {
	out := chartJSON{Title: c.Title, X: axisJSON(c.X), Y: axisJSON(c.Y), None: c.None, At: []short{}, Curves: []curveJSON{}, Marks: []markJSON{}}
	curves := c.thinned(mostPoints)
	var at []float64
	for _, k := range curves {
		at = append(at, k.X...)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	for _, x := range at {
		out.At = append(out.At, short(x))
	}
	for _, k := range curves {
		place := make([]int, len(k.X))
		for i, x := range k.X {
			place[i], _ = slices.BinarySearch(at, x)
		}
		column := func(values []float64) []short {
			if values == nil {
				return nil
			}
			all := make([]short, len(at))
			for i := range all {
				all[i] = short(math.NaN())
			}
			for i, y := range values {
				if c.shows(y) {
					all[place[i]] = short(y)
				}
			}
			return all
		}
		out.Curves = append(out.Curves, curveJSON{Name: k.Name, Colour: k.Colour, Points: k.Points, Values: column(k.Y), Low: column(k.Low), High: column(k.High)})
	}
	for _, m := range c.Marks {
		out.Marks = append(out.Marks, markJSON{short(m.X), m.Name})
	}
	return json.Marshal(out)
}

// Dimensions of the SVG, in its units, which are about pixels.
const (
	chartWidth  = 380.0
	chartHeight = 250.0
	marginTop   = 34.0
	marginRight = 12.0
	marginBase  = 42.0
	charWidth   = 6.8 // of a digit of a label
)

// view maps values to places.
type view struct {
	low, high float64 // as drawn, the logarithm where the axis is logarithmic
	from, to  float64 // places
	log       bool
}

func (v view) at(x float64) float64 {
	if v.log {
		x = math.Log10(x)
	}
	return v.from + (x-v.low)/(v.high-v.low)*(v.to-v.from)
}

// newView covers values, with some room if that is asked for.
func newView(low, high float64, log, room bool) view {
	if log {
		low, high = math.Log10(low), math.Log10(high)
	}
	if !(high-low > 1e-12*max(math.Abs(low), math.Abs(high))) { // a single value
		by := max(0.5, 0.1*math.Abs(low))
		low, high = low-by, high+by
	} else if room {
		by := 0.04 * (high - low)
		low, high = low-by, high+by
	}
	return view{low: low, high: high, log: log}
}

// ticks are values within a view at which to label the axis, about n of them.
func (v view) ticks(n float64) (at []float64, labels []string) {
	if v.log && v.high-v.low >= 2 {
		every := math.Ceil((v.high - v.low) / n)
		for k := math.Ceil(v.low/every) * every; k <= v.high; k += every {
			at, labels = append(at, math.Pow(10, k)), append(labels, "1e"+strconv.Itoa(int(k)))
		}
		return at, labels
	}
	low, high := v.low, v.high
	if v.log {
		low, high = math.Pow(10, low), math.Pow(10, high)
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/n)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(factor*step) <= n {
			step *= factor
			break
		}
	}
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step && len(at) < 50; k++ {
		at, labels = append(at, k*step), append(labels, label(k*step))
	}
	return at, labels
}

// label writes a number for an axis, with a true minus sign.
func label(x float64) string {
	digits := 10
	if a := math.Abs(x); a >= 1e7 || a < 1e-4 {
		digits = 4
	}
	return strings.Replace(strconv.FormatFloat(x+0, 'g', digits, 64), "-", "−", 1)
}

// ranges are those of all that is drawn.
func (c *chart) ranges() (x, y view, ok bool) {
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, k := range c.Curves {
		for i := range k.X {
			if !c.shows(k.Y[i]) {
				continue
			}
			x0, x1 = min(x0, k.X[i]), max(x1, k.X[i])
			y0, y1 = min(y0, k.Y[i]), max(y1, k.Y[i])
			if k.Low != nil && c.shows(k.Low[i]) && c.shows(k.High[i]) {
				y0, y1 = min(y0, k.Low[i]), max(y1, k.High[i])
			}
		}
	}
	if x0 > x1 {
		return x, y, false
	}
	return newView(x0, x1, c.X.Log, false), newView(y0, y1, c.Y.Log, true), true
}

// SVG draws the chart.
func (c *chart) SVG() template.HTML {
	curves := c.thinned(mostDrawn)
	x, y, ok := c.ranges()
	if !ok {
		return ""
	}
	var b bytes.Buffer
	yTicks, yLabels := y.ticks(5)
	width := 0
	for _, l := range yLabels {
		width = max(width, len([]rune(l)))
	}
	x.from, x.to = 10+charWidth*float64(width), chartWidth-marginRight
	y.from, y.to = chartHeight-marginBase, marginTop
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(c.words(curves)))
	for i, t := range yTicks {
		at := y.at(t)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fH%.1f"/><text class="tick end" x="%.1f" y="%.1f">%s</text>`, x.from, at, x.to, x.from-5, at+4, yLabels[i])
	}
	xTicks, xLabels := x.ticks(6)
	for i, t := range xTicks {
		at := x.at(t)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fV%.1f"/><text class="tick middle" x="%.1f" y="%.1f">%s</text>`, at, y.from, y.to, at, y.from+16, xLabels[i])
	}
	fmt.Fprintf(&b, `<text class="label" x="2" y="14">%s</text>`, template.HTMLEscapeString(c.Y.Label))
	fmt.Fprintf(&b, `<text class="label middle" x="%.1f" y="%.1f">%s</text>`, (x.from+x.to)/2, chartHeight-6, template.HTMLEscapeString(c.X.Label))
	c.drawMarks(&b, x, y)
	for _, k := range curves {
		c.draw(&b, k, x, y)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// drawMarks draws dashed lines, with names as long as there is room.
func (c *chart) drawMarks(b *bytes.Buffer, x, y view) {
	free := 0.0
	for _, m := range c.Marks {
		at := x.at(m.X)
		if !(at >= x.from-0.5 && at <= x.to+0.5) {
			continue
		}
		fmt.Fprintf(b, `<path class="mark" d="M%.1f %.1fV%.1f"/>`, at, y.from, y.to)
		if width := 6 * float64(len([]rune(m.Name))); at >= free && at+width <= chartWidth {
			fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%.1f">%s</text>`, at-3, y.to-6, template.HTMLEscapeString(m.Name))
			free = at + width + 10
		}
	}
}

// draw draws a curve, with its band first.
func (c *chart) draw(b *bytes.Buffer, k curve, x, y view) {
	if k.Low != nil {
		var up, down bytes.Buffer
		for i := range k.X {
			if c.shows(k.Low[i]) && c.shows(k.High[i]) {
				fmt.Fprintf(&up, "%.1f %.1f ", x.at(k.X[i]), y.at(k.High[i]))
			}
		}
		for i := len(k.X) - 1; i >= 0; i-- {
			if c.shows(k.Low[i]) && c.shows(k.High[i]) {
				fmt.Fprintf(&down, "%.1f %.1f ", x.at(k.X[i]), y.at(k.Low[i]))
			}
		}
		if up.Len() > 0 {
			fmt.Fprintf(b, `<path class="band %s" d="M%s%sZ"/>`, colourClass(k.Colour), up.String(), down.String())
		}
	}
	class, pen := "line", false
	if k.Points || lonely(c, k) {
		class = "points"
	}
	fmt.Fprintf(b, `<path class="%s %s" d="`, class, colourClass(k.Colour))
	for i := range k.X {
		switch {
		case !c.shows(k.Y[i]):
			pen = false
		case class == "points":
			fmt.Fprintf(b, "M%.1f %.1fh0", x.at(k.X[i]), y.at(k.Y[i]))
		case pen:
			fmt.Fprintf(b, "L%.1f %.1f", x.at(k.X[i]), y.at(k.Y[i]))
		default:
			fmt.Fprintf(b, "M%.1f %.1f", x.at(k.X[i]), y.at(k.Y[i]))
			pen = true
		}
	}
	b.WriteString(`"/>`)
}

// lonely reports whether a curve has a single point, of which a line would show nothing.
func lonely(c *chart, k curve) bool {
	n := 0
	for _, y := range k.Y {
		if c.shows(y) {
			n++
		}
	}
	return n == 1
}

func colourClass(colour int) string {
	if colour == exactColour {
		return "exact"
	}
	return "c" + strconv.Itoa(colour%colours)
}

// colours is how many the style sheet has for curves.
const colours = 8

// words says what the chart shows, for those who do not see it.
func (c *chart) words(curves []curve) string {
	parts := []string{c.Title + ", " + c.Y.Label + " over " + c.X.Label}
	for i, k := range curves {
		low, high, last, n := math.Inf(1), math.Inf(-1), math.NaN(), 0
		for _, y := range k.Y {
			if c.shows(y) {
				low, high, last, n = min(low, y), max(high, y), y, n+1
			}
		}
		if n == 0 {
			continue
		}
		if i == 6 && len(curves) > 8 {
			parts = append(parts, fmt.Sprintf("and %d more", len(curves)-i))
			break
		}
		name := k.Name
		if name == "" {
			name = "values"
		}
		parts = append(parts, fmt.Sprintf("%s from %.4g to %.4g, at the right %.4g", name, low, high, last))
	}
	return strings.Join(parts, "; ")
}

// Keys are the names of curves with their colours, none for a single curve.
func (c *chart) Keys() (keys []key) {
	if len(c.Curves) < 2 {
		return nil
	}
	for _, k := range c.Curves {
		if k.Name != "" {
			keys = append(keys, key{k.Name, colourClass(k.Colour)})
		}
	}
	return keys
}

type key struct{ Name, Class string }

// timeAxis is an axis of seconds in a unit that suits them, and the factor by which to divide.
func timeAxis(most float64) (axis, float64) {
	switch {
	case most > 2*86400:
		return axis{Label: "time (days)"}, 86400
	case most > 2*3600:
		return axis{Label: "time (h)"}, 3600
	case most > 180:
		return axis{Label: "time (min)"}, 60
	}
	return axis{Label: "time (s)"}, 1
}
