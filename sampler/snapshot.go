package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Snapshot is all that changes in an Engine while it runs: an engine made with the
// same Options and given a snapshot goes on exactly as the one did that it was taken
// from. Its fields are exported for encoding.
type Snapshot struct {
	Phase  Phase
	Passes int64
	Moves  Moves
	Times  Times

	LnG        []float64 // by level, as the next three
	Seen       []bool
	Hist       []int64
	Pending    []int64  // visits not yet applied to ln g
	Waiting    int64    // trials not yet applied
	LastVisits [2]int64 // lowest and total of Hist when it was last summed up

	LnF         float64
	Inverse     bool  // the 1/t rule has taken over
	Trials      int64 // since the start
	StageTrials int64 // since the last reduction of ln f or the last new level

	Production *ProductionSnapshot // nil before that phase

	States     []byte   // [M,N] the walkers' configurations one after another
	Levels     []int    // [M]
	Generators [][]byte // [M] as GeneratorState gives them
	LastEnds   []int    // [M] end of the energy range visited last
	Turns      []int64  // [M] changes of it
}

// ProductionSnapshot is the state of a production phase, as Samples has it.
type ProductionSnapshot struct {
	LnWeight    []float64
	Blocks      [][]int64
	Transitions [][]int64
	Segment     int
	Passes      int64
}

// Snapshot returns the state of the engine between two passes. It shares memory with
// the engine and is valid until the next pass.
func (e *Engine) Snapshot() *Snapshot {
	s := &Snapshot{
		Phase: e.phase, Passes: e.passes, Moves: e.moves, Times: e.times,
		LnG: e.lnG, Seen: e.seen, Hist: e.hist,
		Pending: make([]int64, len(e.lnG)), Waiting: e.waiting,
		LastVisits: [2]int64{e.state.lowest, e.state.total},
		LnF:        e.schedule.lnF, Inverse: e.schedule.inverse,
		Trials: e.schedule.trials, StageTrials: e.schedule.stage,
	}
	for _, counts := range e.pending {
		for b, n := range counts {
			s.Pending[b] += n
		}
	}
	if p := e.samples; p != nil {
		s.Production = &ProductionSnapshot{
			LnWeight: p.LnWeight, Blocks: p.Blocks, Transitions: p.Transitions(),
			Segment: p.segment, Passes: p.passes,
		}
	}
	for i := range e.walkers {
		w := &e.walkers[i]
		s.States = append(s.States, w.state...)
		s.Levels = append(s.Levels, w.level)
		s.Generators = append(s.Generators, GeneratorState(w.rng))
		s.LastEnds = append(s.LastEnds, int(w.trip.last))
		s.Turns = append(s.Turns, w.trip.turns)
	}
	return s
}

// Restore puts the engine into the state of a snapshot that was taken from an engine
// with the same options but for Workers. A snapshot that does not fit, or whose
// parts contradict each other, is an error that lists every fault, and the engine is
// then not to be used.
func (e *Engine) Restore(s *Snapshot) error {
	if err := e.check(s); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	e.samples = nil
	if p := s.Production; p != nil {
		e.Produce() // makes room for all counts; what else it does is overwritten below
		e.samples.LnWeight, e.samples.segment, e.samples.passes = slices.Clone(p.LnWeight), p.Segment, p.Passes
		for i, block := range p.Blocks {
			copy(e.samples.Blocks[i], block)
		}
		for i, block := range p.Transitions {
			if e.samples.transitions != nil {
				copy(e.samples.transitions.changes[i], block)
			}
		}
	}
	e.phase, e.passes, e.moves, e.times = s.Phase, s.Passes, s.Moves, s.Times
	copy(e.lnG, s.LnG)
	copy(e.seen, s.Seen)
	copy(e.hist, s.Hist)
	for _, counts := range e.pending {
		clear(counts)
	}
	copy(e.pending[0], s.Pending)
	e.waiting = s.Waiting
	e.state = histogramState{lowest: s.LastVisits[0], total: s.LastVisits[1]}
	for _, seen := range s.Seen {
		if seen {
			e.state.levels++
		}
	}
	e.schedule.lnF, e.schedule.inverse, e.schedule.trials, e.schedule.stage = s.LnF, s.Inverse, s.Trials, s.StageTrials
	n := e.o.System.Sites()
	for i := range e.walkers {
		w := &e.walkers[i]
		copy(w.state, s.States[i*n:(i+1)*n])
		w.level = s.Levels[i]
		w.trip = trip{last: end(s.LastEnds[i]), turns: s.Turns[i]}
		if err := w.rng.UnmarshalBinary(s.Generators[i]); err != nil {
			return fmt.Errorf("state of the sampler: generator of walker %d: %w", i, err)
		}
	}
	e.tables.fill(e.lnG)
	return nil
}

// check compares a snapshot with the options of the engine.
func (e *Engine) check(s *Snapshot) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	length := func(what string, have, want int) bool {
		if have != want {
			fault("%s: %d elements, the run needs %d", what, have, want)
		}
		return have == want
	}
	byLevel := func(what string, values []float64) {
		length(what, len(values), e.o.System.Levels())
		for b, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				fault("%s of level %d is %v", what, b, x)
			}
		}
	}
	levels, walkers, n := e.o.System.Levels(), len(e.walkers), e.o.System.Sites()
	if s.Phase != WangLandau && s.Phase != Production {
		fault("there is no phase %q", s.Phase)
	}
	if !(s.LnF > 0) || s.LnF > 1 {
		fault("ln f is %g", s.LnF)
	}
	byLevel("ln g", s.LnG)
	length("seen", len(s.Seen), levels)
	length("histogram", len(s.Hist), levels)
	length("pending", len(s.Pending), levels)
	if (s.Phase == Production) != (s.Production != nil) {
		fault("the phase is %s, and there are samples of production: %v", s.Phase, s.Production != nil)
	}
	if p := s.Production; p != nil {
		byLevel("weight", p.LnWeight)
		length("blocks", len(p.Blocks), segments(walkers)*walkers)
		for i, block := range p.Blocks {
			length(fmt.Sprintf("block %d", i), len(block), levels)
		}
		if p.Transitions != nil {
			length("transitions", len(p.Transitions), segments(walkers)*groups(walkers))
		}
		for i, block := range p.Transitions {
			length(fmt.Sprintf("transitions %d", i), len(block), levels*Steps)
		}
		if p.Segment < 0 || p.Segment >= segments(walkers) {
			fault("segment %d of %d", p.Segment, segments(walkers))
		}
	}
	length("generators", len(s.Generators), walkers)
	length("ends", len(s.LastEnds), walkers)
	length("turns", len(s.Turns), walkers)
	for i, at := range s.LastEnds {
		if at < int(neither) || at > int(peak) {
			fault("walker %d was last at the end %d, there are %d..%d", i, at, neither, peak)
		}
	}
	if length("levels", len(s.Levels), walkers) && length("configurations", len(s.States), walkers*n) {
		for i, level := range s.Levels {
			state := s.States[i*n : (i+1)*n]
			if err := e.o.System.Validate(state); err != nil {
				fault("walker %d: %w", i, err)
			} else if counted := e.o.System.Bonds(state); counted != level {
				fault("walker %d: the level is %d and its configuration has %d bonds", i, level, counted)
			}
		}
	}
	return errors.Join(faults...)
}
