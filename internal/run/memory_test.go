package run_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/trainer"
)

// resident is the resident size of this process in MB.
func resident(t *testing.T) float64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("SKIPPED: no /proc/self/statm to read the resident size from")
	}
	pages, err := strconv.Atoi(string(bytes.Fields(data)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return float64(pages) * float64(os.Getpagesize()) / 1e6
}

// memoryObserver notes the resident size now and then and ends the run in the end. It may
// give memory that is not used any more back to the system before it looks.
type memoryObserver struct {
	t                  *testing.T
	free               bool
	steps, every, last int
	sizes              []float64
	end                context.CancelFunc
}

func (o *memoryObserver) step(trainer.StepInfo) {
	if o.steps++; o.steps%o.every == 0 {
		if o.free {
			debug.FreeOSMemory()
		}
		o.sizes = append(o.sizes, resident(o.t))
	}
	if o.steps == o.last {
		o.end()
	}
}

// TestFlatMemory publishes weights thousands of times and exports the network
// tens of times in one run: after a warm-up its resident size does not grow by 10 %.
func TestFlatMemory(t *testing.T) {
	publications, exports := long.Or(5000, 2000), long.Or(50, 20)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := &memoryObserver{t: t, free: true, every: publications / 10, last: publications, end: cancel}
	s, err := runtest.Run(ctx, t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Listener: event.Listener{GradientStep: o.step}},
		"system.size=3x3", "run.walkers=16", "inference.batch=16", "trainer.batch=16", "trainer.every=1", "local.sweeps=1", "run.workers=1",
		"wang_landau.final_ln_f=1e-12", fmt.Sprintf("trainer.export_every=%d", publications/exports), "run.moves=[local, neural]")
	if err != nil {
		t.Fatal(err)
	}
	if last, _ := strconv.Atoi(filepath.Base(s.Network.Bundle)); s.Network.Training.Steps != int64(publications) || last < exports {
		t.Fatalf("%d steps, last bundle %s", s.Network.Training.Steps, s.Network.Bundle)
	}
	t.Logf("resident size in MB at every %d publications: %.1f", o.every, o.sizes)
	// What earlier tests left may still be given back, which is no leak: each size is
	// compared with the least one before it.
	least := o.sizes[1]
	for i, size := range o.sizes[2:] {
		if size > 1.1*least {
			t.Errorf("%.1f MB after %d publications, %.1f MB before", size, (i+3)*o.every, least)
		}
		least = min(least, size)
	}
}

// TestMemoryInTraining trains the default network, whose weights take 1 MB, and leaves the
// garbage to Go: the resident size stays within 50 MB of what it was after 50 steps, although
// hundreds of sets were published.
func TestMemoryInTraining(t *testing.T) {
	long.Only(t, "memory is measured over many steps; TestRecycler is in make test")
	const every, most = 50, 50
	steps := 600
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := &memoryObserver{t: t, every: every, last: steps, end: cancel}
	debug.FreeOSMemory()
	if _, err := runtest.Run(ctx, t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Listener: event.Listener{GradientStep: o.step}},
		"system.q=10", "system.size=8x8", "model.encoder=128", "model.latent=8", "model.decoder=128",
		"run.walkers=32", "trainer.batch=32", "trainer.every=1", "local.sweeps=1", "run.moves=[local, neural]",
		"wang_landau.final_ln_f=1e-12", "trainer.export_every=100"); err != nil {
		t.Fatal(err)
	}
	t.Logf("resident size in MB at every %d steps: %.0f", every, o.sizes)
	for i, size := range o.sizes {
		if size > o.sizes[0]+most {
			t.Errorf("%.0f MB after %d steps, %.0f MB after %d", size, (i+1)*every, o.sizes[0], every)
		}
	}
}

// TestSwapMemory exchanges the network of a run again and again, with the same graphs and with
// others: numbers of sessions and goroutines stay as they are. With the same graphs so does the
// resident size; ONNX Runtime keeps a little of every session of others.
func TestSwapMemory(t *testing.T) {
	long.Only(t, "hundreds of exchanges")
	h := models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 16, Floor: 1e-3, Noise: 0.3}
	wider := h
	wider.Decoder = 20
	for name, c := range map[string]struct {
		other models.Hyperparameters
		most  float64 // MB that an exchange may leave behind, after a warm-up
	}{"same graphs": {h, 0.02}, "other graphs": {wider, 0.1}} {
		t.Run(name, func(t *testing.T) {
			swapMemory(t, c.most, tinyBundle(t, "a", 11, models.Autoencoder, h), tinyBundle(t, "b", 12, models.Autoencoder, c.other))
		})
	}
}

func swapMemory(t *testing.T, most float64, bundles ...string) {
	const swaps, every = 120, 20
	onnxtest.NoLeaks(t)
	ctx, enough := context.WithCancel(context.Background())
	defer enough()
	requests := make(chan run.Swap, 1)
	var sizes []float64
	var sessions int64
	made, goroutines, begun := 0, 0, false
	ask := func() { requests <- run.Swap{Bundle: bundles[made%2]} }
	if _, err := runtest.Run(ctx, t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Swaps: requests, Log: slog.New(slog.DiscardHandler), Listener: event.Listener{
		Pass: func(event.Pass) {
			if !begun {
				begun = true
				ask()
			}
		},
		NetworkSwapped: func(e event.NetworkSwapped) {
			if e.Err != nil {
				t.Error(e.Err)
			}
			if made++; made == swaps {
				enough()
				return
			}
			ask()
			if made%every != 0 {
				return
			}
			debug.FreeOSMemory()
			sizes = append(sizes, resident(t))
			if open, _ := inference.Live(); made == every {
				sessions, goroutines = open, runtime.NumGoroutine()
			} else if open > sessions+3 || runtime.NumGoroutine() > goroutines+3 { // the former ones may still be closing
				t.Errorf("after %d exchanges %d sessions and %d goroutines, after %d %d and %d", made, open, runtime.NumGoroutine(), every, sessions, goroutines)
			}
		},
	}}, runtest.With(runtest.Brief, "wang_landau.final_ln_f=1e-12", "trainer.export_every=0")...); err != nil {
		t.Fatal(err)
	}
	t.Logf("resident size in MB at every %d exchanges: %.1f", every, sizes)
	const warm = 2
	last := len(sizes) - 1
	if left := (sizes[last] - sizes[warm]) / float64((last-warm)*every); left > most {
		t.Errorf("every exchange leaves %.3f MB, at most %.3f are allowed", left, most)
	}
}
