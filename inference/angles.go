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

// Angles serves the proposals of a bundle of angles. Like Proposer, it splits the batch into parts that
// depend on nothing but the number of walkers and the size given.
//
// Angles are single-precision numbers, and so is ln q: both are off by rounding errors, which also
// differ between the two graphs. A sampler should therefore use Forward and Reverse, not Drawn: both are
// one function q' of the angles and the temperature. With the probability P of a draw, a chain of
// independent proposals that are accepted with min(1, pi(s') q'(s) / (pi(s) q'(s'))) then has the
// stationary distribution pi P/q', exactly, and ln(P/q') is the rounding error of a single evaluation.
// package internal/honest measures it.
type Angles struct {
	batch            sampler.AngleBatch
	propose, logProb *network
	store            *Store
	pinned           *Weights
	version          sampler.Version
	size             int // of a part, at most
	divided          int // the walkers that parts cover
	parts            []anglePart
	native           values
	runtime          Runtime
	close            func() error
}

// anglePart holds tensors over one part of the batch: those of propose, of log_prob for the proposal, and
// of log_prob for the state.
type anglePart struct {
	draw, forward, reverse evaluation
}

// evaluation holds the inputs and outputs of a network, in its order.
type evaluation struct{ in, out []ort.Value }

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
	sites := n.card.System.System().Sites()
	a := &Angles{
		propose: n.propose, logProb: n.logProb, store: store, runtime: n.runtime, size: n.part, close: func() error { return nil },
		batch: sampler.AngleBatch{
			Walkers: walkers, Sites: sites, Used: walkers, Half: n.card.TakesHalf(),
			State: make([]float32, walkers*sites), Uniform: make([]float32, walkers*sites), Proposal: make([]float32, walkers*sites),
			Drawn: make([]float32, walkers), Forward: make([]float32, walkers), Reverse: make([]float32, walkers),
		},
	}
	if n.card.TakesBeta() {
		a.batch.Beta = make([]float32, walkers)
	}
	if err := a.divide(); err != nil {
		return nil, errors.Join(n.fault(err), a.Close())
	}
	return a, nil
}

// divide makes the parts that cover the walkers in use, or all of them on a GPU, as Proposer has it.
func (a *Angles) divide() error {
	used := a.batch.Used
	if a.runtime.Provider != CPU {
		used = a.batch.Walkers
	}
	if a.divided == used {
		return nil
	}
	if err := a.native.destroy(); err != nil {
		return err
	}
	a.parts, a.divided = a.parts[:0], 0
	parts := (used + a.size - 1) / a.size
	for k := range parts {
		if err := a.addPart(k*used/parts, (k+1)*used/parts); err != nil {
			return err
		}
	}
	a.divided = used
	return nil
}

// addPart adds the part that covers a range of walkers.
func (a *Angles) addPart(from, to int) error {
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
		return a.native.err
	}
	var p anglePart
	for _, f := range []struct {
		to      *evaluation
		network *network
		in, out map[string]ort.Value
	}{
		{&p.draw, a.propose, map[string]ort.Value{models.State: state, models.Beta: beta, models.Uniform: uniform}, map[string]ort.Value{models.Proposal: proposal, models.LogQ: drawn}},
		{&p.forward, a.logProb, map[string]ort.Value{models.State: proposal, models.Beta: beta}, map[string]ort.Value{models.LogQ: forward}},
		{&p.reverse, a.logProb, map[string]ort.Value{models.State: state, models.Beta: beta}, map[string]ort.Value{models.LogQ: reverse}},
	} {
		var err1, err2 error
		f.to.in, err1 = ordered(f.network.inputs, f.in)
		f.to.out, err2 = ordered(f.network.outputs, f.out)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
	}
	a.parts = append(a.parts, p)
	return nil
}

// ordered puts values in the order of a network.
func ordered(names []string, from map[string]ort.Value) ([]ort.Value, error) {
	var list []ort.Value
	for _, name := range names {
		v := from[name]
		if v == nil {
			return nil, fmt.Errorf("value %q is not in the contract", name)
		}
		list = append(list, v)
	}
	return list, nil
}

// Batch returns the buffers of the exchange.
func (a *Angles) Batch() *sampler.AngleBatch { return &a.batch }

// Pin selects the weights published last for all calls of Propose and LogProb until the next Pin. The
// version changes whenever the weights do.
func (a *Angles) Pin() sampler.Version {
	if w := a.store.hold(a.pinned); w != a.pinned {
		a.pinned, a.version = w, sampler.NewVersion()
	}
	return a.version
}

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

// Use has the server evaluate the weights of another store from now on, those of a bundle with the same graphs,
// and forget the ones that it has pinned.
func (a *Angles) Use(store *Store) {
	a.pinned.release()
	a.store, a.pinned = store, nil
}

// Close frees tensors, and the sessions unless they are shared.
func (a *Angles) Close() error {
	a.pinned.release()
	a.pinned = nil
	return errors.Join(a.close(), a.native.destroy())
}
