package run

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestResultsBy keeps some of the time that a run has to end for writing its results, and is
// patient where nobody said how long it has.
func TestResultsBy(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stop := func(within time.Duration) error { return &Stop{Reason: "the worker stops", By: now.Add(within)} }
	for _, c := range []struct {
		why  error
		want time.Duration
	}{
		{stop(time.Minute), 55 * time.Second},
		{fmt.Errorf("because %w", stop(time.Minute)), 55 * time.Second},
		{stop(8 * time.Second), 6 * time.Second},
		{stop(0), 0},
		{stop(-time.Second), -time.Second},
		{errors.New("a signal"), patience},
		{&Stop{Reason: "no time is known"}, patience},
	} {
		if got := resultsBy(c.why, now).Sub(now); got != c.want {
			t.Errorf("%v: %v, want %v", c.why, got, c.want)
		}
	}
}
