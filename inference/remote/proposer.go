package remote

import (
	"context"
	"time"

	"neuralwl/internal/parallel"
	"neuralwl/models"
	"neuralwl/sampler"
)

// inFlight is the number of requests under way at the same time, at most.
const inFlight = 8

// Proposer serves the proposals of the networks on a server to the sampler. It splits the batch into
// parts of about equal size, as inference.Proposer does, of which each is a request. The network
// stays as it is.
type Proposer struct {
	server  *Server
	batch   sampler.Batch
	size    int // of a part, at most
	version sampler.Version
}

// NewProposer returns a proposer for a number of walkers, in parts of the given size.
func (s *Server) NewProposer(walkers, part int) *Proposer {
	return &Proposer{server: s, batch: s.card.NewBatch(walkers), size: part, version: sampler.NewVersion()}
}

// Batch returns the buffers of the exchange.
func (p *Proposer) Batch() *sampler.Batch { return &p.batch }

// Pin returns the version, always the same.
func (p *Proposer) Pin() sampler.Version { return p.version }

// Propose has the server draw proposals. If the server does not answer, or has another network, the
// error says so.
func (p *Proposer) Propose(ctx context.Context) error {
	s, b := p.server, &p.batch
	return each(ctx, b.Used, p.size, func(from, to int) error {
		in := values{
			models.State: rows(b.State, from, to, b.Sites), models.Start: b.Start[from:to], models.Uniform: rows(b.Uniform, from, to, len(b.Uniform)/b.Walkers),
		}
		if b.Shift != nil {
			in[models.Shift] = b.Shift[from:to]
		}
		if b.Target != nil {
			in[models.Energy] = b.Target[from:to]
		}
		out := values{models.Proposal: rows(b.Proposal, from, to, b.Sites), models.LogQ: b.Forward[from:to]}
		return s.draw(ctx, to-from, in, out)
	})
}

// LogProb has the server evaluate ln q of the reverse moves.
func (p *Proposer) LogProb(ctx context.Context) error {
	s, b := p.server, &p.batch
	return each(ctx, b.Used, p.size, func(from, to int) error {
		// The reverse move starts from the proposal and ends in the state, aiming at the state's
		// own target or taking the shift back.
		in := values{
			models.Condition: rows(b.Proposal, from, to, b.Sites), models.State: rows(b.State, from, to, b.Sites), models.Start: b.Start[from:to],
		}
		if b.Back != nil {
			in[models.Shift] = b.Back[from:to]
		}
		if b.Current != nil {
			in[models.Energy] = b.Current[from:to]
		}
		return s.density(ctx, to-from, in, b.Reverse[from:to])
	})
}

// draw has the server draw rows, and checks the canary among them.
func (s *Server) draw(ctx context.Context, rows int, in, out values) error {
	defer s.timed("propose", time.Now())
	sample, err := s.propose.evaluate(ctx, rows, in, s.canary.propose, out, s.o.Retries)
	if err != nil {
		return err
	}
	return s.drawn(sample)
}

// density has the server evaluate ln q of rows, and checks the canary among them.
func (s *Server) density(ctx context.Context, rows int, in values, logQ []float32) error {
	defer s.timed("log_prob", time.Now())
	sample, err := s.logProb.evaluate(ctx, rows, in, s.canary.inputs, values{models.LogQ: logQ}, s.o.Retries)
	if err != nil {
		return err
	}
	return s.evaluated(sample)
}

// timed reports an evaluation that began at a time.
func (s *Server) timed(graph string, began time.Time) {
	if s.o.Evaluated != nil {
		s.o.Evaluated(graph, time.Since(began))
	}
}

// rows is a range of rows of that width.
func rows[T any](all []T, from, to, width int) []T { return all[from*width : to*width] }

// each calls f for the parts of a size that cover the rows in use. The division depends on their number
// alone.
func each(ctx context.Context, used, size int, f func(from, to int) error) error {
	parts := (used + size - 1) / size
	return parallel.Each(ctx, inFlight, parts, func(i int) error { return f(i*used/parts, (i+1)*used/parts) })
}

// Close has nothing to free; the server is closed by itself.
func (p *Proposer) Close() error { return nil }
