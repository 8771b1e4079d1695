package sampler

import "neuralwl/sampler/lattice"

// insides is how many numbers are summed of the place of an energy in its bin: x and x^2.
const insides = 2

// measuresInside reports whether levels are bins, and not too many.
func measuresInside(p lattice.System, blocks int) bool {
	return lattice.BinWidth(p) > 0 && p.Levels() <= maxCounted/blocks
}

// Inside returns measurements of where energies are in their bins, one per walker and pass: their
// number by block and level, and the sums of the distance from the centre and of its square, in
// widths and their squares, by block, power and level, for dos.Measurements. The blocks are those of the
// histograms. Nil for levels of single energies. Shared, valid until the next pass.
func (s *Samples) Inside() (count [][]int64, sums [][][]float64) {
	if s.inside == nil {
		return nil, nil
	}
	return s.inside.count, s.inside.sums
}
