package repository_test

import (
	"fmt"
	"testing"

	"neuralwl/internal/repository"
)

// BenchmarkLoad changes between two versions of one network, and between several architectures.
func BenchmarkLoad(b *testing.B) {
	for _, long := range []bool{false, true} {
		folder := newFolder(b)
		for k := range 8 {
			add(b, folder, version(b, k, long), "net")
		}
		r := open(b, folder, repository.Options{})
		for k := range 4 {
			b.Run(fmt.Sprintf("long=%v/%d", long, k), func(b *testing.B) {
				i := 0
				for b.Loop() {
					load(b, r, fmt.Sprintf("net/%d", 2*k+1+i%2))
					i++
				}
			})
		}
	}
}
