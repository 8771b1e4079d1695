package live

import (
	"math"

	"neuralwl/internal/report"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
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
func (t *Transition) region(energy float64) int {
	switch {
	case energy < t.Low:
		return 0
	case energy <= t.High:
		return 1
	}
	return 2
}

// ByRegion sums counts of proposals by region.
func (t *Transition) byRegion(s lattice.System, c *sampler.ProposalCounts) (bins [len(Regions)]Bin) {
	bins[0].Low, bins[0].High = s.Energy(s.GroundLevel()), t.Low
	bins[1].Low, bins[1].High = t.Low, t.High
	bins[2].Low, bins[2].High = t.High, s.Energy(0)
	for level, trials := range c.Trials {
		b := &bins[t.region(s.Energy(level))]
		b.Trials += trials
		b.Accepted += c.Accepted[level]
		b.Changed += c.Changed[level]
	}
	return bins
}

// findTransition looks for the transition in the present density of states, nil where it shows
// none: too little of it is known. It looks near the last one first.
func findTransition(s lattice.System, d *dos.Density, last *Transition) *Transition {
	states := math.Round(math.Exp(s.LnGroundStates()))
	twoPeaks := func(near float64) *Transition {
		if !(states > 1) {
			return nil
		}
		c, err := d.Coexistence(near, report.Resolution(s), states)
		if err != nil {
			return nil
		}
		return &Transition{Beta: c.EqualHeight, Low: c.Ordered, High: c.Disordered, TwoPeaks: true, LnBarrier: c.Barrier}
	}
	if d.Len() < 2 {
		return nil
	}
	if last != nil && last.TwoPeaks {
		if t := twoPeaks(last.Beta); t != nil {
			return t
		}
	}
	heat, err := d.HeatMaximum(report.SearchedBetas(s))
	if err != nil {
		return nil
	}
	if t := twoPeaks(heat.Beta); t != nil {
		return t
	}
	c := d.At(heat.Beta)
	deviation := math.Sqrt(c.SpecificHeat) / heat.Beta
	return &Transition{Beta: heat.Beta, Low: c.Energy - deviation, High: c.Energy + deviation}
}
