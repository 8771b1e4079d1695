package run_test

import (
	"bytes"
	"context"
	"log/slog"
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
	t.Parallel()
	folder := t.TempDir()
	settings := []string{
		"system.q=10", "run.walkers=8", "model.bundle=pretrained/potts-q10", "trainer.every=0", "wang_landau.final_ln_f=2e-3", "production.passes=20",
	}
	stopped, whole := filepath.Join(folder, "stopped"), filepath.Join(folder, "whole")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err := runtest.Run(ctx, t, run.Options{Folder: stopped, Listener: runtest.StopAt(sampler.Starting, 2, cancel)}, settings...)
	if err == nil || !strings.Contains(err.Error(), "stopped by the test before the walkers") || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("stopped during the start: %v", err)
	}
	s, err := resume(t, stopped)
	if err != nil {
		t.Fatal(err)
	}
	log, logged := runtest.Log(slog.LevelInfo)
	if _, err := runtest.Run(context.Background(), t, run.Options{Folder: whole, Log: log}, settings...); err != nil {
		t.Fatal(err)
	}
	if s.Resumptions[0].Stage != "start" || !bytes.Equal(runtest.Read(t, stopped, report.DensityFile), runtest.Read(t, whole, report.DensityFile)) {
		t.Errorf("resumed, dos.csv is another one; %+v", s.Resumptions)
	}
	if !strings.Contains(logged.String(), "walkers start from draws of the network") {
		t.Errorf("the log does not tell of the start:\n%s", logged)
	}

	if s, err = resume(t, whole, "production.passes=800"); err != nil {
		t.Fatal(err)
	}
	if want := []sampler.Phase{sampler.Starting, sampler.WangLandau, sampler.Production}; !slices.Equal(phases(s), want) {
		t.Fatalf("phases %v, want %v", phases(s), want)
	}
	if start := s.Phases[0]; start.Levels < 15 || start.Moves["neural"].Acceptance < 0.5 {
		t.Errorf("start: %+v", start)
	}
	if s.Exact == nil || s.Exact.RMS > 0.1 || !s.Verdict.Converged {
		t.Errorf("exact %+v, verdict %+v", s.Exact, s.Verdict)
	}

	ctx, cancel = context.WithCancelCause(context.Background())
	s, err = runtest.Run(ctx, t, run.Options{Folder: filepath.Join(folder, "random"), Listener: runtest.StopAt("", 1, cancel)}, append(settings, "run.start=random")...)
	if err != nil || s.Phases[0].Name != sampler.WangLandau {
		t.Errorf("run.start=random begins with %+v, %v", s, err)
	}
}

// TestStartMisses: a network that knows nothing misses its targets, which is said, and the
// run begins in random configurations. One without targets is refused.
func TestStartMisses(t *testing.T) {
	t.Parallel()
	log, logged := runtest.Log(slog.LevelInfo)
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Log: log}, runtest.With(runtest.Brief,
		"run.start=network", "model.architecture=microcanonical", "model.width=2", "model.window=0")...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Phases[0].Name != sampler.Starting || s.Phases[0].Moves["neural"].Acceptance > 0.1 || !strings.Contains(logged.String(), "misses its targets") {
		t.Errorf("start %+v, log:\n%s", s.Phases[0], logged)
	}
	_, err = runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run")}, "run.moves=[local, neural]", "run.start=network")
	if err == nil || !strings.Contains(err.Error(), "run.start") || !strings.Contains(err.Error(), "does not aim at energies") {
		t.Errorf("a start by the autoencoder: %v", err)
	}
}
