package sampler

import "neuralwl/internal/parallel"

// forEach calls f(worker, i) for every i in 0..n-1, spread over workers, under the
// rules of parallel.Do.
type forEach func(n int, f func(worker, i int))

// inParallel returns a forEach over the given number of workers, which take
// walkers in groups as they become free.
func inParallel(workers int) forEach {
	const group = 8
	return func(n int, f func(worker, i int)) { parallel.Do(workers, n, group, f) }
}
