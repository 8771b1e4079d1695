package sampler

import (
	"sync"
	"sync/atomic"
)

// forEach calls f(worker, i) for every i in 0..n-1, spread over workers. f may
// touch what belongs to i or to the worker, nothing else, and must not depend on
// which worker serves which i.
type forEach func(n int, f func(worker, i int))

// inParallel returns a forEach over the given number of workers, which take
// walkers in groups as they become free.
func inParallel(workers int) forEach {
	const group = 8
	return func(n int, f func(worker, i int)) {
		if workers == 1 || n <= group {
			for i := range n {
				f(0, i)
			}
			return
		}
		var next atomic.Int64
		var wait sync.WaitGroup
		work := func(worker int) {
			for {
				from := int(next.Add(group)) - group
				if from >= n {
					return
				}
				for i := from; i < min(from+group, n); i++ {
					f(worker, i)
				}
			}
		}
		for worker := 1; worker < workers; worker++ {
			wait.Go(func() { work(worker) })
		}
		work(0)
		wait.Wait()
	}
}
