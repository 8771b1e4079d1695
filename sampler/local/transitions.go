package local

import "neuralwl/sampler/lattice"

// Transitions counts what would happen to the walkers at infinite temperature, whatever
// their weights make of them (Wang, Swendsen, J. Stat. Phys. 106, 245 (2002)). Before each
// trial the configuration determines the probability of each new level; summed over the
// visits to a level, these probabilities estimate the infinite-temperature transition
// matrix between levels.
//
// Sweeps count situations, one increment per trial, in blocks of walkers that the error
// analysis keeps together. Counts works out later what a situation means for the level.
type Transitions struct {
	colours int
	steps   int // number of lattice.Changes
	width   int // number of situations
	// situations are counted at [block][level*width + situation].
	situations [][]int64
	// changes worked out so far, at [block][level*steps + k] for the k-th of lattice.Changes. Where situations
	// are changes themselves these are the same slices.
	changes [][]int64
	// count adds n times a situation to the changes of a level; nil where situations are
	// changes themselves.
	count func(row []int64, situation int, n int64, colours int)
}

// maxTransitions bounds the number of counts in all blocks together, half a GiB of them.
// Systems with small common units of energy have so many levels and steps that they go
// without.
const maxTransitions = 1 << 26

// Countable reports whether transitions of a system are few enough to be counted in a number of
// blocks.
func Countable(s lattice.System, blocks int) bool {
	return s.Levels() <= maxTransitions/len(lattice.Changes(s))/blocks
}

// Counted returns Transitions that hold counts as Counts returns them, to be read alone; nil for nil.
func Counted(counts [][]int64) *Transitions {
	if counts == nil {
		return nil
	}
	return &Transitions{changes: counts}
}

// newTransitions counts situations of a number of kinds, nil if there would be more than
// maxTransitions counts.
func newTransitions(s lattice.System, blocks, width int, count func(row []int64, situation int, n int64, colours int)) *Transitions {
	if !Countable(s, blocks) {
		return nil
	}
	steps := len(lattice.Changes(s))
	t := &Transitions{colours: s.Colours(), steps: steps, width: width, count: count, situations: counts(blocks, s.Levels()*width)}
	t.changes = t.situations
	if count != nil {
		t.changes = counts(blocks, s.Levels()*steps)
	}
	return t
}

// newChanges is newTransitions where a situation is a change of the level, by its place among
// lattice.Changes, that was proposed or could have been made.
func newChanges(s lattice.System, blocks int) *Transitions {
	return newTransitions(s, blocks, len(lattice.Changes(s)), nil)
}

func counts(blocks, each int) [][]int64 {
	c := make([][]int64, blocks)
	for i := range c {
		c[i] = make([]int64, each)
	}
	return c
}

// Block returns the slice in which Kernel.Sweep counts for a block; nil on nil Transitions.
func (t *Transitions) Block(block int) []int64 {
	if t == nil {
		return nil
	}
	return t.situations[block]
}

// Counts returns the changes of the level by block, for dos.FromTransitions, in
// units of colours: each trial adds, to each change, the number of colours that lead to it
// (all q colours count in the heat bath, one drawn at random in Metropolis). Nil on nil
// Transitions. Shared, not to be written.
func (t *Transitions) Counts() [][]int64 {
	if t == nil {
		return nil
	}
	if t.count == nil {
		return t.changes
	}
	for block, situations := range t.situations {
		for i, n := range situations {
			if n != 0 {
				situations[i] = 0
				level := i / t.width
				t.count(t.changes[block][level*t.steps:(level+1)*t.steps], i%t.width, n, t.colours)
			}
		}
	}
	return t.changes
}

// Restore replaces the counts by some that Counts returned. Nil Transitions ignore them.
func (t *Transitions) Restore(counts [][]int64) {
	if t == nil {
		return
	}
	for block, changes := range counts {
		clear(t.situations[block])
		copy(t.changes[block], changes)
	}
}
