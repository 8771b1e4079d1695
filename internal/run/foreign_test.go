package run_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
)

// TestForeignBundle has a Python script write a network under the contract, with the onnx
// package alone, and finds the exact density of states with its proposals.
func TestForeignBundle(t *testing.T) {
	python := "../../.deps/python/bin/python"
	if _, err := os.Stat(python); err != nil {
		t.Skip("SKIPPED: no network is made by another program: the Python package onnx is not there; run `make deps-test`, which needs python3 with pip")
	}
	bundle := filepath.Join(t.TempDir(), "foreign")
	if out, err := exec.Command(python, "testdata/foreign.py", bundle, "3", "4", "4").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), "model.bundle="+bundle, "trainer.every=0", "run.moves=neural",
		"neural.trials=4", "neural.partial=0.7", "wang_landau.final_ln_f=2e-4", "production.passes=2000")
	if !s.Verdict.Converged || s.Exact == nil || s.Exact.RMS > 0.1 {
		t.Errorf("verdict %+v, exact %+v", s.Verdict, s.Exact)
	}
	if m := s.Phases[1].Moves["neural"]; m.Acceptance < 0.05 || s.Network.Architecture != "kept colours, written in Python" {
		t.Errorf("moves %+v, network %+v", m, s.Network)
	}
	t.Logf("rms difference %.4f, acceptance %.3f", s.Exact.RMS, s.Phases[1].Moves["neural"].Acceptance)
}

// TestMisstatedLnQ refuses a bundle whose ln q is not that of its draws, also when the run is
// resumed, before any walker moves.
func TestMisstatedLnQ(t *testing.T) {
	b := bundletest.New(t, models.Made, models.System{Q: 3, Sides: []int{4, 4}}, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	bundletest.Offset(b, -0.05)
	bundle, err := b.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "run")
	for range 2 {
		_, err := runtest.Run(context.Background(), t, run.Options{Folder: folder}, "model.bundle="+bundle, "trainer.every=0")
		if err == nil || !strings.Contains(err.Error(), bundle) || !strings.Contains(err.Error(), "test of normalisation") || !strings.Contains(err.Error(), "another bundle") {
			t.Fatal(err)
		}
	}
}
