package report

import (
	"context"
	"errors"
	"slices"
	"time"

	"neuralwl/internal/transition"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// exactTime is how long computing the exact density of states may take, by prediction, for
// it to be done at the end of every run.
const exactTime = 5 * time.Second

// Result is what a run found out.
type Result struct {
	*Input
	energy []float64 // of the levels
	stamp  string    // on all plots, of a run that has not converged

	// density is the estimate of the run. For walkers it joins all that they say where they count
	// transitions: these, what is known at both ends, and the network's draws.
	density *dos.Ensemble
	// cells is the same by level: the density itself or, where levels are pairs, that of their numbers (see
	// lattice.Energies), as histogram and transitions are. joint is then that of the pairs, and density its
	// sum over the second variable; else nil.
	cells *dos.Ensemble
	joint *dos.Joint
	// histogram is the estimate from the walkers' visits alone, and transitions the joint one
	// with its parts, nil where there is none; estimators is what a comparison of both says.
	histogram   *dos.Ensemble
	transitions *dos.Pinned
	estimators  *EstimatorSummary
	windows     []WindowSummary
	// proposals counts those of the network by level, and absolute is what their inverse
	// probabilities say; nil without.
	proposals *sampler.ProposalCounts
	absolute  *dos.Absolute
	// temperatures are those of a network's draws, in the order of the run; nil without.
	temperatures []temperature
	// autocorrelation is the integrated autocorrelation time of the energy in production,
	// in passes, the longest of all windows; nil where it cannot be told.
	autocorrelation *dos.Estimate
	// canonical averages follow from density, at the inverse temperatures of transition.Grid.
	canonical []dos.CanonicalEstimate
	// means are those of the order parameter at each energy, and order what follows from
	// them at the same inverse temperatures; nil without production.
	means      *dos.Means
	order      []dos.OrderEstimate
	helicity   [][2]float64 // modulus with its error, as order; nil for systems without one
	transition *TransitionSummary
	// unproduced are energies that production did not visit; their ln g is from
	// the Wang-Landau phase and has no error bar.
	unproduced []float64
	exact      *dos.Density    // nil where it would take too long
	exactJoint *dos.Joint      // that of pairs
	difference *dos.Difference // from exact
	known      int             // number of levels known to have states, 0 where that is not known
	missing    []float64       // their energies that were never seen
	// kept are pictures of an earlier page, by file, of what cannot be drawn again; nil of a run.
	kept map[string][]byte
	// leftOut are the results that there was no time for.
	leftOut []string
}

// errNothing is the error of a run without a result of any kind.
var errNothing = errors.New("the run ended before any level was visited; give it more time (run.max_time)")

// estimateWalkers makes the density of states from what walkers counted: jointly or, without
// transitions, from histograms.
func estimateWalkers(r *Result) error {
	r.histogram = &dos.Ensemble{Density: &dos.Density{}}
	if s := r.Samples; s != nil {
		var err error
		if r.histogram, r.windows, err = r.stitch(); err != nil {
			return err
		}
		r.transitions = r.byTransitions()
		r.autocorrelation = r.autocorrelationTime()
		r.proposals, r.absolute = s.Proposals(), r.byWeights()
	}
	r.unproduced = r.histogram.Fill(r.adaptive())
	if r.histogram.Len() == 0 {
		return errNothing
	}
	r.histogram.Normalise(r.System.LnStates())
	if r.density = r.histogram; r.transitions == nil {
		return r.setBins()
	}
	r.density = r.transitions.Clone()
	// Levels to which no transition leads take the ln g of the histogram, or of the adaptation,
	// without an error.
	if filled := r.density.Fill(r.histogram.Density); len(filled) > 0 {
		r.unproduced = filled
		r.density.Normalise(r.System.LnStates())
	}
	return r.setBins()
}

// setBins tells the estimates where energies are in levels that hold many.
func (r *Result) setBins() error {
	width := lattice.BinWidth(r.System)
	if width == 0 {
		return nil
	}
	var means *dos.Means
	if m := (dos.Measurements{Energy: r.energy}); r.Samples != nil {
		if m.Count, m.Sums = r.Samples.Inside(); m.Count == nil {
			r.Log.Warn("there are too many levels to measure where energies are in them; they are taken to be spread evenly")
		} else {
			m.Replicas = len(r.density.Replicas)
			if r.transitions != nil {
				m.Of = r.Samples.Groups()
			}
			var err error
			if means, err = m.Means(); err != nil {
				return err
			}
		}
	}
	r.density.SetBins(width, means)
	if r.transitions != nil {
		r.histogram.SetBins(width, means)
		r.transitions.SetBins(width, means)
		r.transitions.Free.SetBins(width, means)
	}
	return nil
}

// adaptive is ln g as the adaptation left it, without errors.
func (r *Result) adaptive() *dos.Density {
	d := &dos.Density{}
	for b, seen := range slices.Backward(r.Seen) {
		if seen {
			d.Energy = append(d.Energy, r.energy[b])
			d.LnG = append(d.LnG, r.LnG[b])
		}
	}
	return d
}

// complete makes what follows from the density of states, and compares it with what is
// known, the most important first.
func complete(ctx context.Context, r *Result) (err error) {
	r.density.Deadline = r.Deadline
	r.canonical, err = r.density.Canonical(transition.Grid(r.centre()))
	if err != nil && !r.leaveOut("averages over temperature", err) {
		return err
	}
	r.transition = r.findTransition()
	if r.Samples != nil {
		r.measureOrder()
		r.transition.Order = r.summariseOrder(r.transition.Infinite)
	}
	return r.compare(ctx)
}

// compare compares the density of states with what is known, and the estimates with each
// other.
func (r *Result) compare(ctx context.Context) (err error) {
	if err := r.compareExact(ctx); err != nil {
		return err
	}
	r.estimators, err = r.compareEstimators()
	return err
}

// compareExact compares the density of states with the exact one, where that takes
// seconds, and finds the levels that are missing.
func (r *Result) compareExact(ctx context.Context) (err error) {
	if r.joint != nil {
		return r.compareExactJoint(ctx)
	}
	known := map[float64]bool{}
	if r.exact == nil {
		r.exact, err = exact.Density(ctx, r.System, exactTime)
	}
	if err != nil && !r.leaveOut("comparison with the exact density of states", err) {
		r.Log.Warn("no comparison with the exact density of states", "reason", err)
	}
	if r.exact != nil {
		difference, err := dos.Compare(r.density.Density, r.exact)
		if err != nil {
			return err
		}
		r.difference = &difference
		for _, e := range r.exact.Energy {
			known[e] = true
		}
	} else if r.System.LevelsKnown() {
		for b := range r.System.Levels() {
			if r.System.Possible(b) {
				known[r.energy[b]] = true
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
	return nil
}
