package cpu

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Cores lists the cores that this process may use, by number; nil where that is not known.
func Cores() (cores []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for c := range 8 * len(set) * 8 {
		if set.IsSet(c) {
			cores = append(cores, c)
		}
	}
	return cores
}

// Pin ties the calling goroutine, and every process that it starts, to a core. The goroutine must
// call release when it no longer needs that; it has its thread to itself until then.
func Pin(core int) (release func(), err error) {
	runtime.LockOSThread()
	var before, set unix.CPUSet
	set.Set(core)
	if err = unix.SchedGetaffinity(0, &before); err == nil {
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("tie a thread to core %d: %w", core, err)
	}
	return func() {
		if unix.SchedSetaffinity(0, &before) == nil { // else the thread ends with the goroutine
			runtime.UnlockOSThread()
		}
	}, nil
}

// ThreadTime is the processor time of the calling goroutine's thread, which it should have to
// itself.
func ThreadTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return Time()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
