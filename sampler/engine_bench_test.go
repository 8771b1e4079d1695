package sampler

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// BenchmarkPass reports the time per trial of a whole pass of local sweeps in
// production, shared among workers: wall-clock time over the number of trials.
func BenchmarkPass(b *testing.B) {
	for workers := 1; workers <= runtime.GOMAXPROCS(0); workers *= 2 {
		for _, l := range []int{8, 32} {
			b.Run(fmt.Sprintf("L=%d/workers=%d", l, workers), func(b *testing.B) {
				p := mustPotts(b, 10, l, l)
				e, err := New(Options{System: p, Seed: 1, Walkers: 256, Workers: workers, Local: local.HeatBath, Sweeps: 4, LnG: archLnG(p)})
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

// BenchmarkMeasure reports the time of measuring the order parameter of a walker, and its
// share of a pass of four local sweeps. The walkers are spread over all levels.
func BenchmarkMeasure(b *testing.B) {
	for _, l := range []int{8, 16, 64} {
		b.Run(fmt.Sprintf("L=%d", l), func(b *testing.B) {
			const walkers = 256
			p := mustPotts(b, 10, l, l)
			e, err := New(Options{System: p, Seed: 1, Walkers: walkers, Local: local.HeatBath, Sweeps: 4, LnG: archLnG(p)})
			if err != nil {
				b.Fatal(err)
			}
			e.Produce()
			pass := func() time.Duration {
				began := time.Now()
				if err := e.Pass(context.Background()); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			for range 1000 / l {
				pass()
			}
			passes := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				e.measure()
				b.StopTimer()
				passes += pass()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*walkers), "ns/walker")
			// A pass measures, too.
			b.ReportMetric(100*float64(b.Elapsed())/float64(passes-b.Elapsed()), "%ofpass")
		})
	}
}

// BenchmarkWindows reports of each of three energy windows the pass at which walkers have come into it and that at which
// its ln f is below 1e-3: how far machines would be apart each of which had one window.
func BenchmarkWindows(b *testing.B) {
	const count = 3
	var entered, adapted [count]int
	for n := range b.N {
		p := mustPotts(b, 10, 16, 16)
		e, err := New(Options{System: p, Seed: uint64(n), Walkers: 64 * count, Local: local.HeatBath, Sweeps: 4, Windows: lattice.UniformWindows(p.Levels(), count, 0.75)})
		if err != nil {
			b.Fatal(err)
		}
		for !e.Adapted(1e-3) || len(e.Waiting()) > 0 {
			for k, w := range e.windows {
				if !w.isOpen {
					entered[k]++
				}
				if !w.isOpen || !w.adapted(1e-3) {
					adapted[k]++
				}
			}
			if err := e.Pass(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	for k := range count {
		b.ReportMetric(float64(entered[k])/float64(b.N), fmt.Sprintf("entered-%d", k+1))
		b.ReportMetric(float64(adapted[k])/float64(b.N), fmt.Sprintf("adapted-%d", k+1))
	}
}

// archLnG is a concave ln g from about N ln q at the peak to 0 at the ground state, good
// enough to send a walker over all levels.
func archLnG(p lattice.System) []float64 {
	lnG := make([]float64, p.Levels())
	peak, ground := float64(p.PeakLevel()), float64(p.GroundLevel())
	for b := range lnG {
		x := (float64(b) - peak) / (ground - peak)
		lnG[b] = p.LnStates() * (1 - x*x)
	}
	return lnG
}
