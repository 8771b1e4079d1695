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

// Proposer serves a bundle's proposals to the sampler.
type Proposer struct {
	server[proposerPart]
	batch sampler.Batch
}

// proposerPart holds tensors over one part of the batch, of propose and of log_prob for the reverse move.
type proposerPart struct{ draw, reverse evaluation }

// NewProposer opens the two networks of a bundle for a number of walkers, in parts
// of the given size (all at once on CUDA), evaluated with the weights in store.
//
// Open must have found the library. walkers and part must be at least 1; numbers depend on part in their last
// digits, on r.Workers not at all. The graphs are copied into sessions: b is not needed afterwards, store is
// and stays the caller's. The caller closes the proposer, after the last pass of its engine; a proposer is for
// one goroutine at a time and for one engine, with which it shares its Batch. It is an error if the provider
// does not work, the graphs break the contract, or store lacks a weight.
func NewProposer(b *exporter.Bundle, store *Store, r Runtime, walkers, part int) (*Proposer, error) {
	if r.Provider != CPU {
		part = walkers
	}
	n, err := OpenNetworks(b, r, part)
	if err != nil {
		return nil, err
	}
	s, err := n.NewProposer(store, walkers)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	s.close = n.Close
	return s, nil
}

// NewProposer returns a proposer for a number of walkers, on CUDA as many as a part has, which
// must be closed before the networks.
func (n *Networks) NewProposer(store *Store, walkers int) (*Proposer, error) {
	if n.card.Angles() {
		return nil, n.fault(errors.New("it draws angles; a system of colours needs another network"))
	}
	if n.runtime.Provider != CPU && walkers != n.part {
		return nil, n.fault(fmt.Errorf("%d walkers, the networks are laid out for %d", walkers, n.part))
	}
	s := &Proposer{server: serve[proposerPart](n, store), batch: n.card.NewBatch(walkers)}
	if err := s.divide(); err != nil {
		return nil, errors.Join(n.fault(err), s.Close())
	}
	return s, nil
}

func (s *Proposer) divide() error { return s.server.divide(s.batch.Used, s.batch.Walkers, s.part) }

// part is the part that covers a range of places.
func (s *Proposer) part(from, to int) (p proposerPart, err error) {
	b := &s.batch
	m, n := to-from, b.Sites
	state := tensor(&s.native, b.State[from*n:to*n], m, n)
	start := tensor(&s.native, b.Start[from:to], m)
	u := len(b.Uniform) / b.Walkers
	uniform := tensor(&s.native, b.Uniform[from*u:to*u], m, u)
	proposal := tensor(&s.native, b.Proposal[from*n:to*n], m, n)
	forward := tensor(&s.native, b.Forward[from:to], m)
	reverse := tensor(&s.native, b.Reverse[from:to], m)
	var target, current ort.Value
	if b.Target != nil {
		target = tensor(&s.native, b.Target[from:to], m)
		current = tensor(&s.native, b.Current[from:to], m)
	}
	var shift, back ort.Value
	if b.Shift != nil {
		shift = tensor(&s.native, b.Shift[from:to], m)
		back = tensor(&s.native, b.Back[from:to], m)
	}
	if s.native.err != nil {
		return p, s.native.err
	}
	// The reverse move starts from the proposal and ends in the state, aiming at the state's
	// own target or taking the shift back.
	var errs [2]error
	p.draw, errs[0] = s.propose.evaluation(
		map[string]ort.Value{models.State: state, models.Start: start, models.Shift: shift, models.Energy: target, models.Uniform: uniform},
		map[string]ort.Value{models.Proposal: proposal, models.LogQ: forward})
	p.reverse, errs[1] = s.logProb.evaluation(
		map[string]ort.Value{models.Condition: proposal, models.State: state, models.Start: start, models.Shift: back, models.Energy: current},
		map[string]ort.Value{models.LogQ: reverse})
	return p, errors.Join(errs[:]...)
}

// Batch returns the buffers of the exchange.
func (s *Proposer) Batch() *sampler.Batch { return &s.batch }

// Propose evaluates propose.onnx with the pinned weights; the first call pins if none are.
func (s *Proposer) Propose(ctx context.Context) error {
	if err := s.divide(); err != nil {
		return err
	}
	if s.pinned == nil {
		s.Pin()
	}
	return parallel.Each(ctx, s.runtime.Workers, len(s.parts), func(i int) error {
		return s.propose.run(ctx, s.parts[i].draw.in, s.pinned, s.parts[i].draw.out)
	})
}

// LogProb evaluates log_prob.onnx with the pinned weights.
func (s *Proposer) LogProb(ctx context.Context) error {
	if s.pinned == nil {
		return errors.New("LogProb before Pin or Propose")
	}
	if err := s.divide(); err != nil {
		return err
	}
	return parallel.Each(ctx, s.runtime.Workers, len(s.parts), func(i int) error {
		return s.logProb.run(ctx, s.parts[i].reverse.in, s.pinned, s.parts[i].reverse.out)
	})
}
