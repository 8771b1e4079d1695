package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/setup"
)

// openBundle opens a bundle, by default the pretrained one, for q colours and a size as in
// 16x16, and tests its draws.
func openBundle(ctx context.Context, bundle string, q int, size string, workers int) (*setup.Tested, error) {
	c, err := config.Load("", []string{fmt.Sprintf("system.q=%d", q), "system.size=" + size, "model.bundle=" + setup.PretrainedIfNone(bundle, q)})
	if err != nil {
		return nil, usageError{err}
	}
	logTo(c.Log.SlogLevel())
	return setup.Test(ctx, c, workers, slog.Default())
}

// logProgress returns a callback that logs how much is done every so often.
func logProgress() func(activity string, done float64) {
	last := time.Now()
	return func(activity string, done float64) {
		if time.Since(last) > logInterval {
			last = time.Now()
			slog.Info("progress", "activity", activity, "done", fmt.Sprintf("%.0f%%", 100*done))
		}
	}
}
