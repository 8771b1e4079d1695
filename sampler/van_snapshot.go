package sampler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// VANSnapshot is everything that changes in a VAN. A VAN made with the same options and
// restored from a snapshot continues exactly as the original did. Its fields are exported
// for encoding.
type VANSnapshot struct {
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

	Generator []byte            // see GeneratorState
	Blocks    []dos.WeightBlock // of production, without Draws; nil before
}

// Snapshot returns the state between two passes. It shares memory and is valid until the
// next pass.
func (v *VAN) Snapshot() *VANSnapshot {
	s := &VANSnapshot{
		Phase: v.phase, Passes: v.passes, Moves: v.moves, Times: v.times,
		LnG: v.lnG, Seen: v.seen, Hist: v.hist,
		LnF: v.schedule.lnF, Inverse: v.schedule.inverse, Trials: v.schedule.trials, StageTrials: v.schedule.iteration,
		Generator: GeneratorState(v.source),
	}
	for _, b := range v.blocks {
		s.Blocks = append(s.Blocks, withoutDraws(b))
	}
	return s
}

// Restore puts the VAN into the state of a snapshot of one with the same options. If the
// snapshot does not fit, the error lists every fault and nothing changes.
func (v *VAN) Restore(s *VANSnapshot) error {
	if err := s.Check(v.o.System); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	v.blocks = nil
	if s.Phase == Production {
		v.Produce()
		for k, b := range s.Blocks {
			copy(v.blocks[k].LnSum, b.LnSum)
			copy(v.blocks[k].LnSquares, b.LnSquares)
		}
	}
	v.phase, v.passes, v.moves, v.times = s.Phase, s.Passes, s.Moves, s.Times
	copy(v.lnG, s.LnG)
	copy(v.seen, s.Seen)
	copy(v.hist, s.Hist)
	v.schedule.lnF, v.schedule.inverse, v.schedule.trials, v.schedule.iteration = s.LnF, s.Inverse, s.Trials, s.StageTrials
	return v.source.UnmarshalBinary(s.Generator)
}

// Check returns every fault of a snapshot: what does not fit the system or is impossible.
func (s *VANSnapshot) Check(p lattice.System) error {
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
		faults = append(faults, checkInverse(b, fmt.Sprintf("draws: block %d", k), levels))
	}
	if err := (&rand.PCG{}).UnmarshalBinary(s.Generator); err != nil {
		fault("generator: %w", err)
	}
	return errors.Join(faults...)
}
