package report

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// EstimatorSummary compares the estimate from transitions with that from histograms,
// both from the same production phase.
type EstimatorSummary struct {
	Levels int `json:"levels"`
	// GroundState is ln g(E_min), nil where that level is absent, before it was given its known
	// value.
	GroundState *dos.Estimate `json:"ground_state_ln_g,omitempty"`
	// Pinned is the number of levels with a known value, and Pull by how many errors, at
	// most, ln g was off there before it was given that; nil if unknown. See exact.Pins.
	Pinned int      `json:"pinned"`
	Pull   *float64 `json:"pull,omitempty"`
	// Gain is the median of the errors without known values in units of those with them, 1
	// where none is known.
	Gain float64 `json:"gain"`
	// Exact is the difference from the exact density of states.
	Exact *dos.Difference `json:"exact,omitempty"`
	// ErrorRatio is the median of its errors in units of the histogram's, without known values
	// in either.
	ErrorRatio float64 `json:"error_ratio"`
	// Discrepancy is the root of the mean square of the differences between both, each
	// in units of the two errors together; about 1 or, as both come from the same
	// walkers, less.
	Discrepancy float64 `json:"discrepancy"`
}

// maxDiscrepancy is the largest discrepancy between the estimators, or between windows, that
// may be chance: neighbouring levels deviate together.
const maxDiscrepancy = 2

// byTransitions makes the estimate from transitions, nil where there is none.
func (r *Result) byTransitions() *dos.Pinned {
	counts, changes := r.Samples.Transitions(), lattice.Changes(r.System)
	if counts == nil {
		if r.Config.Run.Has(config.LocalMoves) {
			r.Log.Warn("no estimate from transitions between levels: there are too many levels and changes of them", "levels", r.System.Levels(), "changes", len(changes))
		}
		return nil
	}
	e, err := dos.FromPinnedTransitions(r.energy, changes, counts, r.System.LnStates(), exact.Pins(r.System), r.Samples.Bridge())
	if err != nil {
		r.Log.Warn("no estimate from transitions between levels", "reason", err)
		return nil
	}
	return e
}

// autocorrelationTime is the integrated autocorrelation time of the energy in production,
// in passes, the longest of all windows; nil where it cannot be determined.
func (r *Result) autocorrelationTime() *dos.Estimate {
	var longest *dos.Estimate
	s := r.Samples
	for _, w := range s.Windows {
		perBlock := r.walkersPasses() / float64(len(w.Blocks))
		for _, values := range r.autocorrelationLevels() {
			tau, deviation, err := dos.AutocorrelationTime(values, w.Blocks, perBlock)
			if err == nil && (longest == nil || tau > longest.Value) {
				estimate := dos.NewEstimate(tau, deviation)
				longest = &estimate
			}
		}
	}
	return longest
}

// walkersPasses is the number of passes of all walkers of a window together.
func (r *Result) walkersPasses() float64 {
	return float64(r.Samples.Passes()) * float64(r.Config.Run.Walkers) / float64(len(r.Samples.Windows))
}

// blockPasses is the number of passes of a walker in an error block: all of production, or
// a segment of it where there are few walkers.
func (r *Result) blockPasses() float64 {
	return min(float64(r.Samples.Passes()), r.walkersPasses()/float64(len(r.Samples.Windows[0].Blocks)))
}

// compareEstimators sums up the estimate from transitions beside that from histograms.
func (r *Result) compareEstimators() (*EstimatorSummary, error) {
	if r.transitions == nil {
		return nil, nil
	}
	t, h := r.transitions.Free, r.histogram
	s := &EstimatorSummary{Levels: t.Len(), Gain: 1}
	for _, z := range r.transitions.Deviations {
		if !math.IsNaN(z) {
			s.Pinned++
			if z = math.Abs(z); s.Pull == nil || z > *s.Pull {
				s.Pull = &z
			}
		}
	}
	if s.Pinned > 0 {
		_, s.Gain = difference(t.Density, r.cells.Density)
	}
	if r.joint == nil && t.Energy[0] == r.System.Energy(r.System.GroundLevel()) {
		ground := dos.NewEstimate(t.LnG[0], t.Error[0])
		s.GroundState = &ground
	}
	switch {
	case r.exactJoint != nil:
		d, err := dos.CompareJoint(r.jointOf(t), r.exactJoint)
		if err != nil {
			return nil, err
		}
		s.Exact = &d
	case r.exact != nil:
		d, err := dos.Compare(t.Density, r.exact)
		if err != nil {
			return nil, err
		}
		s.Exact = &d
	}
	s.Discrepancy, s.ErrorRatio = difference(t.Density, h.Density)
	return s, nil
}

// difference compares two estimates at the levels where both have errors: the root of the
// mean square of their differences in units of both errors together, and the median of
// the first one's errors in units of the second's.
func difference(a, b *dos.Density) (discrepancy, errorRatio float64) {
	place := map[float64]int{}
	for i, e := range b.Energy {
		place[e] = i
	}
	square := 0.0
	var ratios []float64
	for i, e := range a.Energy {
		k, ok := place[e]
		if !ok || math.IsNaN(a.Error[i]) || math.IsNaN(b.Error[k]) || b.Error[k] == 0 {
			continue
		}
		z := (a.LnG[i] - b.LnG[k]) / math.Hypot(a.Error[i], b.Error[k])
		square += z * z
		ratios = append(ratios, a.Error[i]/b.Error[k])
	}
	if len(ratios) == 0 {
		return 0, 0
	}
	slices.Sort(ratios)
	return math.Sqrt(square / float64(len(ratios))), ratios[len(ratios)/2]
}

func (s *EstimatorSummary) String() string {
	text := fmt.Sprintf("errors %.2f of the histogram's, discrepancy %.2f", s.ErrorRatio, s.Discrepancy)
	if s.Pull != nil {
		known := "the known ground state"
		if s.Pinned > 1 {
			known = fmt.Sprintf("the %d lowest levels, which are known", s.Pinned)
		}
		text += fmt.Sprintf(", %.2f once it has %s (%.1f errors away before)", s.ErrorRatio/s.Gain, known, *s.Pull)
	}
	if s.GroundState != nil {
		text += fmt.Sprintf(", ground state ln g = %s", s.GroundState)
	}
	if s.Exact != nil {
		text += fmt.Sprintf(", rms difference from exact %.4f", s.Exact.RMS)
	}
	return text
}
