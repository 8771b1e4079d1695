package repository

import (
	"context"
	"math"

	"neuralwl/inference"
	"neuralwl/models"
)

// AngleInputs are a batch of M rows for a network of angles. What it does not take is empty: State of
// proposals without the condition half, Beta without that of the same name, Uniform of LogProbAngles.
type AngleInputs struct {
	State   []float32 // [M,N]
	Beta    []float32 // [M]
	Uniform []float32 // [M,N]
}

// checkAngles collects what is wrong with inputs, of proposals or of configurations.
func (h *Handle) checkAngles(in AngleInputs, proposals bool) *checker {
	n := h.e.card.System.System().Sites()
	rows := len(in.State) / n
	if proposals {
		rows = len(in.Uniform) / n
	}
	c := h.checker(rows)
	if !h.e.card.Angles() {
		c.fault("it draws colours, not angles")
		return c
	}
	c.angles(in.State, !proposals || h.e.card.TakesHalf())
	c.betas(in.Beta, h.e.card.TakesBeta())
	if proposals {
		c.uniforms(in.Uniform, n)
	}
	return c
}

// CheckProposeAngles returns the error of ProposeAngles for what is wrong with its inputs, CheckLogProbAngles
// that of LogProbAngles.
func (h *Handle) CheckProposeAngles(in AngleInputs) error { return h.checkAngles(in, true).err(h) }

// CheckLogProbAngles: see CheckProposeAngles.
func (h *Handle) CheckLogProbAngles(in AngleInputs) error { return h.checkAngles(in, false).err(h) }

// ProposeAngles draws M proposals [M,N], with ln q [M] of these very angles as LogProbAngles has it. A row of the
// results depends on that row of the inputs alone.
func (h *Handle) ProposeAngles(ctx context.Context, in AngleInputs) (proposal, logQ []float32, err error) {
	c := h.checkAngles(in, true)
	err = h.evaluateAngles(ctx, c, in, func(a *inference.Angles, rows int) error {
		if err := a.Propose(ctx); err != nil {
			return err
		}
		proposal = append(proposal, a.Batch().Proposal[:rows*c.sites]...)
		logQ = append(logQ, a.Batch().Forward[:rows]...)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return proposal, logQ, nil
}

// LogProbAngles evaluates ln q [M] of M configurations.
func (h *Handle) LogProbAngles(ctx context.Context, in AngleInputs) (logQ []float32, err error) {
	c := h.checkAngles(in, false)
	err = h.evaluateAngles(ctx, c, in, func(a *inference.Angles, rows int) error {
		if err := a.LogProb(ctx); err != nil {
			return err
		}
		logQ = append(logQ, a.Batch().Reverse[:rows]...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return logQ, nil
}

// evaluateAngles calls f for pieces of a batch, with the number of rows in the server's buffers.
func (h *Handle) evaluateAngles(ctx context.Context, c *checker, in AngleInputs, f func(a *inference.Angles, rows int) error) error {
	return h.admitted(ctx, c, func() error {
		a, err := h.e.sessions.angles(h.e.store)
		if err != nil {
			return err
		}
		defer h.e.sessions.giveAngles(a)
		a.Pin()
		return c.pieces(func(from, to, used int) error {
			b := a.Batch()
			b.Used = used
			copy(b.State, rowsOf(in.State, from, to, c.sites))
			copy(b.Beta, rowsOf(in.Beta, from, to, 1))
			copy(b.Uniform, rowsOf(in.Uniform, from, to, c.sites))
			return f(a, to-from)
		})
	})
}

func (c *checker) betas(x []float32, taken bool) {
	if !c.length(models.Beta, len(x), 1, taken) {
		return
	}
	for i, beta := range x {
		if !(beta >= 0) || math.IsInf(float64(beta), 0) {
			c.fault("input %q: row %d is %v, from 0 on is right", models.Beta, i, beta)
			return
		}
	}
}

func (c *checker) angles(x []float32, taken bool) {
	if !c.length(models.State, len(x), c.sites, taken) {
		return
	}
	for i, angle := range x {
		if math.IsNaN(float64(angle)) || math.IsInf(float64(angle), 0) {
			c.fault("input %q: row %d has %v at site %d, which is no angle", models.State, i/c.sites, angle, i%c.sites)
			return
		}
	}
}
