package run_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// TestStart begins a run with draws of a network that comes with the program: it ends
// converged and right, the same after it was stopped during the start.
func TestStart(t *testing.T) {
	log := captureLog(t, 0)
	folder := t.TempDir()
	settings := []string{
		"system.q=10", "run.walkers=8", "model.bundle=pretrained/potts-q10", "trainer.every=0", "wang_landau.final_ln_f=1e-4", "production.passes=1500",
	}
	s := runtest.Perform(t, filepath.Join(folder, "run"), settings...)
	if want := []sampler.Phase{sampler.Starting, sampler.WangLandau, sampler.Production}; !slices.Equal(phases(s), want) {
		t.Fatalf("phases %v, want %v", phases(s), want)
	}
	if start := s.Phases[0]; start.Levels < 15 || start.Moves["neural"].Acceptance < 0.5 {
		t.Errorf("start: %+v", start)
	}
	if s.Exact == nil || s.Exact.RMS > 0.1 || !s.Verdict.Converged {
		t.Errorf("exact %+v, verdict %+v", s.Exact, s.Verdict)
	}
	if !strings.Contains(log.String(), "walkers start from draws of the network") {
		t.Errorf("the log does not tell of the start:\n%s", log)
	}

	stopped := filepath.Join(folder, "stopped")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err := run.Run(ctx, run.Options{Config: runtest.Load(t, settings...), Folder: stopped, Listener: runtest.StopAt(sampler.Starting, 2, cancel)})
	if err == nil || !strings.Contains(err.Error(), "stopped by the test before the walkers") || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("stopped during the start: %v", err)
	}
	if s, err = resume(t, stopped, settings...); err != nil {
		t.Fatal(err)
	}
	if s.Resumptions[0].Stage != "start" || !bytes.Equal(runtest.Read(t, stopped, report.DensityFile), runtest.Read(t, folder, "run", report.DensityFile)) {
		t.Errorf("resumed, dos.csv is another one; %+v", s.Resumptions)
	}

	if s = runtest.Perform(t, filepath.Join(folder, "random"), append(settings, "run.start=random", "production.passes=10")...); s.Phases[0].Name == sampler.Starting {
		t.Error("run.start=random begins with draws of the network")
	}
}

// TestStartMisses: a network that knows nothing misses its targets, which is said, and the
// run begins in random configurations. One without targets is refused.
func TestStartMisses(t *testing.T) {
	log := captureLog(t, 0)
	s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), runtest.With(runtest.Brief,
		"run.start=network", "model.architecture=microcanonical", "model.width=2", "model.window=0")...)
	if s.Phases[0].Name != sampler.Starting || s.Phases[0].Moves["neural"].Acceptance > 0.1 || !strings.Contains(log.String(), "misses its targets") {
		t.Errorf("start %+v, log:\n%s", s.Phases[0], log)
	}
	_, err := run.Run(context.Background(), run.Options{Config: runtest.Load(t, "run.moves=[local, neural]", "run.start=network"), Folder: filepath.Join(t.TempDir(), "run")})
	if err == nil || !strings.Contains(err.Error(), "run.start") || !strings.Contains(err.Error(), "does not aim at energies") {
		t.Errorf("a start by the autoencoder: %v", err)
	}
}
