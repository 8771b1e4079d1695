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

// Proposer serves a bundle's proposals to the sampler. It splits the batch into parts of
// about equal size, which workers evaluate side by side. The split depends neither on the
// number of workers nor on their speed, since the last bits of a matrix product depend on its
// shape.
type Proposer struct {
	batch   sampler.Batch
	propose *network
	logProb *network
	store   *Store
	pinned  *Weights        // see Pin
	version sampler.Version // of the network with those weights
	size    int             // of a part, at most
	divided int             // the places that parts cover
	parts   []proposerPart
	native  values // of the parts
	runtime Runtime
	close   func() error // what else it has opened
}

// proposerPart holds tensors over one part of the batch, in the order of the networks' inputs
// and outputs.
type proposerPart struct {
	proposeIn, proposeOut, logProbIn, logProbOut []ort.Value
}

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
	s := &Proposer{
		propose: n.propose, logProb: n.logProb, store: store, runtime: n.runtime, size: n.part,
		close: func() error { return nil }, batch: n.card.NewBatch(walkers),
	}
	if err := s.divide(); err != nil {
		return nil, errors.Join(n.fault(err), s.Close())
	}
	return s, nil
}

// divide makes the parts that cover the places in use. A GPU's networks are laid out for the
// whole batch, so there the parts always cover all places.
func (s *Proposer) divide() error {
	used := s.batch.Used
	if s.runtime.Provider != CPU {
		used = s.batch.Walkers
	}
	if s.divided == used {
		return nil
	}
	if err := s.native.destroy(); err != nil {
		return err
	}
	s.parts, s.divided = s.parts[:0], 0
	parts := (used + s.size - 1) / s.size
	for k := range parts {
		if err := s.addPart(k*used/parts, (k+1)*used/parts); err != nil {
			return err
		}
	}
	s.divided = used
	return nil
}

// addPart adds the part that covers a range of places.
func (s *Proposer) addPart(from, to int) error {
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
		return s.native.err
	}
	// The reverse move starts from the proposal and ends in the state, aiming at the state's
	// own target or taking the shift back.
	var q proposerPart
	for _, f := range []struct {
		to    *[]ort.Value
		names []string
		from  map[string]ort.Value
	}{
		{&q.proposeIn, s.propose.inputs, map[string]ort.Value{models.State: state, models.Start: start, models.Shift: shift, models.Energy: target, models.Uniform: uniform}},
		{&q.proposeOut, s.propose.outputs, map[string]ort.Value{models.Proposal: proposal, models.LogQ: forward}},
		{&q.logProbIn, s.logProb.inputs, map[string]ort.Value{models.Condition: proposal, models.State: state, models.Start: start, models.Shift: back, models.Energy: current}},
		{&q.logProbOut, s.logProb.outputs, map[string]ort.Value{models.LogQ: reverse}},
	} {
		for _, name := range f.names {
			v := f.from[name]
			if v == nil {
				return fmt.Errorf("value %q is not in the contract", name)
			}
			*f.to = append(*f.to, v)
		}
	}
	s.parts = append(s.parts, q)
	return nil
}

// Batch returns the buffers of the exchange.
func (s *Proposer) Batch() *sampler.Batch { return &s.batch }

// Pin selects the weights published last for all calls of Propose and LogProb until the next
// Pin, so that both directions of a move see one network even if others are published
// meanwhile. The version changes whenever the weights do, and no two proposers share one.
func (s *Proposer) Pin() sampler.Version {
	if w := s.store.hold(s.pinned); w != s.pinned {
		s.pinned, s.version = w, sampler.NewVersion()
	}
	return s.version
}

// Propose evaluates propose.onnx with the pinned weights; the first call pins if none are.
func (s *Proposer) Propose(ctx context.Context) error {
	if err := s.divide(); err != nil {
		return err
	}
	if s.pinned == nil {
		s.Pin()
	}
	return parallel.Each(ctx, s.runtime.Workers, len(s.parts), func(i int) error {
		return s.propose.run(ctx, s.parts[i].proposeIn, s.pinned, s.parts[i].proposeOut)
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
		return s.logProb.run(ctx, s.parts[i].logProbIn, s.pinned, s.parts[i].logProbOut)
	})
}

// Use has the proposer evaluate the weights of another store from now on, those of a bundle
// with the same graphs, and forget the ones that it has pinned.
func (s *Proposer) Use(store *Store) {
	s.pinned.release()
	s.store, s.pinned = store, nil
}

// Close frees tensors, and the sessions unless they are shared.
func (s *Proposer) Close() error {
	s.pinned.release()
	s.pinned = nil
	return errors.Join(s.close(), s.native.destroy())
}
