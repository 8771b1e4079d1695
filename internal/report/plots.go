package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"

	"neuralwl/internal/plots"
	"neuralwl/internal/transition"
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
// and, where it was measured, the order parameter over the temperature; the energy distribution of two
// phases; the network's proposals; the course of the run; and configurations at its end.
func (r *Result) figures() (map[string]plots.Figure, error) {
	figures := map[string]plots.Figure{}
	if r.canonical != nil {
		figures["energy"] = r.plotEnergy()
	}
	if r.joint != nil {
		figures["joint"] = r.plotJoint()
	}
	lnG, err := r.plotLnG()
	if err == nil {
		figures["ln_g"] = lnG
	}
	if r.transition != nil && r.transition.Coexistence != nil {
		phases, err := r.plotPhases()
		if err != nil {
			return figures, err
		}
		figures["phases"] = phases
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
	if len(r.History) > 1 {
		figures["history"] = r.plotHistory()
	}
	// Sites of a list are on no lattice unless system.size names one.
	if r.View != nil && len(r.View.States) > 0 && len(r.Config.System.Size) > 1 {
		states, err := r.plotStates()
		if err != nil {
			return figures, err
		}
		figures["states"] = states
	}
	return figures, err
}

// plotLnG draws ln g; its slope, in which a curve without features shows some; and below it its
// deviation from the exact one where that is known and else its standard error alone.
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
	figure := plots.Figure{upper}
	if slope := r.plotSlope(); slope != nil {
		figure = append(figure, slope)
	}
	lower := plots.NewPanel(title, "E / N", label)
	figure = append(figure, lower)
	for _, panel := range figure[1:] {
		panel.AlignX(upper)
	}
	if len(below) == 0 {
		lower.IncludeY(0, 1)
		return figure, nil
	}
	if r.exact == nil {
		lower.IncludeY(0)
	}
	lower.Points("", below, estimateColour)
	return figure, nil
}

// plotSlope draws the microcanonical inverse temperature with a band of one standard error, and the
// exact one where that is known; nil with too few levels.
func (r *Result) plotSlope() *plots.Panel {
	width, n := transition.Resolution(r.System), float64(r.System.Sites())
	if r.density.Len() < 2 {
		return nil
	}
	energies := r.density.Grid(width)
	slope := func(d *dos.Density) ([]float64, error) { return d.MicrocanonicalBeta(width, energies), nil }
	values, deviations, err := r.density.Estimate(slope)
	if err != nil { // no time for its error
		values, deviations = r.density.MicrocanonicalBeta(width, energies), nil
	}
	curve := func(values, deviations []float64) (s plots.Series) {
		for k, e := range energies {
			if !math.IsNaN(values[k]) {
				p := plots.Point{X: e / n, Y: values[k], Error: math.NaN()}
				if deviations != nil {
					p.Error = deviations[k]
				}
				s = append(s, p)
			}
		}
		return s
	}
	estimate := curve(values, deviations)
	if len(estimate) < 2 {
		return nil
	}
	panel := plots.NewPanel("", "", "beta(E) = d ln g/dE")
	panel.Band(estimate, bandColour)
	if r.exact != nil {
		panel.Line("", curve(r.exact.MicrocanonicalBeta(width, energies), nil), exactColour, 3)
	}
	panel.Line("", estimate, estimateColour, 1.2)
	return panel
}

// plotPhases draws P(E) at the inverse temperatures at which the two phases are equally high and
// equally frequent, with the cut between them, and below it the microcanonical inverse temperature, with
// bands of one standard error.
func (r *Result) plotPhases() (plots.Figure, error) {
	c, n := r.transition.Coexistence, float64(r.System.Sites())
	at, err := r.density.Density.Coexistence(c.EqualHeight.Value, c.Resolution, c.States)
	if err != nil {
		return nil, err
	}
	energies := r.density.Grid(c.Resolution)
	curves := []func(d *dos.Density) []float64{
		func(d *dos.Density) []float64 { return d.Smoothed(c.EqualHeight.Value, c.Resolution, energies) },
		func(d *dos.Density) []float64 { return d.Smoothed(c.EqualWeight.Value, c.Resolution, energies) },
		func(d *dos.Density) []float64 { return d.MicrocanonicalBeta(c.Resolution, energies) },
	}
	values, deviations, err := r.density.Estimate(func(d *dos.Density) (all []float64, err error) {
		for _, curve := range curves {
			all = append(all, curve(d)...)
		}
		return all, nil
	})
	if err != nil {
		return nil, err
	}
	// Beyond the phases P is too small to be of interest, and beta rises steeply.
	heights := values[:len(energies)]
	highest := slices.Max(heights)
	depth := 1.5*(highest-slices.Min(between(energies, heights, at.Ordered, at.Disordered))) + 5
	series := func(curve int, of func(value, deviation float64) plots.Point) (s plots.Series) {
		for k, e := range energies {
			i := curve*len(energies) + k
			if heights[k] > highest-depth && !math.IsNaN(values[i]) && values[i] > highest-depth {
				p := of(values[i], deviations[i])
				p.X = e / n
				s = append(s, p)
			}
		}
		return s
	}
	probability := func(lnP, deviation float64) plots.Point {
		p := math.Exp(lnP) * n
		return plots.Point{Y: p, Error: min(p*math.Expm1(deviation), 0.999*p)}
	}
	upper := plots.NewPanel("Two phases, "+r.title(), "", "P(E/N)")
	upper.LogY()
	for k, name := range []string{fmt.Sprintf("equal height, beta = %s", c.EqualHeight), fmt.Sprintf("equal weight, beta = %s", c.EqualWeight)} {
		s := series(k, probability)
		upper.Band(s, plots.Faint(plots.Colours[k]))
		upper.Line(name, s, plots.Colours[k], 1.2)
	}
	upper.Marker("cut between the phases", at.Cut()/n)
	upper.LegendBottom()
	lower := plots.NewPanel("", "E / N", "beta(E) = d ln g/dE")
	beta := series(2, func(beta, deviation float64) plots.Point { return plots.Point{Y: beta, Error: deviation} })
	lower.Band(beta, bandColour)
	lower.Line("microcanonical", beta, estimateColour, 1.2)
	lower.Line("equal height", plots.Series{{X: beta[0].X, Y: c.EqualHeight.Value}, {X: beta[len(beta)-1].X, Y: c.EqualHeight.Value}}, exactColour, 1)
	lower.LegendRight()
	lower.AlignX(upper)
	return plots.Figure{upper, lower}, nil
}

// between are the values at the energies from low to high.
func between(energies, values []float64, low, high float64) []float64 {
	from, _ := slices.BinarySearch(energies, low)
	to, _ := slices.BinarySearch(energies, high)
	return values[from:to]
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
		r.magnify(panel.Panel, panel.Panel == heat, estimate, exact)
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

// magnify shows a canonical average around the transition in an inset, where on the scale of all
// temperatures that is a step or a spike.
func (r *Result) magnify(panel *plots.Panel, top bool, estimate, exact plots.Series) {
	if r.transition == nil || r.transition.Height == nil {
		return
	}
	x, _ := r.abscissa()
	from, to := math.Inf(1), math.Inf(-1)
	for _, c := range r.canonical {
		if c.SpecificHeat > insetHeight*r.transition.Height.Value*float64(r.System.Sites()) {
			from, to = min(from, x(c.Beta)), max(to, x(c.Beta))
		}
	}
	whole := x(r.canonical[0].Beta) - x(r.canonical[len(r.canonical)-1].Beta)
	if !(to > from) || to-from > math.Abs(whole)/5 {
		return
	}
	inside := func(s plots.Series) (within plots.Series) {
		for _, p := range s {
			if p.X >= from-(to-from)/2 && p.X <= to+(to-from)/2 {
				within = append(within, p)
			}
		}
		return within
	}
	inset := plots.NewPanel("", "", "")
	if exact = inside(exact); len(exact) == 0 {
		exact = nil
	}
	r.drawCanonical(inset, [3]string{}, inside(estimate), exact)
	panel.Inset(inset, top)
}

// insetHeight is the share of the specific heat's maximum above which temperatures are near the
// transition.
const insetHeight = 0.1

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
