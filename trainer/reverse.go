package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ReverseData describes the states of reverse Kullback-Leibler training in the training
// record.
const ReverseData = "its own draws, by the reverse Kullback-Leibler divergence from the target"

// StepReverse makes a gradient step down the reverse Kullback-Leibler divergence
//
//	D(q||p) = <ln q(s) - ln p(s)>, s drawn from q,
//
// by the score function with a baseline (Williams, Mach. Learn. 8, 229 (1992); Wu, Wang,
// Zhang, PRL 122, 080602 (2019)): with R_k = ln q(s_k) - ln p(s_k) for M draws,
//
//	dD = 1/(M-1) sum_k (R_k - mean R) d ln q(s_k).
//
// Deviation: M-1 instead of M, so that the baseline is effectively the mean of the other
// draws and the estimate unbiased. A constant in ln p does not matter.
//
// The batch is states, int32[M,N], drawn with the published weights, with their lnQ as drawn
// and lnP. If lnQ and everything computed from it is finite, the weights advance by one step
// and are published, on trial until the next call. If not, the latest step is dropped and
// counted as dropped: the last good weights are published again, and the optimiser forgets
// its moments.
func (t *Trainer) StepReverse(ctx context.Context, states []int32, lnQ []float32, lnP []float64) error {
	began := time.Now()
	g, m := t.gradient, t.o.Batch
	switch {
	case t.angles != nil:
		return errors.New("gradient step: the network draws angles, which Step trains by the energies of its draws")
	case t.contrast != nil:
		return errors.New("gradient step: the network is unnormalised, so that ln q of its draws is not known; take one of another architecture")
	case len(g.Condition) > 0 || len(g.Energy) > 0:
		return errors.New("gradient step: the network is conditioned on a state or an energy; by the reverse Kullback-Leibler divergence only one is trained whose draws depend on nothing")
	case m < 2:
		return fmt.Errorf("gradient step: a batch of %d, at least 2 are needed for a baseline", m)
	case len(states) != m*g.Sites || len(lnQ) != m || len(lnP) != m:
		return fmt.Errorf("gradient step: %d colours, %d and %d likelihoods, want a batch of %d states of %d sites", len(states), len(lnQ), len(lnP), m, g.Sites)
	}
	if !t.onTrial {
		// After steps by maximum likelihood the published weights are not the latest ones.
		copyWeights(t.next, t.good)
	}
	loss := 0.0
	for k, x := range lnQ {
		loss += (float64(x) - lnP[k]) / float64(m)
	}
	if finite(loss) {
		copy(g.State, states)
		for k, x := range lnQ {
			g.Weight[k] = float32(-(float64(x) - lnP[k] - loss) / float64(m-1))
		}
		_, surrogate, err := t.evaluate(ctx)
		if err != nil {
			return err
		}
		if !finite(surrogate) {
			loss = math.NaN()
		}
	}
	t.onTrial = t.settle(began, loss)
	t.record.Data = ReverseData
	return t.publish()
}

// Freeze publishes the good weights, taking back a step that is on trial.
func (t *Trainer) Freeze() error {
	if !t.onTrial {
		return nil
	}
	copyWeights(t.next, t.good)
	t.onTrial = false
	return t.publish()
}

// publish publishes the weights on trial, or the good ones.
func (t *Trainer) publish() error {
	published := t.good
	if t.onTrial {
		published = t.next
	}
	weights, err := t.sets.New(published)
	if err != nil {
		return fmt.Errorf("publish weights: %w", err)
	}
	t.use(weights)
	return nil
}
