package main

import (
	"fmt"
	"image/color"
	"math"

	"neuralwl/internal/plots"
)

// curvePoints is the number of points of a fitted curve.
const curvePoints = 200

// figure draws panels of temperatures, latent heat and interface tension over powers of
// 1/L, with the fitted curves and, on the left, their limits.
func figure(q []quantity) plots.Figure {
	var panels plots.Figure
	for _, p := range []struct {
		x, y       string
		power      float64
		quantities []quantity
		include    []float64 // values of y that keep the legend clear of the curves
	}{
		{"1/L²", "transition temperature", 2, q[heatMaximum : ratioQ+1], nil},
		{"1/L²", "latent heat", 2, q[peakDistance : weights+1], nil},
		{"1/L", "interface tension 2σ", 1, q[tension : tension+1], []float64{0.08, 0.12}},
	} {
		title := ""
		if len(panels) == 0 {
			title = "Ten-colour Potts model: " + fitted(q[0])
		}
		panel := plots.NewPanel(title, p.x, p.y)
		exact, end := p.quantities[0].exact, math.Pow(p.quantities[0].points[0].L, -p.power)
		// The line begins left of the axis, so that the limits' error bars are visible.
		panel.Line(fmt.Sprintf("exact, %.6f", exact), plots.Series{{X: -0.02 * end, Y: exact}, {X: end, Y: exact}}, plots.ExactColour, 2)
		for k, quantity := range p.quantities {
			drawQuantity(panel, quantity, p.power, end, plots.Colours[k])
		}
		panel.IncludeY(p.include...)
		panels = append(panels, panel)
	}
	return panels
}

// fitted says which sizes the curves were fitted to.
func fitted(q quantity) string {
	text := "curves are fits to L ="
	for k, p := range q.points {
		if k > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %g", p.L)
	}
	return text
}

// drawQuantity draws the points and, up to end, the fits of two powers to all of them,
// with their limits.
func drawQuantity(panel *plots.Panel, q quantity, power, end float64, c color.Color) {
	var points plots.Series
	for _, f := range q.fits {
		if f.first > 0 || len(f.Powers) != 2 {
			continue
		}
		curve := make(plots.Series, curvePoints)
		for i := range curve {
			x := end * float64(i) / (curvePoints - 1)
			curve[i] = plots.Point{X: x, Y: f.At(math.Pow(x, 1/power))}
		}
		panel.Line("", curve, c, 1)
		value, deviation := f.Limit()
		points = append(points, plots.Point{X: 0, Y: value, Error: deviation})
	}
	for _, p := range q.points {
		points = append(points, plots.Point{X: math.Pow(p.L, -power), Y: p.Value, Error: p.Error})
	}
	panel.Points(q.name, points, c)
}
