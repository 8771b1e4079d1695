package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"neuralwl/sampler/lattice"
)

// drawer draws batches of M configurations from a network whose draws depend on nothing.
type drawer struct {
	system   lattice.Symmetric
	proposer Proposer // nil for one that is read and makes no pass
	source   *rand.PCG
	levels   []int // of the batch, [M]
	failed   bool  // the previous batch was not usable
}

func newDrawer(s lattice.Symmetric, p Proposer, draws int, source *rand.PCG) drawer {
	return drawer{system: s, proposer: p, source: source, levels: make([]int, draws)}
}

// checkDrawing returns the faults of a proposer that is to draw so many configurations at a time.
func checkDrawing(s lattice.Symmetric, p Proposer, draws int) error {
	switch b := p.Batch(); {
	case b.Unnormalised:
		return errors.New("the proposer knows its probabilities up to a constant alone; take a network whose log_q is that of its draws")
	case b.Target != nil:
		return errors.New("the proposer aims at energies; take a network whose draws depend on nothing")
	case s != nil && b.Sites != s.Sites():
		return fmt.Errorf("the proposer draws %d sites, the system has %d", b.Sites, s.Sites())
	case b.Walkers != draws:
		return fmt.Errorf("the proposer draws %d configurations at a time, it must be %d", b.Walkers, draws)
	}
	return nil
}

// draw draws a batch and finds its levels. A batch whose likelihoods are not finite is not usable:
// they are NaN then. That is an error unless it may fail, and twice in a row.
func (d *drawer) draw(ctx context.Context, mayFail bool, times *Times) (b *Batch, usable bool, err error) {
	b = d.proposer.Batch()
	Uniforms(b.Uniform, d.source)
	clear(b.Start)
	clear(b.State)
	began := time.Now()
	d.proposer.Pin()
	if err := d.proposer.Propose(ctx); err != nil {
		return nil, false, fmt.Errorf("draw: %w", err)
	}
	times.Propose += time.Since(began)
	switch err := checkProposals(d.system, b, d.levels); {
	case err == nil:
		d.failed = false
	case checkLogProb(b.Forward, "draw") == nil || !mayFail || d.failed:
		return nil, false, err
	default:
		d.failed = true
		for k := range b.Forward {
			b.Forward[k] = float32(math.NaN())
		}
	}
	return b, !d.failed, nil
}
