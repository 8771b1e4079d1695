package run_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// TestSwapInStart exchanges the network whose draws begin a run: the start begins anew with the
// new one, and a run with that on record is the same. With a network that aims at no energies
// walkers begin in random configurations.
func TestSwapInStart(t *testing.T) {
	long.Only(t, "a start by the draws of a network takes seconds")
	s := models.System{Q: 2, Sides: []int{4, 4}}
	save := func(b *exporter.Bundle) string {
		folder, err := b.Save(disk.OS, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return folder
	}
	h := models.Hyperparameters{Width: 4, Window: 3, Floor: 1e-3}
	first := bundletest.New(t, models.Microcanonical, s, h)
	second := bundletest.New(t, models.Microcanonical, s, h)
	bundletest.Scale(t, second, map[string]float32{"output.weight": 3})
	a, b := save(first), save(second)
	settings := runtest.With(runtest.Brief, "system.q=2", "run.walkers=4", "model.bundle="+a, "trainer.every=0", "run.start=network", "wang_landau.final_ln_f=1e-2")
	folder := t.TempDir()
	live, again, own := filepath.Join(folder, "live"), filepath.Join(folder, "again"), filepath.Join(folder, "own")
	asked := newAsker(sampler.Starting, run.Swap{Bundle: b})
	asked.least = 200 * time.Millisecond // a start has few batches
	if _, err := runtest.Run(context.Background(), t, run.Options{Folder: live, Swaps: asked.requests, Listener: asked.listener()}, settings...); err != nil || len(asked.answers) != 1 {
		t.Fatal(err, asked.answers)
	}
	if e := asked.answers[0]; e.Err != nil || e.Stage != "start" || e.Pass != 0 || e.Restarted {
		t.Errorf("%+v", e)
	}
	sameSwaps(t, again, live)
	runtest.Perform(t, again, settings...)
	runtest.Perform(t, own, runtest.With(settings, "model.bundle="+b)...)
	for _, other := range []string{again, own} {
		if !bytes.Equal(runtest.Read(t, live, report.DensityFile), runtest.Read(t, other, report.DensityFile)) {
			t.Errorf("%s: dos.csv is another", filepath.Base(other))
		}
	}
	made := save(bundletest.New(t, models.Made, s, models.Hyperparameters{Decoder: 8, Floor: 1e-3}))
	random := filepath.Join(folder, "random")
	plan(t, random, planned{0, "start", made})
	if s := runtest.Perform(t, random, settings...); s.Network.Architecture != models.Made || slices.Contains(phases(s), sampler.Starting) {
		t.Errorf("%+v, phases %v", s.Network, phases(s))
	}
}

// TestSwapInTuning exchanges the network while the mix of moves is looked for: the search begins
// anew, and production goes its way.
func TestSwapInTuning(t *testing.T) {
	long.Only(t, "a search for the mix of moves takes seconds")
	wider := tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	asked := newAsker(sampler.Tuning, run.Swap{Bundle: wider})
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Swaps: asked.requests, Listener: asked.listener()},
		runtest.With(runtest.Brief, "production.mix=automatic")...)
	if err != nil || len(asked.answers) != 1 {
		t.Fatal(err, asked.answers)
	}
	if e := asked.answers[0]; e.Err != nil || e.Stage != "tuning" && e.Stage != "burn-in" {
		t.Errorf("%+v", e)
	}
	if s.Tuning == nil || len(s.Network.Swaps) != 1 || s.Phases[len(s.Phases)-1].Passes < 60 {
		t.Errorf("tuning %+v, network %+v, phases %v", s.Tuning, s.Network, phases(s))
	}
}
