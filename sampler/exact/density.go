package exact

import (
	"context"
	"time"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Density returns the exact density of states of a system, nil where no method here
// computes it within the predicted time on one core.
func Density(ctx context.Context, system lattice.System, within time.Duration) (*dos.Density, error) {
	switch s := system.(type) {
	case *lattice.Potts:
		lx, ly := s.Size()
		plan, err := Plan(s.Q(), lx, ly)
		if err != nil || plan.Seconds > within.Seconds() {
			return nil, nil
		}
	case *lattice.Terms:
		if !Enumerable(s) {
			return nil, nil
		}
	default:
		return nil, nil
	}
	spectrum, err := Of(ctx, system, Options{})
	if err != nil {
		return nil, err
	}
	return spectrum.Density(), nil
}
