package live

import (
	"neuralwl/internal/transition"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Region is a part of the energies, divided at the peaks of P(E) at the transition.
type Region string

// The regions, by ascending energy.
const (
	Ordered     Region = "ordered"
	Coexistence Region = "coexistence"
	Disordered  Region = "disordered"
)

// Regions are all of them.
var Regions = [...]Region{Ordered, Coexistence, Disordered}

// region is the index of an energy's region.
func region(t *transition.Transition, energy float64) int {
	switch {
	case energy < t.Low:
		return 0
	case energy <= t.High:
		return 1
	}
	return 2
}

// byRegion sums counts of proposals by region.
func byRegion(t *transition.Transition, s lattice.System, c *sampler.ProposalCounts) (bins [len(Regions)]Bin) {
	bins[0].Low, bins[0].High = s.Energy(s.GroundLevel()), t.Low
	bins[1].Low, bins[1].High = t.Low, t.High
	bins[2].Low, bins[2].High = t.High, s.Energy(0)
	for level, trials := range c.Trials {
		b := &bins[region(t, s.Energy(level))]
		b.Trials += trials
		b.Accepted += c.Accepted[level]
		b.Changed += c.Changed[level]
	}
	return bins
}
