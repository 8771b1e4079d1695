package run_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// cut are settings for a run whose time is over long before its adaptation is.
var cut = []string{"run.max_time=600ms", "wang_landau.final_ln_f=1e-12"}

// TestCutAdaptation resumes runs whose adaptation was cut short, of each method: with more
// time the adaptation continues, and a new production follows that converges.
func TestCutAdaptation(t *testing.T) {
	for name, settings := range map[string][]string{
		"wang-landau":    {"run.moves=local"},
		"with a network": {"run.moves=[local, neural]"},
		"windows":        {"run.moves=local", "windows.count=2"},
		"multicanonical": {"run.method=multicanonical", "run.moves=local", "system.q=10", "system.size=16x16", "production.passes=6000"},
		"histogram":      {"run.moves=local", "production.histogram=low", "production.mix=3:0"},
		"van":            runtest.With(alone, "production.passes=600"),
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "multicanonical" {
				t.Skip("SKIPPED in short mode; make test-long runs it")
			}
			folder := filepath.Join(t.TempDir(), "run")
			first := runtest.Perform(t, folder, runtest.With(settings, cut...)...)
			adaptation := func(s *report.Summary) report.PhaseSummary { return s.Phases[len(s.Phases)-2] }
			if len(first.Phases) < 2 || first.Phases[len(first.Phases)-1].Name != sampler.Production {
				t.Fatalf("the adaptation was not cut: %+v", first.Phases)
			}
			before := adaptation(first)
			more := []string{"run.max_time=0s"}
			if before.LnF > 0 {
				more = append(more, fmt.Sprintf("wang_landau.final_ln_f=%g", before.LnF/1.5))
			}
			second, err := resume(t, folder, more...)
			if err != nil {
				t.Fatal(err)
			}
			if !second.Verdict.Converged || len(second.Phases) != len(first.Phases) {
				t.Errorf("phases %+v, verdict %+v", second.Phases, second.Verdict)
			}
			after := adaptation(second)
			if after.Passes <= before.Passes || after.LnF > before.LnF || after.Moves["local"].Trials < before.Moves["local"].Trials || after.Moves["neural"].Trials < before.Moves["neural"].Trials {
				t.Errorf("the adaptation was %+v, then %+v", before, after)
			}
			if len(find(events(t, folder), "the adaptation that was cut short continues; production is made again after it (run.resume)")) != 1 {
				t.Error("the log does not say that it continues")
			}
			if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
				t.Errorf("verify: %+v", failed)
			}
		})
	}
}

// TestCutProduction only extends production where that is asked for, or where there is no time
// for more.
func TestCutProduction(t *testing.T) {
	for _, c := range []struct{ setting, log string }{
		{"run.resume=production", "production continues under the weights"},
		{"run.max_time=610ms", "there is no time to continue it"},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		first := runtest.Perform(t, folder, runtest.With(cut, "run.moves=local", "production.passes=5")...)
		settings := []string{c.setting, "production.passes=50"}
		if c.setting == "run.resume=production" {
			settings = append(settings, "run.max_time=0s")
		}
		second, err := resume(t, folder, settings...)
		if err != nil {
			t.Fatal(err)
		}
		if second.Phases[0].Passes != first.Phases[0].Passes || second.Phases[0].LnF != first.Phases[0].LnF || second.Phases[1].Passes < first.Phases[1].Passes {
			t.Errorf("%s: first %+v, then %+v", c.setting, first.Phases, second.Phases)
		}
		said := false
		for _, e := range events(t, folder) {
			said = said || strings.Contains(e["msg"].(string), c.log)
		}
		if !said {
			t.Errorf("%s: the log does not say %q", c.setting, c.log)
		}
	}
	folder := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, folder, runtest.With(cut, "run.moves=local")...)
	if _, err := resume(t, folder, "run.resume=production", "wang_landau.final_ln_f=1e-3"); err == nil || !strings.Contains(err.Error(), "final_ln_f") {
		t.Errorf("another final ln f for production alone: %v", err)
	}
}
