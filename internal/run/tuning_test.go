package run_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
)

// phases are the names of a run's phases.
func phases(s *report.Summary) (names []sampler.Phase) {
	for _, p := range s.Phases {
		names = append(names, p.Name)
	}
	return names
}

// TestAutomaticMix chooses the mix of production by measurement: the run ends converged and
// right, says what it chose, and is repeated digit by digit by the settings that it names,
// with another number of workers. The choice is no worse than local moves alone.
func TestAutomaticMix(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		long     bool // not with -short
	}{
		"wang-landau":    {settings: []string{"production.passes=0"}},
		"microcanonical": {settings: []string{"run.method=multicanonical", "run.moves=[local, neural]", "production.passes=2000", "model.architecture=microcanonical", "model.width=8", "model.window=3", "production.histogram=low"}, long: true},
		"one peak":       {settings: []string{"production.passes=2000", "production.histogram=phases"}, long: true},
		"windows":        {settings: []string{"production.passes=2000", "windows.count=2"}, long: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.long {
				long.Only(t, "2000 passes")
			}
			t.Parallel()
			log, logged := runtest.Log(slog.LevelInfo)
			folder := t.TempDir()
			s, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "run"), Log: log}, runtest.With(c.settings, "production.mix=automatic")...)
			if err != nil {
				t.Fatal(err)
			}
			if s.Exact == nil || s.Exact.RMS > 0.1 || !s.Verdict.Converged {
				t.Errorf("exact %+v, verdict %+v", s.Exact, s.Verdict)
			}
			m := s.Tuning
			if m == nil || len(phases(s)) != 3 || s.Phases[1].Name != sampler.Tuning {
				t.Fatalf("tuning %+v, phases %v", m, phases(s))
			}
			if !strings.Contains(logged.String(), "chosen for production") || !strings.Contains(logged.String(), "mix="+m.Mix) {
				t.Errorf("the log does not tell the choice of %s:\n%s", m.Mix, logged)
			}
			mix, err := config.ParseMix(m.Mix)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(m.Reason, "does not pay") != (mix.Trials == 0) || !strings.Contains(m.Reason, "ln g: variance times seconds") {
				t.Errorf("the wrong reason: %+v", m)
			}
			moves := s.Phases[2].Moves
			passes, n := s.Phases[2].Passes, int64(64)
			least, most := passes*n*int64(mix.Trials), passes*n*int64(mix.Trials)
			if name == "microcanonical" {
				least = min(most, 1) // walkers between the ends make no moves across
			}
			if x := moves["neural"].Trials; x < least || x > most || moves["local"].Trials != passes*n*16*int64(mix.Sweeps) {
				t.Errorf("mix %v in %d passes of production: %+v", mix, passes, moves)
			}
			chosen := slices.IndexFunc(m.Measured, func(x tune.MixSummary) bool { return x.Mix == m.Mix })
			alone := slices.IndexFunc(m.Measured, func(x tune.MixSummary) bool { return strings.HasSuffix(x.Mix, ":0") })
			if chosen < 0 || alone < 0 || len(m.Measured) < 2 || m.Measured[chosen].RoundTrips == 0 || m.Measured[chosen].Cost == nil {
				t.Fatalf("measured %+v", m.Measured)
			}
			if a, b := m.Measured[chosen].Cost, m.Measured[alone].Cost; b != nil && a.Value > b.Value+3*(*a.Error+*b.Error) {
				t.Errorf("the wrong choice: %+v", m)
			}
			again := runtest.With(c.settings, "run.workers=3")
			for _, setting := range strings.Split(m.Repeat, "--set ") {
				if setting = strings.TrimSpace(setting); setting != "" {
					again = append(again, setting)
				}
			}
			repeated := runtest.Perform(t, filepath.Join(folder, "again"), again...)
			if !bytes.Equal(runtest.Read(t, folder, "run", report.DensityFile), runtest.Read(t, folder, "again", report.DensityFile)) {
				t.Errorf("%s gives another dos.csv", m.Repeat)
			}
			if repeated.Tuning != nil || len(repeated.Phases) != 2 {
				t.Errorf("the repeated run looked for the mix again: %+v", repeated.Tuning)
			}
		})
	}
}

// TestTuningResumed stops a run in every stage of the search for a mix: interrupted in it,
// the run has the results of the adaptation, and looks for the mix anew when it goes on; once
// found, the mix stays. The whole is the run that its settings repeat.
func TestTuningResumed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "run")
	settings := runtest.With(runtest.Brief, "production.mix=automatic", "trainer.export_every=0")
	var s *report.Summary
	stops := []struct {
		phase sampler.Phase
		after int
	}{{sampler.WangLandau, 5}, {sampler.Tuning, 1}, {sampler.Tuning, 3}, {sampler.Production, 7}, {"", 0}}
	for i, stop := range stops {
		ctx, cancel := context.WithCancelCause(context.Background())
		var err error
		if s, err = runtest.Run(ctx, t, run.Options{Folder: path, Listener: runtest.StopAt(stop.phase, stop.after, cancel)}, settings...); err != nil {
			t.Fatal(err)
		}
		cancel(nil)
		if stopped := stop.phase != ""; stopped != (s.Interrupted != "") {
			t.Fatalf("stopped in %s: %+v", stop.phase, s)
		}
		if chosen := i > 2; chosen != (s.Tuning != nil) {
			t.Errorf("stopped in %s, the choice is %+v", stop.phase, s.Tuning)
		}
		if want := []int{1, 1, 1, 3, 3}[i]; len(s.Phases) != want {
			t.Errorf("stopped in %s with the phases %v", stop.phase, phases(s))
		}
	}
	for i, want := range []string{"adaptation", "tuning", "tuning", "production"} {
		if s.Resumptions[i].Stage != want {
			t.Errorf("resumption %d in the stage %s, want %s", i, s.Resumptions[i].Stage, want)
		}
	}
	if failed, _ := runtest.Verify(t, path); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
	runtest.Perform(t, filepath.Join(folder, "again"), runtest.With(runtest.Brief, "production.mix="+s.Tuning.Mix)...)
	if !bytes.Equal(runtest.Read(t, path, report.DensityFile), runtest.Read(t, folder, "again", report.DensityFile)) {
		t.Errorf("dos.csv of the run that was interrupted is not that of %s", s.Tuning.Repeat)
	}
}
