package report

import (
	"fmt"
	"strings"

	"neuralwl/internal/compare"
	"neuralwl/internal/compare/stats"
)

// about says what was compared, when and where.
func (r *report) about() string {
	m := &r.manifest
	return fmt.Sprintf("Systems: %d, samplers: %d, seeds: %d. %s; nwl %s; %s. Report of %s.",
		len(r.Spec.Systems), len(r.Spec.Samplers), r.Spec.Seeds, strings.Join(m.Machines, " and "), strings.Join(m.Versions, ", "), m.Go, m.Made.Format("2 January 2006, 15:04 UTC"))
}

// warnings are what a reader must know first.
func (r *report) warnings() (texts []string) {
	if r.Missing > 0 {
		texts = append(texts, fmt.Sprintf("%d cells have not ended yet: the comparison is under way.", r.Missing))
	}
	if r.Spec.Seeds < r.Seeds {
		texts = append(texts, fmt.Sprintf("%d seeds cannot decide a family of %d comparisons at 5 %%: %d are needed. Undecided does not mean equal.", r.Spec.Seeds, r.Comparisons, r.Seeds))
	}
	if n := len(r.manifest.Machines); n > 1 {
		texts = append(texts, fmt.Sprintf("The cells were made on %d machines: times of one block compare, others do not.", n))
	}
	texts = append(texts, r.lacking...)
	flagged, cells := 0, 0
	for _, s := range r.Summaries {
		flagged, cells = flagged+s.Flagged, cells+s.Cells
	}
	if flagged > 0 {
		texts = append(texts, fmt.Sprintf("In %d of %d cells the speed of the machine changed by more than 10 %% within the block: their times are doubtful, their other numbers are not.", flagged, cells))
	}
	for i := range r.Systems {
		if y := &r.Systems[i]; y.ReferenceError > y.System.Target/3 {
			texts = append(texts, fmt.Sprintf("The reference of %s has errors of %.2g, not small against the target %g.", y.System.Name, y.ReferenceError, y.System.Target))
		}
	}
	return texts
}

func heading(y *compare.SystemResults) string {
	if y.Budget != 1 {
		return fmt.Sprintf("%s, budget %g", y.System.Name, y.Budget)
	}
	return y.System.Name
}

// failures are the cells without results.
func (r *report) failures() (texts []string) {
	for i := range r.Systems {
		y := &r.Systems[i]
		for k := range y.Samplers {
			for _, c := range y.Samplers[k].Cells {
				if c.Failed != "" {
					texts = append(texts, fmt.Sprintf("%s, %s, seed %d: %s", heading(y), y.Samplers[k].Sampler.Name, c.Seed, c.Failed))
				}
			}
		}
	}
	return texts
}

// words is a table of texts.
type words struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// systemTables are the tables of a system.
func (r *report) systemTables(y *compare.SystemResults) []words {
	var own []compare.Summary
	for _, s := range r.Summaries {
		if s.System == y.System.Name && s.Budget == y.Budget {
			own = append(own, s)
		}
	}
	target := words{Caption: "Effort until the error of ln g stays at or below a target: geometric mean over seeds and its 95 % interval", Head: []string{"sampler", "target", "reached", "core seconds without training", "with all training", "site updates", "expected seconds without, with"}}
	verdict := words{Caption: fmt.Sprintf("Against %s, at the target %g", r.Spec.Baseline, y.System.Target), Head: []string{"sampler", "training", "ratio of times", "95 % interval", "p", "adjusted", "verdict", "training / s", "break-even"}}
	quality := words{Caption: "At the end of the budget: mean over seeds and its standard error", Head: []string{"sampler", "rms of ln g", "largest error", "round trips", "resistance / updates", "autocorrelation / sweeps", "acceptance", "sites changed", "divergence / nats", "independent draws per second"}}
	cost := words{Caption: "Cost: mean over seeds and its standard error", Head: []string{"sampler", "core seconds without training", "training / s", "wall clock / s", "memory / MB", "network / kB", "site updates"}}
	for _, s := range own {
		for _, g := range s.Targets {
			target.Rows = append(target.Rows, []string{s.Sampler, short(g.Target), fmt.Sprintf("%d of %d", g.Reached, g.Of), effort(g.Without, g.Reached), effort(g.With, g.Reached), effort(g.Updates, g.Reached), short(g.ExpectedWithout) + ", " + short(g.ExpectedTraining)})
		}
		scaled := func(e compare.Estimate, by float64) compare.Estimate {
			return compare.Estimate{Value: e.Value / by, Error: e.Error / by}
		}
		quality.Rows = append(quality.Rows, []string{s.Sampler, number(s.RMS), number(s.Max), number(s.RoundTrips), number(s.Resistance), number(s.Autocorrelation), number(s.Acceptance), number(s.Changed), number(s.Divergence), number(s.Effective)})
		cost.Rows = append(cost.Rows, []string{s.Sampler, number(s.CPU), number(s.Training), number(s.Wall), number(scaled(s.Memory, 1e6)), number(scaled(s.ModelBytes, 1e3)), number(s.Moves)})
	}
	for _, a := range r.Told() {
		if a.System.Name != y.System.Name || a.Budget != y.Budget {
			continue
		}
		counted, even := "not counted", "–"
		if a.Training {
			counted = "counted"
		} else if a.TrainingSeconds > 0 && a.BreakEven == a.BreakEven {
			even = short(a.BreakEven) + " s"
			if even == "∞ s" {
				even = "never"
			}
		}
		if a.TrainingSeconds == 0 {
			counted = "none"
		}
		verdict.Rows = append(verdict.Rows, []string{a.Sampler, counted, short(a.Ratio), short(a.Interval.Low) + " to " + short(a.Interval.High), fmt.Sprintf("%.2g", a.P), fmt.Sprintf("%.2g", a.Holm), string(a.Verdict), short(a.TrainingSeconds), even})
	}
	return []words{verdict, target, quality, cost}
}

// method says how numbers were made.
func (r *report) method() []string {
	return []string{
		"Each cell is a run in a process of its own, tied to one core. The samplers of a system and a seed, a block, run back to back, beginning with another one for each seed. Before each cell the time of a fixed piece of work is taken; blocks in which it moves by more than 10 % are measured again as often as the specification says, and else flagged. Cells stop by site updates, of which a local trial makes one and a network's proposal one per site, so that all numbers but times repeat.",
		"ln g is estimated along each run, at ten points per decade of site updates, as if the run stopped there. Until production has made a quarter as many updates as the adaptation, the adaptation's estimate is used. The time that these estimates take is not counted. Seconds are processor time of the cell's process: reading the network counts. Training counts as the processor time of gradient steps in the run, or of the whole training before it but for the evaluation; of a network from elsewhere as the wall-clock time that its card states, on another machine. The time to a target is that from which on the error stays at or below it, between two points by a power law. Sampling to make the states for that training counts only where the training was part of the comparison.",
		fmt.Sprintf("Verdicts compare with %s, by the differences of ln time in pairs of the same seed: sign-flip test, exact; interval by its inversion; Holm's adjustment over the %d comparisons of a family, training counted and not counted being a family each. Faster and slower are wrong in at most 5 %% of families; equivalent, which needs the interval at 5 %% over %d to lie within a factor of %g, likewise. A target that was not reached bounds a time from below; such pairs are kept with whatever value makes the statement least certain.", r.Spec.Baseline, r.Comparisons, max(1, r.Comparisons), stats.Margin),
		"Break-even: the seconds of a core from which on a sampler is ahead although its training is counted, if its times are the same fraction of the baseline's at every error, as they are where errors fall as the inverse root of time.",
		"Resistance: site updates of production for each round trip between the infinite-temperature peak and the ground state, all walkers together. Expected seconds: all time spent on all seeds over the number of seeds that reached the target.",
		"Not measured: " + strings.Join(r.manifest.NotMeasured, "; ") + ".",
	}
}
