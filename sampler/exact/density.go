package exact

import (
	"context"
	"math"
	"slices"
	"time"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Density returns the counts as a density of states, energies in ascending order.
func (c *Counts) Density() *dos.Density {
	d := &dos.Density{LnG: c.LnG()}
	for _, e := range c.Energies {
		d.Energy = append(d.Energy, float64(e))
	}
	slices.Reverse(d.Energy)
	slices.Reverse(d.LnG)
	return d
}

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
		counts, err := Compute(ctx, s.Q(), lx, ly, Options{})
		if err != nil {
			return nil, err
		}
		return counts.Density(), nil
	case *lattice.Terms:
		if !Enumerable(s) {
			return nil, nil
		}
		counts, err := Enumerate(ctx, s)
		if err != nil {
			return nil, err
		}
		d := &dos.Density{}
		for level, n := range slices.Backward(counts) {
			if n > 0 {
				d.Energy = append(d.Energy, s.Energy(level))
				d.LnG = append(d.LnG, math.Log(float64(n)))
			}
		}
		return d, nil
	}
	return nil, nil
}
