package run_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// TestRBM runs with machines that learn in the run, of both kinds, and finds the exact density of states;
// what is in the directories holds.
func TestRBM(t *testing.T) {
	for _, kind := range []string{models.Dense, models.Convolutional} {
		hybrid(t, models.RBM, 0.1, 50, "model.architecture=rbm", "model.hidden_kind="+kind, "model.hidden=6", "run.moves=[local,neural]", "production.passes=300")
	}
}

// TestRBMGoesOn cuts a run of a learning machine short and resumes it: it ends as if undisturbed.
func TestRBMGoesOn(t *testing.T) {
	settings := runtest.With(runtest.Brief, "model.architecture=rbm", "model.hidden=4")
	whole, cut := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, whole, settings...)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if _, err := runtest.Run(ctx, t, run.Options{Folder: cut, Listener: runtest.StopAt(sampler.WangLandau, 20, cancel)}, settings...); err == nil && ctx.Err() == nil {
		t.Fatal("the run was not cut short")
	}
	runtest.Perform(t, cut)
	if !bytes.Equal(runtest.Read(t, whole, report.DensityFile), runtest.Read(t, cut, report.DensityFile)) {
		t.Error("the resumed run has another density of states")
	}
}

// TestRBMSwaps exchanges the network of a run for a machine, which is trained no further, and back.
func TestRBMSwaps(t *testing.T) {
	machine := tinyBundle(t, "machine", 13, models.RBM, models.Hyperparameters{Hidden: 6, GibbsSteps: 1})
	other := tinyBundle(t, "other", 14, models.RBM, models.Hyperparameters{Hidden: 9, GibbsSteps: 2})
	for _, own := range long.Or([]string{models.Autoencoder, models.RBM}, []string{models.RBM}) {
		a := newAsker(sampler.WangLandau, run.Swap{Bundle: machine}, run.Swap{Bundle: other})
		folder := filepath.Join(t.TempDir(), "run")
		s, err := runtest.Run(context.Background(), t, run.Options{Folder: folder, Swaps: a.requests, Listener: a.listener()},
			runtest.With(swapping, "model.architecture="+own, "model.hidden=4")...)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.answers) != 2 || errors.Join(a.answers[0].Err, a.answers[1].Err) != nil || s.Network.Architecture != models.RBM {
			t.Fatalf("%s: %+v", own, a.answers)
		}
		goesOn := strings.HasPrefix(a.answers[1].Training, "goes on")
		if goesOn != (own == models.RBM) {
			t.Errorf("%s: training %q", own, a.answers[1].Training)
		}
		if s.Exact == nil || s.Exact.RMS > 0.5 {
			t.Errorf("%s: %+v", own, s.Exact)
		}
	}
}

// TestRBMRefused has methods that need the probabilities of draws refuse a machine by name.
func TestRBMRefused(t *testing.T) {
	machine := tinyBundle(t, "machine", 13, models.RBM, models.Hyperparameters{Hidden: 6, GibbsSteps: 1})
	refused(t, map[string][]string{
		"machine (rbm) is unnormalised: its log_q is known up to a constant alone, run.method van-wang-landau needs": {"run.method=van-wang-landau", "run.max_time=10s"},
		"machine (rbm) is unnormalised: its log_q is known up to a constant alone, run.method van needs":             {"run.method=van", "run.beta=0.5"},
		"machine does not aim at energies":     {"run.start=network"},
		"machine version 1 was made for potts": {"system.size=5x5"},
	}, "model.bundle="+machine)
}
