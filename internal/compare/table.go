package compare

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"neuralwl/internal/report"
)

// Column of a table.
type Column struct {
	Name string `json:"name"`
	Text string `json:"text"` // what it means, with its unit
	// Machine says that its values depend on the machine and do not repeat.
	Machine bool `json:"machine,omitempty"`
}

// Table is a list of rows of texts, numbers (float64, NaN where unknown), whole numbers (int64) and truths.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// CSV writes the table; a field is empty where a number is not known, and inf where it is infinite.
func (t *Table) CSV() []byte {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	var header []string
	for _, c := range t.Columns {
		header = append(header, c.Name)
	}
	w.Write(header)
	for _, row := range t.Rows {
		var fields []string
		for _, v := range row {
			fields = append(fields, field(v))
		}
		w.Write(fields)
	}
	w.Flush() // into memory
	return text.Bytes()
}

func field(v any) string {
	x, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprint(v)
	case math.IsNaN(x):
		return ""
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// MarshalJSON writes numbers that JSON cannot hold as null, or "inf".
func (t *Table) MarshalJSON() ([]byte, error) {
	rows := make([][]any, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = slices.Clone(row)
		for k, v := range row {
			if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
				if rows[i][k] = nil; math.IsInf(x, 0) {
					rows[i][k] = field(x)
				}
			}
		}
	}
	return json.Marshal(struct {
		Name    string   `json:"name"`
		Columns []Column `json:"columns"`
		Rows    [][]any  `json:"rows"`
	}{t.Name, t.Columns, rows})
}

// Repeating is the table without what depends on the machine.
func (t *Table) Repeating() *Table {
	s := &Table{Name: t.Name}
	for k, c := range t.Columns {
		if c.Machine {
			continue
		}
		s.Columns = append(s.Columns, c)
		for i, row := range t.Rows {
			if len(s.Rows) <= i {
				s.Rows = append(s.Rows, nil)
			}
			s.Rows[i] = append(s.Rows[i], row[k])
		}
	}
	return s
}

func repeats(name, text string) Column { return Column{name, text, false} }
func machine(name, text string) Column { return Column{name, text, true} }

// of are the columns that say which cell a row is of.
var of = []Column{repeats("system", "system"), repeats("sampler", "sampler"), repeats("budget", "factor of the budgets"), repeats("seed", "seed")}

// Tables are all numbers of an analysis.
func (a *Analysis) Tables() []*Table {
	return []*Table{a.cells(), a.targets(), a.curves(), a.phases(), a.energies(), a.answers(), a.summaries()}
}

// each calls f for every cell.
func (a *Results) each(f func(y *SystemResults, p *SamplerResults, r *Result, of []any)) {
	for i := range a.Systems {
		y := &a.Systems[i]
		for k := range y.Samplers {
			p := &y.Samplers[k]
			for _, r := range p.Cells {
				f(y, p, r, []any{y.System.Name, p.Sampler.Name, y.Budget, int64(r.Seed)})
			}
		}
	}
}

func (a *Analysis) cells() *Table {
	t := &Table{Name: "cells", Columns: append(slices.Clone(of),
		repeats("failed", "why there is nothing else"), repeats("converged", "the run's own verdict"),
		repeats("updates", "site updates; a network's proposal makes one per site"),
		repeats("rms", "root mean square error of ln g at the end; inf where levels are missing"), repeats("max", "largest error of ln g"), repeats("missing", "levels without an estimate"),
		repeats("round_trips", "of production"), repeats("resistance", "site updates of production per round trip"),
		repeats("autocorrelation_passes", "integrated autocorrelation time of the energy, passes"), repeats("autocorrelation_sweeps", "the same in site updates per site"),
		repeats("acceptance", "share of the network's proposals that were accepted in production"), repeats("changed", "mean share of the sites that an accepted one changes"),
		repeats("divergence", "Kullback-Leibler divergence of the network's proposals, nats; networks trained before the run alone"),
		repeats("loss", "of training, nats"), repeats("steps", "gradient steps"), repeats("model_bytes", "size of the network's files, bytes"),
		machine("effective_per_second", "independent states of production per second of it, 1/s"),
		machine("cpu_seconds", "seconds of a core for the run, training in it included"), machine("training_in_run_seconds", "the part of training"),
		machine("training_before_seconds", "seconds of a core for the training before the run, without its evaluation"),
		machine("training_elsewhere_seconds", "wall-clock seconds of gradient steps that made a network from elsewhere, by its card"),
		machine("wall_seconds", "of the run's process"), machine("memory_bytes", "most memory of its processes"),
		machine("probe_cpu_seconds", "of a fixed piece of work before the cell"), machine("probe_wall_seconds", "the same, wall-clock"),
		machine("flagged", "the machine's speed changed within the block"), machine("measured", "times that the cell was made"),
	)}
	a.each(func(_ *SystemResults, _ *SamplerResults, r *Result, of []any) {
		t.Rows = append(t.Rows, append(of, r.Failed, r.Converged, r.Moves, r.RMS, r.Max, int64(r.Missing), r.RoundTrips, r.Resistance,
			r.Autocorrelation, r.AutocorrelationUpdates, r.Acceptance, r.Changed, r.Divergence, r.Loss, r.Steps, r.ModelBytes, r.EffectivePerSecond,
			r.CPU, r.TrainInRun, r.TrainBefore, r.Carried, r.Wall, r.Memory, r.Probe.CPU, r.Probe.Wall, r.Flagged, int64(r.Measured)))
	})
	return t
}

func (a *Analysis) targets() *Table {
	t := &Table{Name: "targets", Columns: append(slices.Clone(of),
		repeats("target", "error of ln g"), repeats("reached", "the error stayed at or below it; else the efforts are those spent in vain"),
		repeats("updates", "site updates"), machine("without_training_seconds", "seconds of a core"), machine("with_training_seconds", "seconds of a core, all training included"))}
	a.each(func(y *SystemResults, _ *SamplerResults, r *Result, of []any) {
		for _, target := range y.System.Targets {
			without, with, updates := r.ToTarget(target)
			t.Rows = append(t.Rows, append(slices.Clone(of), target, !without.Censored, updates.Value, without.Value, with.Value))
		}
	})
	return t
}

func (a *Analysis) curves() *Table {
	t := &Table{Name: "curves", Columns: append(slices.Clone(of),
		repeats("updates", "site updates"), repeats("phase", "of the run"), repeats("rms", "error of ln g"), repeats("max", "largest error of ln g"), repeats("round_trips", "of the phase"),
		machine("without_training_seconds", "seconds of a core"), machine("with_training_seconds", "seconds of a core, all training included"))}
	a.each(func(_ *SystemResults, _ *SamplerResults, r *Result, of []any) {
		for _, p := range r.Points {
			t.Rows = append(t.Rows, append(slices.Clone(of), p.Updates, p.Phase, p.RMS, p.Max, p.Trips, p.CPU, p.Trained))
		}
	})
	return t
}

func (a *Analysis) phases() *Table {
	t := &Table{Name: "phases", Columns: append(slices.Clone(of), repeats("phase", "phase and activity"), machine("wall_seconds", "spent on it"))}
	a.each(func(_ *SystemResults, _ *SamplerResults, r *Result, of []any) {
		var names []string
		for name := range r.Phases {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			t.Rows = append(t.Rows, append(slices.Clone(of), name, r.Phases[name]))
		}
	})
	return t
}

// energies are means over the seeds by energy.
func (a *Analysis) energies() *Table {
	t := &Table{Name: "energies", Columns: []Column{
		repeats("system", "system"), repeats("sampler", "sampler"), repeats("budget", "factor of the budgets"), repeats("energy", "in units of J"),
		repeats("reference", "ln g of the reference"), repeats("deviation", "mean deviation of ln g at the end"), repeats("deviation_error", "standard error over seeds"),
		repeats("acceptance", "share of the network's proposals accepted for configurations of this energy"), repeats("changed", "mean share of the sites that an accepted one changes"),
	}}
	for i := range a.Systems {
		y := &a.Systems[i]
		if y.Reference == nil {
			continue
		}
		for k := range y.Samplers {
			p := &y.Samplers[k]
			profile := p.ByEnergy(y)
			for j, e := range y.Reference.Energy {
				b := profile[j]
				t.Rows = append(t.Rows, []any{y.System.Name, p.Sampler.Name, y.Budget, e, y.Reference.LnG[j], b.Deviation.Value, b.Deviation.Error, b.Acceptance, b.Changed})
			}
		}
	}
	return t
}

func (a *Analysis) answers() *Table {
	t := &Table{Name: "verdicts", Columns: []Column{
		repeats("system", "system"), repeats("sampler", "sampler"), repeats("baseline", "with which it is compared"), repeats("budget", "factor of the budgets"), repeats("target", "error of ln g"),
		repeats("training", "whether training counts"), repeats("pairs", "seeds"), machine("censored", "pairs of which one or both did not reach the target"),
		machine("ratio", "of seconds of a core to the target"), machine("low", "95 % interval"), machine("high", "95 % interval"), machine("p", "of equal times, sign-flip test"), machine("holm", "adjusted for the family"),
		machine("verdict", "at 5 % for the family"), machine("training_seconds", "mean cost of the network"), machine("break_even_seconds", "of a core beyond which the sampler is ahead, training included"),
	}}
	for _, w := range a.Answers {
		t.Rows = append(t.Rows, []any{w.System.Name, w.Sampler, w.Baseline, w.Budget, w.Target, w.Training, int64(w.Pairs), int64(w.Censored), w.Ratio, w.Interval.Low, w.Interval.High, w.P, w.Holm, string(w.Verdict), w.TrainingSeconds, w.BreakEven})
	}
	return t
}

func (a *Analysis) summaries() *Table {
	t := &Table{Name: "summaries", Columns: []Column{
		repeats("system", "system"), repeats("sampler", "sampler"), repeats("budget", "factor of the budgets"), repeats("target", "error of ln g"), repeats("cells", "seeds"), repeats("failed", "cells without results"), repeats("reached", "cells that reached the target"),
		repeats("updates", "site updates to the target, geometric mean"), repeats("updates_low", "95 % interval"), repeats("updates_high", "95 % interval"),
		machine("without_training_seconds", "seconds of a core to the target, geometric mean"), machine("without_low", "95 % interval"), machine("without_high", "95 % interval"),
		machine("with_training_seconds", "the same with all training"), machine("with_low", "95 % interval"), machine("with_high", "95 % interval"),
		machine("expected_without_seconds", "expected running time: all seconds over the successes"), machine("expected_with_seconds", "the same with all training"),
	}}
	for _, s := range a.Summaries {
		for _, g := range s.Targets {
			t.Rows = append(t.Rows, []any{s.System, s.Sampler, s.Budget, g.Target, int64(s.Cells), int64(s.Failed), int64(g.Reached),
				g.Updates.Typical, g.Updates.Interval.Low, g.Updates.Interval.High, g.Without.Typical, g.Without.Interval.Low, g.Without.Interval.High,
				g.With.Typical, g.With.Interval.Low, g.With.Interval.High, g.ExpectedWithout, g.ExpectedTraining})
		}
	}
	return t
}

// ByEnergy is what the cells of a sampler have at an energy of the reference.
type ByEnergy struct {
	Deviation           Estimate
	Acceptance, Changed float64
}

// ByEnergy are means over seeds by energy of the reference.
func (p *SamplerResults) ByEnergy(y *SystemResults) []ByEnergy {
	all := make([]ByEnergy, y.Reference.Len())
	deviations := make([][]float64, len(all))
	trials, accepted, changed := make([]float64, len(all)), make([]float64, len(all)), make([]float64, len(all))
	place := map[float64]int{}
	for j, e := range y.Reference.Energy {
		place[e] = j
	}
	for _, r := range p.Cells {
		if r.Density == nil {
			continue
		}
		if d, _, err := deviation(r.Density, y.Reference); err == nil {
			for j, e := range d.Energy {
				if k, ok := place[e]; ok {
					deviations[k] = append(deviations[k], d.LnG[j])
				}
			}
		}
		l, err := report.Load(r.Folder())
		if err != nil || l.Proposals == nil {
			continue
		}
		for _, row := range l.Proposals.Rows {
			if k, ok := place[row[0]]; ok && len(row) >= 4 {
				trials[k] += row[1]
				if hits := row[1] * row[2]; hits > 0 {
					accepted[k] += hits
					changed[k] += hits * row[3]
				}
			}
		}
	}
	for j := range all {
		mean, err := mean(deviations[j])
		all[j] = ByEnergy{Estimate{mean, err}, math.NaN(), math.NaN()}
		if trials[j] > 0 {
			all[j].Acceptance = accepted[j] / trials[j]
		}
		if accepted[j] > 0 {
			all[j].Changed = changed[j] / accepted[j]
		}
	}
	return all
}
