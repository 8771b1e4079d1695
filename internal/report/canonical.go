package report

import (
	"context"
	"errors"
	"math"

	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
)

// canonicalPoints is the number of inverse temperatures to which a canonical run is
// reweighted.
const canonicalPoints = 41

// leastReach is how far, in units of 1/J, a canonical run is at least reweighted, if its data
// support it: around infinite temperature a factor reaches nowhere.
const leastReach = 0.02

// minIndependent is the least length of a canonical production, in autocorrelation times,
// at which its errors can be trusted. In a shorter one, walkers stuck in different phases look
// like independent ones; and all of them begin at infinite temperature, which a burn-in of a
// twentieth of production must make them forget. docs/convergence.md has measurements.
const minIndependent = 50

// estimateCanonical makes ln g up to a constant at the energies that a run at one temperature
// visited, normalised to a sum of 1.
func estimateCanonical(r *Result) (err error) {
	if r.Samples == nil {
		return errors.New("the run ended before production; give it more time (run.max_time)")
	}
	if r.density, _, err = r.stitch(); err != nil {
		return err
	}
	r.density.Normalise(0)
	r.autocorrelation = r.autocorrelationTime()
	return r.setBins()
}

// completeCanonical makes averages at the run's temperature and at those nearby. Free energy
// and entropy remain unknown.
func completeCanonical(_ context.Context, r *Result) (err error) {
	beta := r.Config.Run.Beta
	betas := []float64{beta}
	if low, high := Support(r.System, r.density.Density); low < beta && beta < high {
		reach := max((transition.Reach-1)*math.Abs(beta), leastReach)
		low, high = max(low, beta-reach), min(high, beta+reach)
		betas = betas[:0]
		for i := range canonicalPoints {
			// The run's own temperature is the middle one.
			u := 2*float64(i)/(canonicalPoints-1) - 1
			betas = append(betas, beta+max(u, 0)*(high-beta)+min(u, 0)*(beta-low))
		}
	}
	r.density.Deadline = r.Deadline
	if r.canonical, err = r.density.Canonical(betas); err != nil && !r.leaveOut("averages over temperature", err) {
		return err
	}
	for i := range r.canonical {
		c := &r.canonical[i]
		c.LnZ, c.Entropy, c.FreeEnergyError, c.EntropyError = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	r.measureOrder()
	return nil
}

// CanonicalSummary is the averages at the temperature of a canonical run.
type CanonicalSummary struct {
	Beta         float64      `json:"beta"`
	Energy       dos.Estimate `json:"energy"`        // per site
	SpecificHeat dos.Estimate `json:"specific_heat"` // per site
	// Order is absent where levels that matter were not measured.
	Order *OrderSummary `json:"order,omitempty"`
}

func (r *Result) summariseCanonical() *CanonicalSummary {
	n := float64(r.System.Sites())
	for _, c := range r.canonical {
		if c.Beta == r.Config.Run.Beta {
			return &CanonicalSummary{c.Beta, dos.NewEstimate(c.Energy/n, c.EnergyError/n), dos.NewEstimate(c.SpecificHeat/n, c.SpecificHeatError/n), r.summariseOrder(c.Beta)}
		}
	}
	return nil
}

// concludeCanonical collects the evidence that a canonical run is in equilibrium.
func concludeCanonical(r *Result, s *Summary) {
	s.Levels = LevelSummary{Seen: r.density.Len(), Missing: []float64{}, Unproduced: []float64{}}
	s.Canonical = r.summariseCanonical()
	r.judgeForgetting(s, minIndependent)
}
