package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// finish makes the results of a run from its last checkpoint.
func finish(t *testing.T, folder string) (*report.Summary, error) {
	t.Helper()
	c, err := config.Load(filepath.Join(folder, report.ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := runtest.Log(0)
	return run.Finish(context.Background(), run.Options{Config: c, Folder: folder, Log: log})
}

// results are the files that a run makes when it ends, without the plots.
var results = []string{report.DensityFile, report.TransitionsFile, report.ObservablesFile, report.OrderFile, report.ProposalsFile, report.TemperaturesFile}

// TestFinish makes the results of runs of every method again from their last checkpoints: all
// files are the same to the last byte, and so is the verdict.
func TestFinish(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"wang-landau":    {"run.moves=local"},
		"network":        nil,
		"microcanonical": {"model.architecture=microcanonical", "model.width=8", "model.window=3"},
		"windows":        {"run.moves=local", "windows.count=2", "production.passes=600"},
		"canonical":      {"run.method=canonical", "run.moves=local", "run.beta=0.9", "production.passes=300"},
		"van":            {"run.method=van-wang-landau", "run.moves=neural", "system.q=2", "run.walkers=128", "model.decoder=32", "trainer.every=1", "trainer.learning_rate=5e-3", "wang_landau.final_ln_f=5e-2", "production.passes=100"},
		"variational":    {"run.method=van", "run.moves=neural", "system.q=2", "run.betas=[0.4,0.8]", "run.walkers=64", "model.decoder=16", "trainer.every=1", "van.steps=40", "production.passes=40"},
		"max_time":       {"run.moves=local", "wang_landau.final_ln_f=1e-9", "production.passes=0", "run.max_time=500ms"},
	} {
		if long.Or(false, slices.Contains([]string{"network", "windows", "canonical", "max_time"}, name)) {
			continue
		}
		folder := filepath.Join(t.TempDir(), name)
		want := runtest.Perform(t, folder, runtest.With(runtest.Brief, settings...)...)
		before := map[string][]byte{}
		for _, file := range results {
			if data, err := os.ReadFile(filepath.Join(folder, file)); err == nil {
				before[file] = data
				if err := os.Remove(filepath.Join(folder, file)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(before) < 2 {
			t.Errorf("%s: it left %d files", name, len(before))
		}
		got, err := finish(t, folder)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, file := range results {
			if data, _ := os.ReadFile(filepath.Join(folder, file)); !bytes.Equal(data, before[file]) {
				t.Errorf("%s: %s is another one", name, file)
			}
		}
		if !slices.Equal(got.Verdict.Checks, want.Verdict.Checks) || got.Interrupted != "" || len(got.Phases) != len(want.Phases) || (got.Network == nil) != (want.Network == nil) {
			t.Errorf("%s: it was %+v, is %+v", name, want, got)
		}
		if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
			t.Errorf("%s: %+v", name, failed)
		}
	}
}

// TestFinishIncomplete makes results of a run that was interrupted, which says so and goes on
// as if nothing had happened; and refuses what has no results.
func TestFinishIncomplete(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	for _, phase := range []sampler.Phase{sampler.WangLandau, sampler.Production} {
		ctx, cancel := context.WithCancelCause(context.Background())
		if _, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt(phase, 5, cancel)}, settingsOf(folder)...); err != nil {
			t.Fatal(err)
		}
		s, err := finish(t, folder)
		if err != nil || s.Verdict.Converged || !strings.Contains(s.Interrupted, "not complete") {
			t.Errorf("%s: %+v, %v", phase, s, err)
		}
		for _, c := range s.Verdict.Checks { // whatever else is wrong, to complete it comes first
			if (c.Name == "completed") != (c.Advice != "") {
				t.Errorf("%s: advice of the check %s: %q", phase, c.Name, c.Advice)
			}
		}
	}
	runtest.Perform(t, folder)
	if !bytes.Equal(runtest.Read(t, folder, report.DensityFile), undisturbed(t)) {
		t.Error("the run went on in another way")
	}

	if err := os.RemoveAll(filepath.Join(folder, run.CheckpointFolder)); err != nil {
		t.Fatal(err)
	}
	if _, err := finish(t, folder); err == nil || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("without a checkpoint: %v", err)
	}
}

func settingsOf(folder string) []string {
	if _, err := os.Stat(filepath.Join(folder, report.ConfigFile)); err == nil {
		return nil // they are in the folder
	}
	return runtest.Brief
}

// TestLeftOut ends a run in an allocation that is over: it has ln g, says what there was no
// time for, and finish makes it.
func TestLeftOut(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	t.Setenv("SLURM_JOB_ID", "")
	t.Setenv("SLURM_JOB_END_TIME", fmt.Sprint(time.Now().Add(-time.Second).Unix()))
	s := runtest.Perform(t, folder, runtest.Brief...)
	if len(s.LeftOut) < 2 || s.Verdict.Converged {
		t.Errorf("left out %v, converged: %v", s.LeftOut, s.Verdict.Converged)
	}
	k := slices.IndexFunc(s.Verdict.Checks, func(c report.Check) bool { return c.Name == "evaluation" })
	if k < 0 || !strings.Contains(s.Verdict.Checks[k].Advice, "nwl finish "+folder) {
		t.Errorf("checks %+v", s.Verdict.Checks)
	}
	if _, err := os.Stat(filepath.Join(folder, report.ObservablesFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("there are averages all the same")
	}
	runtest.Read(t, folder, report.DensityFile)
	t.Setenv("SLURM_JOB_END_TIME", "")
	if s, err := finish(t, folder); err != nil || s.LeftOut != nil {
		t.Errorf("finished: %+v, %v", s, err)
	}
	runtest.Read(t, folder, report.ObservablesFile)
}
