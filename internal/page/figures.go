package page

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/internal/api"
	"neuralwl/internal/history"
	"neuralwl/internal/live"
	"neuralwl/sampler/dos"
)

// sight is what there is to draw of a run. What it has not, or not yet, is nil.
type sight struct {
	picture *live.Picture
	history []history.Point
	density *dos.Density // the result
	swaps   []api.PastSwap
	rests   bool // it does not go on, at least not by itself
}

// charts are the figures of a run, in the order of the page. Those that do not apply, as of a
// network where there is none, are left out.
func (s *sight) charts() []*chart {
	all := []*chart{s.lnG()}
	if d := s.deviation(); d != nil {
		all = append(all, d)
	}
	all = append(all, s.probability())
	network := s.picture != nil && s.picture.Acceptance != nil || slices.ContainsFunc(s.history, func(p history.Point) bool { return p.Neural.Trials > 0 })
	if network {
		all = append(all, s.acceptance())
	}
	all = append(all,
		s.over("ln-f", "Modification factor", "ln f", func(p, _ history.Point) float64 { return zeroIsNone(p.LnF) }),
		s.over("flatness", "Flatness of the histogram", "least visits / mean", func(p, _ history.Point) float64 { return p.Flatness }),
		s.over("round-trips", "Round trips in the phase", "round trips", func(p, _ history.Point) float64 { return p.RoundTrips }),
		s.over("levels", "Energies seen", "levels", func(p, _ history.Point) float64 { return float64(p.Levels) }),
	)
	all[len(all)-4].Y.Log = true
	if network {
		all = append(all, s.over("network", "Acceptance of the network's proposals", "accepted share", func(p, before history.Point) float64 {
			trials, accepted := p.Neural.Trials-before.Neural.Trials, p.Neural.Accepted-before.Neural.Accepted
			if p.Phase != before.Phase || trials < 0 {
				trials, accepted = p.Neural.Trials, p.Neural.Accepted
			}
			if trials <= 0 {
				return math.NaN()
			}
			return float64(accepted) / float64(trials)
		}))
	}
	if slices.ContainsFunc(s.history, func(p history.Point) bool { return p.Loss != 0 }) {
		all = append(all, s.over("loss", "Loss of the training", "loss (nats)", func(p, _ history.Point) float64 { return zeroIsNone(p.Loss) }))
	}
	if s.picture != nil && len(s.picture.Traces.Energy) > 0 {
		all = append(all, s.traces())
	}
	for _, c := range all {
		if c.None == "" && c.empty() {
			c.None = "There is nothing to draw yet."
			if s.rests {
				c.None = "There is nothing to draw: the run did not record it."
			}
		}
	}
	return all
}

func zeroIsNone(x float64) float64 {
	if x == 0 {
		return math.NaN()
	}
	return x
}

// energyAxis is that of energies.
var energyAxis = axis{Label: "E (J)"}

// exact is the exact density of states at the levels that are shown, nil where it is not known.
func (s *sight) exact() *dos.Density {
	if s.picture == nil || s.picture.Levels.Exact == nil {
		return nil
	}
	return &dos.Density{Energy: s.picture.Levels.Energy, LnG: s.picture.Levels.Exact}
}

// lnG is the density of states: the result, or as it grows.
func (s *sight) lnG() *chart {
	c := &chart{Name: "ln-g", Title: "Density of states", X: energyAxis, Y: axis{Label: "ln g(E)"}}
	if e := s.exact(); e != nil {
		c.Curves = append(c.Curves, curve{Name: "exact", Colour: exactColour, X: e.Energy, Y: e.LnG})
	}
	switch {
	case s.density != nil:
		c.Curves = append(c.Curves, densityCurve("result", s.density))
	case s.picture != nil:
		c.Curves = append(c.Curves, curve{Name: "estimate", X: s.picture.Levels.Energy, Y: s.picture.Levels.LnG})
	}
	return c
}

// densityCurve has a band of one standard error where that is known.
func densityCurve(name string, d *dos.Density) curve {
	c := curve{Name: name, X: d.Energy, Y: d.LnG}
	if d.Error != nil {
		for i, e := range d.Error {
			c.Low, c.High = append(c.Low, d.LnG[i]-e), append(c.High, d.LnG[i]+e)
		}
	}
	return c
}

// deviation is the distance from the exact density of states, nil where that is not known.
func (s *sight) deviation() *chart {
	e := s.exact()
	if e == nil {
		return nil
	}
	c := &chart{Name: "deviation", Title: "Deviation from the exact result", X: energyAxis, Y: axis{Label: "ln g − ln g exact"}}
	d := s.density
	if d == nil {
		d = &dos.Density{Energy: s.picture.Levels.Energy, LnG: s.picture.Levels.LnG}
	} else {
		c.Note = "The band is one standard error."
	}
	difference, _, err := dos.Deviation(d, e)
	if err != nil {
		c.None = "It cannot be compared with the exact result: " + err.Error() + "."
		return c
	}
	k := densityCurve("", difference)
	if s.density == nil {
		k.Low, k.High = nil, nil
	}
	c.Curves = append(c.Curves, k)
	return c
}

// probability is P(E) at the transition.
func (s *sight) probability() *chart {
	c := &chart{Name: "probability", Title: "P(E) at the transition", X: energyAxis, Y: axis{Label: "P(E)"}}
	if s.picture == nil {
		return c
	}
	t := s.picture.Transition
	if t == nil {
		c.None = "The density of states shows no transition yet."
		return c
	}
	c.Curves = append(c.Curves, curve{X: s.picture.Levels.Energy, Y: s.picture.Levels.Probability})
	c.Note = fmt.Sprintf("At the inverse temperature %.6g, of the largest specific heat.", t.Beta)
	if t.TwoPeaks {
		c.Note = fmt.Sprintf("At the inverse temperature %.6g, where both peaks are equally high; ln(P max / P min) = %.3g.", t.Beta, t.LnBarrier)
		c.Marks = []mark{{t.Low, "ordered"}, {t.High, "disordered"}}
	}
	return c
}

// acceptance is what becomes of the network's proposals by the energy they are made at.
func (s *sight) acceptance() *chart {
	c := &chart{Name: "acceptance", Title: "Proposals of the network by energy", X: energyAxis, Y: axis{Label: "share"}}
	if s.picture == nil {
		return c
	}
	sites := 1
	for _, l := range s.picture.Sides {
		sites *= l
	}
	accepted, changed := curve{Name: "accepted"}, curve{Name: "sites that accepted ones change", Colour: 1}
	for _, b := range s.picture.Acceptance {
		if b.Trials == 0 {
			continue
		}
		x := (b.Low + b.High) / 2
		accepted.X, accepted.Y = append(accepted.X, x), append(accepted.Y, float64(b.Accepted)/float64(b.Trials))
		y := math.NaN()
		if b.Accepted > 0 {
			y = float64(b.Changed) / float64(b.Accepted) / float64(sites)
		}
		changed.X, changed.Y = append(changed.X, x), append(changed.Y, y)
	}
	c.Curves = []curve{accepted, changed}
	return c
}

// over is a quantity over the time of the run, a curve for each phase, with phases and exchanges of the network marked.
// of is given a point and the one before, which is empty for the first.
func (s *sight) over(name, title, label string, of func(p, before history.Point) float64) *chart {
	c := &chart{Name: name, Title: title, X: axis{Label: "time (s)"}, Y: axis{Label: label}}
	if len(s.history) == 0 {
		return c
	}
	x, unit := timeAxis(s.history[len(s.history)-1].Seconds)
	c.X = x
	before := history.Point{}
	for _, p := range s.history {
		if p.Phase != before.Phase || len(c.Curves) == 0 { // phases are apart
			c.Marks = append(c.Marks, mark{p.Seconds / unit, p.Phase})
			c.Curves = append(c.Curves, curve{})
		}
		k := &c.Curves[len(c.Curves)-1]
		k.X, k.Y = append(k.X, p.Seconds/unit), append(k.Y, of(p, before))
		before = p
	}
	for _, swap := range s.lastSwaps() {
		i := slices.IndexFunc(s.history, func(p history.Point) bool { return p.Pass >= swap.Pass })
		if i >= 0 {
			c.Marks = append(c.Marks, mark{s.history[i].Seconds / unit, "swap"})
		}
	}
	slices.SortStableFunc(c.Marks, func(a, b mark) int { return int(math.Copysign(1, a.X-b.X)) })
	return c
}

// mostTraces is how many of them can be told apart.
const mostTraces = 3

// traces are the energies of some walkers.
func (s *sight) traces() *chart {
	c := &chart{Name: "traces", Title: "Energies of some walkers", X: axis{Label: "pass"}, Y: axis{Label: "E (J)"}}
	t := s.picture.Traces
	for w, energies := range t.Energy[:min(len(t.Energy), mostTraces)] {
		k := curve{Name: fmt.Sprintf("walker %d", w+1), Colour: w}
		for i, e := range energies[:min(len(energies), len(t.Passes))] {
			k.X, k.Y = append(k.X, float64(t.Passes[i])), append(k.Y, e)
		}
		c.Curves = append(c.Curves, k)
	}
	for _, swap := range s.lastSwaps() {
		c.Marks = append(c.Marks, mark{float64(swap.Pass), "swap"})
	}
	return c
}

// lastSwaps are as many exchanges as a figure can show.
func (s *sight) lastSwaps() []api.PastSwap { return s.swaps[max(0, len(s.swaps)-mostSwaps):] }
