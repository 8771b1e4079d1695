package queue

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"neuralwl/internal/cpu"
)

// BenchmarkScale has a number of workers do at once what each does all the time: tell of a pass, and say
// that it is there. Besides the time for each it gives the processor time of both sides together.
func BenchmarkScale(b *testing.B) {
	pass := map[string]any{"phase": "production", "passes": 123456, "done": 0.123, "ln_f": 1e-6, "flatness": 0.9, "levels": 1024, "round_trips": 123.5, "acceptance": 0.2, "left": 1234.5}
	for _, workers := range []int{1, 16, 256} {
		for name, do := range map[string]func(q *Queue, k int) error{
			"pass": func(q *Queue, k int) error { return q.Emit(b.Context(), fmt.Sprint("run-", k), "pass", pass) },
			"announce": func(q *Queue, k int) error {
				return q.Announce(b.Context(), &Worker{Name: fmt.Sprint("w", k), Instance: "i"})
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				q, err := Open(b.Context(), Options{Folder: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				defer q.Close()
				b.ResetTimer()
				began, left, side := cpu.Time(), atomic.Int64{}, sync.WaitGroup{}
				left.Store(int64(b.N))
				for k := range workers {
					side.Go(func() {
						for left.Add(-1) >= 0 {
							if err := do(q, k); err != nil {
								b.Error(err)
							}
						}
					})
				}
				side.Wait()
				b.ReportMetric(float64((cpu.Time()-began).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}
