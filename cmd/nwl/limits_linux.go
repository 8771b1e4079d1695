package main

import "C" // for heaps_linux.c, which has the C library keep a single heap where the limit is near

import (
	"fmt"
	"runtime"
	"syscall"
)

const (
	// leastAddresses is what a small run reserves with one heap of the C library, by its VmPeak
	// (1.4 GB) and some more for Go to grow; it uses a tenth of it. Every thread adds its stack.
	leastAddresses = 1700 << 20
	perThread      = 16 << 20
)

// enoughAddresses returns an error where the limit of virtual memory (ulimit -v, h_vmem of
// SGE) is so low that a run's threads could not start, which would end the program with a
// dump of all of them.
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
	return nil
}
