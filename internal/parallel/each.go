package parallel

import (
	"context"
	"errors"
	"sync/atomic"
)

// Each calls f for 0..n-1 from several workers and returns all errors. It starts no further call
// after an error or the end of ctx.
func Each(ctx context.Context, workers, n int, f func(i int) error) error {
	errs := make([]error, n)
	var failed atomic.Bool
	Do(workers, n, 1, func(_, i int) {
		if failed.Load() {
			return
		}
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = f(i)
		}
		if errs[i] != nil {
			failed.Store(true)
		}
	})
	return errors.Join(errs...)
}
