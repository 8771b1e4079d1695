package run_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// cutAfter makes a run that would adapt for days until run.max_time cuts it short after some
// passes, with no time left for production.
func cutAfter(t *testing.T, folder string, passes int, settings ...string) *report.Summary {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	o := run.Options{Folder: folder, Listener: runtest.StopAt("", passes, cancel)}
	if _, err := runtest.Run(ctx, t, o, runtest.With(settings, "wang_landau.final_ln_f=1e-12")...); err != nil {
		t.Fatal(err)
	}
	s, err := resume(t, folder, "run.max_time=1ms")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCutAdaptation resumes runs whose adaptation was cut short, of each method: with more
// time the adaptation continues, and a new production follows that converges.
func TestCutAdaptation(t *testing.T) {
	for name, c := range map[string]struct {
		passes   int
		settings []string
		long     bool // not with -short
	}{
		"wang-landau":       {passes: 1000, settings: []string{"run.moves=local"}},
		"with a network":    {passes: 300, settings: []string{"run.moves=[local, neural]"}, long: true},
		"windows":           {passes: 1000, settings: []string{"run.moves=local", "windows.count=2"}, long: true},
		"multicanonical":    {passes: 2000, settings: []string{"run.method=multicanonical", "run.moves=local", "system.q=10", "system.size=16x16", "production.passes=6000"}, long: true},
		"metadynamics":      {passes: 200, settings: []string{"run.method=metadynamics", "run.moves=local", "metadynamics.final_height=1e-9"}, long: true},
		"multiple gaussian": {passes: 200, settings: []string{"run.method=multiple-gaussian", "run.moves=local", "multiple_gaussian.sweeps=100"}, long: true},
		"histogram":         {passes: 1000, settings: []string{"run.moves=local", "production.histogram=low", "production.mix=3:0"}},
		"van":               {passes: 400, settings: runtest.With(alone, "production.passes=600"), long: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.long {
				long.Only(t, "up to 6000 passes")
			}
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "run")
			first := cutAfter(t, folder, c.passes, c.settings...)
			adaptation := func(s *report.Summary) report.PhaseSummary { return s.Phases[len(s.Phases)-2] }
			if len(first.Phases) < 2 || first.Phases[len(first.Phases)-1].Name != sampler.Production {
				t.Fatalf("the adaptation was not cut: %+v", first.Phases)
			}
			before := adaptation(first)
			more := []string{"run.max_time=0s"}
			if limit := "wang_landau.final_ln_f"; before.LnF > 0 {
				if before.Name == sampler.Metadynamics {
					limit = "metadynamics.final_height"
				}
				more = append(more, fmt.Sprintf("%s=%g", limit, before.LnF/1.5))
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
	t.Parallel()
	for _, c := range []struct {
		settings []string
		passes   int64 // of production
		log      string
	}{
		{[]string{"run.resume=production", "run.max_time=0s"}, 50, "production continues under the weights"},
		{[]string{"run.max_time=2ms"}, 0, "there is no time to continue it"},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		first := cutAfter(t, folder, 100, "run.moves=local", "production.passes=5")
		second, err := resume(t, folder, runtest.With(c.settings, "production.passes=50")...)
		if err != nil {
			t.Fatal(err)
		}
		if second.Phases[0].Passes != first.Phases[0].Passes || second.Phases[0].LnF != first.Phases[0].LnF || second.Phases[1].Passes != c.passes {
			t.Errorf("%v: first %+v, then %+v", c.settings, first.Phases, second.Phases)
		}
		said := false
		for _, e := range events(t, folder) {
			said = said || strings.Contains(e["msg"].(string), c.log)
		}
		if !said {
			t.Errorf("%v: the log does not say %q", c.settings, c.log)
		}
	}
	folder := filepath.Join(t.TempDir(), "run")
	cutAfter(t, folder, 100, "run.moves=local")
	if _, err := resume(t, folder, "run.resume=production", "wang_landau.final_ln_f=1e-3"); err == nil || !strings.Contains(err.Error(), "final_ln_f") {
		t.Errorf("another final ln f for production alone: %v", err)
	}
}
