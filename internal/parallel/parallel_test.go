package parallel_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"neuralwl/internal/parallel"
)

// TestDo checks that every index is served once, for all splits.
func TestDo(t *testing.T) {
	for _, n := range []int{0, 1, 7, 100} {
		for _, workers := range []int{1, 2, 5, 200} {
			for _, group := range []int{1, 8, 1000} {
				served := make([]atomic.Int32, n)
				parallel.Do(workers, n, group, func(worker, i int) {
					if worker < 0 || worker >= workers {
						t.Errorf("worker %d of %d", worker, workers)
					}
					served[i].Add(1)
				})
				for i := range served {
					if served[i].Load() != 1 {
						t.Fatalf("n=%d workers=%d group=%d: index %d served %d times", n, workers, group, i, served[i].Load())
					}
				}
			}
		}
	}
}

// TestSpans checks that every element is in one span, for arrays of all kinds of lengths.
func TestSpans(t *testing.T) {
	lengths := []int{1, 0, 4095, 4096, 4097, 20000}
	var covered [][]int
	for _, n := range lengths {
		covered = append(covered, make([]int, n))
	}
	for _, s := range parallel.Spans(lengths...) {
		for i := s.From; i < s.To; i++ {
			covered[s.Array][i]++
		}
	}
	for array, counts := range covered {
		for i, n := range counts {
			if n != 1 {
				t.Fatalf("element %d of %d is in %d spans", i, lengths[array], n)
			}
		}
	}
}

func explode() { panic("boom") }

// TestPanic checks that the caller receives the panic of a worker, with the place where it
// happened.
func TestPanic(t *testing.T) {
	for _, workers := range []int{2, 4} {
		func() {
			defer func() {
				p, ok := recover().(*parallel.Panic)
				if !ok || p.Error() != "boom" || !strings.Contains(string(p.Stack), "explode") {
					t.Errorf("recovered %v", p)
				}
			}()
			parallel.Do(workers, 100, 1, func(_, i int) {
				if i == 50 {
					explode()
				}
			})
			t.Error("the panic was lost")
		}()
	}
}
