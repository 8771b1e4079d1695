package run_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// flowing are settings, beside those of a ring, for runs in which a small flow proposes and learns.
var flowing = runtest.With(ring, "run.method=neural-wang-landau", "run.moves=[local,neural]", "system.bin=0.5", "model.layers=2", "model.width=6",
	"model.depth=1", "model.kernel=3", "trainer.batch=32", "trainer.export_every=40")

// TestFlow runs with flows that learn in the run, of all angles and of a half, and finds the exact density of
// states; what is in the directories holds.
func TestFlow(t *testing.T) {
	long.Only(t, "runs in which a network learns take some seconds each")
	for _, half := range []string{"false", "true"} {
		hybrid(t, models.Flow, 0.25, 30, runtest.With(flowing, "model.half="+half, "wang_landau.final_ln_f=3e-3", "production.passes=200")...)
	}
}

// TestFlowResumes interrupts runs with a flow that learns, in either phase, in windows and in
// shards: resumed, they end with the same density of states to the last bit.
func TestFlowResumes(t *testing.T) {
	long.Only(t, "two runs, each made twice, take some seconds each")
	for name, settings := range map[string][]string{
		"half":   {"model.half=true", "windows.count=2"},
		"shards": {"windows.count=2", "run.shards=3", "run.round=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := runtest.With(flowing, "run.walkers=16", "wang_landau.final_ln_f=0.1", "production.passes=16", "trainer.batch=8", "local.sweeps=1", "checkpoint.interval=0s")
			base = slices.Concat(base, settings)
			stoppedAndResumed(t, base)
		})
	}
}

// flowBundle makes a bundle for the ring.
func flowBundle(t *testing.T, name string, seed uint64, h models.Hyperparameters) (folder string) {
	t.Helper()
	b, err := exporter.NewUntrained(name, models.Flow, models.System{Model: models.XY, Sides: []int{10, 1}}, h, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = b.Save(disk.OS, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestFlowSwaps exchanges the flow of a run, which learns on, for one with the same graphs and one of a half, and
// refuses a network of colours.
func TestFlowSwaps(t *testing.T) {
	long.Only(t, "two runs with exchanges take ten seconds")
	h := models.Hyperparameters{Width: 6, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2, 1}}
	same := flowBundle(t, "same", 11, h)
	h.Half = true
	half, colours := flowBundle(t, "half", 12, h), tinyBundle(t, "colours", 13, models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	a := newAsker(sampler.WangLandau, run.Swap{Bundle: same}, run.Swap{Bundle: colours}, run.Swap{Bundle: half})
	folder := filepath.Join(t.TempDir(), "run")
	settings := runtest.With(flowing, "run.walkers=32", "wang_landau.final_ln_f=1e-3", "production.passes=100", "trainer.batch=8", "checkpoint.interval=0s")
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: folder, Swaps: a.requests, Listener: a.listener()}, settings...)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.answers) != 3 || errors.Join(a.answers[0].Err, a.answers[2].Err) != nil {
		t.Fatalf("%+v", a.answers)
	}
	if err := a.answers[1].Err; err == nil || !strings.Contains(err.Error(), "was made for potts") {
		t.Errorf("a network of colours: %v", err)
	}
	for _, i := range []int{0, 2} {
		if !strings.HasPrefix(a.answers[i].Training, "goes on") {
			t.Errorf("training %q", a.answers[i].Training)
		}
	}
	if s.Exact == nil || s.Exact.RMS > 0.5 || len(s.Network.Swaps) != 2 {
		t.Errorf("%+v, %+v", s.Exact, s.Network)
	}
	if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
	again := filepath.Join(t.TempDir(), "run")
	sameSwaps(t, again, folder)
	runtest.Perform(t, again, settings...)
	if !bytes.Equal(runtest.Read(t, folder, report.DensityFile), runtest.Read(t, again, report.DensityFile)) {
		t.Error("a run with the same exchanges on record has another density of states")
	}
}

// TestFlowRefused has what cannot go together refused by name.
func TestFlowRefused(t *testing.T) {
	h := models.Hyperparameters{Width: 6, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1}}
	flow := flowBundle(t, "planar", 11, h)
	refused(t, map[string][]string{
		"planar version 1 was made for xy":   {"model.bundle=" + flow},
		"planar does not aim at energies":    runtest.With(ring, "run.method=neural-wang-landau", "run.moves=[local,neural]", "model.bundle="+flow, "run.start=network"),
		"the side 5 has no checkerboard":     runtest.With(ring, "run.method=neural-wang-landau", "run.moves=[local,neural]", "system.size=5x4"),
		"colours version 1 was made for pot": runtest.With(ring, "run.method=neural-wang-landau", "run.moves=[local,neural]", "model.bundle="+tinyBundle(t, "colours", 13, models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3})),
	})
}
