package sampler

import (
	"context"
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkPass reports the time per trial of a whole pass of local sweeps in
// production, shared among workers: wall-clock time over the number of trials.
func BenchmarkPass(b *testing.B) {
	for workers := 1; workers <= runtime.GOMAXPROCS(0); workers *= 2 {
		for _, l := range []int{8, 32} {
			b.Run(fmt.Sprintf("L=%d/workers=%d", l, workers), func(b *testing.B) {
				p := mustPotts(b, 10, l, l)
				e, err := New(Options{System: p, Seed: 1, Walkers: 256, Workers: workers, Local: HeatBath, Sweeps: 4, LnG: archLnG(p)})
				if err != nil {
					b.Fatal(err)
				}
				e.Produce()
				trials := 256 * p.Sites() * 4
				b.ResetTimer()
				for range b.N {
					if err := e.Pass(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*trials), "ns/trial")
			})
		}
	}
}
