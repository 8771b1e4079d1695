package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// contrast is what the training of an unnormalised network needs beside its gradient: half a batch of
// Markov chains of the network's own moves, and ln p of states.
type contrast struct {
	proposer *inference.Proposer
	store    *inference.Store
	// chains are configurations, int32[K,N], that the network's moves take on from step to step, in the
	// network's frame; none before the first step.
	chains []int32
}

// chainRestart is the probability that a chain restarts from a remembered state. Chains of a
// distribution with several phases hardly ever change between them.
const chainRestart = 0.05

// newContrast returns nil for a normalised network.
func newContrast(o Options, b *exporter.Bundle, r inference.Runtime) (*contrast, error) {
	if !b.Card.Unnormalised {
		return nil, nil
	}
	if o.Batch < 2 {
		return nil, fmt.Errorf("a batch of %d, an unnormalised network needs at least 2: a state and one of its own", o.Batch)
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		return nil, err
	}
	walkers := o.Batch - o.Batch/2
	p, err := inference.NewProposer(b, store, r, walkers, walkers)
	if err != nil {
		return nil, err
	}
	return &contrast{proposer: p, store: store}, nil
}

func (c *contrast) close() error {
	if c == nil {
		return nil
	}
	return c.proposer.Close()
}

// stepUnnormalised is Step for an unnormalised network, whose batch is one half of D states from the
// buffer, and one of K of its chains, moved once. The flat histogram has p = 1/g, up to a constant, on all
// states of known levels, and there are two ways to it:
//
//   - Persistent contrastive divergence (Tieleman, ICML 2008) climbs the likelihood of the states of the
//     buffer, <d ln p> over these - <d ln p> over the chains, which stand for draws from p.
//   - Regression descends half the variance of r = ln p + ln g over all states of the batch with known
//     levels (after Huang and Wang, PRB 95, 035105 (2017), who fit ln p at one temperature).
//
// The share of the second in the gradient is Options.Regression. The loss is half the variance of r over the
// states of the buffer, in nats squared.
func (t *Trainer) stepUnnormalised(ctx context.Context) error {
	began := time.Now()
	if err := t.checkTarget(); err != nil {
		return err
	}
	weights, err := t.sets.New(t.next)
	if err != nil {
		return fmt.Errorf("gradient step: %w", err)
	}
	lnP, err := t.fillContrast(ctx, weights)
	if err != nil {
		return fmt.Errorf("gradient step: %w", err)
	}
	loss := t.weighContrast(lnP)
	if _, err := t.gradient.Evaluate(ctx, weights, t.gradients); err != nil {
		return fmt.Errorf("gradient step: %w", err)
	}
	if t.settle(began, loss) {
		t.onTrial = false
		t.use(weights)
	}
	return nil
}

// states is the number D of states from the buffer in a batch.
func (t *Trainer) states() int { return t.o.Batch - t.o.Batch/2 }

// fillContrast puts states from the buffer and then the chains into the batch, and returns their ln p under
// weights.
func (t *Trainer) fillContrast(ctx context.Context, weights *inference.Weights) (lnP []float32, err error) {
	c, g := t.contrast, t.gradient
	p, n, d := c.proposer, g.Sites, t.states()
	k := t.o.Batch - d
	for i := range d {
		t.frame.Randomise(t.r)
		remembered, _ := t.buffer.Sample(t.r)
		t.frame.Apply(g.State[i*n:(i+1)*n], remembered)
	}
	if c.chains == nil {
		c.chains = append([]int32(nil), g.State[:k*n]...)
	}
	for i := range k {
		if t.r.Float64() < chainRestart {
			t.frame.Randomise(t.r)
			remembered, _ := t.buffer.Sample(t.r)
			t.frame.Apply(c.chains[i*n:(i+1)*n], remembered)
		}
	}
	c.store.Publish(weights)
	p.Pin()
	b := p.Batch()
	b.Used = k
	copy(b.State, c.chains)
	clear(b.Start)
	for i := range k {
		sampler.Uniforms(b.Uniforms(i), t.source)
	}
	if err := p.Propose(ctx); err != nil {
		return nil, err
	}
	copy(c.chains, b.Proposal[:k*n])
	copy(g.State[d*n:], c.chains)
	ofChains := b.Forward[:k]
	b.Used = d
	copy(b.State, g.State[:d*n])
	if err := p.LogProb(ctx); err != nil {
		return nil, err
	}
	return append(append(lnP, b.Reverse[:d]...), ofChains...), nil
}

// weighContrast sets the weights of the batch, given its ln p, and returns the loss.
func (t *Trainer) weighContrast(lnP []float32) (loss float64) {
	g, d := t.gradient, t.states()
	system := t.o.System.(lattice.Symmetric)
	residuals, known := make([]float64, len(lnP)), make([]bool, len(lnP))
	var mean, ofStates float64
	count, states := 0, 0
	for i, x := range lnP {
		level := system.LevelInt32(g.State[i*g.Sites : (i+1)*g.Sites])
		if level < 0 || level >= len(t.seen) || !t.seen[level] {
			continue
		}
		residuals[i], known[i] = float64(x)+t.lnG[level], true
		mean += residuals[i]
		if count++; i < d {
			ofStates += residuals[i]
			states++
		}
	}
	mean /= float64(max(1, count))
	ofStates /= float64(max(1, states))
	share := t.o.Regression
	for i, r := range residuals {
		weight := (1 - share) / float64(d)
		if i >= d {
			weight = -(1 - share) / float64(len(lnP)-d)
		}
		if known[i] {
			weight -= share * (r - mean) / float64(count)
		}
		g.Weight[i] = float32(weight)
		if i < d && known[i] {
			loss += (r - ofStates) * (r - ofStates) / float64(2*states)
		}
	}
	return loss
}

// restoreChains takes the chains of a snapshot.
func (t *Trainer) restoreChains(chains []byte) error {
	switch {
	case t.contrast == nil:
		return nil
	case len(chains) == 0:
		t.contrast.chains = nil
		return nil
	}
	n := t.gradient.Sites
	if want := (t.o.Batch - t.states()) * n; len(chains) != want {
		return fmt.Errorf("chains: %d sites, a batch has %d", len(chains), want)
	}
	var faults []error
	for i := 0; i < len(chains); i += n {
		faults = append(faults, t.o.System.Validate(chains[i:i+n]))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("chains: %w", err)
	}
	t.contrast.chains = make([]int32, len(chains))
	for i, colour := range chains {
		t.contrast.chains[i] = int32(colour)
	}
	return nil
}

// snapshot returns the chains, none of a normalised network.
func (c *contrast) snapshot() []byte {
	if c == nil {
		return nil
	}
	chains := make([]byte, len(c.chains))
	for i, colour := range c.chains {
		chains[i] = byte(colour)
	}
	return chains
}
