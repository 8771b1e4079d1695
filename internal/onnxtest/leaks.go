package onnxtest

import (
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"neuralwl/inference"
)

// NoLeaks fails the test if goroutines, sessions or tensors are left at its end.
func NoLeaks(t testing.TB) {
	t.Helper()
	existing := goleak.IgnoreCurrent()
	// The cleanups of weights run some time after the collection.
	collect := func(rounds int, enough func() bool) {
		for range rounds {
			runtime.GC()
			if enough() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	collect(20, func() bool { return false })
	sessions, tensors := inference.Live()
	t.Cleanup(func() {
		var s, n int64
		collect(2000, func() bool { s, n = inference.Live(); return s <= sessions && n <= tensors })
		if s > sessions || n > tensors {
			t.Errorf("before the test there were %d sessions and %d tensors, after it %d and %d", sessions, tensors, s, n)
		}
		if err := goleak.Find(existing); err != nil {
			t.Error(err)
		}
	})
}
