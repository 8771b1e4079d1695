package sampler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// GlobalSnapshot is all that changes in a Global: one made with the same options and given a
// snapshot goes on exactly as the one did that it was taken from. Its fields are exported
// for encoding.
type GlobalSnapshot struct {
	Phase  Phase
	Passes int64
	Moves  Moves
	Times  Times

	LnG  []float64 // by level, as the next two
	Seen []bool
	Hist []float64

	LnF         float64
	Inverse     bool  // the 1/t rule has taken over
	Trials      int64 // batches since the start
	StageTrials int64 // since the last reduction of ln f or the last new level

	Generator []byte            // as GeneratorState gives it
	Blocks    []dos.WeightBlock // of production, without Draws; nil before
}

// Snapshot returns the state between two passes. It shares memory and is valid until the
// next pass.
func (g *Global) Snapshot() *GlobalSnapshot {
	s := &GlobalSnapshot{
		Phase: g.phase, Passes: g.passes, Moves: g.moves, Times: g.times,
		LnG: g.lnG, Seen: g.seen, Hist: g.hist,
		LnF: g.schedule.lnF, Inverse: g.schedule.inverse, Trials: g.schedule.trials, StageTrials: g.schedule.stage,
		Generator: GeneratorState(g.source),
	}
	for _, b := range g.blocks {
		s.Blocks = append(s.Blocks, dos.WeightBlock{LnSum: b.LnSum, LnSquares: b.LnSquares})
	}
	return s
}

// Restore puts the method into the state of a snapshot that was taken from one with the same
// options. A snapshot that does not fit is an error that lists every fault, and changes
// nothing.
func (g *Global) Restore(s *GlobalSnapshot) error {
	if err := s.Check(g.o.System); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	g.blocks = nil
	if s.Phase == Production {
		g.Produce()
		for k, b := range s.Blocks {
			copy(g.blocks[k].LnSum, b.LnSum)
			copy(g.blocks[k].LnSquares, b.LnSquares)
		}
	}
	g.phase, g.passes, g.moves, g.times = s.Phase, s.Passes, s.Moves, s.Times
	copy(g.lnG, s.LnG)
	copy(g.seen, s.Seen)
	copy(g.hist, s.Hist)
	g.schedule.lnF, g.schedule.inverse, g.schedule.trials, g.schedule.stage = s.LnF, s.Inverse, s.Trials, s.StageTrials
	return g.source.UnmarshalBinary(s.Generator)
}

// Check reports everything in a snapshot that does not fit the system or cannot be.
func (s *GlobalSnapshot) Check(p *lattice.Potts) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	levels := p.Levels()
	if s.Phase != WangLandau && s.Phase != Production {
		fault("there is no phase %q", s.Phase)
	}
	if s.Passes < 0 || s.Trials < 0 || s.StageTrials < 0 {
		fault("%d passes, %d and %d batches", s.Passes, s.Trials, s.StageTrials)
	}
	if !(s.LnF > 0) || s.LnF > 1 {
		fault("ln f is %g", s.LnF)
	}
	if len(s.LnG) != levels || len(s.Seen) != levels || len(s.Hist) != levels {
		fault("ln g, seen and histogram have %d, %d and %d levels, the run needs %d", len(s.LnG), len(s.Seen), len(s.Hist), levels)
	}
	for b, x := range s.LnG {
		if !(x >= 0) || math.IsInf(x, 0) { // its least value is 0
			fault("ln g of level %d is %v", b, x)
		}
	}
	for b, x := range s.Hist {
		if !(x >= 0) || math.IsInf(x, 0) {
			fault("histogram: level %d has %v visits", b, x)
		}
	}
	for b, seen := range s.Seen {
		if seen && !p.Possible(b) {
			fault("level %d was seen and has no states", b)
		}
	}
	blocks := 0
	if s.Phase == Production {
		blocks = minBlocks
	}
	if len(s.Blocks) != blocks {
		fault("the phase is %s, and there are %d blocks of draws, the run needs %d", s.Phase, len(s.Blocks), blocks)
	}
	for k, b := range s.Blocks {
		if len(b.LnSum) != levels || len(b.LnSquares) != levels {
			fault("draws: block %d has %d and %d levels, the run needs %d", k, len(b.LnSum), len(b.LnSquares), levels)
		}
		for _, sums := range [][]float64{b.LnSum, b.LnSquares} {
			for level, x := range sums {
				if math.IsNaN(x) || math.IsInf(x, 1) {
					fault("draws: block %d, level %d: the sum's logarithm is %v", k, level, x)
				}
			}
		}
	}
	if err := (&rand.PCG{}).UnmarshalBinary(s.Generator); err != nil {
		fault("generator: %w", err)
	}
	return errors.Join(faults...)
}
