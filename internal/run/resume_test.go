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
	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
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

// captureLog collects what is logged until the test ends.
func captureLog(t *testing.T, level slog.Level) *bytes.Buffer {
	var buf bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: level})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &buf
}

// TestMetamorphic runs the same seed with random numbers of workers, batches and log
// levels, stopped and resumed at random places, in every stage: dos.csv and the network
// are the same to the last bit. Other batches are tried only where the runtime's matrix
// products do not depend on them, as on all processors seen so far; elsewhere results
// then agree within errors, which TestRun asks of every run.
func TestMetamorphic(t *testing.T) {
	captureLog(t, slog.LevelDebug)
	for name, c := range map[string]struct {
		trials   int
		settings []string
	}{
		"wang-landau":    {6, nil},
		"windows":        {2, []string{"windows.count=2"}},
		"microcanonical": {3, []string{"model.architecture=microcanonical", "model.width=8", "model.window=3", "neural.trials=2", "production.histogram=low"}},
		"conv":           {2, []string{"model.architecture=conv", "model.width=6", "model.depth=1"}},
		"shifts":         {3, []string{"model.energy_weight=30", "neural.shift=6", "production.passes=150"}},
		"mix":            {2, []string{"production.mix=3:2"}},
		"multicanonical": {2, []string{"run.method=multicanonical"}},
	} {
		t.Run(name, func(t *testing.T) { metamorphic(t, c.trials, runtest.With(runtest.Brief, c.settings...)) })
	}
}

func metamorphic(t *testing.T, trials int, base []string) {
	folder := t.TempDir()
	reference := runtest.Perform(t, filepath.Join(folder, "reference"), base...)
	want := runtest.Read(t, folder, "reference", report.DensityFile)
	network := runtest.Read(t, reference.Network.Bundle, "log_prob.onnx")
	runtest.Perform(t, filepath.Join(folder, "batch"), runtest.With(base, "inference.batch=17")...)
	anyBatch := bytes.Equal(want, runtest.Read(t, folder, "batch", report.DensityFile))
	if !anyBatch {
		t.Log("the last digits depend on inference.batch on this machine: it is left alone")
	}
	r := rand.New(rand.NewPCG(21, 22))
	stages := map[string]int{}
	for trial := range trials {
		path := filepath.Join(folder, fmt.Sprint(trial))
		settings := runtest.With(base, fmt.Sprintf("run.workers=%d", 1+r.IntN(4)))
		if r.IntN(2) == 0 {
			settings = append(settings, "checkpoint.interval=1ms", "log.level=debug")
		}
		if anyBatch {
			settings = append(settings, fmt.Sprintf("inference.batch=%d", 8+r.IntN(39)))
		}
		var s *report.Summary
		for part := 0; s == nil || s.Interrupted != ""; part++ {
			ctx, cancel := context.WithCancelCause(context.Background())
			var err error
			s, err = run.Run(ctx, run.Options{
				Config: runtest.Load(t, settings...), Folder: path, Resume: part > 0,
				Intercept: stopAfter(1+r.Int64N(400), cancel),
			})
			cancel(nil)
			if err != nil {
				t.Fatal(err)
			}
			settings[len(base)] = fmt.Sprintf("run.workers=%d", 1+r.IntN(4))
			for _, p := range s.Resumptions {
				stages[p.Stage]++
			}
		}
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
	t.Log("resumed in the stages", stages)
	for _, stage := range []string{"adaptation", "production"} {
		if stages[stage] == 0 {
			t.Errorf("no run was resumed in the stage %s: the test shows less than it should", stage)
		}
	}
}

// interrupted begins a run in folder and stops it after some evaluations.
func interrupted(t *testing.T, folder string, evaluations int64, settings ...string) *report.Summary {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s, err := run.Run(ctx, run.Options{Config: runtest.Load(t, settings...), Folder: folder, Intercept: stopAfter(evaluations, cancel)})
	if err != nil {
		t.Fatal(err)
	}
	if s.Interrupted == "" {
		t.Fatal("the run was over before it was stopped")
	}
	return s
}

func resume(t *testing.T, folder string, settings ...string) (*report.Summary, error) {
	t.Helper()
	c, err := config.Load(filepath.Join(folder, report.ConfigFile), settings)
	if err != nil {
		t.Fatal(err)
	}
	return run.Run(context.Background(), run.Options{Config: c, Folder: folder, Resume: true})
}

// TestResumeChanges changes the configuration on resumption: limits may change, and
// the record says so; what makes the run another one is refused by name.
func TestResumeChanges(t *testing.T) {
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
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	if !bytes.Equal(runtest.Read(t, path, report.DensityFile), runtest.Read(t, folder, "reference", report.DensityFile)) {
		t.Error("begun anew, the run gives other numbers")
	}
	if s.Resumptions[0].Pass != 0 {
		t.Errorf("resumption %+v", s.Resumptions)
	}
}

// TestDamagedCheckpoint damages the newest checkpoint: the run goes on from the one
// before, says so, and ends with the same numbers. With both damaged it refuses.
func TestDamagedCheckpoint(t *testing.T) {
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	want := runtest.Read(t, folder, "reference", report.DensityFile)
	r := rand.New(rand.NewPCG(31, 32))
	for name, damage := range map[string]func([]byte) []byte{
		"flipped": func(data []byte) []byte { data[r.IntN(len(data))] ^= 1 << r.IntN(8); return data },
		"cut":     func(data []byte) []byte { return data[:r.IntN(len(data))] },
		"empty":   func([]byte) []byte { return nil },
		"longer":  func(data []byte) []byte { return append(data, 0) },
		"newer": func(data []byte) []byte {
			return bytes.Replace(data, fmt.Appendf(nil, `"schema":%d`, checkpoint.Schema), []byte(`"schema":1000`), 1)
		},
	} {
		path := filepath.Join(folder, name)
		interrupted(t, path, 300, runtest.With(runtest.Brief, "checkpoint.interval=1ms")...)
		checkpoints, err := filepath.Glob(filepath.Join(path, "checkpoints", "*.checkpoint"))
		if err != nil || len(checkpoints) != 2 {
			t.Fatalf("%v %v, want two checkpoints", checkpoints, err)
		}
		newest := checkpoints[1]
		if len(checkpoints[0]) > len(newest) || len(checkpoints[0]) == len(newest) && checkpoints[0] > newest {
			newest = checkpoints[0]
		}
		if err := os.WriteFile(newest, damage(runtest.Read(t, newest)), 0o644); err != nil {
			t.Fatal(err)
		}
		log := captureLog(t, slog.LevelInfo)
		if _, err := resume(t, path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), newest) {
			t.Errorf("%s: the damage was not said:\n%s", name, log)
		}
		if name == "newer" && !strings.Contains(log.String(), "schema 1000") {
			t.Errorf("the reason is not the schema:\n%s", log)
		}
		if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
			t.Errorf("%s: dos.csv differs from that of the undisturbed run", name)
		}
	}
	path := filepath.Join(folder, "both")
	interrupted(t, path, 300, runtest.With(runtest.Brief, "checkpoint.interval=1ms")...)
	checkpoints, _ := filepath.Glob(filepath.Join(path, "checkpoints", "*.checkpoint"))
	for _, file := range checkpoints {
		if err := os.Truncate(file, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := resume(t, path); err == nil || !strings.Contains(err.Error(), "none of the 2 checkpoints") {
		t.Errorf("both damaged: %v", err)
	}
}

// TestExchangedBundle refuses to go on with other networks than the checkpoint's.
func TestExchangedBundle(t *testing.T) {
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
	folder := filepath.Join(t.TempDir(), "run")
	var once sync.Once
	checked := false
	_, err := run.Run(context.Background(), run.Options{Config: runtest.Load(t, runtest.Brief...), Folder: folder,
		Intercept: func(ctx context.Context, e inference.Evaluation) error {
			once.Do(func() {
				checked = true
				if _, err := resume(t, folder); err == nil || !strings.Contains(err.Error(), "another process") {
					t.Errorf("resumed a run that is under way: %v", err)
				}
			})
			return e.Run(ctx)
		}})
	if err != nil || !checked {
		t.Fatal(err, checked)
	}
}

// TestSlurm ends a run before its allocation does.
func TestSlurm(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	t.Setenv("SLURM_JOB_END_TIME", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	began := time.Now()
	s := runtest.Perform(t, folder, runtest.With(runtest.Brief, "wang_landau.final_ln_f=1e-9", "checkpoint.margin=59m59s")...)
	if time.Since(began) > 20*time.Second || !strings.Contains(s.Interrupted, "Slurm") || s.Verdict.Converged {
		t.Errorf("after %v: %q", time.Since(began), s.Interrupted)
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

// TestMaxTimeResumed goes on with a run that run.max_time ended.
func TestMaxTimeResumed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	first := runtest.Perform(t, folder, runtest.With(runtest.Brief, "run.max_time=1s", "wang_landau.final_ln_f=1e-9", "production.passes=0")...)
	second, err := resume(t, folder, "run.max_time=2s")
	if err != nil {
		t.Fatal(err)
	}
	if second.Phases[1].Passes <= first.Phases[1].Passes || second.Seconds < 2 {
		t.Errorf("first %+v, then %+v", first.Phases[1], second.Phases[1])
	}
}
