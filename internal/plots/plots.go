// Package plots draws densities of states.
package plots

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width       = 17 * vg.Centimeter
	panelHeight = 8 * vg.Centimeter
	resolution  = 144 // dots per inch of PNG
)

var gridColour = color.Gray{Y: 0xe4}

// Figure is panels below each other, with their axes aligned.
type Figure []*plot.Plot

// CheckPath returns an error unless the extension of path is that of a format which
// Encode knows.
func CheckPath(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png", ".svg":
		return nil
	}
	return fmt.Errorf("file %q: the name of a plot must end in .png or .svg", path)
}

// Encode draws the figure to w in the format that the extension of path stands for.
func (f Figure) Encode(w io.Writer, path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	height := vg.Length(len(f)) * panelHeight
	var canvas vg.CanvasSizer
	var file io.WriterTo
	if strings.EqualFold(filepath.Ext(path), ".svg") {
		svg := vgsvg.New(width, height)
		canvas, file = svg, svg
	} else {
		png := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(resolution))
		canvas, file = png, vgimg.PngCanvas{Canvas: png}
	}
	f.draw(draw.New(canvas))
	if _, err := file.WriteTo(w); err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	return nil
}

func (f Figure) draw(c draw.Canvas) {
	column := make([][]*plot.Plot, len(f))
	for i, p := range f {
		column[i] = []*plot.Plot{p}
	}
	const margin = 3 * vg.Millimeter
	tiles := draw.Tiles{Rows: len(f), Cols: 1, PadX: margin, PadY: margin,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin}
	for i, row := range plot.Align(column, tiles, c) {
		f[i].Draw(row[0])
	}
}

// newPanel is an empty panel with a grid.
func newPanel(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(8), ticks(8)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColour, gridColour
	p.Add(grid)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Millimeter
	return p
}

// ticks places about n labelled marks at multiples of 1, 2 or 5 times a power of
// ten.
func ticks(n float64) plot.TickerFunc {
	return func(low, high float64) (marks []plot.Tick) {
		if math.IsInf(high-low, 0) {
			return nil // no number is that far away
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
