package repository_test

import (
	"fmt"
	"testing"

	"neuralwl/internal/repository"
	"neuralwl/models"
)

// BenchmarkLoad loads two networks with ten colours on 8x8 in turn, and reports by how much the
// process grows with each load. Versions of one network share sessions; of two architectures in
// turn, the sessions of the other are kept or closed.
func BenchmarkLoad(b *testing.B) {
	for _, c := range []struct {
		name   string
		first  int
		second int
		idle   int
	}{
		{models.Autoencoder, 1, 2, 0}, {models.Made, 3, 4, 0}, {models.Conv, 5, 6, 0}, {models.Microcanonical, 7, 8, 0},
		{"in turn/kept", 3, 7, 0}, {"in turn/closed", 3, 7, -1},
	} {
		b.Run(c.name, func(b *testing.B) {
			folder := newFolder(b)
			for k := range 8 {
				add(b, folder, version(b, k, true), "net")
			}
			r := open(b, folder, repository.Options{Idle: c.idle})
			next := func(i int) { load(b, r, fmt.Sprintf("net/%d", []int{c.first, c.second}[i%2])) }
			for i := range 10 {
				next(i)
			}
			before, i := settled().memory, 0
			for b.Loop() {
				next(i)
				i++
			}
			b.StopTimer()
			b.ReportMetric(float64(settled().memory-before)/float64(i)/1e3, "kB-more/load")
		})
	}
}
