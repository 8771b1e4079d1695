package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"neuralwl/sampler/dos"
)

// colours of the curves, told apart by the colour-blind, too (Okabe, Ito, Color
// Universal Design, 2008), and without the orange of the exact result.
var colours = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, // blue
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, // green
	color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, // purple
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, // light blue
	color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, // red
	color.RGBA{A: 0xff},                            // black
}

var exactColour = color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}

// MostCurves is the number of curves that can be told apart in one figure.
var MostCurves = len(colours)

// Curve is a density of states and its name in the legend.
type Curve struct {
	Name string
	*dos.Density
}

// LnG draws ln g(E) of up to MostCurves curves with one standard error, and below it
// their deviations from the exact density of states or, where that is nil, from the
// first curve, with the combined errors. All are shifted to the same sum over the
// levels in common with that reference. The lower panel of a single curve without a
// reference is its error; there is none where that is unknown.
func LnG(curves []Curve, exact *dos.Density) (Figure, error) {
	upper, lower := newPanel("", "ln g(E)"), newPanel("E", "deviation of ln g")
	reference, others := exact, curves
	if exact != nil {
		line, err := plotter.NewLine(points(exact))
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = exactColour, vg.Points(3)
		upper.Add(line)
		upper.Legend.Add("exact", line)
	} else {
		reference, others = curves[0].Density, curves[1:]
		if err := addPoints(upper, curves[0].Name, reference, 0); err != nil {
			return nil, err
		}
	}
	for k, curve := range others {
		colour := k + len(curves) - len(others)
		deviation, shift, err := dos.Deviation(curve.Density, reference)
		if err != nil {
			return nil, fmt.Errorf("plot %s: compared with %s: %w", curve.Name, nameOf(curves, exact), err)
		}
		shifted := &dos.Density{Energy: curve.Energy, Error: curve.Error}
		for _, x := range curve.LnG {
			shifted.LnG = append(shifted.LnG, x+shift)
		}
		if err := addPoints(upper, curve.Name, shifted, colour); err != nil {
			return nil, err
		}
		if err := addPoints(lower, "", deviation, colour); err != nil {
			return nil, err
		}
	}
	if len(others) == 0 {
		errors := &dos.Density{}
		for i, deviation := range reference.Error {
			if !math.IsNaN(deviation) {
				errors.Energy, errors.LnG = append(errors.Energy, reference.Energy[i]), append(errors.LnG, deviation)
			}
		}
		if len(errors.Energy) == 0 {
			upper.X.Label.Text = "E"
			return Figure{upper}, nil
		}
		lower.Y.Label.Text = "standard error of ln g"
		lower.Y.Min = 0
		if err := addPoints(lower, "", errors, 0); err != nil {
			return nil, err
		}
	}
	lower.X.Min, lower.X.Max = upper.X.Min, upper.X.Max
	return Figure{upper, lower}, nil
}

func nameOf(curves []Curve, exact *dos.Density) string {
	if exact != nil {
		return "the exact density of states"
	}
	return curves[0].Name
}

func points(d *dos.Density) plotter.XYs {
	xy := make(plotter.XYs, d.Len())
	for i, e := range d.Energy {
		xy[i] = plotter.XY{X: e, Y: d.LnG[i]}
	}
	return xy
}

// addPoints draws ln g, with bars of one standard error where that is known.
func addPoints(p *plot.Plot, name string, d *dos.Density, colour int) error {
	var barred struct {
		plotter.XYs
		plotter.YErrors
	}
	all := points(d)
	for i, deviation := range d.Error {
		if !math.IsNaN(deviation) {
			barred.XYs = append(barred.XYs, all[i])
			barred.YErrors = append(barred.YErrors, struct{ Low, High float64 }{deviation, deviation})
		}
	}
	if len(barred.XYs) > 0 {
		bars, err := plotter.NewYErrorBars(barred)
		if err != nil {
			return err
		}
		bars.Color, bars.CapWidth = colours[colour], 0
		p.Add(bars)
	}
	scatter, err := plotter.NewScatter(all)
	if err != nil {
		return err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: colours[colour], Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	if name != "" {
		p.Legend.Add(name, scatter)
	}
	return nil
}
