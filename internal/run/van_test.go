package run_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/exacttest"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
)

// alone are settings for a run of a second by a network's draws alone.
var alone = []string{
	"run.method=van-wang-landau", "system.q=2", "run.walkers=128", "model.decoder=32", "trainer.learning_rate=5e-3",
	"wang_landau.final_ln_f=2e-2", "production.passes=600", "inference.batch=64", "trainer.every=1",
}

// TestAlone finds the exact density of states by a network's draws alone, within errors.
func TestAlone(t *testing.T) {
	t.Parallel()
	t.Run("made", func(t *testing.T) { findsAlone(t, alone) })
	t.Run("conv", func(t *testing.T) {
		long.Only(t, "convolutions draw site by site")
		findsAlone(t, runtest.With(alone, "model.architecture=conv", "model.width=8", "model.depth=2"))
	})
}

func findsAlone(t *testing.T, settings []string) {
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, settings...)
	if !s.Verdict.Converged || s.Exact == nil || s.Exact.RMS > 0.1 || len(s.Exact.MissingA) > 0 {
		t.Errorf("verdict %+v, exact %+v", s.Verdict, s.Exact)
	}
	exact := exacttest.Density(t, 2, 4, 4)
	d, err := dos.ReadFile(filepath.Join(folder, report.DensityFile))
	if err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for i, x := range d.LnG {
		z := (x - exact.LnG[i]) / d.Error[i]
		if square += z * z / float64(d.Len()); !(math.Abs(z) < 5) {
			t.Errorf("E = %g: ln Omega = %.4f(%.4f), exact %.4f", d.Energy[i], x, d.Error[i], exact.LnG[i])
		}
	}
	t.Logf("rms %.4f, mean square deviation %.2f errors squared, %v", s.Exact.RMS, square, s.Inverse)
	if square > 3 || s.Inverse == nil || s.Inverse.Effective < 100 || s.Inverse.ErrorRatio != 0 {
		t.Errorf("mean square deviation %.2f errors squared, %+v", square, s.Inverse)
	}
	if len(s.Phases) != 2 || s.Phases[0].LnF > 2e-2 || s.Phases[1].Passes != 600 || s.Network.Training.Steps != s.Phases[0].Passes {
		t.Errorf("phases %+v, network %+v", s.Phases, s.Network)
	}
	if !bytes.HasPrefix(runtest.Read(t, folder, report.DensityFile), []byte("energy,ln_g,ln_g_error,ln_omega,ln_omega_error,effective_draws\n")) {
		t.Error("dos.csv lacks the effective numbers of draws")
	}
	if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
}

// TestAloneResumes stops and resumes a run at random places of both stages: it ends as if
// undisturbed, with any number of workers.
func TestAloneResumes(t *testing.T) {
	t.Parallel()
	settings := append(alone[:len(alone):len(alone)], "wang_landau.final_ln_f=5e-2", "production.passes=200", "trainer.export_every=100", "trainer.every=2", "checkpoint.interval=0s")
	folder := t.TempDir()
	reference := runtest.Perform(t, filepath.Join(folder, "reference"), settings...)
	r := rand.New(rand.NewPCG(41, 42))
	for trial := range long.Or(3, 1) {
		path := filepath.Join(folder, fmt.Sprint(trial))
		s := inParts(t, r, path, reference, settings...)
		for _, name := range []string{report.DensityFile, report.ObservablesFile} {
			if !bytes.Equal(runtest.Read(t, folder, "reference", name), runtest.Read(t, path, name)) {
				t.Errorf("trial %d: %s differs from that of the undisturbed run after %d resumptions", trial, name, len(s.Resumptions))
			}
		}
		if !bytes.Equal(runtest.Read(t, reference.Network.Bundle, "log_prob.onnx"), runtest.Read(t, s.Network.Bundle, "log_prob.onnx")) || s.Network.Training.Steps != reference.Network.Training.Steps {
			t.Errorf("trial %d: the network differs from that of the undisturbed run", trial)
		}
	}
}

// TestAloneBlowsUp trains with an absurd learning rate: draws come out without likelihoods,
// the steps are dropped and the run goes on.
func TestAloneBlowsUp(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	// Untrained draws find every level of a small lattice soon enough.
	s := runtest.Perform(t, folder, runtest.With(alone, "trainer.learning_rate=1e38", "system.size=3x3", "wang_landau.final_ln_f=0.2", "production.passes=20")...)
	if s.Network.Training.Dropped == 0 || s.Phases[len(s.Phases)-1].Passes != 20 {
		t.Errorf("%+v, phases %+v", s.Network.Training, s.Phases)
	}
}

// TestAloneEndsEarly stops a run before production: what it has is said to be no result.
func TestAloneEndsEarly(t *testing.T) {
	s := interrupted(t, filepath.Join(t.TempDir(), "run"), 40, alone...)
	if s.Verdict.Converged || s.Inverse != nil || len(s.Levels.Unproduced) == 0 {
		t.Errorf("verdict %+v, levels %+v", s.Verdict, s.Levels)
	}
}

// TestAloneRefusesConditions names the remedy for a network whose proposals depend on the
// state or on an energy.
func TestAloneRefusesConditions(t *testing.T) {
	for architecture, condition := range map[string]string{"autoencoder": "state", "microcanonical": "energy"} {
		folder := t.TempDir()
		s := runtest.Perform(t, filepath.Join(folder, "a"), "system.q=2", "model.architecture="+architecture, "wang_landau.final_ln_f=0.1", "production.passes=5")
		_, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "b")}, runtest.With(alone, "model.bundle="+s.Network.Bundle)...)
		if err == nil || !strings.Contains(err.Error(), "depend on "+condition) || !strings.Contains(err.Error(), "take a network without conditions (model.architecture made or conv)") {
			t.Errorf("%s: %v", architecture, err)
		}
	}
}
