package run

import (
	"context"
	"fmt"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

// roundState is all that the shards of a round of the adaptation begin with. Fields are exported for encoding.
type roundState struct {
	Walkers *sampler.Snapshot
	Weights map[string][]float32 // by name, of a network that is trained between rounds; nil for another
}

// learned are the weights in use of a network that is trained, nil without one. They are shared, and valid until its next
// gradient step.
func (n *network) learned() map[string][]float32 {
	if n == nil || n.trainer == nil {
		return nil
	}
	return n.store.Current().Values()
}

// networkOfHelper opens the network that the last checkpoint of the run names, nil without neural moves.
func (j *job) networkOfHelper(ctx context.Context) (*network, error) {
	whole, _, _, err := j.lastCheckpoint()
	if err != nil || !j.c.Run.Has(config.NeuralMoves) {
		return nil, err
	}
	return j.openNetwork(ctx, j.workers(), whole)
}

// pupil takes over the weights that another process has trained.
type pupil struct {
	weights map[string]graph.Tensor // of the shapes of the network's
	sets    inference.Recycler
}

// take has a network go on with weights, nil for those that it has.
func (p *pupil) take(n *network, weights map[string][]float32) (err error) {
	if weights == nil {
		return nil
	}
	if n == nil || n.store == nil {
		return fmt.Errorf("it has weights of a network, and the run has none to train")
	}
	if p.weights == nil {
		if p.weights, err = n.bundle.Weights(); err != nil {
			return err
		}
	}
	for name, t := range p.weights {
		if len(weights) != len(p.weights) || len(weights[name]) != len(t.Float32s()) {
			return fmt.Errorf("weight %q has %d elements among %d weights, the network has %d among %d",
				name, len(weights[name]), len(weights), len(t.Float32s()), len(p.weights))
		}
		copy(t.Float32s(), weights[name])
	}
	set, err := p.sets.New(p.weights)
	if err != nil {
		return err
	}
	n.store.Publish(set)
	return nil
}
