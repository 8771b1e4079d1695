package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/honest"
	"neuralwl/internal/setup"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// newNetwork is another network of a run, loaded and tested, or the error why it cannot be used.
type newNetwork struct {
	err      error
	bundle   *exporter.Bundle
	folder   string // in the run directory
	digest   string // see exporter.Card.Digest
	graphs   graphs
	training string // what becomes of training, in words

	// weights are all that is new for a network with the graphs of the present one, which keeps
	// its sessions: ONNX Runtime gives the memory of those that are closed to other sessions, but
	// not back.
	weights  *inference.Weights
	store    *inference.Store
	proposer proposer
	trainer  *trainer.Successor // nil where there is no training
}

// close frees a network that was not taken.
func (x *newNetwork) close() error {
	err := x.trainer.Close()
	if x.proposer != nil && x.weights == nil {
		err = errors.Join(err, x.proposer.Close())
	}
	return err
}

// loader returns a function that loads the network of an exchange, which may work beside
// sampling and training.
func (n *network) loader(x *exchange) func(context.Context) *newNetwork {
	if n.server != nil {
		return func(context.Context) *newNetwork {
			return &newNetwork{err: fmt.Errorf("a model server evaluates the network (inference.provider: %s), and this run has no other way to; resume it with inference.provider auto", config.RemoteProvider)}
		}
	}
	l := loading{
		j: n.j, from: x.Bundle, digest: x.plan.Digest, graphs: n.graphs, architecture: n.bundle.Card.Architecture,
		runtime: n.runtime, store: n.store, proposer: n.proposer, trainer: n.trainer,
	}
	folder := filepath.Join(n.j.folder, x.plan.Folder)
	return func(ctx context.Context) *newNetwork {
		next := &newNetwork{folder: folder}
		next.err = l.load(ctx, next)
		return next
	}
}

// loading loads a network. It knows the present one as it was when loading began.
type loading struct {
	j            *job
	from         string // where the bundle is, empty for one that is on record and copied
	digest       string // of one on record
	graphs       graphs // of the present network, as the rest
	architecture string
	runtime      inference.Runtime
	store        *inference.Store
	proposer     proposer
	trainer      *trainer.Trainer
}

// load copies a bundle into the run directory, where nobody exchanges it, and tests the copy: its
// digests, the contract, the system, its draws and ln q. It opens and warms up what is not
// there yet.
func (l *loading) load(ctx context.Context, next *newNetwork) (err error) {
	c, log := l.j.c, l.j.log
	if l.from != "" {
		if err := l.copy(next.folder); err != nil {
			return err
		}
	}
	b, err := exporter.Load(next.folder)
	if err != nil {
		return err
	}
	fitted, err := setup.Fit(c, b, log)
	if err != nil {
		return err
	}
	if fitted != b {
		if l.from == "" {
			return b.Card.CheckSystem(setup.NetworkSystem(c))
		}
		files, err := fitted.Files()
		if err == nil {
			err = l.put(next.folder, files)
		}
		if err == nil {
			b, err = exporter.Load(next.folder)
		}
		if err != nil {
			return err
		}
	}
	if next.bundle, next.digest = b, b.Card.Digest(); l.from == "" && next.digest != l.digest {
		return fmt.Errorf("%s: the digest of the network is %s, on record is %s", next.folder, next.digest, l.digest)
	}
	if err := l.test(ctx, b); err != nil {
		return err
	}
	if next.graphs, err = graphsOf(b); err != nil {
		return err
	}
	if err := l.open(ctx, next); err != nil {
		return err
	}
	return l.train(next)
}

// compared is how many proposals are evaluated in pure Go, too.
const compared = 6

// test finds out whether the network draws with the probabilities that it states, by one thread
// beside those that sample. Its sessions are closed afterwards: the next ones take their memory.
func (l *loading) test(ctx context.Context, b *exporter.Bundle) (err error) {
	r := l.runtime
	r.Workers, r.Intercept, r.Evaluated = 1, nil, nil
	if b.Card.Angles() {
		tested, err := honest.CheckAngles(ctx, b, l.j.angleOptions(r))
		if err == nil {
			tested.Log(l.j.log, b.Card.Name)
		}
		return err
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		return err
	}
	p, err := inference.NewProposer(b, store, r, honest.Rows, l.j.c.Inference.Batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	o := honest.Options{System: l.j.system.(lattice.Symmetric), Seed: l.j.c.Run.Seed}
	tested, err := honest.CheckProposer(ctx, b, p, o)
	if err != nil {
		return err
	}
	tested.Log(l.j.log, b.Card.Name)
	_, err = honest.Reference(ctx, b, p, compared, o)
	return err
}

// graphs identify what sessions compute, apart from the values of weights.
type graphs struct {
	proposals string // see exporter.Bundle.Graphs
	gradient  string // see exporter.Bundle.GradientGraph
}

func graphsOf(b *exporter.Bundle) (g graphs, err error) {
	if g.proposals, err = b.Graphs(); err == nil {
		g.gradient, err = b.GradientGraph()
	}
	return g, err
}

// copy copies a bundle into the run directory.
func (l *loading) copy(folder string) error {
	files, err := setup.BundleFiles(l.from)
	if err != nil {
		return err
	}
	return l.put(folder, files)
}

// put makes a folder of files in place of a former one.
func (l *loading) put(folder string, files map[string][]byte) error {
	err := l.j.fs.RemoveAll(folder)
	if err == nil {
		err = disk.WriteFolder(l.j.fs, folder, files)
	}
	if err != nil {
		return &SwapError{SwapFailed, fmt.Errorf("copy of the network: %w", err)}
	}
	return nil
}

// open opens the sessions of a network, unless those of the present one serve it.
func (l *loading) open(ctx context.Context, next *newNetwork) (err error) {
	if next.graphs.proposals == l.graphs.proposals {
		weights, err := next.bundle.Weights()
		if err != nil {
			return err
		}
		if next.weights, err = inference.NewWeights(weights); err == nil {
			next.store, next.proposer = l.store, l.proposer
		}
		return err
	}
	if next.store, err = inference.OpenStore(next.bundle); err != nil {
		return err
	}
	if next.proposer, err = newProposer(next.bundle, next.store, l.runtime, l.j.c.Run.Walkers, l.j.c.Inference.Batch); err != nil {
		return err
	}
	// The first evaluation allocates.
	return errors.Join(next.proposer.Propose(ctx), next.proposer.LogProb(ctx))
}

// train makes the training of a network ready, if the present one is trained and this one can be.
func (l *loading) train(next *newNetwork) (err error) {
	switch {
	case l.trainer == nil:
	case next.bundle.Card.Architecture != l.architecture:
		next.training = fmt.Sprintf("ends, as the new network has another architecture (%s)", next.bundle.Card.Architecture)
	case next.bundle.Gradient == nil:
		next.training = fmt.Sprintf("ends, as the new network has no %s", exporter.GradientFile)
	default:
		next.training = "goes on with a new optimiser"
		next.trainer, err = l.trainer.Prepare(next.bundle, next.store, l.runtime, next.graphs == l.graphs)
	}
	return err
}

// adopt takes another network into use, under the name and version that the run's exports have.
// What the former one alone needed is freed by release.
func (n *network) adopt(next *newNetwork) (release func() error) {
	var former []func() error
	if next.weights != nil {
		n.store.Publish(next.weights)
	} else {
		former = append(former, n.proposer.Close)
		n.store, n.proposer = next.store, next.proposer
	}
	name, version := n.bundle.Card.Name, n.bundle.Card.Version
	n.bundle, n.folder, n.graphs = next.bundle, next.folder, next.graphs
	n.bundle.Card.Name, n.bundle.Card.Version = name, version
	switch {
	case n.trainer == nil:
	case next.trainer != nil:
		former = append(former, n.trainer.Adopt(next.trainer))
		n.exported = n.trainer.Record().Steps
	default:
		former = append(former, n.trainer.Close)
		n.trainer, n.untrained = nil, true
	}
	return func() error {
		var errs []error
		for _, close := range former {
			errs = append(errs, close())
		}
		return errors.Join(errs...)
	}
}
