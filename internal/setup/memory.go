package setup

import (
	"neuralwl/internal/config"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// What a run takes, as measured (docs/daemon.md): the program itself, and ONNX Runtime with its
// library; for each byte of production's counts, with the copies in checkpoints and results;
// and for each byte of the values of a gradient step.
const (
	programBytes  = 45 << 20
	networkBytes  = 55 << 20
	countFactor   = 5
	stepFactor    = 0.9
	weightsCopies = 4
	statesCopies  = 2
	// requestBytes are those of the requests to a model server and its answers, by site.
	requestBytes = 64
)

// Memory estimates the resident bytes that a run with that many threads comes to need. It errs on
// the high side, up to twice: much of what may be needed is needed by long runs alone. It
// allocates nothing of what it estimates.
func Memory(c *config.Config, workers int) (int64, error) {
	system, err := c.System.New()
	if err != nil {
		return 0, err
	}
	neural := c.Run.Has(config.NeuralMoves)
	windows := max(1, c.Windows.Count)
	states := int64(c.Run.Walkers)
	bytes := int64(programBytes) + countFactor*sampler.CountBytes(system, max(1, c.Run.Walkers/windows), windows, c.Run.Has(config.LocalMoves), neural)
	if neural && c.Inference.Remote() {
		bytes += int64(requestBytes * states * int64(system.Sites()))
	} else if neural {
		m, err := architecture(c)
		if err != nil {
			return 0, err
		}
		served, err := m.LogProb()
		if err != nil {
			return 0, err
		}
		weights, values := served.Sizes()
		bytes += networkBytes + weightsCopies*weights + values*int64(min(c.Inference.Batch, c.Run.Walkers)*workers)
		if c.Trainer.Every > 0 {
			step, err := m.Gradient()
			if err != nil {
				return 0, err
			}
			_, values = step.Sizes()
			if e, ok := m.(models.ByEnergy); ok {
				if step, err = e.EnergyGradient(); err != nil {
					return 0, err
				}
				_, own := step.Sizes()
				values += own
			}
			bytes += int64(stepFactor * float64(values) * float64(c.Trainer.Batch))
			states += int64(max(c.Trainer.Buffer, system.Levels()))
		}
	}
	return bytes + statesCopies*states*int64(lattice.StateBytes(system)), nil
}

// architecture is the network of a configuration without its weights.
func architecture(c *config.Config) (models.Model, error) {
	if c.Model.Bundle == "" {
		return models.New(c.Model.Architecture, NetworkSystem(c), hyperparameters(c))
	}
	b, err := OpenBundle(c.Model.Bundle)
	if err != nil {
		return nil, err
	}
	return models.New(b.Card.Architecture, NetworkSystem(c), b.Card.Hyperparameters)
}
