package exact

import (
	"context"
	"sync"
	"sync/atomic"
)

// inChunks calls work for chunks [from, to) that cover [0, n) once each, on the given
// number of goroutines, numbered by worker. When the context ends it stops early and
// returns the context's error.
func inChunks(ctx context.Context, workers, n, chunk int, work func(worker, from, to int)) error {
	var next atomic.Int64
	run := func(worker int) {
		for ctx.Err() == nil {
			to := int(next.Add(int64(chunk)))
			if to-chunk >= n {
				return
			}
			work(worker, to-chunk, min(to, n))
		}
	}
	var group sync.WaitGroup
	for worker := 1; worker < min(workers, (n+chunk-1)/chunk); worker++ {
		group.Go(func() { run(worker) })
	}
	run(0)
	group.Wait()
	return ctx.Err()
}

// tracker turns amounts of work into calls of Options.Progress.
type tracker struct {
	mu          sync.Mutex
	done, total int
	report      func(done, total int)
}

// expect sets the total amount of work, in units of the caller's choice.
func (t *tracker) expect(total int) { t.total = total }

// add reports that more units are done.
func (t *tracker) add(units int) {
	if t.report == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = min(t.done+units, t.total)
	t.report(t.done, t.total)
}

// finish reports that all the work is done.
func (t *tracker) finish() { t.add(t.total - t.done) }
