package setup

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/honest"
	"neuralwl/models/pretrained"
	"neuralwl/sampler/lattice"
)

// Tested is a network whose draws were put to the test, and what it is made for.
type Tested struct {
	System  *lattice.Potts
	Bundle  *exporter.Bundle
	Runtime inference.Runtime
	Part    int // configurations per call
}

// PretrainedIfNone makes the pretrained network for q colours the bundle where none is named: that of
// just these or, without one, that of many numbers of colours.
func PretrainedIfNone(bundle string, q int) string {
	if bundle != "" {
		return bundle
	}
	name := fmt.Sprintf("potts-q%d", q)
	if !slices.Contains(pretrained.Names(), name) {
		name = pretrained.AnyColours
	}
	return pretrained.Prefix + name
}

// Test opens the bundle of a configuration of the Potts model and tests its draws.
func Test(ctx context.Context, c *config.Config, workers int, log *slog.Logger) (t *Tested, err error) {
	t = &Tested{Part: c.Inference.Batch}
	if t.System, err = lattice.NewPotts(c.System.Q, c.System.Size[0], c.System.Size[1]); err != nil {
		return nil, err
	}
	if t.Runtime, err = Runtime(c, workers, log); err != nil {
		return nil, err
	}
	if t.Bundle, err = Bundle(c, log); err != nil {
		return nil, err
	}
	r, err := honest.Check(ctx, t.Bundle, honest.Options{System: t.System, Runtime: t.Runtime, Part: t.Part, Seed: c.Run.Seed})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model.Bundle, err)
	}
	r.Log(log, c.Model.Bundle)
	return t, nil
}
