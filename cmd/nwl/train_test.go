package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/bench"
	"neuralwl/internal/long"
)

// TestTrainAndBench trains a network, uses it in a run by name of its bundle, and
// compares moves with it under the weights of that run.
func TestTrainAndBench(t *testing.T) {
	long.Only(t, "a training and two benchmarks take seconds")
	folder := t.TempDir()
	succeed := func(args ...string) string {
		t.Helper()
		out, errs, code := nwl(t, args...)
		if code != 0 {
			t.Fatalf("nwl %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	models, runs := filepath.Join(folder, "models"), filepath.Join(folder, "run.1")
	out := succeed("train", "--out", models, "--name", "tiny", "--set", "system.q=3", "--set", "system.size=4x4", "--set", "train.steps=200",
		"--set", "model.architecture=microcanonical", "--set", "model.width=8", "--set", "model.window=2", "--set", "trainer.batch=32")
	for _, want := range []string{"microcanonical, potts q=3, size 4x4", "200 gradient steps", "on 4x4", "divergence", filepath.Join(models, "tiny", "1")} {
		if !strings.Contains(out, want) {
			t.Errorf("nwl train prints no %q:\n%s", want, out)
		}
	}
	succeed("run", "--out", runs, "--set", "system.q=3", "--set", "system.size=4x4", "--set", "model.bundle="+filepath.Join(models, "tiny"),
		"--set", "trainer.every=0", "--set", "wang_landau.final_ln_f=1e-3", "--set", "production.passes=200", "--set", "run.walkers=32", "--set", "metrics.listen=")
	out = succeed("bench", "moves", "--q", "3", "--size", "4x4", "--bundle", filepath.Join(models, "tiny"), "--dos", runs,
		"--time", "500ms", "--mix", "2:1,0:2:0.5", "--walkers", "32", "--json")
	var results []bench.Result
	if err := json.Unmarshal([]byte(out), &results); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if _, errs, code := nwl(t, "bench", "moves", "--q", "3", "--size", "4x4", "--bundle", "pretrained/potts-q3"); code == 0 || !strings.Contains(errs, `no pretrained network "potts-q3", there are potts-q10-checkerboard, potts-q10, potts-q2, potts`) {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if len(results) != 6 || results[3].Moves != "local, low histogram" || results[0].Ratio != 1 || results[0].Acceptance != 0 || results[2].Local != 0 {
		t.Errorf("results %+v", results)
	}
	for _, r := range results {
		if r.RoundTrips == 0 || r.Rate <= 0 || r.RateError <= 0 || r.Seconds < 0.5 || r.Mix.Trials > 0 && (r.Acceptance < 0.1 || r.Propose <= 0 || r.LogProb <= 0) {
			t.Errorf("%+v", r)
		}
	}
	t.Run("table", func(t *testing.T) {
		long.Only(t, "three moves under weights of their own")
		out := succeed("bench", "moves", "--q", "3", "--size", "4x4", "--bundle", filepath.Join(models, "tiny"), "--time", "500ms", "--walkers", "16", "--low=false")
		if !strings.Contains(out, "150 sweeps, 1 trials") || !strings.Contains(out, "network, 8 trials") || strings.Contains(out, "low histogram") {
			t.Errorf("nwl bench moves prints:\n%s", out)
		}
	})
}
