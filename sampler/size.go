package sampler

import (
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// CountBytes is how many bytes the counts of production take, with walkers that many in each of
// so many windows; moves says that local moves are among them, targeted that a network draws for energies. It allocates nothing.
func CountBytes(s lattice.System, columns, windows int, moves, targeted bool) int64 {
	const word = 8
	levels := int64(s.Levels())
	d := divide(columns, s.Levels())
	n := int64(d.blocks())
	words := n * levels * int64(windows)
	if measuresOrder(s, int(n)) {
		words += n * levels * int64(1+ordered(s))
	}
	if measuresInside(s, int(n)) {
		words += n * levels * (1 + insides)
	}
	parts := int64(d.parts())
	if moves && local.Countable(s, d.parts()) {
		words += 2 * parts * levels * int64(len(lattice.Changes(s))) // situations and changes at most
	}
	if targeted {
		words += 3 * parts * levels
	}
	return words * word
}
