package report

import (
	"fmt"
	"path/filepath"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/internal/shell"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// Row is a line of a summary: a name, indented by two blanks where it belongs to the row before and
// empty where it goes on with it, and what there is to say.
type Row struct{ Name, Text string }

// rows is a table that grows.
type rows []Row

func (r *rows) add(name, format string, a ...any) {
	*r = append(*r, Row{name, fmt.Sprintf(format, a...)})
}

// Rows is the summary as a table for people.
func (s *Summary) Rows() []Row {
	return slices.Concat(s.found(), s.Verdict.rows(), s.ended())
}

// found is what the run did and found.
func (s *Summary) found() []Row {
	var all rows
	row := all.add
	row("system", "%s, seed %d, %d walkers, %.1f s", s.System, s.Seed, s.Walkers, s.Seconds)
	switch {
	case s.Canonical != nil || s.Temperatures != nil:
		row("levels", "%d seen", s.Levels.Seen)
	case s.Levels.Known > 0:
		row("levels", "%d of %d seen", s.Levels.Seen, s.Levels.Known)
	default:
		row("levels", "%d seen; how many have states is not known", s.Levels.Seen)
	}
	for _, p := range shownPhases(s) {
		if m := p.Moves["neural"]; p.Name == sampler.Starting {
			row(string(p.Name), "%d levels by %d draws of the network, %.1f %% of which met their targets, %.1f s", p.Levels, m.Trials, 100*m.Acceptance, p.Seconds["all"])
			continue
		}
		lnF := ""
		if p.LnF > 0 {
			lnF = fmt.Sprintf(", ln f %.3g", p.LnF)
		}
		if s.Temperatures != nil {
			row(string(p.Name), "%d passes, of all temperatures", p.Passes)
		} else {
			row(string(p.Name), "%d passes, %.0f round trips%s", p.Passes, p.RoundTrips, lnF)
		}
		for _, kind := range []string{"local", "neural", "exchange"} {
			if m, ok := p.Moves[kind]; ok {
				row("  "+kind, "%.3g trials, %.1f %% accepted", float64(m.Trials), 100*m.Acceptance)
			}
		}
		row("  time", "local %.1f s, propose %.1f s, log_prob %.1f s, train %.1f s, in all %.1f s",
			p.Seconds["local"], p.Seconds["propose"], p.Seconds["log_prob"], p.Seconds["train"], p.Seconds["all"])
	}
	if m := s.Tuning; m != nil {
		row("mix of moves", "%s: %s", m.Mix, m.Reason)
		row("", "%s repeats it on any machine, except for what run.max_time ends", m.Repeat)
	}
	if s.Autocorrelation != nil {
		row("autocorrelation", "of the energy: %s passes", s.Autocorrelation)
	}
	if n := s.Network; n != nil {
		provider := n.Provider
		if n.Server != nil {
			provider += fmt.Sprintf(" (%v)", n.Server)
		}
		row("network", "%s on %s, %d gradient steps, loss %.2f nats", n.Architecture, provider, n.Training.Steps, n.Training.Loss)
		if n.Training.Dropped > 0 {
			row("", "%d gradient steps dropped: loss or gradient was not finite", n.Training.Dropped)
		}
	}
	if p := s.Proposals; p != nil {
		row("", "accepted proposals change %.1f %% of the sites, median over the energies %.1f %%; they take %.0f %% of the time of moves", 100*p.Changed, 100*p.ChangedMedian, 100*p.Time)
		if p.Remark != "" {
			row("", "%s", p.Remark)
		}
	}
	if g := s.GroundState; g != nil {
		if g.Error != nil {
			row("ground state", "ln g = %.4f(%.4f), known %.4f", g.LnG, *g.Error, g.Known)
		} else {
			row("ground state", "ln g = %.4f without error bar, known %.4f", g.LnG, g.Known)
		}
	}
	if c := s.Canonical; c != nil {
		row("canonical", "beta %g: energy %s, specific heat %s per site", c.Beta, c.Energy, c.SpecificHeat)
		if c.Order != nil {
			row("  order", "m = %s", c.Order)
		}
	} else if s.Temperatures != nil {
		for _, t := range s.Temperatures {
			row(fmt.Sprintf("beta %g", t.Beta), "%s", &t)
		}
	} else if d := s.Exact; d != nil {
		row("exact", "rms difference of ln g %.4f, largest %.4f at E = %g", d.RMS, d.Max, d.MaxAt)
	} else {
		row("exact", "not computable in seconds for this system")
	}
	if s.Estimators != nil {
		row("transitions", "%s", s.Estimators)
	}
	if s.Bridge != nil {
		row("draws", "%s", s.Bridge)
	}
	if s.Inverse != nil {
		row("inverse", "%s", s.Inverse)
	}
	if s.Transition != nil {
		all = append(all, TransitionRows(s.System, s.Transition)...)
	}
	return all
}

// rows are the verdict with its checks.
func (v *Verdict) rows() []Row {
	var all rows
	row := all.add
	if v.Converged {
		row("verdict", "converged")
	} else {
		row("verdict", "NOT converged")
	}
	for _, c := range v.Checks {
		mark := "ok"
		if !c.Passed {
			mark = "FAILED"
		}
		row("  "+c.Name, "%s: %s", mark, c.Detail)
		if c.Advice != "" {
			row("", "%s", c.Advice)
		}
	}
	if v.Remark != "" {
		row("", "%s", v.Remark)
	}
	return all
}

// ended says where the results are, and how to go on.
func (s *Summary) ended() []Row {
	var all rows
	row := all.add
	checkpoints := s.Checkpoints
	row("checkpoints", "%d of %.1f MB in %.1f s, %d failed", checkpoints.Written, float64(checkpoints.Bytes)/1e6, checkpoints.Seconds, checkpoints.Failed)
	if !s.UnderWay {
		row("results", "%s", filepath.Join(s.Folder, DensityFile))
	}
	if !s.NoPage {
		row("report", "%s", filepath.Join(s.Folder, PageFile))
	}
	if s.Interrupted != "" && !s.UnderWay {
		row("to go on", "nwl run --resume %s", shell.Quote(s.Folder))
	}
	return all
}

// shownPhases are the phases of a run; those of several temperatures together by their names.
func shownPhases(s *Summary) []PhaseSummary {
	if s.Temperatures == nil {
		return s.Phases
	}
	var all []PhaseSummary
	for _, p := range s.Phases {
		k := slices.IndexFunc(all, func(sum PhaseSummary) bool { return sum.Name == p.Name })
		if k < 0 {
			k = len(all)
			all = append(all, PhaseSummary{Name: p.Name, Moves: map[string]MoveSummary{}, Seconds: map[string]float64{}})
		}
		sum := &all[k]
		sum.Passes += p.Passes
		for kind, m := range p.Moves {
			before := sum.Moves[kind]
			trials := before.Trials + m.Trials
			sum.Moves[kind] = MoveSummary{Trials: trials, Acceptance: (before.Acceptance*float64(before.Trials) + m.Acceptance*float64(m.Trials)) / float64(trials)}
		}
		for activity, seconds := range p.Seconds {
			sum.Seconds[activity] += seconds
		}
	}
	return all
}

// TransitionRows say where the transition is.
func TransitionRows(system dos.System, t *TransitionSummary) []Row {
	var all rows
	row := all.add
	infinite := "that of the infinite lattice is not known"
	if t.Infinite > 0 {
		infinite = fmt.Sprintf("infinite lattice %.6f", t.Infinite)
	}
	if t.HeatMaximum == nil {
		row("transition", "beta: %s", infinite)
	} else {
		row("transition", "beta: specific heat maximum %s, %s", t.HeatMaximum, infinite)
	}
	if t.Order != nil {
		row("  order", "infinite lattice's beta: m = %s", t.Order)
	}
	if c := t.Coexistence; c != nil {
		ratio := fmt.Sprint(c.States)
		if system.Model == config.Potts || system.Model == config.Ising || system.Model == config.Potts3D {
			ratio = "q"
		}
		row("  two phases", "beta: equal height %s, equal weight %s, weight ratio %s %s", c.EqualHeight, c.EqualWeight, ratio, c.StateWeight)
		row("", "latent heat %s by the peaks, %s by the weights, interface tension 2 sigma = %s", c.LatentHeat, c.LatentHeatByWeights, c.InterfaceTension)
	}
	if z := t.Zero; z != nil {
		row("  Fisher zero", "beta = %s + %s i", z.Real, z.Imaginary)
	}
	for _, remark := range t.Remarks {
		row("", "%s", remark)
	}
	return all
}
