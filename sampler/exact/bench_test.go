package exact

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkCompute measures every method on one core. The metric predicted/actual is Plan's
// time divided by the measured one.
func BenchmarkCompute(b *testing.B) {
	for _, c := range []struct {
		method    Method
		q, lx, ly int
	}{
		{Enumeration, 2, 5, 5}, {Enumeration, 3, 4, 4},
		{Kaufman, 2, 8, 8}, {Kaufman, 2, 16, 16}, {Kaufman, 2, 15, 17}, {Kaufman, 2, 32, 32}, {Kaufman, 2, 64, 64},
		{TransferMatrix, 2, 8, 8}, {TransferMatrix, 3, 6, 6}, {TransferMatrix, 3, 8, 8},
		{TransferMatrix, 4, 7, 7}, {TransferMatrix, 10, 4, 4}, {TransferMatrix, 10, 5, 5},
		{TransferMatrix, 10, 6, 6}, {TransferMatrix, 10, 4, 64}, {TransferMatrix, 10, 5, 20},
	} {
		b.Run(fmt.Sprintf("%s/q=%d/%dx%d", c.method, c.q, c.lx, c.ly), func(b *testing.B) {
			for b.Loop() {
				if _, err := Compute(context.Background(), c.q, c.lx, c.ly, Options{Method: c.method}); err != nil {
					b.Fatal(err)
				}
			}
			actual := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(plan(c.method, c.q, c.lx, c.ly).Seconds/actual, "predicted/actual")
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		if _, err := Plan(10, 6, 6); err != nil {
			b.Fatal(err)
		}
	}
}
