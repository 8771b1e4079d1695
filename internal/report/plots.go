package report

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Colours of the plots: the estimate, the exact result and error bands. They can be told
// apart with colour blindness.
var (
	estimateColour = color.RGBA{R: 0x00, G: 0x5a, B: 0xb5, A: 0xff}
	exactColour    = color.RGBA{R: 0xe6, G: 0x92, B: 0x46, A: 0xff}
	bandColour     = color.RGBA{R: 0xb4, G: 0xcd, B: 0xe6, A: 0xff}
)

// figures draws ln g with its errors over the energy; canonical energy and specific heat
// and, where it was measured, the order parameter over the temperature; and the network's
// proposals.
func (r *Result) figures() (map[string]plots.Figure, error) {
	figures := map[string]plots.Figure{}
	if r.canonical != nil {
		figures["energy"] = r.plotEnergy()
	}
	lnG, err := r.plotLnG()
	if err == nil {
		figures["ln_g"] = lnG
	}
	if slices.ContainsFunc(r.order, isKnown) {
		figures["order"] = r.plotOrder()
	}
	if r.temperatures != nil {
		figures["temperatures"] = r.plotTemperatures()
	}
	if r.proposals != nil {
		figures["proposals"] = r.plotProposals()
	}
	return figures, err
}

// plotLnG draws ln g, and below it its deviation from the exact one where that is
// known and else its standard error alone.
func (r *Result) plotLnG() (plots.Figure, error) {
	upper := plots.NewPanel("Density of states, "+r.title(), "", "ln g(E)")
	title, label, below := "", "standard error of ln g", r.perSite(r.density.Density).Errors()
	if r.exact != nil {
		deviation, _, err := dos.Deviation(r.density.Density, r.exact)
		if err != nil {
			return nil, err
		}
		label, below = "ln g - exact", r.perSite(deviation).Known()
		upper.Line("exact", r.perSite(r.exact), exactColour, 3)
	}
	upper.Points("estimate", r.perSite(&dos.Density{Energy: r.density.Energy, LnG: r.density.LnG}), estimateColour)
	if len(below) == 0 {
		title = "no error bars: the run had no production phase"
	}
	lower := plots.NewPanel(title, "E / N", label)
	lower.AlignX(upper)
	if len(below) == 0 {
		lower.IncludeY(0, 1)
		return plots.Figure{upper, lower}, nil
	}
	if r.exact == nil {
		lower.IncludeY(0)
	}
	lower.Points("", below, estimateColour)
	return plots.Figure{upper, lower}, nil
}

// perSite is ln g over the energy per site.
func (r *Result) perSite(d *dos.Density) plots.Series {
	s := plots.LnGOf(d)
	for i := range s {
		s[i].X /= float64(r.System.Sites())
	}
	return s
}

// plotEnergy draws the canonical energy and specific heat over the temperature, with
// bands of one standard error.
func (r *Result) plotEnergy() plots.Figure {
	x, label := r.abscissa()
	energy := plots.NewPanel("Canonical averages, "+r.title(), "", "U / N")
	heat := plots.NewPanel("", label, "C / N")
	for _, panel := range []struct {
		*plots.Panel
		names  [3]string // in the legend
		values func(c dos.CanonicalEstimate) (value, deviation float64)
	}{
		{energy, [3]string{"exact", "estimate", "transition of the infinite lattice"},
			func(c dos.CanonicalEstimate) (float64, float64) { return c.Energy, c.EnergyError }},
		{heat, [3]string{},
			func(c dos.CanonicalEstimate) (float64, float64) { return c.SpecificHeat, c.SpecificHeatError }},
	} {
		point := func(c dos.CanonicalEstimate) plots.Point {
			y, deviation := panel.values(c)
			n := float64(r.System.Sites())
			return plots.Point{X: x(c.Beta), Y: y / n, Error: deviation / n}
		}
		var exact, estimate plots.Series
		for _, c := range r.canonical {
			estimate = append(estimate, point(c))
			if r.exact != nil {
				exact = append(exact, point(dos.CanonicalEstimate{Canonical: r.exact.At(c.Beta)}))
			}
		}
		r.drawCanonical(panel.Panel, panel.names, estimate, exact)
	}
	return plots.Figure{energy, heat}
}

// drawCanonical draws an estimate over the temperature with its band of one standard
// error, what is known exactly, if anything, and the transition. names are for the legend,
// of the exact curve, the estimate and the transition.
func (r *Result) drawCanonical(panel *plots.Panel, names [3]string, estimate, exact plots.Series) {
	panel.Band(estimate, bandColour)
	if exact != nil {
		panel.Line(names[0], exact, exactColour, 3.5)
	}
	panel.Line(names[1], estimate, estimateColour, 1.2)
	if beta := r.System.InfiniteTransition(); beta > 0 && r.transition != nil {
		x, _ := r.abscissa()
		panel.Marker(names[2], x(beta))
	}
}

// abscissa of plots of canonical averages, with its label: the temperature, or the inverse
// temperature where that passes through zero.
func (r *Result) abscissa() (of func(beta float64) float64, label string) {
	if slices.ContainsFunc(r.canonical, func(c dos.CanonicalEstimate) bool { return c.Beta <= 0 }) {
		return func(beta float64) float64 { return beta }, "beta"
	}
	return func(beta float64) float64 { return 1 / beta }, "T"
}

// encode draws a figure. Drawing may panic in the library that does it; that costs the
// picture and never the run.
func encode(f plots.Figure, name string) (data []byte, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("plot %s: %v", name, value)
		}
	}()
	var buf bytes.Buffer
	err = f.Encode(&buf, name)
	return buf.Bytes(), err
}

// title names the system, with the stamp of a run that has not converged.
func (r *Result) title() string {
	name := r.System.String()
	if p, ok := r.System.(*lattice.Potts); ok {
		lx, ly := p.Size()
		name = fmt.Sprintf("Potts model, q = %d, %d x %d", p.Q(), lx, ly)
	}
	return name + r.stamp
}
