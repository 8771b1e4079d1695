package compare_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/internal/compare"
	"neuralwl/internal/compare/stats"
	"neuralwl/internal/long"
)

// simulated makes results of samplers whose errors fall as the inverse root of time and whose times
// have known ratios to those of the first, with scatter between runs and between the blocks of a
// seed. Networks cost some training. Budgets are such that some runs do not reach the target.
func simulated(r *rand.Rand, seeds int, ratios, training []float64, scatter, budget float64) *compare.Results {
	s := &compare.Spec{Name: "simulated", Seeds: seeds, FirstSeed: 1, Budgets: []float64{1}, Baseline: "0"}
	y := compare.SystemResults{System: compare.System{Name: "system", Targets: []float64{1, 0.1}, Target: 0.1}, Budget: 1}
	s.Systems = []compare.System{y.System}
	blocks := make([]float64, seeds)
	for i := range blocks {
		blocks[i] = 0.3 * r.NormFloat64()
	}
	for k, ratio := range ratios {
		p := compare.SamplerResults{Sampler: compare.Sampler{Name: string(rune('0' + k))}}
		s.Samplers = append(s.Samplers, p.Sampler)
		for i := range seeds {
			// The error is 0.1 at this time.
			at := 10 * ratio * math.Exp(blocks[i]+scatter*r.NormFloat64())
			c := &compare.Result{Seed: uint64(i + 1), TrainBefore: training[k]}
			// Points where 10 per decade of moves fall, for each sampler at other times.
			for t := 0.013 * (1 + 0.1*float64(k)); t < budget; t *= math.Pow(10, 0.1) {
				c.Points = append(c.Points, compare.Point{Updates: 1e6 * t, RMS: 0.1 * math.Sqrt(at/t), CPU: t, Trained: t + training[k]})
			}
			p.Cells = append(p.Cells, c)
		}
		y.Samplers = append(y.Samplers, p)
	}
	return &compare.Results{Spec: s, Systems: []compare.SystemResults{y}}
}

// TestAnalyseCoverage puts simulated curves through what makes a report: intervals of ratios cover
// the truth, and no more families than promised have a verdict that is wrong.
func TestAnalyseCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ratios, training := []float64{1, 1, 1.05, 0.5, 3}, []float64{0, 0, 0, 0, 0}
	families := long.Or(600, 200)
	for name, c := range map[string]struct{ scatter, budget float64 }{"all reach the target": {0.2, 1000}, "some do not": {0.2, 40}, "little scatter": {0.01, 1000}} {
		covered, wrong, found := 0, 0, 0
		for range families {
			a := compare.Analyse(simulated(r, 9, ratios, training, c.scatter, c.budget))
			bad := false
			for _, w := range a.Answers[:len(ratios)-1] {
				truth := ratios[w.Sampler[0]-'0']
				if w.Interval.Low <= truth && truth <= w.Interval.High {
					covered++
				}
				switch w.Verdict {
				case stats.Faster:
					bad = bad || truth >= 1
				case stats.Slower:
					bad = bad || truth <= 1
				case stats.Equivalent:
					bad = bad || truth < 1/stats.Margin || truth > stats.Margin
				}
				if truth == 0.5 && w.Verdict == stats.Faster {
					found++
				}
			}
			if bad {
				wrong++
			}
		}
		n := float64(families)
		share := float64(covered) / n / float64(len(ratios)-1)
		t.Logf("%s: intervals cover %.3f, %.4f of the families have a wrong verdict, %.2f of the effects found", name, share, float64(wrong)/n, float64(found)/n)
		// Comparisons share their baseline, so that a family counts as one.
		if share < 0.95-4*math.Sqrt(0.05*0.95/n) {
			t.Errorf("%s: intervals cover %.3f, 0.95 was promised", name, share)
		}
		if float64(wrong)/n > 0.05+4*math.Sqrt(0.05*0.95/n) {
			t.Errorf("%s: %.3f of the families have a wrong verdict, 0.05 was promised", name, float64(wrong)/n)
		}
		if float64(found)/n < 0.8 {
			t.Errorf("%s: only %.2f of the effects are found", name, float64(found)/n)
		}
	}
}

// TestTraining includes training time only in the totals that say so, and finds the break-even.
func TestTraining(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := compare.Analyse(simulated(r, 10, []float64{1, 0.5}, []float64{0, 100}, 0.01, 1e4))
	without, with := a.Answers[0], a.Answers[1]
	if without.Verdict != stats.Faster || with.Verdict != stats.Slower || !with.Training {
		t.Errorf("%+v, %+v", without, with)
	}
	if math.Abs(without.BreakEven-200) > 10 {
		t.Errorf("break-even at %g s, want 200", without.BreakEven)
	}
	if advice := strings.Join(a.Advice("system", 1), " "); !strings.Contains(advice, "pays if its network is at hand") {
		t.Error(advice)
	}
	if told := a.Told(); len(told) != 2 || !strings.Contains(told[0].Words(), "not counted") {
		t.Error(told)
	}
	// A target that nobody reaches decides nothing, and hides nobody.
	a = compare.Analyse(simulated(r, 10, []float64{1, 0.5}, []float64{0, 0}, 0.01, 1))
	if w := a.Answers[0]; w.Verdict != stats.Undecided || w.Censored != 10 || w.Pairs != 10 {
		t.Errorf("%+v", w)
	}
	if g := a.Summaries[0].Targets[1]; g.Reached != 0 || !math.IsInf(g.ExpectedWithout, 1) {
		t.Errorf("%+v", g)
	}
}

// TestDiff names what became slower, and nothing in a comparison with itself.
func TestDiff(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	before := simulated(r, 10, []float64{1, 1}, []float64{0, 0}, 0.05, 1e4)
	if d := compare.Compare(before, before); len(d.Regressions)+len(d.Improvements)+len(d.Only) > 0 || d.Same != 2 {
		t.Errorf("with itself: %+v", d)
	}
	after := simulated(r, 10, []float64{1, 3}, []float64{0, 0}, 0.05, 1e4)
	after.Systems[0].Samplers[0].Cells[4].Failed = "broken"
	d := compare.Compare(before, after)
	text := strings.Join(d.Regressions, "\n")
	if !strings.Contains(text, "1 on system: core seconds to the target, training not counted, ") || !strings.Contains(text, "0 on system: 1 cells fail") {
		t.Errorf("regressions:\n%s", text)
	}
	d = compare.Compare(after, before)
	if text := strings.Join(d.Improvements, "\n"); !strings.Contains(text, "1 on system: core seconds") || len(d.Regressions) > 0 {
		t.Errorf("improvements:\n%s\nregressions %v", text, d.Regressions)
	}
	after.Systems[0].Samplers = after.Systems[0].Samplers[:1]
	if d := compare.Compare(before, after); len(d.Only) != 1 || !strings.Contains(d.Only[0], "1 on system is gone") {
		t.Errorf("%v", d.Only)
	}
}

// TestSpecFaults reports all faults of a specification at once.
func TestSpecFaults(t *testing.T) {
	_, err := compare.Parse([]byte(`
name: ""
systems: [{name: a, moves: 0, set: {run.seed: 3, system.joint: colour}}, {name: A, moves: 1, targets: [0.1], target: 0.2}]
samplers: [{name: x, set: {run.max_time: 1m, production.mix: automatic}, systems: [b]}]
baseline: y
budgets: [-1]
`), ".")
	if err == nil {
		t.Fatal("no fault is found")
	}
	for _, want := range []string{"name:", "moves: 0 is not", "run.seed cannot be set", "system.joint cannot be set", `two are named "A"`, "0.2 is none of", "run.max_time cannot be set", "production.mix automatic", `no system "b"`, `no sampler "y"`, "budgets: -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults:\n%v", want, err)
		}
	}
	for _, text := range []string{"name: [", "nonsense: 1", "name: a\nsystems: [{name: a, moves: 1, set: {no.key: 1}}]\nsamplers: [{name: x}]"} {
		if _, err := compare.Parse([]byte(text), "."); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestBuiltIn reads every specification that comes with the program, and its own YAML back.
func TestBuiltIn(t *testing.T) {
	for _, name := range compare.BuiltIn() {
		s, err := compare.Open(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := s.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := compare.Parse(text, "/")
		if err != nil {
			t.Errorf("%s: its own YAML: %v", name, err)
			continue
		}
		if len(again.Cells()) != len(s.Cells()) || s.Name != name {
			t.Errorf("%s: %d cells, then %d", s.Name, len(s.Cells()), len(again.Cells()))
		}
	}
}
