package run

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Colours of the plots: the estimate, the exact result and error bands. Told apart by the
// colour-blind too.
var (
	estimateColour = color.RGBA{R: 0x00, G: 0x5a, B: 0xb5, A: 0xff}
	exactColour    = color.RGBA{R: 0xe6, G: 0x92, B: 0x46, A: 0xff}
	bandColour     = color.RGBA{R: 0xb4, G: 0xcd, B: 0xe6, A: 0xff}
)

// writePlots draws ln g with its errors over the energy, and the canonical energy and
// specific heat, and the order parameter where it was measured, over the temperature, as
// PNG and SVG.
func (j *job) writePlots(r *result) error {
	lnG, err := j.plotLnG(r)
	if err != nil {
		return fmt.Errorf("plot ln g: %w", err)
	}
	figures := map[string]plots.Figure{"ln_g": lnG, "energy": j.plotEnergy(r)}
	if slices.ContainsFunc(r.order, isKnown) {
		figures["order"] = j.plotOrder(r)
	}
	if r.proposals != nil {
		figures["proposals"] = j.plotProposals(r)
	}
	for name, figure := range figures {
		for _, extension := range []string{".png", ".svg"} {
			var buf bytes.Buffer
			if err := figure.Encode(&buf, name+extension); err != nil {
				return err
			}
			if err := j.write(name+extension, buf.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// plotLnG draws ln g, and below it its deviation from the exact one where that is
// known and else its standard error alone.
func (j *job) plotLnG(r *result) (plots.Figure, error) {
	upper := plots.NewPanel("Density of states, "+j.title(), "", "ln g(E)")
	title, label, below := "", "standard error of ln g", j.perSite(r.density.Density).Errors()
	if r.exact != nil {
		deviation, _, err := dos.Deviation(r.density.Density, r.exact)
		if err != nil {
			return nil, err
		}
		label, below = "ln g - exact", j.perSite(deviation).Known()
		upper.Line("exact", j.perSite(r.exact), exactColour, 3)
	}
	upper.Points("estimate", j.perSite(&dos.Density{Energy: r.density.Energy, LnG: r.density.LnG}), estimateColour)
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
func (j *job) perSite(d *dos.Density) plots.Series {
	s := plots.LnGOf(d)
	for i := range s {
		s[i].X /= float64(j.system.Sites())
	}
	return s
}

// plotEnergy draws the canonical energy and specific heat over the temperature, with
// bands of one standard error.
func (j *job) plotEnergy(r *result) plots.Figure {
	energy := plots.NewPanel("Canonical averages, "+j.title(), "", "U / N")
	heat := plots.NewPanel("", "T", "C / N")
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
			n := float64(j.system.Sites())
			return plots.Point{X: 1 / c.Beta, Y: y / n, Error: deviation / n}
		}
		var exact, estimate plots.Series
		for _, c := range r.canonical {
			estimate = append(estimate, point(c))
			if r.exact != nil {
				exact = append(exact, point(dos.CanonicalEstimate{Canonical: r.exact.At(c.Beta)}))
			}
		}
		j.drawCanonical(panel.Panel, panel.names, estimate, exact)
	}
	return plots.Figure{energy, heat}
}

// drawCanonical draws an estimate over the temperature with its band of one standard
// error, what is known exactly, if anything, and the transition. names are for the legend,
// of the exact curve, the estimate and the transition.
func (j *job) drawCanonical(panel *plots.Panel, names [3]string, estimate, exact plots.Series) {
	panel.Band(estimate, bandColour)
	if exact != nil {
		panel.Line(names[0], exact, exactColour, 3.5)
	}
	panel.Line(names[1], estimate, estimateColour, 1.2)
	if beta := j.system.InfiniteTransition(); beta > 0 && !j.isCanonical() {
		panel.Marker(names[2], 1/beta)
	}
}

// title names the system.
func (j *job) title() string {
	if p, ok := j.system.(*lattice.Potts); ok {
		lx, ly := p.Size()
		return fmt.Sprintf("Potts model, q = %d, %d x %d", p.Q(), lx, ly)
	}
	return j.system.String()
}
