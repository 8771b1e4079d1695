package run_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"

	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/trainer"
)

// resident is the resident size of this process in MB, after memory that is not used
// any more was given back to the system.
func resident(t *testing.T) float64 {
	t.Helper()
	debug.FreeOSMemory()
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

// memoryObserver notes the resident size now and then and ends the run in the end.
type memoryObserver struct {
	t                  *testing.T
	steps, every, last int
	sizes              []float64
	end                context.CancelFunc
}

func (o *memoryObserver) step(trainer.StepInfo) {
	if o.steps++; o.steps%o.every == 0 {
		o.sizes = append(o.sizes, resident(o.t))
	}
	if o.steps == o.last {
		o.end()
	}
}

// TestFlatMemory publishes weights ten thousand times and exports the network a
// hundred times in one run: after a warm-up its resident size does not grow by 10 %.
func TestFlatMemory(t *testing.T) {
	publications, exports := long.Or(10000, 2000), long.Or(100, 20)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := &memoryObserver{t: t, every: publications / 10, last: publications, end: cancel}
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
