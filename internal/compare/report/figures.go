package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"neuralwl/internal/compare"
	"neuralwl/internal/compare/stats"
	"neuralwl/internal/curve"
	"neuralwl/internal/plots"
	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
)

// figure is a picture with what it says in words.
type figure struct {
	Name  string // of its files
	Title string
	Text  string // for those who do not see it, and as its caption
	Main  bool   // shown in the summary, too
	plots plots.Figure
	made  map[string][]byte // by extension; nil for one that is drawn from plots
}

// order numbers the samplers of the specification, which keep their colour in all figures.
func order(a *compare.Analysis) map[string]int {
	place := map[string]int{}
	for k, p := range a.Spec.Samplers {
		place[p.Name] = k
	}
	return place
}

// name makes one of a system and budget for files.
func name(y *compare.SystemResults) string {
	text := fileName(y.System.Name)
	if y.Budget != 1 {
		text += fmt.Sprintf("-budget-%g", y.Budget)
	}
	return text
}

// fileName makes a part of a file's name of a name.
func fileName(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// course is the typical curve of a sampler over its seeds.
type course struct{ x, middle, low, high []float64 }

// courseOf is the geometric mean of the errors over seeds at the same place of the series of points,
// with one standard error, over the geometric mean of x. Places where a seed has levels missing are left
// out.
func courseOf(p *compare.SamplerResults, x func(compare.Point) float64) (c course) {
	cells := slices.DeleteFunc(slices.Clone(p.Cells), func(r *compare.Result) bool { return r.Failed != "" || len(r.Points) == 0 })
	if len(cells) == 0 {
		return c
	}
	for _, point := range cells[0].Points {
		var xs, ys []float64
		for _, r := range cells {
			k := slices.IndexFunc(r.Points, func(q compare.Point) bool {
				return q.Updates == point.Updates || math.Floor(curve.PerDecade*math.Log10(q.Updates)) == math.Floor(curve.PerDecade*math.Log10(point.Updates))
			})
			if k < 0 || math.IsInf(r.Points[k].RMS, 0) || !(r.Points[k].RMS > 0) || !(x(r.Points[k]) > 0) {
				break
			}
			xs, ys = append(xs, math.Log(x(r.Points[k]))), append(ys, math.Log(r.Points[k].RMS))
		}
		if len(ys) < len(cells) {
			continue
		}
		at, _, _ := stats.Mean(xs)
		middle, deviation, _ := stats.Mean(ys)
		if math.IsNaN(deviation) {
			deviation = 0
		}
		if n := len(c.x); n > 0 && math.Exp(at) <= c.x[n-1] {
			continue
		}
		c.x, c.middle = append(c.x, math.Exp(at)), append(c.middle, math.Exp(middle))
		c.low, c.high = append(c.low, math.Exp(middle-deviation)), append(c.high, math.Exp(middle+deviation))
	}
	return c
}

func series(x, y []float64) (s plots.Series) {
	for i := range x {
		s = append(s, plots.Point{X: x[i], Y: y[i], Error: math.NaN()})
	}
	return s
}

// errorFigure draws the error over time without and with training, and over moves.
func errorFigure(a *compare.Analysis, y *compare.SystemResults) *figure {
	place := order(a)
	var panels plots.Figure
	drawn := 0
	for i, axis := range []struct {
		label string
		x     func(compare.Point) float64
	}{
		{"seconds of a core, training not counted", func(p compare.Point) float64 { return p.CPU }},
		{"seconds of a core, all training counted", func(p compare.Point) float64 { return p.Trained }},
		{"site updates", func(p compare.Point) float64 { return p.Updates }},
	} {
		title := ""
		if i == 0 {
			title = "Error of ln g on " + y.System.Name
		}
		panel := plots.NewPanel(title, axis.label, "rms error of ln g")
		panel.LogX()
		panel.LogY()
		panel.LegendRight()
		for k := range y.Samplers {
			p := &y.Samplers[k]
			c := courseOf(p, axis.x)
			if len(c.x) < 2 {
				continue
			}
			drawn++
			style := place[p.Sampler.Name]
			colour, _ := plots.Style(style)
			panel.Outline(series(c.x, c.low), series(c.x, c.high), plots.Faint(colour))
			legend := ""
			if i == 0 {
				legend = p.Sampler.Name
			}
			panel.Curve(legend, series(c.x, c.middle), style)
		}
		panels = append(panels, panel)
	}
	if drawn == 0 {
		return nil
	}
	return &figure{"error-" + name(y), "Error against effort, " + y.System.Name,
		"Root mean square error of ln g against " + reference(y) + ", over seconds of a core without and with training and over site updates; geometric mean over seeds with one standard error. It begins where all levels have an estimate.", true, panels, nil}
}

func reference(y *compare.SystemResults) string {
	switch y.System.Reference {
	case compare.ExactReference:
		return "the exact density of states"
	case compare.RunReference:
		return fmt.Sprintf("a long run of the heat bath (its own errors: %.2g)", y.ReferenceError)
	}
	return "a given density of states"
}

// targetFigure draws the typical time to the target with its interval.
func targetFigure(a *compare.Analysis, y *compare.SystemResults) *figure {
	place := order(a)
	var panels plots.Figure
	for i, training := range []bool{false, true} {
		title := ""
		if i == 0 {
			title = fmt.Sprintf("Time to an error of %g on %s", y.System.Target, y.System.Name)
		}
		label := "seconds of a core, training not counted"
		if training {
			label = "seconds of a core, all training counted"
		}
		panel := plots.NewPanel(title, label, "")
		panel.LogX()
		var names []string
		low, high := math.Inf(1), 0.0
		type span struct {
			k               int
			low, x, high    float64
			reached, of, at int
		}
		var spans []span
		for _, s := range a.Summaries {
			if s.System != y.System.Name || s.Budget != y.Budget {
				continue
			}
			for _, g := range s.Targets {
				e := g.Without
				if training {
					e = g.With
				}
				if g.Target != y.System.Target {
					continue
				}
				label := s.Sampler
				if g.Reached < g.Of {
					label += fmt.Sprintf(" (%d of %d)", g.Reached, g.Of)
				}
				names = append(names, label)
				if g.Reached > 0 && !math.IsInf(e.Typical, 0) {
					low, high = min(low, e.Typical), max(high, e.Typical)
					if e.Interval.Low > 0 {
						low = min(low, e.Interval.Low)
					}
					if !math.IsInf(e.Interval.High, 0) {
						high = max(high, e.Interval.High)
					}
					spans = append(spans, span{place[s.Sampler], e.Interval.Low, e.Typical, e.Interval.High, g.Reached, g.Of, len(names) - 1})
				}
			}
		}
		if len(spans) == 0 {
			return nil
		}
		panel.Names(names)
		panel.IncludeX(low/1.5, high*1.5)
		for _, s := range spans {
			colour, _ := plots.Style(s.k)
			from, to := s.low, s.high
			if !(from > 0) && math.IsInf(to, 0) { // too few seeds for an interval
				from, to = s.x, s.x
			}
			if !(from > 0) {
				from = low / 2
			}
			if math.IsInf(to, 0) {
				to = high * 2
			}
			panel.Span(-float64(s.at), from, s.x, to, colour)
		}
		panels = append(panels, panel)
	}
	return &figure{"target-" + name(y), "Time to target, " + y.System.Name,
		fmt.Sprintf("Seconds of a core until the error of ln g stays at or below %g: geometric mean over seeds and its 95 %% interval, to the edge where it has no end. In brackets how many seeds reached it.", y.System.Target), true, panels, nil}
}

// profileFigure draws performance profiles.
func profileFigure(a *compare.Analysis) *figure {
	place := order(a)
	var panels plots.Figure
	for i, training := range []bool{false, true} {
		title, label := "Performance profile", "time over that of the best, training not counted"
		if training {
			title, label = "", "time over that of the best, all training counted"
		}
		panel := plots.NewPanel(title, label, "share of problems solved")
		panel.LogX()
		panel.IncludeY(0, 1)
		panel.LegendRight()
		panel.LegendBottom()
		last := 2.0
		for _, p := range a.Profiles {
			if p.Training == training && len(p.Steps) > 0 {
				last = max(last, 1.5*p.Steps[len(p.Steps)-1].Ratio)
			}
		}
		drawn := 0
		for _, p := range a.Profiles {
			if p.Training != training || len(p.Steps) == 0 {
				continue
			}
			var s plots.Series
			share := 0.0
			for _, step := range p.Steps {
				s = append(s, plots.Point{X: step.Ratio, Y: share, Error: math.NaN()}, plots.Point{X: step.Ratio, Y: step.Share, Error: math.NaN()})
				share = step.Share
			}
			s = append(s, plots.Point{X: last, Y: share, Error: math.NaN()})
			legend := ""
			if i == 0 {
				legend = p.Sampler
			}
			panel.Curve(legend, s, place[p.Sampler])
			drawn++
		}
		if drawn == 0 {
			return nil
		}
		panels = append(panels, panel)
	}
	return &figure{"profile", "Performance profile", "Share of the problems, each a system with a seed, that a sampler solves within so many times the time of the best one; samplers that are there for all systems.", false, panels, nil}
}

// proposalFigure draws the acceptance of networks by energy.
func proposalFigure(a *compare.Analysis, y *compare.SystemResults, energies map[string][]compare.ByEnergy) *figure {
	place := order(a)
	upper := plots.NewPanel("Proposals of networks on "+y.System.Name, "", "acceptance")
	lower := plots.NewPanel("", "E / N", "sites changed / N")
	upper.IncludeY(0, 1)
	lower.IncludeY(0, 1)
	drawn := 0
	for k := range y.Samplers {
		p := &y.Samplers[k]
		var acceptance, changed plots.Series
		for j, b := range energies[p.Sampler.Name] {
			x := y.Reference.Energy[j] / float64(max(1, y.Sites))
			if !math.IsNaN(b.Acceptance) {
				acceptance = append(acceptance, plots.Point{X: x, Y: b.Acceptance, Error: math.NaN()})
			}
			if !math.IsNaN(b.Changed) {
				changed = append(changed, plots.Point{X: x, Y: b.Changed, Error: math.NaN()})
			}
		}
		if len(acceptance) < 2 || len(changed) < 2 {
			continue
		}
		upper.Curve(p.Sampler.Name, acceptance, place[p.Sampler.Name])
		lower.Curve("", changed, place[p.Sampler.Name])
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	lower.AlignX(upper)
	return &figure{"proposals-" + name(y), "Acceptance by energy, " + y.System.Name,
		"Share of the network's proposals that are accepted, and mean share of the sites that an accepted one changes, by energy of the configuration, over all seeds.", true, plots.Figure{upper, lower}, nil}
}

// densityFigure draws ln g and the deviations.
func densityFigure(a *compare.Analysis, y *compare.SystemResults, energies map[string][]compare.ByEnergy) *figure {
	place := order(a)
	n := float64(max(1, y.Sites))
	upper, lower := plots.NewPanel("Density of states of "+y.System.Name, "", "ln g(E)"), plots.NewPanel("", "E / N", "deviation of ln g")
	var s plots.Series
	for j, e := range y.Reference.Energy {
		s = append(s, plots.Point{X: e / n, Y: y.Reference.LnG[j], Error: math.NaN()})
	}
	if len(s) < 2 {
		return nil
	}
	upper.Line("reference", s, plots.ExactColour, 3)
	drawn := 0
	for k := range y.Samplers {
		p := &y.Samplers[k]
		var middle, low, high plots.Series
		for j, b := range energies[p.Sampler.Name] {
			if math.IsNaN(b.Deviation.Value) {
				continue
			}
			x, d := y.Reference.Energy[j]/n, b.Deviation
			if math.IsNaN(d.Error) {
				d.Error = 0
			}
			middle = append(middle, plots.Point{X: x, Y: d.Value, Error: math.NaN()})
			low, high = append(low, plots.Point{X: x, Y: d.Value - d.Error}), append(high, plots.Point{X: x, Y: d.Value + d.Error})
		}
		if len(middle) < 2 {
			continue
		}
		colour, _ := plots.Style(place[p.Sampler.Name])
		lower.Outline(low, high, plots.Faint(colour))
		lower.Curve(p.Sampler.Name, middle, place[p.Sampler.Name])
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	lower.AlignX(upper)
	return &figure{"density-" + name(y), "ln g and its deviation, " + y.System.Name,
		"Above ln g of the reference over the energy per site, below the mean deviation from it at the end, over seeds, with one standard error.", false, plots.Figure{upper, lower}, nil}
}

// probabilityFigure draws P(E) at the transition of the reference.
func probabilityFigure(a *compare.Analysis, y *compare.SystemResults) *figure {
	system, err := y.Lattice()
	if err != nil {
		return nil
	}
	d := y.Reference
	at := transition.Find(system, d, nil)
	if at == nil {
		return nil
	}
	place := order(a)
	n := float64(system.Sites())
	panel := plots.NewPanel(fmt.Sprintf("P(E) of %s at beta = %.5g", y.System.Name, at.Beta), "E / N", "P(E)")
	draw := func(d *dos.Density) (s plots.Series) {
		p, _ := d.Distribution(at.Beta)
		for j, e := range d.Energy {
			if p[j] > 1e-12 {
				s = append(s, plots.Point{X: e / n, Y: p[j], Error: math.NaN()})
			}
		}
		return s
	}
	s := draw(d)
	if len(s) < 2 {
		return nil
	}
	panel.Line("reference", s, plots.ExactColour, 3)
	for k := range y.Samplers {
		p := &y.Samplers[k]
		if len(p.Cells) == 0 || p.Cells[0].Density == nil {
			continue
		}
		if own := draw(p.Cells[0].Density); len(own) >= 2 {
			panel.Curve(p.Sampler.Name, own, place[p.Sampler.Name])
		}
	}
	return &figure{"probability-" + name(y), "P(E) at the transition, " + y.System.Name,
		"Distribution of the energy per site at the transition of the reference, by ln g of the first seed of each sampler at the end.", false, plots.Figure{panel}, nil}
}

// lossFigure draws training of the first seed.
func lossFigure(a *compare.Analysis, y *compare.SystemResults) *figure {
	place := order(a)
	panel := plots.NewPanel("Loss in training on "+y.System.Name, "gradient steps", "loss / nats per site")
	panel.LegendRight()
	drawn := 0
	for k := range y.Samplers {
		p := &y.Samplers[k]
		if len(p.Cells) == 0 {
			continue
		}
		steps, losses := p.Cells[0].Losses()
		for i := range losses {
			losses[i] /= float64(max(1, y.Sites))
		}
		if len(steps) < 2 {
			continue
		}
		panel.Curve(p.Sampler.Name, series(steps, losses), place[p.Sampler.Name])
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	return &figure{"loss-" + name(y), "Loss curves, " + y.System.Name, "Loss over gradient steps of the first seed: mean of -ln q of the states shown, per site; of networks that are trained on their own draws ln q - ln p.", false, plots.Figure{panel}, nil}
}

// histogramFigure draws the visits of one sampler at several times.
func histogramFigure(a *compare.Analysis, y *compare.SystemResults, p *compare.SamplerResults) *figure {
	if len(p.Cells) == 0 || p.Cells[0].Failed != "" {
		return nil
	}
	c, err := curve.Read(p.Cells[0].Folder())
	if err != nil || len(c.Points) == 0 {
		return nil
	}
	panel := plots.NewPanel("Histogram of "+p.Sampler.Name+" on "+y.System.Name, "E / N", "share of the visits x levels")
	panel.IncludeY(0)
	last := float64(c.Points[len(c.Points)-1].Updates)
	drawn, before := 0, -1
	for _, share := range []float64{0.001, 0.01, 0.1, 0.5, 0.7, 1} {
		k := 0
		for k+1 < len(c.Points) && float64(c.Points[k+1].Updates) <= share*last*(1+1e-9) {
			k++
		}
		if k == before {
			continue
		}
		before = k
		sum := 0.0
		for _, n := range c.Points[k].Visits {
			sum += float64(n)
		}
		if sum == 0 {
			continue
		}
		var s plots.Series
		for i, n := range c.Points[k].Visits {
			s = append(s, plots.Point{X: c.Energy[i] / float64(max(1, y.Sites)), Y: float64(n) / sum * float64(len(c.Energy)), Error: math.NaN()})
		}
		panel.Curve(fmt.Sprintf("%.2g updates, %s", float64(c.Points[k].Updates), c.Points[k].Phase), s, drawn)
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	return &figure{"histogram-" + name(y) + "-" + fileName(p.Sampler.Name), "Histogram over time, " + p.Sampler.Name + " on " + y.System.Name,
		"Visits by energy since ln f last fell or, in production, since it began, at several times of the first seed; 1 is a flat histogram.", false, plots.Figure{panel}, nil}
}
