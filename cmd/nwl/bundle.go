package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/honest"
	"neuralwl/internal/setup"
	"neuralwl/models/pretrained"
	"neuralwl/sampler/lattice"
)

// opened is a network and what it is made for, for commands that use one without a run.
type opened struct {
	system  *lattice.Potts
	bundle  *exporter.Bundle
	runtime inference.Runtime
	part    int // configurations per call
}

// openBundle opens a bundle, by default the pretrained one, for q colours and a size as in
// 16x16, and tests its draws.
func openBundle(ctx context.Context, bundle string, q int, size string, workers int) (*opened, error) {
	if bundle == "" {
		bundle = fmt.Sprintf("%spotts-q%d", pretrained.Prefix, q)
	}
	c, err := config.Load("", []string{fmt.Sprintf("system.q=%d", q), "system.size=" + size, "model.bundle=" + bundle})
	if err != nil {
		return nil, usageError{err}
	}
	logTo(c.Log.SlogLevel())
	s := &opened{part: c.Inference.Batch}
	if s.system, err = lattice.NewPotts(q, c.System.Size[0], c.System.Size[1]); err != nil {
		return nil, err
	}
	if s.runtime, err = setup.Runtime(c, workers, slog.Default()); err != nil {
		return nil, err
	}
	if s.bundle, err = setup.Bundle(c, slog.Default()); err != nil {
		return nil, err
	}
	r, err := honest.Check(ctx, s.bundle, honest.Options{System: s.system, Runtime: s.runtime, Part: s.part, Seed: c.Run.Seed})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bundle, err)
	}
	r.Log(slog.Default(), bundle)
	return s, nil
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
