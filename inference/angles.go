package inference

import (
	"context"
	"errors"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/internal/parallel"
	"neuralwl/models"
	"neuralwl/sampler"
)

// Angles serves the proposals of a bundle of angles, as Proposer does those of one of colours.
//
// Angles are single-precision numbers, and so is ln q: both are off by rounding errors, which also
// differ between the two graphs. A sampler should therefore use Forward and Reverse, not Drawn: both are
// one function q' of the angles and the temperature. With the probability P of a draw, a chain of
// independent proposals that are accepted with min(1, pi(s') q'(s) / (pi(s) q'(s'))) then has the
// stationary distribution pi P/q', exactly, and ln(P/q') is the rounding error of a single evaluation.
// package internal/honest measures it.
type Angles struct {
	server[anglePart]
	batch sampler.AngleBatch
}

// anglePart holds tensors over one part of the batch: those of propose, of log_prob for the proposal, and
// of log_prob for the state.
type anglePart struct {
	draw, forward, reverse evaluation
}

// NewAngles opens the two networks of a bundle of angles for a number of walkers, in parts of the given size
// (all at once on CUDA), evaluated with the weights in store. As for NewProposer, Open must have found the
// library, and the caller closes the result.
func NewAngles(b *exporter.Bundle, store *Store, r Runtime, walkers, part int) (*Angles, error) {
	if r.Provider != CPU {
		part = walkers
	}
	n, err := OpenNetworks(b, r, part)
	if err != nil {
		return nil, err
	}
	a, err := n.NewAngles(store, walkers)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	a.close = n.Close
	return a, nil
}

// NewAngles returns the server of a number of walkers, on CUDA as many as a part has, which must be closed
// before the networks.
func (n *Networks) NewAngles(store *Store, walkers int) (*Angles, error) {
	switch {
	case !n.card.Angles():
		return nil, n.fault(errors.New("it draws colours, not angles; a system of angles needs a network of architecture flow"))
	case n.runtime.Provider != CPU && walkers != n.part:
		return nil, n.fault(fmt.Errorf("%d walkers, the networks are laid out for %d", walkers, n.part))
	}
	a := &Angles{server: serve[anglePart](n, store), batch: n.card.NewAngleBatch(walkers)}
	if err := a.divide(); err != nil {
		return nil, errors.Join(n.fault(err), a.Close())
	}
	return a, nil
}

func (a *Angles) divide() error { return a.server.divide(a.batch.Used, a.batch.Walkers, a.part) }

// part is the part that covers a range of walkers.
func (a *Angles) part(from, to int) (p anglePart, err error) {
	b := &a.batch
	m, n := to-from, b.Sites
	configurations := func(of []float32) ort.Value { return tensor(&a.native, of[from*n:to*n], m, n) }
	walkers := func(of []float32) ort.Value { return tensor(&a.native, of[from:to], m) }
	state, uniform, proposal := configurations(b.State), configurations(b.Uniform), configurations(b.Proposal)
	drawn, forward, reverse := walkers(b.Drawn), walkers(b.Forward), walkers(b.Reverse)
	var beta ort.Value
	if len(b.Beta) > 0 {
		beta = walkers(b.Beta)
	}
	if a.native.err != nil {
		return p, a.native.err
	}
	var errs [3]error
	p.draw, errs[0] = a.propose.evaluation(
		map[string]ort.Value{models.State: state, models.Beta: beta, models.Uniform: uniform}, map[string]ort.Value{models.Proposal: proposal, models.LogQ: drawn})
	p.forward, errs[1] = a.logProb.evaluation(map[string]ort.Value{models.State: proposal, models.Beta: beta}, map[string]ort.Value{models.LogQ: forward})
	p.reverse, errs[2] = a.logProb.evaluation(map[string]ort.Value{models.State: state, models.Beta: beta}, map[string]ort.Value{models.LogQ: reverse})
	return p, errors.Join(errs[:]...)
}

// Batch returns the buffers of the exchange.
func (a *Angles) Batch() *sampler.AngleBatch { return &a.batch }

// Propose draws Proposal from Uniform, Beta and the half of State that stays, if one does, and finds Drawn and
// Forward. The first call pins weights if none are.
func (a *Angles) Propose(ctx context.Context) error {
	if err := a.divide(); err != nil {
		return err
	}
	if a.pinned == nil {
		a.Pin()
	}
	return parallel.Each(ctx, a.runtime.Workers, len(a.parts), func(i int) error {
		p := &a.parts[i]
		if err := a.propose.run(ctx, p.draw.in, a.pinned, p.draw.out); err != nil {
			return err
		}
		return a.logProb.run(ctx, p.forward.in, a.pinned, p.forward.out)
	})
}

// LogProb finds Reverse, with the pinned weights.
func (a *Angles) LogProb(ctx context.Context) error {
	if a.pinned == nil {
		return errors.New("LogProb before Pin or Propose")
	}
	if err := a.divide(); err != nil {
		return err
	}
	return parallel.Each(ctx, a.runtime.Workers, len(a.parts), func(i int) error {
		return a.logProb.run(ctx, a.parts[i].reverse.in, a.pinned, a.parts[i].reverse.out)
	})
}
