package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/inference/remote"
	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/honest"
	"neuralwl/internal/report"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// network is the network of a run. It is always loaded from a bundle on disk, so that the
// exported files are the ones in use.
type network struct {
	j        *job
	bundle   *exporter.Bundle
	folder   string // of the bundle's latest version
	runtime  inference.Runtime
	store    *inference.Store
	proposer proposer
	shards   shardNetwork
	server   *remote.Server   // that evaluates it; nil where runtime and store do
	graphs   graphs           // of the bundle
	trainer  *trainer.Trainer // nil if the network stays as it is
	// untrained says that training has ended when the network was exchanged.
	untrained bool
	exported  int64  // gradient steps at the latest export
	needed    [2]int // versions that the last two checkpoints name
}

// proposer is the network in the hands of the sampler: a sampler.Proposer, or a sampler.AngleProposer if it
// draws angles.
type proposer interface {
	Pin() sampler.Version
	Propose(ctx context.Context) error
	LogProb(ctx context.Context) error
	Close() error
}

// newProposer opens the networks of a bundle for a number of walkers, in parts of the given size.
func newProposer(b *exporter.Bundle, store *inference.Store, r inference.Runtime, walkers, part int) (p proposer, err error) {
	if b.Card.Angles() {
		p, err = inference.NewAngles(b, store, r, walkers, part)
	} else {
		p, err = inference.NewProposer(b, store, r, walkers, part)
	}
	if err != nil {
		return nil, err // and no interface of a nil pointer
	}
	return p, nil
}

// onServer is the proposer for a number of walkers whose network the model server evaluates.
func (n *network) onServer(walkers int) proposer {
	part := n.j.c.Inference.Batch
	if n.bundle.Card.Angles() {
		return n.server.NewAngles(walkers, part)
	}
	return n.server.NewProposer(walkers, part)
}

// openNetwork loads the bundle that the last checkpoint names or, in a new run, exports and
// loads the one that the configuration describes, whose draws it tests.
func (j *job) openNetwork(ctx context.Context, workers int, last *saved) (_ *network, err error) {
	c := j.c
	n := &network{j: j}
	if !c.Inference.Remote() {
		if n.runtime, err = setup.Runtime(c, workers, j.log); err != nil {
			return nil, err
		}
		n.runtime.Intercept, n.runtime.Evaluated = j.o.Intercept, j.o.Evaluated
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if last != nil && last.Network != nil {
		n.folder, n.untrained = last.Network.folder(j.folder), last.Network.Untrained
	} else {
		bundle, err := setup.Bundle(c, j.log)
		if err != nil {
			return nil, err
		}
		if n.folder, err = bundle.Save(j.fs, filepath.Join(j.folder, ModelsFolder)); err != nil {
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
	if c.Inference.Remote() {
		if n.server, err = setup.Server(ctx, c, n.bundle, j.log, j.o.Evaluated); err != nil {
			return nil, err
		}
	}
	if last != nil && last.Network != nil {
		n.bundle.Card.Name, n.bundle.Card.Version = last.Network.Name, last.Network.Version
	} else if err := n.testDraws(ctx); err != nil {
		return nil, err
	}
	if n.graphs, err = graphsOf(n.bundle); err != nil {
		return nil, err
	}
	if n.server != nil {
		n.proposer = n.onServer(c.Run.Walkers)
		return n, nil
	}
	if n.store, err = inference.OpenStore(n.bundle); err != nil {
		return nil, err
	}
	n.proposer, err = newProposer(n.bundle, n.store, n.runtime, c.Run.Walkers, c.Inference.Batch)
	return n, err
}

// colours is the network in the hands of a sampler of colours.
func (n *network) colours() sampler.Proposer { return n.proposer.(sampler.Proposer) }

// testDraws returns an error unless the network draws with the probabilities that it states.
// Later versions have the same graphs.
func (n *network) testDraws(ctx context.Context) error {
	r, err := n.honesty(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("%w %w", context.Cause(ctx), ErrEarly)
	}
	if err != nil && n.j.c.Model.Bundle != "" {
		err = fmt.Errorf("model.bundle %s: %w", n.j.c.Model.Bundle, err)
	}
	if err != nil {
		return err
	}
	r.Log(n.j.log, n.bundle.Card.Name)
	return nil
}

// tested is what a network that passed was tested for.
type tested interface {
	Log(log *slog.Logger, bundle string)
}

// angleOptions are those of the test of a network of angles.
func (j *job) angleOptions(r inference.Runtime) honest.AngleOptions {
	return honest.AngleOptions{Runtime: r, Seed: j.c.Run.Seed, Beta: j.c.Neural.Coldest}
}

// honesty tests the draws. Those of a server are also compared with pure Go.
func (n *network) honesty(ctx context.Context) (tested, error) {
	if n.bundle.Card.Angles() {
		o := n.j.angleOptions(n.runtime)
		if n.server == nil {
			return honest.CheckAngles(ctx, n.bundle, o)
		}
		return honest.CheckAnglesOf(ctx, n.bundle, n.server.NewAngles(honest.AngleRows, n.j.c.Inference.Batch), o)
	}
	o := honest.Options{System: n.j.system.(lattice.Symmetric), Runtime: n.runtime, Part: n.j.c.Inference.Batch, Seed: n.j.c.Run.Seed}
	if n.server == nil {
		return honest.Check(ctx, n.bundle, o)
	}
	p := n.server.NewProposer(honest.Rows, o.Part)
	if _, err := honest.Reference(ctx, n.bundle, p, compared, o); err != nil {
		return nil, err
	}
	return honest.CheckProposer(ctx, n.bundle, p, o)
}

// provider is what evaluates the network.
func (n *network) provider() string {
	if n.server != nil {
		return config.RemoteProvider
	}
	return string(n.runtime.Provider)
}

// evaluator is the provider with all on which the last digits of its results may depend.
func (n *network) evaluator() string {
	if n.server == nil {
		return n.provider()
	}
	i := n.server.Info()
	return fmt.Sprintf("%s (%s, %s)", n.provider(), strings.TrimSpace(i.Name+" "+i.Version), i.Model)
}

// openTrainer makes the trainer, with that many states per batch, unless the network is
// not to be trained.
func (n *network) openTrainer(batch int) (err error) {
	j, c := n.j, n.j.c.Trainer
	if c.Every == 0 || n.untrained {
		return nil
	}
	n.trainer, err = trainer.New(trainer.Options{
		System: j.system, Seed: j.c.Run.Seed,
		Batch: batch, LearningRate: c.LearningRate, Clip: c.Clip, Buffer: c.Buffer, Upright: !c.Symmetrise,
		Regression: c.Regression, Samples: c.Samples, Coldest: j.c.Neural.Coldest,
		Events: trainer.Events{
			Step:      j.listener.GradientStep,
			Published: func(steps int64) { j.listener.WeightsPublished(event.WeightsPublished{Steps: steps}) },
		},
	}, n.bundle, n.store, n.runtime)
	if err != nil {
		return err
	}
	n.exported = n.trainer.Record().Steps
	return nil
}

// usualPartial is the default share of partial refreshes for networks that do not aim at
// energies. Networks that do gain nothing from them.
const usualPartial = 0.5

// partial is the share of a network's proposals that are to keep some sites.
func (j *job) partial(b *exporter.Bundle) float64 {
	partial := j.c.Neural.Partial
	if partial != config.Automatic {
		return partial
	}
	if b.Card.TakesEnergy() {
		return 0
	}
	return usualPartial
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
	if e.Folder, err = n.bundle.Save(n.j.fs, filepath.Join(n.j.folder, ModelsFolder)); err != nil {
		return err
	}
	n.folder, n.exported = e.Folder, e.Steps
	n.thin()
	return nil
}

// freeze ends training. The network then proposes with the weights that finish exports.
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

// called is what users call the network in use.
func (n *network) called() string {
	if s := &n.j.swaps; s.made > 0 && n.folder == filepath.Join(n.j.folder, s.recorded[s.made-1].Folder) {
		return s.recorded[s.made-1].Name
	}
	return fmt.Sprintf("%s/%d", n.bundle.Card.Name, n.bundle.Card.Version)
}

// summary is the network's part in the record of the run.
func (n *network) summary() *report.NetworkSummary {
	return &report.NetworkSummary{
		Architecture: n.bundle.Card.Architecture, Provider: n.provider(), Server: n.serverSummary(),
		Bundle: n.folder, Training: n.bundle.Card.Training, Swaps: n.j.swaps.recorded[:n.j.swaps.made],
	}
}

// serverSummary is the record of the model server, nil without one.
func (n *network) serverSummary() *report.ServerSummary {
	if n.server == nil {
		return nil
	}
	i := n.server.Info()
	return &report.ServerSummary{URL: i.URL, Name: i.Name, Version: i.Version, Model: i.Model}
}

func (n *network) close() error {
	var errs []error
	if n.trainer != nil {
		errs = append(errs, n.trainer.Close())
	}
	errs = append(errs, n.shards.close())
	if n.proposer != nil {
		errs = append(errs, n.proposer.Close())
	}
	if n.server != nil {
		n.server.Close()
	}
	return errors.Join(errs...)
}
