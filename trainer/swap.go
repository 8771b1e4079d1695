package trainer

import (
	"errors"

	"neuralwl/exporter"
	"neuralwl/inference"
)

// Successor is the network of another bundle, made ready for a trainer to go on with.
type Successor struct {
	*learned
	objective *objective // nil for that of the network before
	store     *inference.Store
	window    int
}

// Prepare makes ready that the trainer goes on with the network of another bundle for the same
// system, whose weights are published to store. It may work beside the trainer. A bundle with
// the same Graphs as the present one keeps its gradient network.
func (t *Trainer) Prepare(b *exporter.Bundle, store *inference.Store, r inference.Runtime, sameGraphs bool) (*Successor, error) {
	s := &Successor{store: store, window: b.Card.Hyperparameters.Window}
	var err error
	if !sameGraphs {
		if s.objective, err = newObjective(t.o, b, r); err != nil {
			return nil, err
		}
	}
	if s.learned, err = newLearned(t.o.Seed, t.o.LearningRate, b); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close frees a successor that was not adopted.
func (s *Successor) Close() error {
	if s == nil {
		return nil
	}
	return s.objective.Close()
}

// Adopt goes on with a successor from its weights, with a new optimiser. The states remembered
// and the random numbers stay. What the former network alone needed is freed by close.
func (t *Trainer) Adopt(s *Successor) (close func() error) {
	close = func() error { return nil }
	if s.objective != nil {
		close, t.objective = t.objective.Close, s.objective
	}
	t.learned, t.store, t.window = s.learned, s.store, s.window
	return close
}
