package remote

import (
	"context"

	"neuralwl/models"
	"neuralwl/sampler"
)

// Angles serves the proposals of a network of angles on a server, as Proposer does those of one of colours.
type Angles struct {
	server  *Server
	batch   sampler.AngleBatch
	size    int // of a part, at most
	version sampler.Version
}

// NewAngles returns the proposer of a network of angles for a number of walkers, in parts of the given size.
func (s *Server) NewAngles(walkers, part int) *Angles {
	return &Angles{server: s, batch: s.card.NewAngleBatch(walkers), size: part, version: sampler.NewVersion()}
}

// Batch returns the buffers of the exchange.
func (a *Angles) Batch() *sampler.AngleBatch { return &a.batch }

// Pin returns the version, always the same.
func (a *Angles) Pin() sampler.Version { return a.version }

// Propose has the server draw angles and then evaluate ln q of these. Its errors are those of Proposer.Propose.
func (a *Angles) Propose(ctx context.Context) error {
	b := &a.batch
	return each(ctx, b.Used, a.size, func(from, to int) error {
		proposal := rows(b.Proposal, from, to, b.Sites)
		in := a.inputs(b.State, from, to)
		in[models.Uniform] = rows(b.Uniform, from, to, b.Sites)
		if err := a.server.draw(ctx, to-from, in, values{models.Proposal: proposal, models.LogQ: b.Drawn[from:to]}); err != nil {
			return err
		}
		return a.server.density(ctx, to-from, a.inputs(b.Proposal, from, to), b.Forward[from:to])
	})
}

// LogProb has the server evaluate ln q of the states.
func (a *Angles) LogProb(ctx context.Context) error {
	b := &a.batch
	return each(ctx, b.Used, a.size, func(from, to int) error {
		return a.server.density(ctx, to-from, a.inputs(b.State, from, to), b.Reverse[from:to])
	})
}

// inputs are configurations and their temperatures.
func (a *Angles) inputs(state []float32, from, to int) values {
	in := values{models.State: rows(state, from, to, a.batch.Sites)}
	if len(a.batch.Beta) > 0 {
		in[models.Beta] = a.batch.Beta[from:to]
	}
	return in
}

// Close has nothing to free; the server is closed by itself.
func (a *Angles) Close() error { return nil }
