package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"
)

// timeLimit is the longest predicted time that Compute accepts unless forced.
const timeLimit = time.Hour

// addressSpace is the memory, in bytes, that no process can have.
const addressSpace = 1 << 47

// ErrTooCostly is in the chain of Compute's error if it refuses because the prediction
// exceeds an hour or half of the machine's memory.
var ErrTooCostly = errors.New("too costly")

// Options control how Compute works.
type Options struct {
	// Method to use; the zero value Auto means the one chosen by Plan.
	Method Method
	// Workers is the number of goroutines; 0 means 1, the case that Plan's time is for.
	// Enumeration always uses one. The result does not depend on it. Negative values are
	// invalid.
	Workers int
	// Progress, if set, is called occasionally with the work done so far, out of a total;
	// the unit depends on the method. Calls come one at a time, but not always from the
	// same goroutine.
	Progress func(done, total int)
	// Force allows computations that would take more than an hour or half of the machine's
	// memory.
	Force bool
}

// Compute returns the exact density of states of the q-state Potts model on the periodic lx
// x ly lattice, 2 <= q <= 255, sides at least 3, in either order.
//
// Unless opts.Force is set, it refuses with ErrTooCostly if it predicts more than an hour
// or half of the memory. It always refuses what does not fit in the tables of the method.
// When ctx ends it returns early with the context's error.
func Compute(ctx context.Context, q, lx, ly int, opts Options) (*Counts, error) {
	fail := func(err error) error {
		return fmt.Errorf("exact: compute density of states of q=%d %dx%d: %w", q, lx, ly, err)
	}
	fault := validate(opts.Method, q, lx, ly)
	if opts.Workers < 0 {
		fault = errors.Join(fault, fmt.Errorf("number of workers %d is negative: choose 1 or more", opts.Workers))
	}
	if fault != nil {
		return nil, fail(fault)
	}
	workers := max(opts.Workers, 1)
	estimate := plan(opts.Method, q, lx, ly)
	if err := check(estimate, q, lx, ly, workers, opts.Force); err != nil {
		return nil, fail(err)
	}

	var byBonds []*big.Int
	var err error
	width, height := min(lx, ly), max(lx, ly)
	progress := &tracker{report: opts.Progress}
	switch estimate.Method {
	case Enumeration:
		byBonds, err = enumerate(ctx, q, lx, ly, progress)
	case Kaufman:
		byBonds, err = kaufman(ctx, width, height, workers, progress)
	case TransferMatrix:
		byBonds, err = transferMatrix(ctx, q, width, height, workers, progress)
	}
	if err != nil {
		return nil, fail(err)
	}
	progress.finish()
	counts := newCounts(estimate.Method, q, lx, ly, byBonds)
	all := new(big.Int).Exp(big.NewInt(int64(q)), big.NewInt(int64(lx*ly)), nil)
	if counts.Total().Cmp(all) != 0 {
		return nil, fail(fmt.Errorf("bug in method %s: its levels do not add up to q^N; please report it",
			estimate.Method))
	}
	return counts, nil
}

// check returns why a computation is refused, or nil.
func check(e Estimate, q, lx, ly, workers int, force bool) error {
	e.Seconds /= float64(workers)
	limit := memoryLimit()
	needs := fmt.Sprintf("method %s needs about %s (limit %s) and %s of memory (limit %s)",
		e.Method, duration(e.Seconds), duration(timeLimit.Seconds()), size(e.Bytes), size(limit))
	remedy := map[Method]string{
		Enumeration:    "choose another method",
		Kaufman:        "choose shorter sides",
		TransferMatrix: "choose a shorter short side or fewer colours",
	}[e.Method]
	switch {
	case e.Method == Enumeration && math.Pow(float64(q), float64(lx*ly)) > enumerationLimit:
		return fmt.Errorf("%s, and its counters end at 2^63: %s: %w", needs, remedy, ErrTooCostly)
	case e.Method == TransferMatrix && (mostStates(q, min(lx, ly)) > math.MaxUint32 || e.Bytes > addressSpace):
		return fmt.Errorf("%s, and its tables end at 2^32 states: %s: %w", needs, remedy, ErrTooCostly)
	case force || e.within(timeLimit.Seconds(), limit):
		return nil
	}
	return fmt.Errorf("%s: %s, or force it: %w", needs, remedy, ErrTooCostly)
}

// mostStates returns the largest possible number of states of a row.
func mostStates(q, width int) float64 {
	states := extensionTable[float64](width, q)[width]
	return states[min(q, width)]
}

// duration formats seconds in a convenient unit.
func duration(seconds float64) string {
	const minute, hour, day, year = 60, 3600, 86400, 365.25 * 86400
	switch {
	case seconds < 2*minute:
		return fmt.Sprintf("%.2g s", seconds)
	case seconds < 2*hour:
		return fmt.Sprintf("%.0f min", seconds/minute)
	case seconds < 2*day:
		return fmt.Sprintf("%.0f h", seconds/hour)
	case seconds < year:
		return fmt.Sprintf("%.0f days", seconds/day)
	}
	return fmt.Sprintf("%.2g years", seconds/year)
}

// size formats bytes in binary units.
func size(bytes float64) string {
	unit := 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for ; bytes >= 1024 && unit < len(units)-1; unit++ {
		bytes /= 1024
	}
	return fmt.Sprintf("%.3g %s", bytes, units[unit])
}
