package repository

import (
	"context"
	"errors"
	"fmt"
	"math"

	"neuralwl/inference"
	"neuralwl/models"
)

// ProposeInputs are a batch of M moves for propose.onnx, with the meaning of models.Model. What
// the network does not take is empty: State unless Handle.KeepsSites or the card's conditions
// say so, Shift and Energy without these conditions.
type ProposeInputs struct {
	State   []int32 // [M,N]
	Start   []int32 // [M]
	Shift   []float32
	Energy  []float32 // [M]
	Uniform []float32 // [M,U], as many as the card says
}

// LogProbInputs are a batch of M moves for log_prob.onnx.
type LogProbInputs struct {
	Condition     []int32 // [M,N], with the condition state
	State         []int32 // [M,N]
	Start         []int32 // [M]
	Shift, Energy []float32
}

// checkProposals collects what is wrong with inputs of Propose.
func (h *Handle) checkProposals(in ProposeInputs) *checker {
	c := h.ofColours(len(in.Start))
	c.starts(in.Start)
	c.states(models.State, in.State, h.e.keeps || h.e.card.TakesState())
	c.energies(models.Shift, in.Shift, h.e.card.TakesShift())
	c.energies(models.Energy, in.Energy, h.e.card.TakesEnergy())
	c.uniforms(in.Uniform, h.e.card.UniformsOf())
	return c
}

// CheckPropose returns the error of Propose for what is wrong with its inputs.
func (h *Handle) CheckPropose(in ProposeInputs) error { return h.checkProposals(in).err(h) }

// Propose draws M proposals [M,N], with their ln q [M]. A row of the results depends on that row
// of the inputs alone, bit by bit, whatever the other rows are and whatever else goes on.
func (h *Handle) Propose(ctx context.Context, in ProposeInputs) (proposal []int32, logQ []float32, err error) {
	c := h.checkProposals(in)
	m, n := len(in.Start), c.sites
	proposal, logQ = make([]int32, 0, m*n), make([]float32, 0, m)
	err = h.evaluate(ctx, c, func(p *inference.Proposer, from, to int) error {
		b := p.Batch()
		clear(b.State[:(to-from)*n]) // for the networks that take none
		copy(b.State, rowsOf(in.State, from, to, n))
		copy(b.Start, in.Start[from:to])
		copy(b.Shift, rowsOf(in.Shift, from, to, 1))
		copy(b.Target, rowsOf(in.Energy, from, to, 1))
		copy(b.Uniform, rowsOf(in.Uniform, from, to, h.e.card.UniformsOf()))
		if err := p.Propose(ctx); err != nil {
			return err
		}
		proposal = append(proposal, b.Proposal[:(to-from)*n]...)
		logQ = append(logQ, b.Forward[:to-from]...)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return proposal, logQ, nil
}

// checkConfigurations collects what is wrong with inputs of LogProb.
func (h *Handle) checkConfigurations(in LogProbInputs) *checker {
	c := h.ofColours(len(in.Start))
	c.starts(in.Start)
	c.states(models.Condition, in.Condition, h.e.card.TakesCondition())
	c.states(models.State, in.State, true)
	c.energies(models.Shift, in.Shift, h.e.card.TakesShift())
	c.energies(models.Energy, in.Energy, h.e.card.TakesEnergy())
	return c
}

// CheckLogProb returns the error of LogProb for what is wrong with its inputs.
func (h *Handle) CheckLogProb(in LogProbInputs) error { return h.checkConfigurations(in).err(h) }

// LogProb evaluates ln q [M] of M configurations. Rows do not depend on each other, as in Propose.
func (h *Handle) LogProb(ctx context.Context, in LogProbInputs) (logQ []float32, err error) {
	c := h.checkConfigurations(in)
	n := c.sites
	logQ = make([]float32, 0, len(in.Start))
	err = h.evaluate(ctx, c, func(p *inference.Proposer, from, to int) error {
		// A reverse move starts from the proposal and ends in the state.
		b := p.Batch()
		clear(b.Proposal[:(to-from)*n])
		copy(b.Proposal, rowsOf(in.Condition, from, to, n))
		copy(b.State, in.State[from*n:to*n])
		copy(b.Start, in.Start[from:to])
		copy(b.Back, rowsOf(in.Shift, from, to, 1))
		copy(b.Current, rowsOf(in.Energy, from, to, 1))
		if err := p.LogProb(ctx); err != nil {
			return err
		}
		logQ = append(logQ, b.Reverse[:to-from]...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return logQ, nil
}

// rowsOf returns a range of rows of an input, none of one that is not given.
func rowsOf[T any](all []T, from, to, width int) []T {
	if len(all) == 0 {
		return nil
	}
	return all[from*width : to*width]
}

// lanes is how many rows ONNX Runtime computes at once at least. The last bits of those that are
// left over differ, so that evaluations have a multiple of lanes.
const lanes = 4

// evaluate calls f for pieces of a batch that has been checked, with a proposer that has the
// handle's weights. Beyond the rows of a piece the proposer evaluates what was there before.
func (h *Handle) evaluate(ctx context.Context, c *checker, f func(p *inference.Proposer, from, to int) error) error {
	return h.admitted(ctx, c, func() error {
		p, err := h.e.sessions.proposer(h.e.store)
		if err != nil {
			return err
		}
		defer h.e.sessions.give(p)
		p.Pin()
		return c.pieces(func(from, to, used int) error {
			p.Batch().Used = used
			return f(p, from, to)
		})
	})
}

// admitted calls f for a batch that has been checked, when it is this call's turn.
func (h *Handle) admitted(ctx context.Context, c *checker, f func() error) (err error) {
	if err := c.err(h); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("network %v: %w", h.ref, err)
		}
	}()
	if err := h.enter(); err != nil {
		return err
	}
	defer func() {
		h.r.mutex.Lock()
		h.r.leave(h.e)
	}()
	select {
	case h.r.slots <- struct{}{}:
		defer func() { <-h.r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return f()
}

// pieces calls f for pieces of the rows, with the number of rows to be evaluated for each.
func (c *checker) pieces(f func(from, to, used int) error) error {
	for from := 0; from < c.rows; from += rows {
		to := min(from+rows, c.rows)
		if err := f(from, to, (to-from+lanes-1)/lanes*lanes); err != nil {
			return err
		}
	}
	return nil
}

// InputError is what is wrong with the inputs of a request.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// checker collects the faults of the inputs of a request.
type checker struct {
	rows, sites, colours int
	faults               []error
}

func (h *Handle) checker(rows int) *checker {
	s := h.e.card.System.System()
	return &checker{rows: rows, sites: s.Sites(), colours: s.Q}
}

// ofColours is checker for inputs with colours.
func (h *Handle) ofColours(rows int) *checker {
	c := h.checker(rows)
	if h.e.card.Angles() {
		c.fault("it draws angles, not colours")
	}
	return c
}

// err is what was found.
func (c *checker) err(h *Handle) error {
	if err := errors.Join(c.faults...); err != nil {
		return &InputError{fmt.Errorf("network %v: %w", h.ref, err)}
	}
	return nil
}

func (c *checker) fault(format string, a ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, a...))
}

// length reports whether an input has rows of that width, if it is taken.
func (c *checker) length(name string, have, width int, taken bool) bool {
	switch {
	case !taken && have > 0:
		c.fault("input %q: the network does not take it", name)
	case taken && have != c.rows*width:
		c.fault("input %q has %d elements, %d rows of %d are right", name, have, c.rows, width)
	default:
		return true
	}
	return false
}

func (c *checker) states(name string, x []int32, taken bool) {
	if !c.length(name, len(x), c.sites, taken) {
		return
	}
	for i, colour := range x {
		if colour < 0 || int(colour) >= c.colours {
			c.fault("input %q: row %d has the colour %d at site %d, allowed are 0..%d", name, i/c.sites, colour, i%c.sites, c.colours-1)
			return
		}
	}
}

func (c *checker) starts(x []int32) {
	for i, start := range x {
		if start < 0 || int(start) > c.sites {
			c.fault("input %q: row %d is %d, allowed are 0..%d", models.Start, i, start, c.sites)
			return
		}
	}
}

func (c *checker) energies(name string, x []float32, taken bool) {
	if !c.length(name, len(x), 1, taken) {
		return
	}
	for i, e := range x {
		if math.IsNaN(float64(e)) || math.IsInf(float64(e), 0) {
			c.fault("input %q: row %d is %v, which is no energy", name, i, e)
			return
		}
	}
}

func (c *checker) uniforms(x []float32, width int) {
	if !c.length(models.Uniform, len(x), width, true) {
		return
	}
	for i, u := range x {
		if !(u >= 0 && u < 1) {
			c.fault("input %q: row %d has %v in column %d, allowed is [0,1)", models.Uniform, i/width, u, i%width)
			return
		}
	}
}
