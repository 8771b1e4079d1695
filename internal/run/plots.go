package run

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"neuralwl/sampler/dos"
)

// Colours of the plots: the estimate, the exact result, error bands and auxiliary lines. Told
// apart by the colour-blind too.
var (
	estimateColour = color.RGBA{R: 0x00, G: 0x5a, B: 0xb5, A: 0xff}
	exactColour    = color.RGBA{R: 0xe6, G: 0x92, B: 0x46, A: 0xff}
	bandColour     = color.RGBA{R: 0xb4, G: 0xcd, B: 0xe6, A: 0xff}
	gridColour     = color.RGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
)

const (
	plotWidth  = 17 * vg.Centimeter
	panel      = 8 * vg.Centimeter // height of one panel
	resolution = 144               // dots per inch of the PNG files
)

// writePlots draws ln g with its errors over the energy, and the canonical energy
// and specific heat over the temperature, as PNG and SVG.
func (j *job) writePlots(r *result) error {
	lnG, err := j.plotLnG(r)
	if err != nil {
		return fmt.Errorf("plot ln g: %w", err)
	}
	energy, err := j.plotEnergy(r)
	if err != nil {
		return fmt.Errorf("plot the energy: %w", err)
	}
	for name, panels := range map[string][]*plot.Plot{"ln_g": lnG, "energy": energy} {
		height := vg.Length(len(panels)) * panel
		png := vgimg.NewWith(vgimg.UseWH(plotWidth, height), vgimg.UseDPI(resolution))
		svg := vgsvg.New(plotWidth, height)
		for _, picture := range []struct {
			format string
			canvas vg.CanvasSizer
			file   io.WriterTo
		}{{"png", png, vgimg.PngCanvas{Canvas: png}}, {"svg", svg, svg}} {
			stack(draw.New(picture.canvas), panels)
			var buf bytes.Buffer
			if _, err := picture.file.WriteTo(&buf); err != nil {
				return fmt.Errorf("plot %s.%s: %w", name, picture.format, err)
			}
			if err := j.write(name+"."+picture.format, buf.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// stack draws panels below each other with their axes aligned.
func stack(c draw.Canvas, panels []*plot.Plot) {
	column := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		column[i] = []*plot.Plot{p}
	}
	const margin = 3 * vg.Millimeter
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadX: margin, PadY: margin,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin}
	for i, row := range plot.Align(column, tiles, c) {
		panels[i].Draw(row[0])
	}
}

func newPlot(title, x, y string) *plot.Plot {
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
	return p
}

// ticks places about n labelled marks at multiples of 1, 2 or 5 times a power of
// ten.
func ticks(n float64) plot.TickerFunc {
	return func(low, high float64) []plot.Tick {
		step := math.Pow(10, math.Floor(math.Log10((high-low)/n)))
		for _, factor := range []float64{1, 2, 5, 10} {
			if (high-low)/(factor*step) <= n {
				step *= factor
				break
			}
		}
		var marks []plot.Tick
		for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
			label := strconv.FormatFloat(math.Round(k*step*1e9)/1e9+0, 'g', 6, 64)
			marks = append(marks, plot.Tick{Value: k * step, Label: label})
		}
		return marks
	}
}

// withErrors are points with error bars, as plotter takes them.
type withErrors struct {
	plotter.XYs
	plotter.YErrors
}

// plotLnG draws ln g, and below it its deviation from the exact one where that is
// known and else its standard error alone.
func (j *job) plotLnG(r *result) ([]*plot.Plot, error) {
	n := float64(j.system.Sites())
	p := newPlot("Density of states, "+j.title(), "", "ln g(E)")
	var estimate plotter.XYs
	for i, e := range r.density.Energy {
		estimate = append(estimate, plotter.XY{X: e / n, Y: r.density.LnG[i]})
	}
	exact := map[float64]float64{}
	if r.exact != nil {
		var line plotter.XYs
		for i, e := range r.exact.Energy {
			line = append(line, plotter.XY{X: e / n, Y: r.exact.LnG[i]})
			exact[e] = r.exact.LnG[i]
		}
		if err := addLine(p, "exact", line, exactColour, 3); err != nil {
			return nil, err
		}
	}
	if err := addPoints(p, "estimate", estimate); err != nil {
		return nil, err
	}

	label, below := "standard error of ln g", withErrors{}
	if r.exact != nil {
		label = "ln g - exact"
	}
	for i, e := range r.density.Energy {
		deviation := r.density.Error[i]
		truth, known := exact[e]
		if math.IsNaN(deviation) || r.exact != nil && !known {
			continue
		}
		y := deviation
		if known {
			y = r.density.LnG[i] - truth
		}
		below.XYs = append(below.XYs, plotter.XY{X: e / n, Y: y})
		below.YErrors = append(below.YErrors, struct{ Low, High float64 }{deviation, deviation})
	}
	errors := newPlot("", "E / N", label)
	errors.X.Min, errors.X.Max = p.X.Min, p.X.Max
	if len(below.XYs) == 0 {
		errors.Title.Text = "no error bars: the run had no production phase"
		errors.Y.Min, errors.Y.Max = 0, 1
		return []*plot.Plot{p, errors}, nil
	}
	if r.exact != nil {
		bars, err := plotter.NewYErrorBars(below)
		if err != nil {
			return nil, err
		}
		bars.Color, bars.CapWidth = estimateColour, 0
		errors.Add(bars)
	} else {
		errors.Y.Min = 0
	}
	return []*plot.Plot{p, errors}, addPoints(errors, "", below.XYs)
}

// plotEnergy draws the canonical energy and specific heat over the temperature, with
// bands of one standard error.
func (j *job) plotEnergy(r *result) ([]*plot.Plot, error) {
	transition := 1 / j.infiniteTransition()
	energy := newPlot("Canonical averages, "+j.title(), "", "U / N")
	heat := newPlot("", "T", "C / N")
	n := float64(j.system.Sites())
	for _, panel := range []struct {
		p      *plot.Plot
		named  bool // in the legend
		values func(c dos.CanonicalEstimate) (value, deviation float64)
	}{
		{energy, true, func(c dos.CanonicalEstimate) (float64, float64) { return c.Energy / n, c.EnergyError / n }},
		{heat, false, func(c dos.CanonicalEstimate) (float64, float64) { return c.SpecificHeat / n, c.SpecificHeatError / n }},
	} {
		var exact, estimate, above, below plotter.XYs
		for _, c := range r.canonical {
			t := 1 / c.Beta
			y, deviation := panel.values(c)
			estimate = append(estimate, plotter.XY{X: t, Y: y})
			if !math.IsNaN(deviation) {
				above = append(above, plotter.XY{X: t, Y: y + deviation})
				below = append(below, plotter.XY{X: t, Y: y - deviation})
			}
			if r.exact != nil {
				y, _ := panel.values(dos.CanonicalEstimate{Canonical: r.exact.At(c.Beta)})
				exact = append(exact, plotter.XY{X: t, Y: y})
			}
		}
		name := func(s string) string {
			if panel.named {
				return s
			}
			return ""
		}
		if len(above) > 0 {
			slices.Reverse(below)
			band, err := plotter.NewPolygon(append(above, below...))
			if err != nil {
				return nil, err
			}
			band.Color, band.LineStyle.Width = bandColour, 0
			panel.p.Add(band)
		}
		if r.exact != nil {
			if err := addLine(panel.p, name("exact"), exact, exactColour, 3.5); err != nil {
				return nil, err
			}
		}
		if err := addLine(panel.p, name("estimate"), estimate, estimateColour, 1.2); err != nil {
			return nil, err
		}
	}
	for p, name := range map[*plot.Plot]string{energy: "transition of the infinite lattice", heat: ""} {
		line, err := plotter.NewLine(plotter.XYs{{X: transition, Y: p.Y.Min}, {X: transition, Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		line.Color, line.Dashes = color.Gray{Y: 0x77}, []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(line)
		if name != "" {
			p.Legend.Add(name, line)
		}
	}
	return []*plot.Plot{energy, heat}, nil
}

// title names the system.
func (j *job) title() string {
	lx, ly := j.system.Size()
	return fmt.Sprintf("Potts model, q = %d, %d x %d", j.system.Q(), lx, ly)
}

func addLine(p *plot.Plot, name string, xy plotter.XYs, c color.Color, points float64) error {
	line, err := plotter.NewLine(xy)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(points)
	p.Add(line)
	if name != "" {
		p.Legend.Add(name, line)
	}
	return nil
}

func addPoints(p *plot.Plot, name string, xy plotter.XYs) error {
	scatter, err := plotter.NewScatter(xy)
	if err != nil {
		return err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: estimateColour, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	if name != "" {
		p.Legend.Add(name, scatter)
	}
	return nil
}
