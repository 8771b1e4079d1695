package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

const (
	// leastAddresses is what a small run reserves with one heap of the C library, by its VmPeak
	// (1.4 GB) and some more for Go to grow; it uses a tenth of it. Every thread adds its stack.
	leastAddresses = 1700 << 20
	perThread      = 16 << 20
	// perHeap is what each thread adds if it has a heap of its own, at first.
	perHeap = 128 << 20
	// heaps is the environment variable with the number of the C library's heaps.
	heaps = "MALLOC_ARENA_MAX"
)

// enoughAddresses returns an error where the limit of virtual memory (ulimit -v, h_vmem of
// SGE) is so low that a run's threads could not start, which would end the program with a
// dump of all of them. Where the limit is near, the program starts again with a single heap
// for all threads in C, which allocate little.
func enoughAddresses() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return nil // unknown
	}
	threads := runtime.GOMAXPROCS(0)
	least := uint64(leastAddresses + threads*perThread)
	if limit.Cur < least {
		return fmt.Errorf("the limit of virtual memory (ulimit -v, or h_vmem) is %d MB, but %d threads need %d MB of addresses, most of which they never use; raise the limit, or set GOMAXPROCS to fewer threads (%d MB for one)",
			limit.Cur>>20, threads, least>>20, (leastAddresses+perThread)>>20)
	}
	if limit.Cur < uint64(leastAddresses+(threads+8)*perHeap) && os.Getenv(heaps) == "" {
		if program, err := os.Executable(); err == nil {
			// It returns only if it fails, and the limit may suffice all the same.
			_ = syscall.Exec(program, os.Args, append(os.Environ(), heaps+"=1"))
		}
	}
	return nil
}
