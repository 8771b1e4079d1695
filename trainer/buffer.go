// Package trainer trains a network on the states that the sampler visits: it has a replay
// buffer spread over the energy levels, objectives whose gradients ONNX Runtime computes, and
// Adam.
package trainer

import (
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// Buffer remembers configurations by level, with equally many places for every level, so
// that common levels do not crowd out rare ones. When the places of a level are full, a new
// state replaces one of its states at random.
type Buffer struct {
	system   lattice.System
	size     int // of a state in bytes
	perLevel int
	possible int       // levels that can have states
	levels   [][]uint8 // states of a level one after another
	occupied []int     // levels with a state, in the order of discovery
	source   *rand.PCG
	r        *rand.Rand // over source
}

// NewBuffer returns a buffer for about capacity states of p, at least one for each possible
// level. source decides which states are replaced.
func NewBuffer(p lattice.System, capacity int, source *rand.PCG) *Buffer {
	possible := 0
	for b := range p.Levels() {
		if p.Possible(b) {
			possible++
		}
	}
	return &Buffer{
		system:   p,
		size:     lattice.StateBytes(p),
		perLevel: max(1, capacity/possible),
		possible: possible,
		levels:   make([][]uint8, p.Levels()),
		source:   source,
		r:        rand.New(source),
	}
}

// Add remembers a copy of a state of the given level.
func (b *Buffer) Add(state []uint8, level int) {
	have := b.levels[level]
	if len(have) == 0 {
		b.occupied = append(b.occupied, level)
	}
	if len(have) < b.perLevel*b.size {
		b.levels[level] = append(have, state...)
		return
	}
	copy(have[b.r.IntN(b.perLevel)*b.size:], state)
}

// Sample draws a level uniformly from those with states, and one of its states uniformly.
// The state is shared and valid until the next Add.
func (b *Buffer) Sample(r *rand.Rand) (state []uint8, level int) {
	level = b.occupied[r.IntN(len(b.occupied))]
	return b.sampleLevel(r, level), level
}

// sampleLevel is Sample of a level with states.
func (b *Buffer) sampleLevel(r *rand.Rand, level int) (state []uint8) {
	states := b.levels[level]
	i := r.IntN(len(states) / b.size)
	return states[i*b.size : (i+1)*b.size]
}

// Fill is how full the buffer is, 0..1.
func (b *Buffer) Fill() float64 { return float64(b.Len()) / float64(b.perLevel*b.possible) }

// Len is the number of states in the buffer.
func (b *Buffer) Len() int {
	n := 0
	for _, level := range b.levels {
		n += len(level) / b.size
	}
	return n
}
