package run

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"neuralwl/sampler/dos"
)

// Colours of the plots: the estimate, the exact result behind it, and auxiliary
// lines. Told apart by the colour-blind too.
var (
	estimateColour = color.RGBA{R: 0x00, G: 0x5a, B: 0xb5, A: 0xff}
	exactColour    = color.RGBA{R: 0xdc, G: 0x7a, B: 0x32, A: 0xff}
	gridColour     = color.RGBA{R: 0xdd, G: 0xdd, B: 0xdd, A: 0xff}
)

const (
	plotWidth  = 16 * vg.Centimeter
	plotHeight = 10 * vg.Centimeter
)

// writePlots draws ln g over the energy and the canonical energy over the
// temperature, as PNG and SVG.
func (j *job) writePlots(r *result) error {
	n := float64(j.system.Sites())
	lnG, err := plotLnG(j.system.String(), n, r)
	if err != nil {
		return fmt.Errorf("plot ln g: %w", err)
	}
	energy, err := plotEnergy(j.system.String(), n, math.Log(1+math.Sqrt(float64(j.system.Q()))), r)
	if err != nil {
		return fmt.Errorf("plot the energy: %w", err)
	}
	for name, p := range map[string]*plot.Plot{"ln_g": lnG, "energy": energy} {
		for _, format := range []string{"png", "svg"} {
			w, err := p.WriterTo(plotWidth, plotHeight, format)
			if err != nil {
				return fmt.Errorf("plot %s.%s: %w", name, format, err)
			}
			var buf bytes.Buffer
			if _, err := w.WriteTo(&buf); err != nil {
				return fmt.Errorf("plot %s.%s: %w", name, format, err)
			}
			if err := j.write(name+"."+format, buf.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Millimeter * 2
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColour, gridColour
	p.Add(grid)
	p.Legend.Top = true
	return p
}

// withErrors are points with error bars, as plotter takes them.
type withErrors struct {
	plotter.XYs
	plotter.YErrors
}

func plotLnG(title string, n float64, r *result) (*plot.Plot, error) {
	p := newPlot("Density of states, "+title, "E / N", "ln g(E)")
	p.Legend.Left = true
	points := withErrors{}
	for i, e := range r.density.Energy {
		deviation := r.density.Error[i]
		if math.IsNaN(deviation) {
			deviation = 0
		}
		points.XYs = append(points.XYs, plotter.XY{X: e / n, Y: r.density.LnG[i]})
		points.YErrors = append(points.YErrors, struct{ Low, High float64 }{deviation, deviation})
	}
	if r.exact != nil {
		var xy plotter.XYs
		for i, e := range r.exact.Energy {
			xy = append(xy, plotter.XY{X: e / n, Y: r.exact.LnG[i]})
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = exactColour, vg.Points(3)
		p.Add(line)
		p.Legend.Add("exact", line)
	}
	scatter, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: estimateColour, Radius: vg.Points(1.8), Shape: draw.CircleGlyph{}}
	bars, err := plotter.NewYErrorBars(points)
	if err != nil {
		return nil, err
	}
	bars.Color = estimateColour
	p.Add(bars, scatter)
	p.Legend.Add("estimate with standard error", scatter)
	return p, nil
}

// temperatures of the energy plot, in units of the infinite lattice's transition
// temperature 1/ln(1 + sqrt q).
const (
	lowest, highest = 0.7, 1.4
	temperatures    = 281
)

func plotEnergy(title string, n, betaT float64, r *result) (*plot.Plot, error) {
	p := newPlot("Canonical energy, "+title, "T / J", "U / N")
	p.Legend.Top = false
	curve := func(d *dos.Density) plotter.XYs {
		var xy plotter.XYs
		for i := range temperatures {
			t := (lowest + (highest-lowest)*float64(i)/(temperatures-1)) / betaT
			xy = append(xy, plotter.XY{X: t, Y: d.At(1/t).Energy / n})
		}
		return xy
	}
	add := func(name string, d *dos.Density, c color.Color, width vg.Length) error {
		line, err := plotter.NewLine(curve(d))
		if err != nil {
			return err
		}
		line.Color, line.Width = c, width
		p.Add(line)
		p.Legend.Add(name, line)
		return nil
	}
	if r.exact != nil {
		if err := add("exact", r.exact, exactColour, vg.Points(3.5)); err != nil {
			return nil, err
		}
	}
	if err := add("estimate", r.density, estimateColour, vg.Points(1.2)); err != nil {
		return nil, err
	}
	transition, err := plotter.NewLine(plotter.XYs{{X: 1 / betaT, Y: p.Y.Min}, {X: 1 / betaT, Y: p.Y.Max}})
	if err != nil {
		return nil, err
	}
	transition.Color, transition.Dashes = color.Gray{Y: 0x77}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(transition)
	p.Legend.Add("transition of the infinite lattice", transition)
	return p, nil
}
