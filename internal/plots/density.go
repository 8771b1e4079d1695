package plots

import (
	"fmt"
	"image/color"
	"slices"

	"neuralwl/sampler/dos"
)

// Colours of curves, distinguishable even to the colour-blind (Okabe, Ito, Color Universal
// Design, 2008). They exclude the orange of exact results, ExactColour.
var Colours = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, // blue
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, // green
	color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, // purple
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, // light blue
	color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, // red
	color.RGBA{A: 0xff},                            // black
}

// ExactColour marks exact results.
var ExactColour = color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}

// MostCurves is the number of curves that can be distinguished in one figure.
var MostCurves = len(Colours)

// Curve is a density of states and its name in the legend.
type Curve struct {
	Name string
	*dos.Density
}

// LnG draws ln g(E) of up to MostCurves curves with one standard error. Below it draws
// their deviations, with combined errors, from the exact density of states or, if that is
// nil, from the first curve. All are shifted to the same sum over the levels in common with
// that reference. For a single curve without a reference, the lower panel shows its error;
// it is omitted if the error is unknown or zero. Where all that know their origin are of one
// system, the title names it and energies are per site.
func LnG(curves []Curve, exact *dos.Density) (Figure, error) {
	title, axis, sites := systemOf(curves, exact)
	perSite := func(d *dos.Density) Series {
		s := LnGOf(d)
		for i := range s {
			s[i].X /= sites
		}
		return s
	}
	upper, lower := NewPanel(title, "", "ln g(E)"), NewPanel("", axis, "deviation of ln g")
	reference, others := exact, curves
	if exact != nil {
		upper.Line("exact", perSite(exact), ExactColour, 3)
	} else {
		reference, others = curves[0].Density, curves[1:]
		upper.Points(curves[0].Name, perSite(reference), Colours[0])
	}
	for k, curve := range others {
		colour := Colours[k+len(curves)-len(others)]
		deviation, shift, err := dos.Deviation(curve.Density, reference)
		if err != nil {
			return nil, fmt.Errorf("plot %s: compared with %s: %w", curve.Name, nameOf(curves, exact), err)
		}
		shifted := &dos.Density{Energy: curve.Energy, Error: curve.Error}
		for _, x := range curve.LnG {
			shifted.LnG = append(shifted.LnG, x+shift)
		}
		upper.Points(curve.Name, perSite(shifted), colour)
		lower.Points("", perSite(deviation), colour)
	}
	if len(others) == 0 {
		errors := perSite(reference).Errors()
		if !slices.ContainsFunc(errors, func(p Point) bool { return p.Y > 0 }) {
			upper.LabelX(axis)
			return Figure{upper}, nil
		}
		lower = NewPanel("", axis, "standard error of ln g")
		lower.IncludeY(0)
		lower.Points("", errors, Colours[0])
	}
	lower.AlignX(upper)
	return Figure{upper, lower}, nil
}

// systemOf is the title of a figure of densities of states, the name of its axis of energies and what
// to divide them by.
func systemOf(curves []Curve, exact *dos.Density) (title, axis string, sites float64) {
	all := []*dos.Density{}
	for _, c := range curves {
		all = append(all, c.Density)
	}
	var of *dos.Origin
	for _, d := range append(all, exact) {
		if d == nil || d.Origin == nil || d.Origin.Sites < 1 {
			continue
		}
		if of != nil && (of.Sites != d.Origin.Sites || of.System.Name != d.Origin.System.Name) {
			return "Densities of states", "E", 1
		}
		of = d.Origin
	}
	if of == nil {
		return "Density of states", "E", 1
	}
	return "Density of states, " + of.System.Name, "E / N", float64(of.Sites)
}

func nameOf(curves []Curve, exact *dos.Density) string {
	if exact != nil {
		return "the exact density of states"
	}
	return curves[0].Name
}
