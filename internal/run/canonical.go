package run

import (
	"errors"
	"fmt"
	"math"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
)

// canonicalPoints is the number of inverse temperatures to which a canonical run is
// reweighted.
const canonicalPoints = 41

// minIndependent is the length of a canonical production, in autocorrelation times, from
// which on its errors mean what they say: below, walkers that sit in different phases
// for good cannot be told from independent ones.
const minIndependent = 20

// isCanonical tells whether the run samples at one temperature.
func (j *job) isCanonical() bool { return j.c.Run.Method == config.CanonicalMethod }

// evaluateCanonical makes what a run at one temperature can tell: ln g up to a constant at
// the energies that it visited, normalised to a sum of 1, and averages at temperatures
// nearby. Free energy and entropy it does not know.
func (j *job) evaluateCanonical() (*result, error) {
	s := j.engine.Samples()
	if j.at.Stage != producing || s.Passes() == 0 {
		return nil, errors.New("the run ended before production; give it more time (run.max_time)")
	}
	energy := j.energies()
	r := &result{}
	var err error
	if r.density, _, err = j.stitch(s, energy); err != nil {
		return nil, err
	}
	r.density.Normalise(0)
	r.autocorrelation = j.autocorrelation(s, energy)
	betas := []float64{j.c.Run.Beta}
	if low, high := r.density.Support(); low < j.c.Run.Beta && j.c.Run.Beta < high {
		low, high = max(low, j.c.Run.Beta/gridReach), min(high, j.c.Run.Beta*gridReach)
		betas = betas[:0]
		for i := range canonicalPoints {
			// The run's own temperature is the middle one.
			u := 2*float64(i)/(canonicalPoints-1) - 1
			betas = append(betas, j.c.Run.Beta+max(u, 0)*(high-j.c.Run.Beta)+min(u, 0)*(j.c.Run.Beta-low))
		}
	}
	r.canonical = r.density.Canonical(betas)
	for i := range r.canonical {
		c := &r.canonical[i]
		c.LnZ, c.Entropy, c.FreeEnergyError, c.EntropyError = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	j.measurements(r, s, energy)
	return r, nil
}

// energies of the levels.
func (j *job) energies() []float64 {
	energy := make([]float64, j.system.Levels())
	for b := range energy {
		energy[b] = float64(j.system.Energy(b))
	}
	return energy
}

// CanonicalSummary are the averages at the temperature of a canonical run.
type CanonicalSummary struct {
	Beta         float64      `json:"beta"`
	Energy       dos.Estimate `json:"energy"`        // per site
	SpecificHeat dos.Estimate `json:"specific_heat"` // per site
	// Order is absent where levels that matter were not measured.
	Order *OrderSummary `json:"order,omitempty"`
}

func (j *job) summariseCanonical(r *result) *CanonicalSummary {
	n := float64(j.system.Sites())
	for _, c := range r.canonical {
		if c.Beta == j.c.Run.Beta {
			return &CanonicalSummary{c.Beta, dos.NewEstimate(c.Energy/n, c.EnergyError/n), dos.NewEstimate(c.SpecificHeat/n, c.SpecificHeatError/n), r.summariseOrder(c.Beta)}
		}
	}
	return nil
}

// judgeCanonical collects the evidence that a canonical run is in equilibrium.
func (j *job) judgeCanonical(r *result) (v Verdict) {
	check := func(name string, passed bool, detail string) {
		v.Checks = append(v.Checks, Check{name, passed, detail})
	}
	if j.interrupted != nil {
		check("completed", false, j.interrupted.Error())
	}
	passes := float64(j.engine.Samples().Passes())
	if tau := r.autocorrelation; tau == nil {
		check("autocorrelation", false, "its time cannot be told")
	} else {
		check("autocorrelation", passes >= minIndependent*tau.Value,
			fmt.Sprintf("%.0f passes are %.0f times the autocorrelation time of the energy, at least %d are needed", passes, passes/tau.Value, minIndependent))
	}
	v.conclude()
	return v
}
