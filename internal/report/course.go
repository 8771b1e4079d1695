package report

import (
	"slices"

	"neuralwl/internal/history"
	"neuralwl/internal/plots"
	"neuralwl/sampler"
)

// plotHistory draws over the time of the run what the adaptation has come to, how evenly the energies
// are visited and, of a network, what share of its proposals is accepted and its loss.
func (r *Result) plotHistory() plots.Figure {
	unit, label := 1.0, "seconds"
	if last := r.History[len(r.History)-1].Seconds; last > 2*3600 {
		unit, label = 3600, "hours"
	} else if last > 300 {
		unit, label = 60, "minutes"
	}
	series := func(of func(p history.Point) float64) (s plots.Series) {
		for _, p := range r.History {
			s = append(s, plots.Point{X: p.Seconds / unit, Y: of(p)})
		}
		return s
	}
	drawn := func(s plots.Series) bool { return slices.ContainsFunc(s, func(p plots.Point) bool { return p.Y > 0 }) }
	var f plots.Figure
	add := func(y string) *plots.Panel {
		title, name := "", ""
		if len(f) == 0 {
			title, name = "Course of the run, "+r.title(), "production begins"
		}
		p := plots.NewPanel(title, "", y)
		p.IncludeX(0, r.History[len(r.History)-1].Seconds/unit)
		for k, point := range r.History {
			if k > 0 && point.Phase == string(sampler.Production) && r.History[k-1].Phase != point.Phase {
				p.Marker(name, point.Seconds/unit)
				name = ""
			}
		}
		f = append(f, p)
		return p
	}
	if lnF := series(func(p history.Point) float64 { return p.LnF }); drawn(lnF) {
		p := add("ln f")
		p.LogY()
		p.Line("", positive(lnF), plots.Colours[0], 1.2)
		p.LegendRight()
	}
	possible := 0
	for level := range r.System.Levels() {
		if r.System.Possible(level) {
			possible++
		}
	}
	p := add("levels and histogram")
	p.IncludeY(0, 1)
	p.Line("energies seen, of those possible", series(func(p history.Point) float64 { return float64(p.Levels) / float64(possible) }), plots.Colours[0], 1.2)
	p.Line("flatness: least visits over their mean", series(func(p history.Point) float64 { return p.Flatness }), plots.Colours[1], 1.2)
	p.LegendRight()
	p.LegendBottom()
	if accepted := r.acceptance(unit); len(accepted) > 0 {
		p := add("proposals accepted")
		p.IncludeY(0)
		p.Line("", accepted, plots.Colours[0], 1.2)
	}
	if loss := series(func(p history.Point) float64 { return p.Loss }); drawn(loss) {
		p := add("loss (nats)")
		p.Line("", positive(loss), plots.Colours[0], 1.2)
	}
	f[len(f)-1].LabelX(label)
	return f
}

// positive leaves out the points at zero, where there was nothing to measure.
func positive(s plots.Series) plots.Series {
	return slices.DeleteFunc(s, func(p plots.Point) bool { return !(p.Y > 0) })
}

// historyBins is into how many parts of equal duration a run is divided for the acceptance of its
// proposals.
const historyBins = 100

// acceptance is that of the network's proposals over the time, the mean over parts of the run.
func (r *Result) acceptance(unit float64) (s plots.Series) {
	whole := r.History[len(r.History)-1].Seconds
	var from history.Point
	for k, p := range r.History {
		if p.Phase != from.Phase || p.Neural.Trials < from.Neural.Trials {
			from = p // counts begin again with the phase
			if k > 0 {
				from.Neural = sampler.Count{}
			}
		}
		trials := p.Neural.Trials - from.Neural.Trials
		if trials > 0 && p.Seconds-from.Seconds >= whole/historyBins {
			s = append(s, plots.Point{X: (p.Seconds + from.Seconds) / 2 / unit, Y: float64(p.Neural.Accepted-from.Neural.Accepted) / float64(trials)})
			from = p
		}
	}
	return s
}
