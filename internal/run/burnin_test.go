package run_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/event"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// TestBurnIn hears of every pass of the burn-in, which on large lattices takes hours, as of a
// phase of its own, also of a run that goes on in it.
func TestBurnIn(t *testing.T) {
	t.Parallel()
	hear := func(folder string, stop bool) (phases []sampler.Phase, passes map[sampler.Phase]int) {
		passes = map[sampler.Phase]int{}
		l := event.Listener{
			PhaseBegan: func(e event.PhaseBegan) { phases = append(phases, e.Phase) },
			Pass: func(e event.Pass) {
				passes[e.Progress.Phase]++
				if e.Done < 0 || e.Done > 1 {
					t.Errorf("%s: %g done", e.Progress.Phase, e.Done)
				}
			},
		}
		ctx := t.Context()
		if stop {
			var cancel context.CancelCauseFunc
			ctx, cancel = context.WithCancelCause(ctx)
			l = event.Tee(l, runtest.StopAt(sampler.BurnIn, 10, cancel))
		}
		if _, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: l}, "run.moves=local", "production.passes=600"); err != nil {
			t.Fatal(err)
		}
		return phases, passes
	}
	folder := filepath.Join(t.TempDir(), "run")
	phases, passes := hear(folder, true)
	if passes[sampler.BurnIn] != 10 || passes[sampler.Production] != 0 || phases[len(phases)-1] != sampler.BurnIn {
		t.Errorf("phases %v, passes %v", phases, passes)
	}
	phases, passes = hear(folder, false)
	if want := []sampler.Phase{sampler.BurnIn, sampler.Production}; !slices.Equal(phases, want) || passes[sampler.BurnIn] != 20 || passes[sampler.Production] != 600 {
		t.Errorf("phases %v, passes %v", phases, passes)
	}
}
