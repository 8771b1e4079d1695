package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"neuralwl/inference"
	"neuralwl/internal/checkpoint"
	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// stopAfter is an Intercept that cancels the run at the k-th evaluation from now.
func stopAfter(k int64, cancel context.CancelCauseFunc) func(context.Context, inference.Evaluation) error {
	var count atomic.Int64
	return func(ctx context.Context, e inference.Evaluation) error {
		if count.Add(1) == k {
			cancel(errors.New("stopped by the test"))
		}
		return e.Run(ctx)
	}
}

// TestMetamorphic runs the same seed with random numbers of workers, batches and log
// levels, stopped and resumed at random places, in every stage: dos.csv and the network
// are the same to the last bit. Other batches are tried only where the runtime's matrix
// products do not depend on them, as on all processors seen so far; elsewhere results
// then agree within errors, which TestRun asks of every run.
func TestMetamorphic(t *testing.T) {
	for name, c := range map[string]struct {
		trials   int
		settings []string
		short    bool // also with -short
	}{
		"wang-landau":    {2, nil, true},
		"windows":        {1, []string{"windows.count=2"}, false},
		"microcanonical": {1, []string{"model.architecture=microcanonical", "model.width=8", "model.window=3", "neural.trials=2", "production.histogram=low"}, false},
		"phases": {1, []string{
			"model.architecture=microcanonical", "model.width=8", "model.window=3", "system.q=10", "system.size=4x16", "local.sweeps=10",
			"wang_landau.final_ln_f=1e-2", "production.passes=40", "production.histogram=phases",
		}, false},
		"conv":                 {1, []string{"model.architecture=conv", "model.width=6", "model.depth=1"}, false},
		"shifts":               {1, []string{"model.energy_weight=30", "neural.shift=6", "production.passes=150"}, false},
		"mix":                  {1, []string{"production.mix=3:2"}, false},
		"shards":               {1, []string{"run.shards=5", "windows.count=2"}, false},
		"adaptation in shards": {1, []string{"run.shards=3", "run.round=2", "windows.count=2"}, false},
		"shards of a microcanonical network": {1, []string{
			"run.shards=3", "model.architecture=microcanonical", "model.width=8", "model.window=3", "neural.trials=2", "production.histogram=low",
		}, false},
		"multicanonical":    {1, []string{"run.method=multicanonical"}, false},
		"metadynamics":      {1, []string{"run.method=metadynamics", "windows.count=2"}, false},
		"multiple gaussian": {1, []string{"run.method=multiple-gaussian", "multiple_gaussian.sweeps=8", "run.shards=2", "run.round=2"}, false},
		"constant":          {1, []string{"wang_landau.schedule=constant", "wang_landau.ln_f=2e-3"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if !c.short {
				long.Only(t, "five runs")
			}
			t.Parallel()
			metamorphic(t, long.Or(c.trials, 1), runtest.With(runtest.Brief, c.settings...))
		})
	}
}

func metamorphic(t *testing.T, trials int, base []string) {
	folder := t.TempDir()
	reference := runtest.Perform(t, filepath.Join(folder, "reference"), base...)
	want := runtest.Read(t, folder, "reference", report.DensityFile)
	network := runtest.Read(t, reference.Network.Bundle, "log_prob.onnx")
	runtest.Perform(t, filepath.Join(folder, "batch"), runtest.With(base, "inference.batch=11")...)
	anyBatch := bytes.Equal(want, runtest.Read(t, folder, "batch", report.DensityFile))
	if !anyBatch {
		t.Log("the last digits depend on inference.batch on this machine: it is left alone")
	}
	r := rand.New(rand.NewPCG(21, 22))
	for trial := range trials {
		path := filepath.Join(folder, fmt.Sprint(trial))
		settings := base
		if r.IntN(2) == 0 {
			settings = runtest.With(settings, "checkpoint.interval=1ns", "log.level=debug")
		}
		if anyBatch {
			settings = runtest.With(settings, fmt.Sprintf("inference.batch=%d", 8+r.IntN(39)))
		}
		s := inParts(t, r, path, reference, settings...)
		if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
			t.Errorf("trial %d: dos.csv differs from that of the undisturbed run after %d resumptions", trial, len(s.Resumptions))
		}
		if !bytes.Equal(runtest.Read(t, folder, "reference", report.ObservablesFile), runtest.Read(t, path, report.ObservablesFile)) {
			t.Errorf("trial %d (%v): the order parameter differs from that of the undisturbed run", trial, settings)
		}
		if !bytes.Equal(network, runtest.Read(t, s.Network.Bundle, "log_prob.onnx")) || s.Network.Training.Steps != reference.Network.Training.Steps {
			t.Errorf("trial %d: the network differs from that of the undisturbed run", trial)
		}
		if filepath.Base(s.Network.Bundle) != filepath.Base(reference.Network.Bundle) {
			t.Errorf("trial %d: the network ends as version %s, undisturbed as %s", trial, filepath.Base(s.Network.Bundle), filepath.Base(reference.Network.Bundle))
		}
		for i, phase := range s.Phases {
			if fmt.Sprint(phase.Moves, phase.RoundTrips, phase.Passes) != fmt.Sprint(reference.Phases[i].Moves, reference.Phases[i].RoundTrips, reference.Phases[i].Passes) {
				t.Errorf("trial %d: phase %+v, undisturbed %+v", trial, phase, reference.Phases[i])
			}
		}
	}
}

// inParts makes a run that is stopped and resumed at random places of every phase and at the
// beginning of production, with any number of workers.
func inParts(t *testing.T, r *rand.Rand, folder string, reference *report.Summary, settings ...string) *report.Summary {
	t.Helper()
	part := func(ctx context.Context, o run.Options) *report.Summary {
		o.Folder = folder
		s, err := runtest.Run(ctx, t, o, runtest.With(settings, fmt.Sprintf("run.workers=%d", 1+r.IntN(4)))...)
		if err != nil {
			t.Fatal(err)
		}
		if stopped := s.Interrupted != ""; stopped == (ctx.Err() == nil) {
			t.Fatalf("stopped by the test: %v, interrupted: %q", ctx.Err(), s.Interrupted)
		}
		return s
	}
	for _, phase := range reference.Phases {
		if phase.Name == sampler.Production {
			ctx, cancel := context.WithCancelCause(context.Background())
			var began atomic.Bool
			part(ctx, run.Options{
				Listener: event.Listener{PhaseBegan: func(e event.PhaseBegan) { began.Store(e.Phase == sampler.Production) }},
				Intercept: func(ctx context.Context, e inference.Evaluation) error {
					if began.Load() {
						cancel(errors.New("stopped by the test"))
					}
					return e.Run(ctx)
				},
			})
		}
		for range long.Or(2, 1) {
			ctx, cancel := context.WithCancelCause(context.Background())
			part(ctx, run.Options{Listener: runtest.StopAt(phase.Name, 1+r.IntN(int(phase.Passes)/3), cancel)})
			cancel(nil)
		}
	}
	return part(context.Background(), run.Options{})
}

// interrupted begins a run in folder and stops it after some evaluations.
func interrupted(t *testing.T, folder string, evaluations int64, settings ...string) *report.Summary {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s, err := runtest.Run(ctx, t, run.Options{Folder: folder, Intercept: stopAfter(evaluations, cancel)}, settings...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Interrupted == "" {
		t.Fatal("the run was over before it was stopped")
	}
	return s
}

// produced begins a run in folder and stops it towards the end of production.
func produced(t *testing.T, folder string, settings ...string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if s, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt(sampler.Production, 50, cancel)}, settings...); err != nil || s.Interrupted == "" {
		t.Fatalf("stopped in production: %+v, %v", s, err)
	}
}

func resume(t *testing.T, folder string, settings ...string) (*report.Summary, error) {
	t.Helper()
	return runtest.Run(context.Background(), t, run.Options{Folder: folder}, settings...)
}

// TestResumeChanges changes the configuration on resumption: limits may change, and
// the record says so; what makes the run another one is refused by name.
func TestResumeChanges(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	interrupted(t, folder, 100, runtest.Brief...)
	_, err := resume(t, folder, "system.q=4", "run.seed=9", "model.decoder=17", "run.workers=1")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"system.q: 3 -> 4", "run.seed: 1 -> 9", "model.decoder: 16 -> 17", "--resume"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "run.workers:") {
		t.Errorf("run.workers may change: %v", err)
	}
	s, err := resume(t, folder, "wang_landau.final_ln_f=1e-3", "production.passes=70", "run.workers=1")
	if err != nil {
		t.Fatal(err)
	}
	if s.Phases[0].LnF > 1e-3 || s.Phases[1].Passes != 70 {
		t.Errorf("the new limits were not kept: %+v", s.Phases)
	}
	if len(s.Resumptions) != 1 || len(s.Resumptions[0].Changes) != 3 || s.Resumptions[0].Stage != "adaptation" {
		t.Errorf("resumptions %+v, want one in the Wang-Landau phase with three changes", s.Resumptions)
	}
	if config := runtest.Read(t, folder, report.ConfigFile); !bytes.Contains(config, []byte("final_ln_f: 0.001")) {
		t.Errorf("config.yaml is not what the run was ended with:\n%s", config)
	}
	if _, err := resume(t, folder, "wang_landau.final_ln_f=1e-4"); err == nil || !strings.Contains(err.Error(), "wang_landau.final_ln_f") {
		t.Errorf("final ln f changed in production: %v", err)
	}
	// A complete run can be prolonged.
	if s, err = resume(t, folder, "production.passes=100"); err != nil || s.Phases[1].Passes != 100 {
		t.Errorf("prolonged: %v %+v", err, s.Phases)
	}
}

// TestResumeNothing resumes where there is no run, or one without a checkpoint.
func TestResumeNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := run.Run(context.Background(), run.Options{Config: runtest.Load(t), Folder: folder, Resume: true}); err == nil || !strings.Contains(err.Error(), "no run in it") {
		t.Errorf("an empty folder: %v", err)
	}
	path := filepath.Join(folder, "run")
	interrupted(t, path, 100, runtest.Brief...)
	if err := os.RemoveAll(filepath.Join(path, "checkpoints")); err != nil {
		t.Fatal(err)
	}
	s, err := resume(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(runtest.Read(t, path, report.DensityFile), undisturbed(t)) {
		t.Error("begun anew, the run gives other numbers")
	}
	if s.Resumptions[0].Pass != 0 {
		t.Errorf("resumption %+v", s.Resumptions)
	}
}

// TestDamagedCheckpoint damages the newest checkpoint: the run goes on from the one
// before, says so, and ends with the same numbers. With both damaged it refuses.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	folder, want := t.TempDir(), undisturbed(t)
	r := rand.New(rand.NewPCG(31, 32))
	before := filepath.Join(folder, "before")
	produced(t, before, everyPass...)
	for name, damage := range map[string]struct {
		change func([]byte) []byte
		reason string
	}{
		"flipped": {func(data []byte) []byte { data[r.IntN(len(data))] ^= 1 << r.IntN(8); return data }, ""},
		"cut":     {func(data []byte) []byte { return data[:r.IntN(len(data))] }, ""},
		"empty":   {func([]byte) []byte { return nil }, ""},
		"longer":  {func(data []byte) []byte { return append(data, 0) }, ""},
		"newer": {func(data []byte) []byte {
			return bytes.Replace(data, fmt.Appendf(nil, `"schema":%d`, checkpoint.Schema), []byte(`"schema":1000`), 1)
		}, "schema 1000"},
	} {
		path := filepath.Join(folder, name)
		if err := os.CopyFS(path, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		checkpoints, err := filepath.Glob(filepath.Join(path, "checkpoints", "*.checkpoint"))
		if err != nil || len(checkpoints) != 2 {
			t.Fatalf("%v %v, want two checkpoints", checkpoints, err)
		}
		newest := checkpoints[1]
		if len(checkpoints[0]) > len(newest) || len(checkpoints[0]) == len(newest) && checkpoints[0] > newest {
			newest = checkpoints[0]
		}
		if err := os.WriteFile(newest, damage.change(runtest.Read(t, newest)), 0o644); err != nil {
			t.Fatal(err)
		}
		log, logged := runtest.Log(slog.LevelInfo)
		if _, err := runtest.Run(context.Background(), t, run.Options{Folder: path, Log: log}, "checkpoint.interval=0s"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, want := range []string{"level=ERROR", newest, damage.reason} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("%s: no %q was said:\n%s", name, want, logged)
			}
		}
		if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
			t.Errorf("%s: dos.csv differs from that of the undisturbed run", name)
		}
	}
	checkpoints, _ := filepath.Glob(filepath.Join(before, "checkpoints", "*.checkpoint"))
	for _, file := range checkpoints {
		if err := os.Truncate(file, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := resume(t, before); err == nil || !strings.Contains(err.Error(), "none of the 2 checkpoints") {
		t.Errorf("both damaged: %v", err)
	}
}

// TestExchangedBundle refuses to go on with other networks than the checkpoint's.
func TestExchangedBundle(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	a, b := filepath.Join(folder, "a"), filepath.Join(folder, "b")
	interrupted(t, a, 20, runtest.Brief...)
	interrupted(t, b, 20, runtest.With(runtest.Brief, "run.seed=2")...)
	if err := os.RemoveAll(filepath.Join(a, "models")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(a, "models"), os.DirFS(filepath.Join(b, "models"))); err != nil {
		t.Fatal(err)
	}
	if _, err := resume(t, a); err == nil || !strings.Contains(err.Error(), "digests") {
		t.Errorf("an exchanged bundle: %v", err)
	}
}

// TestFolderInUse begins and resumes a run in the folder of one that is under way.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	var once sync.Once
	checked := false
	_, err := runtest.Run(context.Background(), t, run.Options{Folder: folder, Intercept: func(ctx context.Context, e inference.Evaluation) error {
		once.Do(func() {
			checked = true
			if _, err := resume(t, folder); err == nil || !strings.Contains(err.Error(), "another process") {
				t.Errorf("resumed a run that is under way: %v", err)
			}
		})
		return e.Run(ctx)
	}}, runtest.Brief...)
	if err != nil || !checked {
		t.Fatal(err, checked)
	}
}

// TestSlurm ends a run before its allocation does, at once where less than the margin is left.
func TestSlurm(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	t.Setenv("SLURM_JOB_ID", "")
	t.Setenv("SLURM_JOB_END_TIME", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	s := runtest.Perform(t, folder, runtest.With(runtest.Brief, "wang_landau.final_ln_f=1e-9", "checkpoint.margin=61m")...)
	if !strings.Contains(s.Interrupted, "Slurm") || s.Verdict.Converged {
		t.Errorf("ended by %q, verdict %+v", s.Interrupted, s.Verdict)
	}
	t.Setenv("SLURM_JOB_END_TIME", "")
	if s, err := resume(t, folder, "wang_landau.final_ln_f=2e-3"); err != nil || s.Interrupted != "" {
		t.Errorf("resumed: %v", err)
	}
	t.Setenv("SLURM_JOB_END_TIME", "tomorrow")
	if _, err := resume(t, folder); err == nil || !strings.Contains(err.Error(), "SLURM_JOB_END_TIME") {
		t.Errorf("a time that is none: %v", err)
	}
}

// TestMaxTime ends a run that would go on for days by run.max_time, with a production phase,
// and goes on with it until a longer time is over.
func TestMaxTime(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 5*time.Minute, errors.New("run.max_time did not end the run"))
	defer cancel()
	before := int64(0)
	for _, c := range []struct {
		setting string
		least   float64
	}{{"run.max_time=500ms", 0.45}, {"run.max_time=2s", 1.8}} {
		s, err := runtest.Run(ctx, t, run.Options{Folder: folder}, "wang_landau.final_ln_f=1e-9", "run.moves=local", "production.passes=0", c.setting)
		if err != nil {
			t.Fatal(err)
		}
		if s.Interrupted != "" || len(s.Phases) != 2 || s.Phases[1].Passes <= before || s.Seconds < c.least {
			t.Fatalf("%s: %q after %v s and, before, %d passes of production: %+v", c.setting, s.Interrupted, s.Seconds, before, s.Phases)
		}
		before = s.Phases[1].Passes
		for _, check := range s.Verdict.Checks {
			if check.Name == "flatness" && !check.Passed && !strings.Contains(check.Advice, "run.max_time has cut the adaptation short, which goes on with nwl run --resume "+folder) {
				t.Errorf("advice: %s", check.Advice)
			}
		}
	}
}
