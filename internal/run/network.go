package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/setup"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
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
	runtime  inference.Runtime
	store    *inference.Store
	proposer *inference.Proposer
	trainer  *trainer.Trainer // nil if the network stays as it is
	exported int64            // gradient steps at the latest export
}

// openNetwork loads the bundle that the last checkpoint names, or else the configured
// one, or builds, exports and loads a new network.
func (j *job) openNetwork(workers int, last *saved) (_ *network, err error) {
	c := j.c
	r, err := setup.Runtime(c, workers, j.log)
	if err != nil {
		return nil, err
	}
	r.Intercept = j.o.Intercept
	n := &network{j: j, runtime: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if last != nil && last.Network != nil {
		n.folder = filepath.Join(j.folder, modelsFolder, last.Network.Name, strconv.Itoa(last.Network.Version))
	} else {
		bundle, err := setup.Bundle(c, j.log)
		if err != nil {
			return nil, err
		}
		if n.folder, err = bundle.Save(j.fs, filepath.Join(j.folder, modelsFolder)); err != nil {
			return nil, err
		}
	}
	if n.bundle, err = exporter.Load(n.folder); err != nil {
		return nil, err
	}
	if last != nil && last.Network != nil {
		if err := last.Network.sameFiles(n.bundle.Card.SHA256); err != nil {
			return nil, err
		}
	}
	if n.store, err = inference.OpenStore(n.bundle); err != nil {
		return nil, err
	}
	if card := n.bundle.Card; j.isGlobal() && (card.TakesState() || card.TakesEnergy()) {
		return nil, fmt.Errorf("model.bundle: proposals of %s (%s) depend on %s, %s needs draws that depend on nothing; take a network without conditions (model.architecture %s or %s), or run.method %s",
			card.Name, card.Architecture, strings.Join(card.Conditions, " and "), config.VANWangLandauMethod, models.Made, models.Conv, config.NeuralWangLandauMethod)
	}
	n.proposer, err = inference.NewProposer(n.bundle, n.store, n.runtime, c.Run.Walkers, c.Inference.Batch)
	if err != nil {
		return nil, err
	}
	if c.Trainer.Every == 0 {
		return n, nil
	}
	batch := c.Trainer.Batch
	if j.isGlobal() {
		batch = c.Run.Walkers
	}
	n.trainer, err = trainer.New(trainer.Options{
		System: j.system.(*lattice.Potts), Seed: c.Run.Seed, // others have no networks
		Batch: batch, LearningRate: c.Trainer.LearningRate, Clip: c.Trainer.Clip,
		Buffer: c.Trainer.Buffer,
		Events: trainer.Events{
			Step:      j.listener.GradientStep,
			Published: func(steps int64) { j.listener.WeightsPublished(event.WeightsPublished{Steps: steps}) },
		},
	}, n.bundle, n.store, n.runtime)
	if err != nil {
		return nil, err
	}
	n.exported = n.trainer.Record().Steps
	return n, nil
}

// usualPartial is the share of partial refreshs, if not chosen, of networks that do not aim
// at energies; those that do gain nothing from them.
const usualPartial = 0.5

// partial is the share of proposals that keep some sites, which a network that is
// not shown them cannot do.
func (n *network) partial() float64 {
	partial := n.j.c.Neural.Partial
	if partial == config.Automatic {
		partial = usualPartial
		if n.bundle.Card.TakesEnergy() {
			partial = 0
		}
	}
	if partial > 0 && !n.bundle.KeepsSites() {
		n.j.log.Warn("neural.partial is taken as 0: the network's proposals keep no sites", "bundle", n.bundle.Card.Name)
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
	n.exportIfDue()
	return nil
}

// trainReverse makes a gradient step on a batch of the network's own draws when one is due,
// and mends it after a batch without likelihoods.
func (n *network) trainReverse(ctx context.Context, d sampler.Drawn) error {
	pass, every := n.j.at.Pass+1, int64(n.j.c.Trainer.Every)
	if usable := !math.IsNaN(float64(d.LnQ[0])); usable && pass%every != 0 {
		return nil
	}
	began := time.Now()
	defer func() { n.j.at.Train += time.Since(began) }()
	if err := n.trainer.StepReverse(ctx, d.States, d.LnQ, d.LnP); err != nil {
		return err
	}
	n.exportIfDue()
	return nil
}

// exportIfDue exports the network every so many steps.
func (n *network) exportIfDue() {
	due := int64(n.j.c.Trainer.ExportEvery)
	if steps := n.trainer.Record().Steps; due > 0 && steps%due == 0 && steps > n.exported {
		n.export() // a fault is reported, and the next export is another chance
	}
}

// export writes the present weights as a new version of the bundle.
func (n *network) export() (err error) {
	e := event.BundleExported{Steps: n.trainer.Record().Steps}
	defer func() {
		e.Err = err
		n.j.listener.BundleExported(e)
	}()
	if err := n.trainer.Export(n.bundle); err != nil {
		return err
	}
	if e.Folder, err = n.bundle.Save(n.j.fs, filepath.Join(n.j.folder, modelsFolder)); err != nil {
		return err
	}
	n.folder, n.exported = e.Folder, e.Steps
	return nil
}

// freeze ends training: the network proposes with the weights that finish exports.
func (n *network) freeze() error {
	if n.trainer == nil {
		return nil
	}
	return n.trainer.Freeze()
}

// finish exports the present weights unless they are on disk.
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
