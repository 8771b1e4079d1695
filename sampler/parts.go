package sampler

import (
	"context"
	"errors"
	"fmt"
)

// AdaptInShards has shards make the adaptation from now on: each moves its own walkers under weights
// that stay constant for a round of passes, with its own exchanges, batches of the network and counts.
// After the round the counts of all shards are summed, which gives the same in any order, and improve
// the weights once (J. Zierenberg, M. Marenz, W. Janke, CPC 184, 1155 (2013), for multicanonical
// iterations, which end with a round here). All numbers depend on the number of shards and the round.
//
// In a Wang-Landau adaptation ln f begins so low that a level gains less than 1 in a round on average.
// propose sets the Proposer, or Angles, in the options of a shard, for as many walkers as it has (Options.Share);
// it is not called without a network. AdaptInShards is called before the first pass or Restore.
func (e *Engine) AdaptInShards(of, round int, propose func(*Options) error) error {
	all := e.o
	all.Shard.Of = of
	if faults := all.checkShard(); len(faults) > 0 || round < 1 {
		return fmt.Errorf("adaptation in %d shards, rounds of %d passes: %v", of, round, faults)
	}
	e.round = int64(round)
	for k := range of {
		p := &Engine{o: e.o, phase: e.phase, held: true, exchanges: Stream(e.o.Seed, partStream, uint64(k))}
		p.o.Shard, p.o.Events, p.o.Proposer, p.o.Angles = Shard{k, of}, Events{}, nil, nil
		first, n := p.o.share()
		p.walkers = e.walkers[first : first+n : first+n]
		p.division, p.whole = p.o.division()
		for _, w := range e.windows {
			own := *w // with the tables and the estimate of all shards
			own.waiting, own.pending = 0, make([][]int64, len(w.pending))
			for i := range own.pending {
				own.pending[i] = make([]int64, len(w.lnG))
			}
			p.windows = append(p.windows, &own)
		}
		if e.neural != nil {
			if err := propose(&p.o); err != nil {
				return err
			}
			p.neural, p.tally = p.newProposalMove(), newProposalCounts(e.o.System.Levels())
		}
		e.parts = append(e.parts, p)
	}
	for _, w := range e.windows {
		atOnce := int64(len(e.walkers)/len(e.windows)) * e.round * int64(e.o.Sweeps*e.o.System.Sites())
		if e.o.LnF == 0 {
			w.schedule.lower(float64(w.Levels()) / float64(atOnce))
		}
		if w.rule != nil {
			w.rule.coarsen(w, atOnce)
		}
	}
	return nil
}

// passInShards has every shard make a pass of the adaptation, and updates the weights after a round.
func (e *Engine) passInShards(ctx context.Context) error {
	for _, p := range e.parts {
		e.level(p)
		if err := p.Pass(ctx); err != nil {
			return err
		}
	}
	e.gather()
	e.made(1)
	return nil
}

// level has a shard make its next pass where all shards are.
func (e *Engine) level(p *Engine) {
	p.o.Sweeps, p.o.Trials, p.passes = e.o.Sweeps, e.o.Trials, e.passes
	for k, w := range p.windows {
		w.isOpen = w.isOpen || e.passes == 0 && e.windows[k].isOpen
	}
}

// made accounts for passes that all shards have made, and updates the weights after a round.
func (e *Engine) made(passes int64) {
	if e.passes += passes; e.passes%e.round == 0 {
		e.improve(0)
	}
	if e.o.Events.Pass != nil {
		e.o.Events.Pass(e.Progress())
	}
}

// ShardRound is what a shard of the adaptation has made of a round: its walkers and generators as in Snapshot,
// and its visits alone of the windows. Fields are exported for encoding.
type ShardRound struct {
	Snapshot  *Snapshot
	Proposals *ProposalCounts // nil without a network
}

// RoundBegins is the number of passes of the round of an adaptation in shards that begins now; 0 within
// one and in other phases.
func (e *Engine) RoundBegins() int64 {
	if len(e.parts) == 0 || e.samples != nil || e.passes%e.round != 0 {
		return 0
	}
	return e.round
}

// ShardRound has a shard, from 0 on, make the round that begins now. Any engine of the same options, in the same
// state by Restore, makes the same of it, and may make shards in any order, each once. The engine itself goes on when EndRound
// has had those of all shards, or from its state before by Restore. After each pass it asks whether to
// stop: then there is no round, nor with an error.
func (e *Engine) ShardRound(ctx context.Context, shard int, stop func() bool) (*ShardRound, error) {
	p := e.parts[shard]
	e.level(p)
	for p.passes < e.passes+e.round {
		if stop() {
			return nil, nil
		}
		if err := p.Pass(ctx); err != nil {
			return nil, err
		}
	}
	r := &ShardRound{p.Snapshot(), p.tally}
	for k, w := range r.Snapshot.Windows {
		r.Snapshot.Windows[k] = WindowSnapshot{Open: w.Open, Pending: w.Pending, Waiting: w.Waiting}
	}
	return r, nil
}

// EndRound puts together what all shards have made of a round, in their order, and updates the weights. With an
// error, which is of what is not a round of this adaptation, the engine must not be used.
func (e *Engine) EndRound(all []*ShardRound) error {
	if len(all) != len(e.parts) {
		return fmt.Errorf("a round of %d shards, the run has %d", len(all), len(e.parts))
	}
	for k, p := range e.parts {
		if err := p.takeRound(all[k], e.passes+e.round); err != nil {
			return fmt.Errorf("round of shard %d: %w", k+1, err)
		}
	}
	e.gather()
	e.made(e.round)
	return nil
}

// takeRound puts a shard where it has made a round, at a number of passes.
func (e *Engine) takeRound(r *ShardRound, passes int64) error {
	s := r.Snapshot
	if s == nil || s.Passes != passes || len(s.Windows) != len(e.windows) || (r.Proposals == nil) != (e.tally == nil) {
		return fmt.Errorf("it is not that of pass %d in %d windows", passes, len(e.windows))
	}
	for _, w := range s.Windows {
		if len(w.Pending) != e.o.System.Levels() {
			return fmt.Errorf("visits to %d levels, the run has %d", len(w.Pending), e.o.System.Levels())
		}
	}
	if err := errors.Join(e.checkWalkers(s)...); err != nil {
		return err
	}
	for k, w := range e.windows {
		w.isOpen = s.Windows[k].Open
		w.setPending(s.Windows[k].Pending, s.Windows[k].Waiting)
	}
	e.moves, e.times = s.Moves, s.Times
	if c := r.Proposals; c != nil && c != e.tally {
		if n := len(e.tally.Trials); len(c.Trials) != n || len(c.Accepted) != n || len(c.Changed) != n {
			return fmt.Errorf("proposals at %d levels, the run has %d", len(c.Trials), n)
		}
		e.tally.clear()
		e.tally.add(c)
	}
	return e.restoreWalkers(s)
}

// gather takes what the shards have counted.
func (e *Engine) gather() {
	for _, p := range e.parts {
		for k, w := range e.windows {
			own := p.windows[k]
			w.isOpen = w.isOpen || own.isOpen
			w.waiting += own.waiting
			own.waiting = 0
			for _, counts := range own.pending {
				for b, n := range counts {
					w.pending[0][b] += n
				}
				clear(counts)
			}
		}
		for k, c := range p.moves {
			e.moves[k].Trials += c.Trials
			e.moves[k].Accepted += c.Accepted
		}
		e.times.add(p.times)
		p.moves, p.times = Moves{}, Times{}
		if p.tally != nil {
			e.tally.add(p.tally)
			p.tally.clear()
		}
	}
}

// PartSnapshot is what a shard of an adaptation has of its own between two passes.
type PartSnapshot struct {
	Exchanges []byte // GeneratorState
	Open      []bool // by window: it has walkers of the shard
}

// opened reports whether walker i, of an engine with these options, has come into its window.
func (s *Snapshot) opened(o *Options, i int) bool {
	k := i % len(s.Windows)
	if len(s.Parts) == 0 || s.Production != nil {
		return s.Windows[k].Open
	}
	of := *o
	for part, p := range s.Parts {
		of.Shard = Shard{part, len(s.Parts)}
		if first, n := of.share(); i >= first && i < first+n {
			return k < len(p.Open) && p.Open[k]
		}
	}
	return false
}

func (e *Engine) partSnapshots() (all []PartSnapshot) {
	for _, p := range e.parts {
		s := PartSnapshot{Exchanges: GeneratorState(p.exchanges)}
		for _, w := range p.windows {
			s.Open = append(s.Open, w.isOpen)
		}
		all = append(all, s)
	}
	return all
}

// restoreParts puts the shards of the adaptation where a snapshot left them.
func (e *Engine) restoreParts(from []PartSnapshot) error {
	for k, p := range e.parts {
		if len(from) != len(e.parts) || len(from[k].Open) != len(p.windows) {
			return fmt.Errorf("state of the sampler: shards of the adaptation: %d, the run needs %d", len(from), len(e.parts))
		}
		if err := p.exchanges.UnmarshalBinary(from[k].Exchanges); err != nil {
			return fmt.Errorf("state of the sampler: generator of the exchanges of shard %d: %w", k+1, err)
		}
		for i, w := range p.windows {
			w.isOpen = from[k].Open[i]
			w.setPending(nil, 0)
		}
		if p.moves, p.times = (Moves{}), (Times{}); p.tally != nil {
			p.tally.clear()
		}
	}
	return nil
}
