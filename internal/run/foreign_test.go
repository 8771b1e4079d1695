package run_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"neuralwl/internal/runtest"
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
