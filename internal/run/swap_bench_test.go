package run_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"neuralwl/internal/event"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// BenchmarkSwap exchanges the network of a run that adapts its weights, b.N times: how long
// loading takes beside sampling, how long sampling then stands still, and what a pass takes.
func BenchmarkSwap(b *testing.B) {
	other := tinyBundle(b, "other", 11, models.Autoencoder, models.Hyperparameters{})
	wider := tinyBundle(b, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	for name, bundles := range map[string][]string{"same graphs": {other}, "other graphs": {wider, other}} {
		b.Run(name, func(b *testing.B) {
			var loading, pauses, passes []time.Duration
			requests, ctx := make(chan run.Swap, 1), context.Context(nil)
			ctx, enough := context.WithCancel(context.Background())
			defer enough()
			asked, last := 0, time.Now()
			ask := func() {
				if asked == b.N {
					enough()
					return
				}
				requests <- run.Swap{Bundle: bundles[asked%len(bundles)], Name: fmt.Sprint(asked)}
				asked++
			}
			_, err := runtest.Run(ctx, b, run.Options{
				Folder: filepath.Join(b.TempDir(), "run"), Swaps: requests, Log: slog.New(slog.DiscardHandler),
				Listener: event.Listener{
					PhaseBegan: func(e event.PhaseBegan) {
						if e.Phase == sampler.WangLandau {
							ask()
						}
					},
					Pass: func(event.Pass) {
						passes = append(passes, time.Since(last))
						last = time.Now()
					},
					NetworkSwapped: func(e event.NetworkSwapped) {
						if e.Err != nil {
							b.Error(e.Err)
						}
						loading, pauses = append(loading, e.Took), append(pauses, e.Pause)
						ask()
					},
				},
			}, runtest.With(runtest.Brief, "run.walkers=256", "local.sweeps=20", "wang_landau.final_ln_f=1e-12", "trainer.export_every=0")...)
			if err != nil {
				b.Fatal(err)
			}
			for _, c := range []struct {
				unit  string
				times []time.Duration
			}{{"loading", loading}, {"pause", pauses}, {"pass", passes}} {
				slices.Sort(c.times)
				at := func(share float64) float64 {
					return float64(c.times[int(share*float64(len(c.times)-1))].Microseconds()) / 1000
				}
				b.ReportMetric(at(0.5), c.unit+"-median-ms")
				b.ReportMetric(at(0.99), c.unit+"-p99-ms")
			}
		})
	}
}
