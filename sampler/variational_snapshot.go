package sampler

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/sampler/dos"
)

// VariationalSnapshot is everything that changes in a Variational. One made with the same options
// and restored from a snapshot continues exactly as the original did. Its fields are exported for
// encoding.
type VariationalSnapshot struct {
	Index  int
	Phase  Phase
	Passes int64
	Moves  Moves
	Times  Times

	Seen []bool // by level, as the next one
	Hist []float64
	// Inverse are the inverse probabilities of the draws of this phase, and Blocks those of the
	// latest production, nil before; both without Draws.
	Inverse dos.WeightBlock
	Blocks  []dos.WeightBlock
	Sums    []TemperatureSums
	Links   []Link

	Draws, Chains []byte // GeneratorState of the draws, and of the chains
}

// Snapshot returns the state between two passes. It shares memory and is valid until the next
// pass.
func (v *Variational) Snapshot() *VariationalSnapshot {
	s := &VariationalSnapshot{
		Index: v.index, Phase: v.phase, Passes: v.passes, Moves: v.moves, Times: v.times,
		Seen: v.seen, Hist: v.hist, Inverse: withoutDraws(v.levelQ), Sums: v.sums, Links: v.chains,
		Draws: GeneratorState(v.source), Chains: GeneratorState(v.uses),
	}
	for _, b := range v.blocks {
		s.Blocks = append(s.Blocks, withoutDraws(b))
	}
	return s
}

func withoutDraws(b dos.WeightBlock) dos.WeightBlock {
	return dos.WeightBlock{LnSum: b.LnSum, LnSquares: b.LnSquares}
}

// Restore puts it into the state of a snapshot of one with the same options. If the snapshot does
// not fit, the error lists every fault and nothing changes.
func (v *Variational) Restore(s *VariationalSnapshot) error {
	if err := v.check(s); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	v.index, v.phase, v.passes, v.moves, v.times = s.Index, s.Phase, s.Passes, s.Moves, s.Times
	copy(v.seen, s.Seen)
	copy(v.hist, s.Hist)
	copy(v.levelQ.LnSum, s.Inverse.LnSum)
	copy(v.levelQ.LnSquares, s.Inverse.LnSquares)
	v.blocks, v.sums = nil, s.Sums
	for _, b := range s.Blocks {
		b.Draws = make([]float64, len(v.hist))
		v.blocks = append(v.blocks, b)
	}
	copy(v.chains, s.Links)
	return errors.Join(v.source.UnmarshalBinary(s.Draws), v.uses.UnmarshalBinary(s.Chains))
}

// check returns every fault of a snapshot: what does not fit the options or is impossible.
func (v *Variational) check(s *VariationalSnapshot) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	levels, m := len(v.hist), len(v.levels)
	if s.Phase != Annealing && s.Phase != Production {
		fault("there is no phase %q", s.Phase)
	}
	if s.Index < 0 || s.Index >= len(v.o.Betas) || s.Passes < 0 {
		fault("temperature %d of %d, pass %d", s.Index+1, len(v.o.Betas), s.Passes)
	}
	if len(s.Seen) != levels || len(s.Hist) != levels || len(s.Links) != m {
		fault("seen and histogram have %d and %d levels, the run needs %d; %d chains, the run needs %d", len(s.Seen), len(s.Hist), levels, len(s.Links), m)
	}
	for b, seen := range s.Seen {
		if seen && b < levels && !v.o.System.Possible(b) {
			fault("level %d was seen and has no states", b)
		}
	}
	for b, x := range s.Hist {
		if !(x >= 0) || math.IsInf(x, 0) {
			fault("histogram: level %d has %v draws", b, x)
		}
	}
	for k, l := range s.Links {
		if math.IsNaN(l.LnWeight) || math.IsInf(l.LnWeight, 1) || !finite(l.Energy) || !finite(l.Order) {
			fault("chain %d stands at %+v", k, l)
		}
	}
	faults = append(faults, checkInverse(s.Inverse, "draws of the phase", levels))
	produced := s.Index // productions that have begun
	if s.Phase == Production {
		produced++
	}
	if len(s.Sums) != produced {
		fault("the phase is %s at temperature %d, and %d have counts", s.Phase, s.Index+1, len(s.Sums))
	}
	blocks := min(minBlocks, m)
	if n := len(s.Blocks); n != blocks && (n > 0 || s.Phase == Production) || n > 0 && len(s.Sums) == 0 {
		fault("%d blocks of inverse probabilities, the run needs %d", n, blocks)
	}
	for k, b := range s.Blocks {
		faults = append(faults, checkInverse(b, fmt.Sprintf("block %d", k), levels))
	}
	phases := 0
	if v.tally != nil {
		phases = v.o.System.Colours()
	}
	for i, t := range s.Sums {
		if i < len(v.o.Betas) && t.Beta != v.o.Betas[i] {
			fault("temperature %d is %g, must be %g", i+1, t.Beta, v.o.Betas[i])
		}
		if err := t.check(m, blocks, phases); err != nil {
			fault("temperature %d: %w", i+1, err)
		}
	}
	for _, state := range [][]byte{s.Draws, s.Chains} {
		if err := (&rand.PCG{}).UnmarshalBinary(state); err != nil {
			fault("generator: %w", err)
		}
	}
	return errors.Join(faults...)
}

// check returns what is impossible in the counts of so many draws a pass.
func (t *TemperatureSums) check(draws, blocks, phases int) error {
	c := t.Chains
	if len(t.Blocks) != blocks || len(c.Accepted) != draws || len(c.Energy) != draws || len(c.Squares) != draws || len(c.Order) != draws {
		return fmt.Errorf("%d blocks and %d, %d, %d and %d chains, the run needs %d and %d",
			len(t.Blocks), len(c.Accepted), len(c.Energy), len(c.Squares), len(c.Order), blocks, draws)
	}
	total := int64(0)
	for k, b := range t.Blocks {
		total += b.Draws
		numbers := append(append(append(b.Sums[:], b.LnWeights[:]...), b.Phases...), b.Drawn...)
		if len(b.Phases) != phases || len(b.Drawn) != phases || !finite(numbers...) || b.Draws < 0 || math.IsNaN(b.LnScale) || math.IsInf(b.LnScale, 1) {
			return fmt.Errorf("block %d is %+v", k, b)
		}
	}
	if int64(len(t.Tail)) > total || !finite(t.Tail...) {
		return fmt.Errorf("%d weights of %d draws in the tail: %v", len(t.Tail), total, t.Tail)
	}
	if total != t.Passes*int64(draws) || c.Steps != t.Passes {
		return fmt.Errorf("%d passes of %d draws have %d draws and %d steps of the chains", t.Passes, draws, total, c.Steps)
	}
	for k, n := range c.Accepted {
		if n < 0 || n > c.Steps || !finite(c.Energy[k], c.Squares[k], c.Order[k]) {
			return fmt.Errorf("chain %d has accepted %d of %d moves, with sums %v, %v and %v", k, n, c.Steps, c.Energy[k], c.Squares[k], c.Order[k])
		}
	}
	return nil
}

// checkInverse returns the faults of sums of inverse probabilities.
func checkInverse(b dos.WeightBlock, of string, levels int) error {
	if len(b.LnSum) != levels || len(b.LnSquares) != levels {
		return fmt.Errorf("%s has %d and %d levels, the run needs %d", of, len(b.LnSum), len(b.LnSquares), levels)
	}
	for _, sums := range [][]float64{b.LnSum, b.LnSquares} {
		for level, x := range sums {
			if math.IsNaN(x) || math.IsInf(x, 1) {
				return fmt.Errorf("%s, level %d: the sum's logarithm is %v", of, level, x)
			}
		}
	}
	return nil
}

func finite(numbers ...float64) bool {
	for _, x := range numbers {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
