package run

import (
	"context"
	"errors"
	"slices"
	"time"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

// exactTime is how long computing the exact density of states may take for it to be
// done at the end of every run.
const exactTime = 5 * time.Second

// result is what a run found out.
type result struct {
	density *dos.Ensemble
	// transitions is the second estimate, nil where there is none, and estimators what
	// a comparison of both says.
	transitions *dos.Ensemble
	estimators  *EstimatorSummary
	windows     []WindowSummary
	// proposals counts those of the network by level, and absolute is what their inverse
	// probabilities say; nil without.
	proposals *sampler.ProposalCounts
	absolute  *dos.Absolute
	// autocorrelation is the integrated autocorrelation time of the energy in production,
	// in passes, the longest of all windows; nil where it cannot be told.
	autocorrelation *dos.Estimate
	// canonical averages follow from it, at the inverse temperatures of betaGrid.
	canonical []dos.CanonicalEstimate
	// means are those of the order parameter at each energy, and order what follows from
	// them at the same inverse temperatures; nil without production.
	means      *dos.Means
	order      []dos.OrderEstimate
	transition *TransitionSummary
	// unproduced are energies that production did not visit; their ln g is from
	// the Wang-Landau phase and has no error bar.
	unproduced []float64
	exact      *dos.Density    // nil where it would take too long
	difference *dos.Difference // from exact
	known      int             // levels that have states, as far as is known, 0 where it is not
	missing    []float64       // energies of those that were never seen
}

// evaluate makes the density of states from what the engine counted.
func (j *job) evaluate(ctx context.Context) (*result, error) {
	if j.isCanonical() {
		return j.evaluateCanonical()
	}
	p, energy := j.system, j.energies()
	adaptive := &dos.Density{}
	for b, seen := range slices.Backward(j.process.Seen()) {
		if seen {
			adaptive.Energy = append(adaptive.Energy, energy[b])
			adaptive.LnG = append(adaptive.LnG, j.process.LnG()[b])
		}
	}
	r := &result{density: &dos.Ensemble{Density: &dos.Density{}}}
	var s *sampler.Samples
	switch produced := j.at.Stage == producing && j.at.Pass > 0; {
	case produced && j.isGlobal():
		if err := j.evaluateDraws(r, adaptive, energy); err != nil {
			return nil, err
		}
	case produced:
		s = j.engine.Samples()
		d, windows, err := j.stitch(s, energy)
		if err != nil {
			return nil, err
		}
		r.density, r.windows, r.transitions = d, windows, j.byTransitions(s, energy)
		r.autocorrelation = j.autocorrelation(s, energy)
		r.proposals, r.absolute = s.Proposals(), j.byWeights(s, energy)
		r.unproduced = r.density.Fill(adaptive)
	default:
		r.unproduced = r.density.Fill(adaptive)
	}
	if r.density.Len() == 0 {
		return nil, errors.New("the run ended before any level was visited; give it more time (run.max_time)")
	}
	if !j.isGlobal() || r.absolute == nil {
		r.density.Normalise(p.LnStates())
	}
	r.canonical = r.density.Canonical(betaGrid(j.centre(r.density.Density)))
	r.transition = j.transition(r.density)
	if s != nil {
		j.measurements(r, s, energy)
		r.transition.Order = r.summariseOrder(r.transition.Infinite)
	}

	known := map[float64]bool{}
	if r.exact = j.computeExact(ctx); r.exact != nil {
		difference, err := dos.Compare(r.density.Density, r.exact)
		if err != nil {
			return nil, err
		}
		r.difference = &difference
		for _, e := range r.exact.Energy {
			known[e] = true
		}
	} else if p.LevelsKnown() {
		for b := range p.Levels() {
			if p.Possible(b) {
				known[energy[b]] = true
			}
		}
	}
	r.known = len(known)
	for e := range known {
		if !slices.Contains(r.density.Energy, e) {
			r.missing = append(r.missing, e)
		}
	}
	slices.Sort(r.missing)
	var err error
	r.estimators, err = j.compareEstimators(r)
	return r, err
}

// computeExact returns the exact density of states, nil where it would take longer
// than exactTime.
func (j *job) computeExact(ctx context.Context) *dos.Density {
	d, err := exact.Density(ctx, j.system, exactTime)
	if err != nil {
		j.log.Warn("no comparison with the exact density of states", "reason", err)
		return nil
	}
	return d
}
