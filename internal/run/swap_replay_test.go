package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/event"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/internal/setup"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// killedAt begins a run in a folder and copies that as it is after some passes of a phase, as a
// run leaves it that is killed there, to another one. The last checkpoint is some passes old.
func killedAt(t *testing.T, folder, to string, phase sampler.Phase, pass, checkpointed int64, settings ...string) {
	t.Helper()
	var passes atomic.Int64
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	copied := false
	_, err := runtest.Run(ctx, t, run.Options{
		Folder: folder,
		FS: faulty.FS{Fault: func(op faulty.Op, path string) error {
			if op == faulty.Create && strings.Contains(path, "checkpoint") && passes.Load() > checkpointed {
				return syscall.ENOSPC
			}
			return nil
		}},
		Listener: event.Listener{Pass: func(e event.Pass) {
			if e.Progress.Phase != phase {
				return
			}
			if passes.Add(1); passes.Load() == pass {
				copied = true
				if err := os.CopyFS(to, os.DirFS(folder)); err != nil {
					t.Error(err)
				}
				cancel(errors.New("stopped by the test"))
			}
		}},
	}, settings...)
	if err != nil || !copied {
		t.Fatalf("killed after pass %d of %s: %v", pass, phase, err)
	}
}

// TestSwapKilled kills a run with five exchanges on record before, between and after them, with
// checkpoints before and after: resumed, it ends with the numbers and the network of the
// undisturbed one.
func TestSwapKilled(t *testing.T) {
	t.Parallel()
	wide := models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3}
	same, wider, other := tinyBundle(t, "same", 11, models.Autoencoder, models.Hyperparameters{}), tinyBundle(t, "wider", 12, models.Autoencoder, wide),
		tinyBundle(t, "other", 14, models.Autoencoder, wide)
	made := tinyBundle(t, "made", 13, models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	settings := runtest.With(swapping, "checkpoint.interval=1ns", "trainer.keep=2")
	swaps := []planned{{20, "adaptation", same}, {40, "adaptation", wider}, {55, "adaptation", other}, {70, "adaptation", made}, {90, "adaptation", same}}
	folder := t.TempDir()
	reference := filepath.Join(folder, "reference")
	plan(t, reference, swaps...)
	s := runtest.Perform(t, reference, settings...)
	if len(s.Network.Swaps) != 5 || s.Phases[0].Passes < 100 {
		t.Fatalf("swaps %+v in %d passes", s.Network.Swaps, s.Phases[0].Passes)
	}
	for _, c := range []struct {
		phase              sampler.Phase
		pass, checkpointed int64
	}{
		{sampler.WangLandau, 22, 15},  // after an exchange that no checkpoint knows
		{sampler.WangLandau, 60, 45},  // one that follows a checkpoint with a network that was exchanged
		{sampler.WangLandau, 72, 72},  // after one that ended training
		{sampler.WangLandau, 95, 10},  // all of them once more
		{sampler.Production, 10, 500}, // after all
	}[:long.Or(5, 1)] {
		name := fmt.Sprint(c)
		begun, killed := filepath.Join(folder, name, "begun"), filepath.Join(folder, name, "killed")
		plan(t, begun, swaps...)
		killedAt(t, begun, killed, c.phase, c.pass, c.checkpointed, settings...)
		if err := os.MkdirAll(filepath.Join(killed, "swaps", "6"), 0o777); err != nil { // copied and not on record
			t.Fatal(err)
		}
		resumed := runtest.Perform(t, killed)
		for _, file := range []string{report.DensityFile, report.ObservablesFile, report.SwapsFile} {
			if !bytes.Equal(runtest.Read(t, reference, file), runtest.Read(t, killed, file)) {
				t.Errorf("%s: %s is another than that of the undisturbed run", name, file)
			}
		}
		if a, b := s.Network, resumed.Network; filepath.Base(a.Bundle) != filepath.Base(b.Bundle) || a.Training.Steps != b.Training.Steps || len(b.Swaps) != 5 {
			t.Errorf("%s: network %+v, undisturbed %+v", name, b, a)
		}
		if _, err := os.Stat(filepath.Join(killed, "swaps", "6")); err == nil {
			t.Errorf("%s: a copy that is not on record stays", name)
		}
		if failed, _ := runtest.Verify(t, killed); len(failed) > 0 {
			t.Errorf("%s: verify: %+v", name, failed)
		}
		if f, err := run.Finish(context.Background(), run.Options{Folder: killed, Config: runtest.Load(t, settings...)}); err != nil || len(f.Network.Swaps) != 5 {
			t.Errorf("%s: finish: %+v, %v", name, f, err)
		}
	}
}

// TestSwapAtOnce exchanges the network before the first pass: the run is that of the new one.
func TestSwapAtOnce(t *testing.T) {
	bundle := tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	folder := t.TempDir()
	settings := runtest.With(runtest.Brief, "trainer.every=0")
	plan(t, filepath.Join(folder, "swapped"), planned{0, "adaptation", bundle})
	runtest.Perform(t, filepath.Join(folder, "swapped"), settings...)
	runtest.Perform(t, filepath.Join(folder, "its own"), runtest.With(settings, "model.bundle="+bundle)...)
	if !bytes.Equal(runtest.Read(t, folder, "swapped", report.DensityFile), runtest.Read(t, folder, "its own", report.DensityFile)) {
		t.Error("the numbers are not those of the new network")
	}
}

// TestSwapRecord refuses a record that is damaged, does not fit the run, or names a network that
// is damaged or gone; a resumed run refuses one without the exchanges that it has made.
func TestSwapRecord(t *testing.T) {
	t.Parallel()
	bundle := tinyBundle(t, "same", 11, models.Autoencoder, models.Hyperparameters{})
	for want, c := range map[string]struct {
		spoil    func(folder string)
		settings []string
	}{
		"line 1 is damaged": {func(folder string) {
			if err := os.WriteFile(filepath.Join(folder, report.SwapsFile), runtest.Read(t, folder, report.SwapsFile)[:40], 0o666); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"not within the run directory": {func(folder string) {
			data := bytes.Replace(runtest.Read(t, folder, report.SwapsFile), []byte("swaps/1"), []byte("../swaps/1"), 1)
			if err := os.WriteFile(filepath.Join(folder, report.SwapsFile), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"the run has no network": {func(string) {}, []string{"run.moves=local"}},
		"its sha256 is": {func(folder string) {
			path := filepath.Join(folder, "swaps", "1", exporter.LogProbFile)
			data := runtest.Read(t, path)
			data[len(data)/2] ^= 1
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"on record is": {func(folder string) {
			another := tinyBundle(t, "another", 15, models.Autoencoder, models.Hyperparameters{})
			if err := errors.Join(os.RemoveAll(filepath.Join(folder, "swaps", "1")), os.CopyFS(filepath.Join(folder, "swaps", "1"), os.DirFS(another))); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"restore": {func(folder string) {
			if err := os.RemoveAll(filepath.Join(folder, "swaps", "1")); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		folder := t.TempDir()
		plan(t, folder, planned{5, "adaptation", bundle})
		c.spoil(folder)
		_, err := runtest.Run(context.Background(), t, run.Options{Folder: folder}, runtest.With(runtest.Brief, c.settings...)...)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), folder) {
			t.Errorf("%s: %v", want, err)
		}
	}
	folder := filepath.Join(t.TempDir(), "run")
	plan(t, folder, planned{5, "adaptation", bundle})
	produced(t, folder, runtest.Brief...)
	if err := os.Remove(filepath.Join(folder, report.SwapsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := resume(t, folder); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("resumed without its record: %v", err)
	}
}

// TestSwapAlone exchanges the network of a run without walkers, and stops and resumes it.
func TestSwapAlone(t *testing.T) {
	t.Parallel()
	long.Only(t, "TestSwapKilled does with walkers")
	t.Run("van-wang-landau", func(t *testing.T) {
		swapAlone(t, sampler.WangLandau, runtest.With(alone, "wang_landau.final_ln_f=5e-2", "production.passes=200", "trainer.every=2", "checkpoint.interval=1ns"))
	})
	t.Run("van", func(t *testing.T) {
		swapAlone(t, sampler.Annealing, runtest.With(canonically, "checkpoint.interval=1ns"))
	})
}

func swapAlone(t *testing.T, phase sampler.Phase, settings []string) {
	settings = slices.Clip(settings)
	first := runtest.Perform(t, filepath.Join(t.TempDir(), "first"), append(settings[:len(settings):len(settings)], "run.seed=9")...)
	conv := runtest.Perform(t, filepath.Join(t.TempDir(), "conv"), append(settings[:len(settings):len(settings)], "model.architecture=conv", "model.width=4", "model.depth=1")...)
	folder := t.TempDir()
	swaps := []planned{{30, "adaptation", first.Network.Bundle}, {60, "adaptation", conv.Network.Bundle}}
	reference, begun, killed := filepath.Join(folder, "reference"), filepath.Join(folder, "begun"), filepath.Join(folder, "killed")
	plan(t, reference, swaps...)
	s := runtest.Perform(t, reference, settings...)
	if len(s.Network.Swaps) != 2 || s.Network.Architecture != models.Conv {
		t.Fatalf("network %+v", s.Network)
	}
	plan(t, begun, swaps...)
	killedAt(t, begun, killed, phase, 55, 40, settings...)
	runtest.Perform(t, killed)
	if !bytes.Equal(runtest.Read(t, reference, report.DensityFile), runtest.Read(t, killed, report.DensityFile)) {
		t.Error("dos.csv is another than that of the undisturbed run")
	}
}

// TestSwapExact swaps the network of a run on 6x6 five times between two pretrained ones, kills
// and resumes it in between: the numbers are those of the same swaps undisturbed, and within
// errors of the exact ones.
func TestSwapExact(t *testing.T) {
	long.Only(t, "runs of microcanonical networks on 6x6")
	settings := []string{
		"system.q=2", "system.size=6x6", "run.walkers=64", "run.moves=[local, neural]", "model.bundle=pretrained/potts-q2", "trainer.every=20", "trainer.batch=32",
		"wang_landau.final_ln_f=1e-4", "production.passes=300", "local.sweeps=2", "checkpoint.interval=1ns",
	}
	folder := t.TempDir()
	c := runtest.Load(t, settings...)
	first, err := setup.Bundle(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a, err := first.Save(disk.OS, filepath.Join(folder, "networks"))
	if err != nil {
		t.Fatal(err)
	}
	// The second version is the first one after some more training.
	b := runtest.Perform(t, filepath.Join(folder, "trained"), runtest.With(settings, "trainer.every=2", "wang_landau.final_ln_f=1e-3", "production.passes=50", "run.seed=3")...).Network.Bundle
	swaps := []planned{{20, "adaptation", b}, {50, "adaptation", a}, {80, "adaptation", b}, {120, "adaptation", a}, {150, "adaptation", b}}
	reference, begun, killed := filepath.Join(folder, "reference"), filepath.Join(folder, "begun"), filepath.Join(folder, "killed")
	plan(t, reference, swaps...)
	s := runtest.Perform(t, reference, settings...)
	if len(s.Network.Swaps) != 5 {
		t.Fatalf("%d swaps in %d passes", len(s.Network.Swaps), s.Phases[1].Passes)
	}
	plan(t, begun, swaps...)
	killedAt(t, begun, killed, sampler.WangLandau, 100, 60, settings...)
	again := filepath.Join(folder, "again")
	if err := os.CopyFS(again, os.DirFS(killed)); err != nil {
		t.Fatal(err)
	}
	runtest.Perform(t, killed)
	if !bytes.Equal(runtest.Read(t, reference, report.DensityFile), runtest.Read(t, killed, report.DensityFile)) {
		t.Error("dos.csv is another than that of the undisturbed run")
	}
	exact := exacttest.Density(t, 2, 6, 6)
	d, err := dos.ReadFile(filepath.Join(killed, report.DensityFile))
	if err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for i, x := range d.LnG {
		if d.Error[i] == 0 && math.Abs(x-exact.LnG[i]) < 1e-9 {
			continue // known
		}
		z := (x - exact.LnG[i]) / d.Error[i]
		if square += z * z / float64(d.Len()); !(math.Abs(z) < 5) {
			t.Errorf("E = %g: ln g = %.4f(%.4f), exact %.4f", d.Energy[i], x, d.Error[i], exact.LnG[i])
		}
	}
	if t.Logf("rms %.4f, mean square deviation %.2f errors squared", s.Exact.RMS, square); square > 3 || d.Len() != exact.Len() {
		t.Errorf("%d levels of %d, mean square deviation %.2f errors squared", d.Len(), exact.Len(), square)
	}
}
