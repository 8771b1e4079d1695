// Package parallel distributes loops over goroutines such that a panic in one of them
// reaches the caller, who can handle it.
package parallel

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Do calls f(worker, i) for every i in 0..n-1. Workers, numbered from 0, take groups of
// successive i as they become free. f may touch only data of i or of the worker, and must
// not depend on which worker serves which i.
//
// If f panics, Do starts no further groups and, once all workers have stopped, panics with
// a *Panic.
func Do(workers, n, group int, f func(worker, i int)) {
	if workers = min(workers, (n+group-1)/group); workers <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	var first atomic.Pointer[Panic]
	work := func(worker int) {
		defer func() {
			if value := recover(); value != nil {
				first.CompareAndSwap(nil, &Panic{value, debug.Stack()})
			}
		}()
		for first.Load() == nil {
			from := int(next.Add(int64(group))) - group
			if from >= n {
				return
			}
			for i := from; i < min(from+group, n); i++ {
				f(worker, i)
			}
		}
	}
	var wait sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wait.Go(func() { work(worker) })
	}
	work(0)
	wait.Wait()
	if p := first.Load(); p != nil {
		panic(p)
	}
}

// Panic is a panic of a worker, with the stack of the goroutine in which it happened.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprint(p.Value) }
