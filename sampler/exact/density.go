package exact

import (
	"context"
	"time"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// comparisonBytes is the memory that Density may take for a system made of terms.
const comparisonBytes = 256 << 20

// Density returns the exact density of states of a system, nil where no method here
// computes it within the predicted time on one core. That of pairs is summed over the second variable.
func Density(ctx context.Context, system lattice.System, within time.Duration) (*dos.Density, error) {
	if xy, ok := system.(*lattice.XY); ok {
		d, err := Ring(xy)
		if err != nil {
			return nil, nil
		}
		return d, nil
	}
	s, err := spectrum(ctx, system, within)
	if s == nil {
		return nil, err
	}
	return s.Density(), nil
}

// Joint is Density for a system whose levels are pairs, nil also for others.
func Joint(ctx context.Context, system lattice.System, within time.Duration) (*dos.Joint, error) {
	if lattice.JointOf(system) == nil {
		return nil, nil
	}
	s, err := spectrum(ctx, system, within)
	if s == nil {
		return nil, err
	}
	return s.Joint(), nil
}

func spectrum(ctx context.Context, system lattice.System, within time.Duration) (*Spectrum, error) {
	switch s := system.(type) {
	case *lattice.Potts:
		lx, ly := s.Size()
		plan, err := Plan(s.Q(), lx, ly)
		if err != nil || plan.Seconds > within.Seconds() {
			return nil, nil
		}
	case *lattice.Terms:
		if !planTerms(s, Auto).within(within.Seconds(), comparisonBytes) {
			return nil, nil
		}
	default:
		return nil, nil
	}
	return Of(ctx, system, Options{})
}
