package compare

import (
	"fmt"
	"math"

	"neuralwl/internal/compare/stats"
	"neuralwl/sampler/dos"
)

// Analysis is what follows from results.
type Analysis struct {
	*Results
	Summaries []Summary
	// Answers are the comparisons with the baseline: first with networks at hand, then with all their
	// training; each is a family.
	Answers []Answer
	// Comparisons is their number in a family, and Seeds how many are needed to decide any.
	Comparisons, Seeds int
	Profiles           []Profile
}

// Summary is what a sampler achieved on a system.
type Summary struct {
	System, Sampler string
	Budget          float64
	Cells, Failed   int
	Flagged         int
	Targets         []TargetSummary
	// Mean and standard error over seeds.
	RMS, Max, Moves, RoundTrips, Resistance, Autocorrelation, Acceptance, Changed, Divergence, Effective Estimate
	CPU, Training, Wall, Memory, ModelBytes                                                              Estimate
}

// Estimate is a mean over seeds, with its standard error; NaN where it is not known.
type Estimate struct{ Value, Error float64 }

// TargetSummary is the effort to reach a target.
type TargetSummary struct {
	Target           float64
	Reached, Of      int
	Without, With    Effort // seconds of a core, without and with training
	Updates          Effort
	ExpectedWithout  float64 // see stats.Expected
	ExpectedTraining float64
}

// Effort is a typical one with its interval.
type Effort struct {
	Typical  float64
	Interval stats.Bounds
}

// Answer is the comparison of a sampler with the baseline on a system.
type Answer struct {
	System   System
	Budget   float64
	Sampler  string
	Baseline string
	Target   float64
	Training bool // counts
	stats.Comparison
	// TrainingSeconds is the mean cost of the network, and BreakEven the seconds of a core beyond which
	// the sampler is ahead with it; of answers without training. NaN where the ratio is unknown.
	TrainingSeconds, BreakEven float64
}

// Profile is the performance profile of a sampler over the systems, budgets and seeds where all
// samplers of the profile are there.
type Profile struct {
	Sampler  string
	Training bool
	Steps    []stats.Step
}

// Analyse judges results.
func Analyse(r *Results) *Analysis {
	a := &Analysis{Results: r}
	for i := range r.Systems {
		y := &r.Systems[i]
		for k := range y.Samplers {
			a.Summaries = append(a.Summaries, summary(y, &y.Samplers[k]))
		}
	}
	for _, training := range []bool{false, true} {
		var answers []Answer
		var pairs [][2][]stats.Time
		for i := range r.Systems {
			y := &r.Systems[i]
			base := y.sampler(r.Spec.Baseline)
			if base == nil {
				continue
			}
			for k := range y.Samplers {
				p := &y.Samplers[k]
				if p == base {
					continue
				}
				pair, cost := paired(p, base, y.System.Target, training)
				answers = append(answers, Answer{
					System: y.System, Budget: y.Budget, Sampler: p.Sampler.Name, Baseline: base.Sampler.Name, Target: y.System.Target, Training: training, TrainingSeconds: cost,
				})
				pairs = append(pairs, pair)
			}
		}
		for k, c := range stats.Judge(pairs) {
			answers[k].Comparison = c
			answers[k].BreakEven = math.NaN()
			if !training && !math.IsNaN(c.Ratio) && answers[k].TrainingSeconds > 0 {
				answers[k].BreakEven = stats.BreakEven(answers[k].TrainingSeconds, c.Ratio)
			}
		}
		a.Answers = append(a.Answers, answers...)
		a.Comparisons = len(answers)
		a.Profiles = append(a.Profiles, r.profiles(training)...)
	}
	a.Seeds = stats.SeedsNeeded(a.Comparisons)
	return a
}

func (y *SystemResults) sampler(name string) *SamplerResults {
	for k := range y.Samplers {
		if y.Samplers[k].Sampler.Name == name {
			return &y.Samplers[k]
		}
	}
	return nil
}

// paired are the times of two samplers to a target by the seeds that both have, and the mean cost of
// the first one's network.
func paired(a, b *SamplerResults, target float64, training bool) (pair [2][]stats.Time, cost float64) {
	n := 0
	for _, x := range a.Cells {
		for _, y := range b.Cells {
			if x.Seed != y.Seed {
				continue
			}
			for k, r := range []*Result{x, y} {
				without, with, _ := r.ToTarget(target)
				if training {
					without = with
				}
				pair[k] = append(pair[k], without)
			}
			cost += x.Training()
			n++
		}
	}
	return pair, cost / float64(max(1, n))
}

// profiles are those of the samplers that are there for most systems.
func (a *Results) profiles(training bool) (profiles []Profile) {
	var names []string
	var times [][]stats.Time
	for _, p := range a.Spec.Samplers {
		var own []stats.Time
		everywhere := true
		for i := range a.Systems {
			y := &a.Systems[i]
			s := y.sampler(p.Name)
			if s == nil {
				everywhere = false
				break
			}
			for k := range a.Spec.Seeds {
				t := stats.Time{Value: tiny, Censored: true}
				for _, r := range s.Cells {
					if r.Seed == a.Spec.FirstSeed+uint64(k) {
						without, with, _ := r.ToTarget(y.System.Target)
						if t = without; training {
							t = with
						}
					}
				}
				own = append(own, t)
			}
		}
		if everywhere {
			names, times = append(names, p.Name), append(times, own)
		}
	}
	for i, steps := range stats.Profiles(times) {
		profiles = append(profiles, Profile{names[i], training, steps})
	}
	return profiles
}

func summary(y *SystemResults, p *SamplerResults) Summary {
	s := Summary{System: y.System.Name, Sampler: p.Sampler.Name, Budget: y.Budget, Cells: len(p.Cells)}
	over := func(f func(*Result) float64) Estimate {
		var x []float64
		for _, r := range p.Cells {
			if r.Failed == "" {
				x = append(x, f(r))
			}
		}
		mean, deviation, _ := stats.Mean(x)
		return Estimate{mean, deviation}
	}
	for _, r := range p.Cells {
		if r.Failed != "" {
			s.Failed++
		}
		if r.Flagged {
			s.Flagged++
		}
	}
	s.RMS = over(func(r *Result) float64 { return r.RMS })
	s.Max = over(func(r *Result) float64 { return r.Max })
	s.Moves = over(func(r *Result) float64 { return r.Moves })
	s.RoundTrips = over(func(r *Result) float64 { return r.RoundTrips })
	s.Resistance = over(func(r *Result) float64 { return r.Resistance })
	s.Autocorrelation = over(func(r *Result) float64 { return r.AutocorrelationUpdates })
	s.Acceptance = over(func(r *Result) float64 { return r.Acceptance })
	s.Changed = over(func(r *Result) float64 { return r.Changed })
	s.Divergence = over(func(r *Result) float64 { return r.Divergence })
	s.Effective = over(func(r *Result) float64 { return r.EffectivePerSecond })
	s.CPU = over(func(r *Result) float64 { return r.CPU - r.TrainInRun })
	s.Training = over((*Result).Training)
	s.Wall = over(func(r *Result) float64 { return r.Wall })
	s.Memory = over(func(r *Result) float64 { return r.Memory })
	s.ModelBytes = over(func(r *Result) float64 { return r.ModelBytes })
	for _, target := range y.System.Targets {
		t := TargetSummary{Target: target, Of: len(p.Cells)}
		var without, with, updates []stats.Time
		for _, r := range p.Cells {
			x, y, z := r.ToTarget(target)
			without, with, updates = append(without, x), append(with, y), append(updates, z)
			if !x.Censored {
				t.Reached++
			}
		}
		effort := func(times []stats.Time) Effort {
			centre, interval := stats.Typical(times)
			return Effort{centre, interval}
		}
		t.Without, t.With, t.Updates = effort(without), effort(with), effort(updates)
		t.ExpectedWithout, _ = stats.Expected(without)
		t.ExpectedTraining, _ = stats.Expected(with)
		s.Targets = append(s.Targets, t)
	}
	return s
}

// Words say an answer in a sentence.
func (a *Answer) Words() string {
	name, base := a.Sampler, a.Baseline
	counted := "the training of its network not counted"
	if a.Training {
		counted = "all training counted"
	}
	if a.TrainingSeconds == 0 {
		counted = ""
	}
	if counted != "" {
		counted = " (" + counted + ")"
	}
	to := fmt.Sprintf("to an error of ln g of %g on %s", a.Target, a.System.Name)
	between := ""
	if !math.IsNaN(a.Ratio) {
		between = fmt.Sprintf(": it takes %.3g times the time of %s, %s", a.Ratio, base, interval(a.Interval))
	} else if a.Interval.Low > 0 || !math.IsInf(a.Interval.High, 0) {
		between = fmt.Sprintf(": in units of the time of %s, %s", base, interval(a.Interval))
	}
	switch a.Verdict {
	case stats.Faster:
		return fmt.Sprintf("%s is faster than %s %s%s%s.", name, base, to, counted, between)
	case stats.Slower:
		return fmt.Sprintf("%s is slower than %s %s%s%s.", name, base, to, counted, between)
	case stats.Equivalent:
		return fmt.Sprintf("%s and %s take the same time within 10 %% %s%s%s.", name, base, to, counted, between)
	}
	return fmt.Sprintf("Whether %s or %s is faster %s is not decided by %d seeds%s%s.", name, base, to, a.Pairs, counted, between)
}

func interval(b stats.Bounds) string {
	low, high := b.Low > 0, !math.IsInf(b.High, 0)
	switch {
	case low && high:
		return fmt.Sprintf("95 %% interval %.3g to %.3g", b.Low, b.High)
	case low:
		return fmt.Sprintf("95 %% interval from %.3g on", b.Low)
	case high:
		return fmt.Sprintf("95 %% interval up to %.3g", b.High)
	}
	return "with no bounds at 95 %"
}

// Told are the answers to tell: those with training only where there is some.
func (a *Analysis) Told() (told []*Answer) {
	for i := range a.Answers {
		if w := &a.Answers[i]; !w.Training || w.TrainingSeconds > 0 {
			told = append(told, w)
		}
	}
	return told
}

// Advice says what an answer with and without training means for a user.
func (a *Analysis) Advice(system string, budget float64) []string {
	var best []string
	var out []string
	for i := range a.Answers {
		w := &a.Answers[i]
		if w.System.Name != system || w.Budget != budget || w.Training {
			continue
		}
		with := a.with(w)
		switch {
		case w.TrainingSeconds == 0 && w.Verdict == stats.Faster:
			best = append(best, w.Sampler)
		case w.Verdict == stats.Faster && with != nil && with.Verdict == stats.Faster:
			out = append(out, fmt.Sprintf("%s pays even for a single result: take it, its training included.", w.Sampler))
		case w.Verdict == stats.Faster:
			out = append(out, fmt.Sprintf("%s pays if its network is at hand, or from %s of computing on: its training takes %s.", w.Sampler, duration(w.BreakEven), duration(w.TrainingSeconds)))
		case w.Verdict == stats.Slower && w.TrainingSeconds > 0:
			out = append(out, fmt.Sprintf("%s does not pay here, not even if its network is at hand.", w.Sampler))
		case w.Verdict == stats.Undecided && w.TrainingSeconds > 0:
			out = append(out, fmt.Sprintf("%s: nothing can be said with so few seeds; %d are needed for verdicts on so many comparisons.", w.Sampler, a.Seeds))
		}
	}
	if len(best) > 0 {
		out = append([]string{fmt.Sprintf("Without a network, take %s rather than %s.", list(best), a.Spec.Baseline)}, out...)
	} else {
		out = append([]string{fmt.Sprintf("Without a network nothing was shown to be faster than %s.", a.Spec.Baseline)}, out...)
	}
	return out
}

// with is the answer with training that goes with one without.
func (a *Analysis) with(w *Answer) *Answer {
	for i := range a.Answers {
		x := &a.Answers[i]
		if x.Training && x.System.Name == w.System.Name && x.Budget == w.Budget && x.Sampler == w.Sampler {
			return x
		}
	}
	return nil
}

func list(names []string) string {
	text := ""
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " or "
		default:
			text += ", "
		}
		text += n
	}
	return text
}

func duration(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "an unknown time"
	case math.IsInf(seconds, 1):
		return "never"
	case seconds < 120:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.3g min", seconds/60)
	}
	return fmt.Sprintf("%.3g h", seconds/3600)
}

func mean(x []float64) (mean, deviation float64) {
	mean, deviation, _ = stats.Mean(x)
	return mean, deviation
}

// deviation is ln g of one density minus that of another.
var deviation = dos.Deviation
