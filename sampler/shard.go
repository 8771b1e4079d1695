package sampler

import (
	"fmt"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Shard is one of a number of parts into which the columns of walkers are divided, each of whole
// groups of columns.
//
// Under constant weights columns have nothing in common. So each shard can have an engine of its own
// in production, anywhere and at any time, and Join adds their counts exactly. A shard has a stream
// of exchanges between windows and batches of the network of its own; thus all numbers depend on Of
// and on nothing else.
type Shard struct {
	Index int // from 0
	Of    int // 0 or 1 for no division
}

// MaxShards is the largest number of shards of so many walkers in so many windows.
func MaxShards(walkers, windows int) int {
	return divide(max(1, walkers/max(1, windows)), 1).groups()
}

// stream is the index of the shard's stream of exchanges; 0 is that of all walkers together.
func (s Shard) stream() uint64 {
	if s.Of < 2 {
		return 0
	}
	return uint64(1 + s.Index)
}

// Share is the number of walkers of an engine with these options.
func (o *Options) Share() int {
	_, n := o.share()
	return n
}

// share returns the first walker of the shard and their number.
func (o *Options) share() (first, n int) {
	if o.Shard.Of < 2 {
		return 0, o.Walkers
	}
	windows := max(1, len(o.Windows))
	columns := max(1, o.Walkers/windows)
	d := divide(columns, 1)
	at := func(index int) int { return min(columns, index*d.groups()/o.Shard.Of*d.group) * windows }
	first = at(o.Shard.Index)
	return first, at(o.Shard.Index+1) - first
}

// division returns that of the columns of the shard, and of all columns.
func (o *Options) division() (own, whole division) {
	windows := max(1, len(o.Windows))
	whole = divide(o.Walkers/windows, o.System.Levels())
	own = whole
	own.columns = o.Share() / windows
	return own, whole
}

// checkShard returns the faults of the shard.
func (o *Options) checkShard() (faults []error) {
	s, most := o.Shard, MaxShards(o.Walkers, len(o.Windows))
	if s.Of < 0 || s.Index < 0 || s.Index >= max(1, s.Of) {
		faults = append(faults, fmt.Errorf("shard %d of %d, they count from 0", s.Index, s.Of))
	}
	if s.Of > most {
		faults = append(faults, fmt.Errorf("%d shards, %d walkers in %d windows can be divided into %d at most; take fewer shards or more walkers",
			s.Of, o.Walkers, max(1, len(o.Windows)), most))
	}
	return faults
}

// TakeUp puts the engine of a shard where an adaptation of all walkers has ended, with the same
// options except Shard and Proposer: it takes over the weights and its own walkers. Produce is next.
// The Proposer must have the network that the snapshot was taken with; see Restore.
func (e *Engine) TakeUp(all *Snapshot) error {
	first, n := e.o.share()
	length, fault := lattice.StateBytes(e.o.System), error(nil) // of a configuration
	switch walkers := e.o.Walkers; {
	case all.Production != nil:
		fault = fmt.Errorf("production has begun")
	case len(all.Levels) != walkers || len(all.States) != walkers*length || len(all.Generators) != walkers ||
		len(all.LastEnds) != walkers || len(all.Turns) != walkers || len(all.Aims) != walkers:
		fault = fmt.Errorf("it is not of %d walkers on %d sites", walkers, e.o.System.Sites())
	}
	if fault != nil {
		return fmt.Errorf("state of the sampler at the end of the adaptation: %w", fault)
	}
	own := *all
	if e.o.Shard.Of > 1 {
		own.Exchanges = GeneratorState(e.exchanges)
	}
	if own.Parts = nil; len(all.Parts) > 0 { // windows may have walkers of other shards alone
		own.Windows = slices.Clone(all.Windows)
		for k := range own.Windows {
			own.Windows[k].Open = all.opened(&Options{Walkers: e.o.Walkers, Windows: e.o.Windows}, first+k)
		}
	}
	own.States = all.States[first*length : (first+n)*length]
	own.Levels, own.Generators = all.Levels[first:first+n], all.Generators[first:first+n]
	own.LastEnds, own.Turns, own.Aims = all.LastEnds[first:first+n], all.Turns[first:first+n], all.Aims[first:first+n]
	return e.Restore(&own)
}

// Join puts the counts of all shards of a production together, in their order, as those of all
// walkers. It shares memory with them: the result is valid until the next pass of any of them. The
// error is of shards that are not of one production, or have made different numbers of passes.
func Join(shards []*Samples) (*Samples, error) {
	first := shards[0]
	s := &Samples{system: first.system, segment: first.segment, passes: first.passes, division: first.division}
	s.columns = 0
	for k, shard := range shards {
		if err := shard.matches(first); err != nil {
			return nil, fmt.Errorf("shard %d: %w", k, err)
		}
		s.columns += shard.columns
	}
	blocks := func(of func(*Samples) [][]int64) [][]int64 { return beside(shards, division.perSegment, of) }
	for k, w := range first.Windows {
		w.Blocks = blocks(func(s *Samples) [][]int64 { return s.Windows[k].Blocks })
		s.Windows = append(s.Windows, w)
	}
	if first.transitions != nil {
		s.transitions = local.Counted(beside(shards, division.groups, (*Samples).Transitions))
	}
	join := func(of func(*Samples) *measured) *measured {
		if of(first) == nil {
			return nil
		}
		return &measured{
			count: blocks(func(s *Samples) [][]int64 { return of(s).count }),
			sums:  beside(shards, division.perSegment, func(s *Samples) [][][]float64 { return of(s).sums }),
		}
	}
	s.order = join(func(s *Samples) *measured { return s.order })
	s.inside = join(func(s *Samples) *measured { return s.inside })
	if first.proposals != nil {
		s.proposals = newProposalCounts(first.system.Levels())
		for _, shard := range shards {
			s.proposals.add(shard.proposals)
		}
		s.draws = &draws{inverse: beside(shards, division.groups, func(s *Samples) []dos.WeightBlock { return s.draws.inverse })}
	}
	if b := first.bridge; b != nil {
		s.bridge = &bridging{Bridge: b.Bridge}
		s.bridge.Blocks = beside(shards, division.groups, func(s *Samples) []dos.BridgeBlock { return s.bridge.Blocks })
	}
	s.timeline = &Timeline{Passes: first.timeline.Passes, Width: first.timeline.Width}
	for k := range first.timeline.Sums {
		var chains [][]int64
		for _, shard := range shards {
			chains = append(chains, shard.timeline.Sums[k]...)
		}
		s.timeline.Sums = append(s.timeline.Sums, chains)
	}
	return s, nil
}

// matches returns an error unless the counts are those of a shard of the same production as others,
// after as many passes.
func (s *Samples) matches(others *Samples) error {
	if s.passes != others.passes || s.segment != others.segment || s.timeline.Passes != others.timeline.Passes {
		return fmt.Errorf("it has made %d passes, the first one %d", s.passes, others.passes)
	}
	same := len(s.Windows) == len(others.Windows) && s.group == others.group && s.together == others.together && s.segments == others.segments &&
		(s.bridge == nil) == (others.bridge == nil) && (s.draws == nil) == (others.draws == nil) && (s.order == nil) == (others.order == nil)
	for k := 0; same && k < len(s.Windows); k++ {
		same = s.Windows[k].Window == others.Windows[k].Window && slices.Equal(s.Windows[k].LnWeight, others.Windows[k].LnWeight)
	}
	if same && s.bridge != nil {
		same = slices.Equal(s.bridge.Windows, others.bridge.Windows) && slices.Equal(s.bridge.Draws, others.bridge.Draws)
	}
	if !same {
		return fmt.Errorf("its counts are of other weights or other walkers than those of the first one")
	}
	return nil
}

// beside puts what shards have in blocks beside each other, segment by segment; per is the number of
// blocks of a segment.
func beside[T any](shards []*Samples, per func(division) int, of func(*Samples) []T) (all []T) {
	blocks := make([][]T, len(shards))
	for k, s := range shards {
		blocks[k] = of(s)
	}
	for segment := range shards[0].segments {
		for k, s := range shards {
			if n := per(s.division); blocks[k] != nil {
				all = append(all, blocks[k][segment*n:(segment+1)*n]...)
			}
		}
	}
	return all
}
