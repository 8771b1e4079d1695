package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// modelsFolder of a run directory holds the versions of its network.
const modelsFolder = "models"

// network is the network of a run: loaded from a bundle on disk in all cases, so
// that the files exported are the ones that were used.
type network struct {
	j        *job
	bundle   *exporter.Bundle
	folder   string // of the bundle's latest version
	provider inference.Provider
	store    *inference.Store
	proposer *inference.Proposer
	trainer  *trainer.Trainer // nil if the network stays as it is
	exported int64            // gradient steps at the latest export
	dropped  int64            // gradient steps dropped in this run
}

// openNetwork loads the configured bundle, or builds, exports and loads a new
// network.
func (j *job) openNetwork(workers int) (_ *network, err error) {
	c := j.c
	path, err := inference.Open(c.Inference.Library)
	if err != nil {
		return nil, err
	}
	provider, err := inference.Select(inference.Provider(c.Inference.Provider))
	if err != nil {
		return nil, err
	}
	slog.Info("ONNX Runtime", "version", inference.Version(), "library", path, "provider", provider)

	n := &network{j: j, provider: provider}
	if n.bundle, err = j.loadBundle(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.folder, err = n.bundle.Save(filepath.Join(j.folder, modelsFolder)); err != nil {
		return nil, err
	}
	if n.bundle, err = exporter.Load(n.folder); err != nil {
		return nil, err
	}
	weights, err := n.bundle.Weights()
	if err != nil {
		return nil, err
	}
	if n.store, err = inference.NewStore(weights); err != nil {
		return nil, err
	}
	n.proposer, err = inference.NewProposer(n.bundle, n.store, provider, c.Run.Walkers, c.Inference.Batch, workers)
	if err != nil {
		return nil, err
	}
	if c.Trainer.Every == 0 {
		return n, nil
	}
	n.trainer, err = trainer.New(trainer.Options{
		System: j.system, Seed: c.Run.Seed,
		Batch: c.Trainer.Batch, LearningRate: c.Trainer.LearningRate, Clip: c.Trainer.Clip,
		Buffer: c.Trainer.Buffer, Workers: workers,
		Events: trainer.Events{Step: n.stepped},
	}, n.bundle, n.store, provider)
	return n, err
}

// loadBundle returns the bundle to begin with.
func (j *job) loadBundle() (*exporter.Bundle, error) {
	c := j.c
	size := c.System.Size
	system := models.System{Q: c.System.Q, Lx: size[0], Ly: size[1]}
	if c.Model.Bundle != "" {
		b, err := exporter.Load(c.Model.Bundle)
		if err != nil {
			return nil, fmt.Errorf("model.bundle: %w", err)
		}
		if err := b.Card.CheckSystem(system); err != nil {
			return nil, fmt.Errorf("model.bundle: %w", err)
		}
		return b, nil
	}
	h := models.Hyperparameters{
		Encoder: c.Model.Encoder, Latent: c.Model.Latent, Decoder: c.Model.Decoder,
		Floor: c.Model.Floor, Noise: c.Trainer.Noise,
	}
	m, err := models.New(c.Model.Architecture, system, h)
	if err != nil {
		return nil, fmt.Errorf("model.architecture: %w", err)
	}
	name := fmt.Sprintf("%s-%s-q%d-%dx%d", c.Model.Architecture, config.Potts, system.Q, system.Lx, system.Ly)
	r := rand.New(sampler.Stream(c.Run.Seed, sampler.WeightStream, 0))
	return exporter.NewBundle(name, m, system, h, m.Initial(r))
}

// partial is the share of proposals that keep some sites, which a network that is
// not shown the present configuration cannot do.
func (n *network) partial() float64 {
	partial := n.j.c.Neural.Partial
	if partial > 0 && !slices.Contains(n.bundle.Card.Conditions, exporter.ConditionState) {
		slog.Warn("neural.partial is taken as 0: the network does not take the present configuration", "bundle", n.bundle.Card.Name)
		return 0
	}
	return partial
}

// train remembers the walkers' states after a pass and makes a gradient step when
// one is due.
func (n *network) train(ctx context.Context, e *sampler.Engine, pass int64) error {
	every := int64(n.j.c.Trainer.Every)
	if n.trainer == nil || pass%every != 0 {
		return nil
	}
	for i := range e.Walkers() {
		n.trainer.Remember(e.State(i))
	}
	if err := n.trainer.Step(ctx); err != nil {
		return err
	}
	due := int64(n.j.c.Trainer.ExportEvery)
	if steps := n.trainer.Record().Steps; due > 0 && steps-n.exported >= due {
		return n.export()
	}
	return nil
}

func (n *network) stepped(s trainer.StepInfo) {
	n.j.metrics.Step(s)
	if s.Dropped {
		n.dropped++
		// Said the first, second, fourth, eighth time and so on.
		if n.dropped&(n.dropped-1) == 0 {
			slog.Warn("gradient step dropped: loss or gradient is not finite; training goes back to the last good weights",
				"loss", s.Loss, "norm", s.Norm, "dropped", n.dropped)
		}
	}
	if n.j.o.Observe != nil {
		n.j.o.Observe.Step(s)
	}
}

// export writes the present weights as a new version of the bundle.
func (n *network) export() (err error) {
	if err := n.trainer.Export(n.bundle); err != nil {
		return err
	}
	if n.folder, err = n.bundle.Save(filepath.Join(n.j.folder, modelsFolder)); err != nil {
		return err
	}
	n.exported = n.trainer.Record().Steps
	n.j.metrics.Exported()
	slog.Debug("bundle exported", "folder", n.folder)
	return nil
}

// finish exports the weights that production used, unless they are on disk.
func (n *network) finish() error {
	if n.trainer == nil || n.trainer.Record().Steps == n.exported {
		return nil
	}
	return n.export()
}

func (n *network) close() error {
	var errs []error
	if n.trainer != nil {
		errs = append(errs, n.trainer.Close())
	}
	if n.proposer != nil {
		errs = append(errs, n.proposer.Close())
	}
	return errors.Join(errs...)
}
