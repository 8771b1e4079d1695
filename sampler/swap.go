package sampler

import (
	"context"
	"errors"
	"fmt"
)

// SetProposer lets another network, or the same one with other parameters, propose from the next
// pass on, with its own Options.Partial and Shift. Nothing stays that the former one has computed:
// aims hold ln q of the present configurations and are drawn anew, targets reach as far as
// the new tolerance, and in production, which is then the new network's alone, all counts begin
// anew as by Produce. The weights and the walkers stay as they are.
//
// Under constant weights each network leaves the distribution of the walkers as it is, and so do
// networks that take turns, as long as the walkers do not decide when. TestSwapBalance in
// package inference enumerates it.
func (e *Engine) SetProposer(p Proposer, partial float64, shift int) error {
	o := e.o
	o.Proposer, o.Partial, o.Shift = p, partial, shift
	return e.setMove(o, o.checkProposer())
}

// SetAngles is SetProposer for a system of angles.
func (e *Engine) SetAngles(p AngleProposer) error {
	o := e.o
	o.Angles = p
	return e.setMove(o, o.checkAngles())
}

// setMove takes the proposals of options into use unless these have faults.
func (e *Engine) setMove(o Options, faults []error) error {
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("another network: %w", err)
	}
	e.o = o
	e.neural, e.tally = e.newProposalMove(), newProposalCounts(o.System.Levels())
	for i := range e.walkers {
		e.walkers[i].aim.forget()
	}
	if e.samples != nil {
		for _, w := range e.windows {
			w.spreadHistogram(e.margin())
		}
		e.Produce()
	}
	return nil
}

// SetProposer lets another network draw from the next pass on, and learn by a function or, if that
// is nil, not at all. The schedule and ln g stay, for a
// batch's weights are normalised by themselves; in production the draws begin anew as by Produce.
func (v *VAN) SetProposer(p Proposer, learn func(context.Context, Drawn) error) error {
	o := v.o
	o.Proposer, o.Learn = p, learn
	if err := checkDrawing(o.System, p, o.Draws); err != nil {
		return fmt.Errorf("another network: %w", err)
	}
	v.o, v.proposer, v.failed = o, p, false
	if v.blocks != nil {
		v.Produce()
	}
	return nil
}
