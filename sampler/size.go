package sampler

import "neuralwl/sampler/lattice"

// maxLocalCounts bounds what local moves count of transitions, as package local has it.
const maxLocalCounts = 1 << 26

// CountBytes is how many bytes the counts of production take, with walkers that many in each of
// so many windows; targeted says that a network draws for energies. It allocates nothing.
func CountBytes(s lattice.System, columns, windows int, local, targeted bool) int64 {
	const word = 8
	levels := int64(s.Levels())
	n := int64(blocks(columns, s.Levels()))
	words := n * levels * int64(windows)
	if measuresOrder(s, int(n)) {
		words += n * levels * (1 + powers)
	}
	parts := int64(segments(columns) * groups(columns))
	if steps := int64(lattice.Steps(s)); local && levels*steps*parts <= maxLocalCounts {
		words += 2 * parts * levels * steps // situations and changes at most
	}
	if targeted {
		words += 3 * parts * levels
	}
	return words * word
}
