package models

import (
	"slices"

	"neuralwl/models/graph"
)

// checkerboard divides the sites of a periodic lattice whose sides are even, or 1, into the half whose coordinates
// have an even sum and the other. Sites are in raster order in both.
type checkerboard struct {
	sides  []int
	halves [2][]int32 // sites
	place  []int32    // of each site in the even half followed by the odd one
	orbits [][][]int  // odd displacements, those that symmetries of the lattice map onto each other together
}

// newCheckerboard has displacements of up to reach along each side.
func newCheckerboard(sides []int, reach int) *checkerboard {
	b := &checkerboard{sides: sides}
	n := System{Sides: sides}.Sites()
	for i := range n {
		half := sum(b.coordinates(i)) % 2
		b.halves[half] = append(b.halves[half], int32(i))
	}
	b.place = make([]int32, n)
	for k, i := range slices.Concat(b.halves[0], b.halves[1]) {
		b.place[i] = int32(k)
	}
	var names [][]int // of the orbits: their displacements without signs, sorted
	for _, d := range box(sides, reach) {
		if sum(d)%2 == 0 {
			continue
		}
		name := make([]int, len(d))
		for k, x := range d {
			name[k] = max(x, -x)
		}
		slices.Sort(name)
		at := slices.IndexFunc(names, func(n []int) bool { return slices.Equal(n, name) })
		if at < 0 {
			at = len(names)
			names, b.orbits = append(names, name), append(b.orbits, nil)
		}
		b.orbits[at] = append(b.orbits[at], d)
	}
	// Nearest neighbours first.
	slices.SortStableFunc(b.orbits, func(x, y [][]int) int { return square(x[0]) - square(y[0]) })
	return b
}

// box lists the displacements of up to reach along each side, of none along sides of 1.
func box(sides []int, reach int) [][]int {
	if len(sides) == 0 {
		return [][]int{nil}
	}
	last := len(sides) - 1
	along := reach
	if sides[last] == 1 {
		along = 0
	}
	var all [][]int
	for _, rest := range box(sides[:last], reach) {
		for x := -along; x <= along; x++ {
			all = append(all, append(slices.Clone(rest), x))
		}
	}
	return all
}

// axes is the number of sides along which there are neighbours.
func (b *checkerboard) axes() (n int) {
	for _, l := range b.sides {
		if l > 1 {
			n++
		}
	}
	return n
}

func sum(x []int) (total int) {
	for _, v := range x {
		total += v
	}
	return total
}

func square(x []int) (total int) {
	for _, v := range x {
		total += v * v
	}
	return total
}

func (b *checkerboard) coordinates(site int) []int {
	at := make([]int, len(b.sides))
	for k, l := range b.sides {
		at[k], site = site%l, site/l
	}
	return at
}

// displaced is the site at a displacement from another.
func (b *checkerboard) displaced(site int, by []int) int {
	at, stride := 0, 1
	for k, x := range b.coordinates(site) {
		l := b.sides[k]
		at += ((x+by[k])%l + l) % l * stride
		stride *= l
	}
	return at
}

// split takes both halves, float[M,N/2], of angles, float[M,N].
func (b *checkerboard) split(g *graph.Graph, angles *graph.Node) (halves [2]*graph.Node) {
	for k, sites := range b.halves {
		halves[k] = angles.Gather(1, g.Constant(graph.Int32s(sites, len(sites))))
	}
	return halves
}

// join is the inverse of split.
func (b *checkerboard) join(g *graph.Graph, halves [2]*graph.Node) *graph.Node {
	return graph.Concat(1, halves[:]...).Gather(1, g.Constant(graph.Int32s(b.place, len(b.place))))
}

// vectors returns, for the sites of one half and each orbit, the mean of (cos, sin) of the angles of the
// other half, float[M,N/2], at its displacements: two tensors float[M,N/2,O].
func (b *checkerboard) vectors(g *graph.Graph, active int, frozen *graph.Node) (x, y *graph.Node) {
	sites := b.halves[active]
	var index []int32
	for _, i := range sites {
		for _, orbit := range b.orbits {
			for _, d := range orbit {
				index = append(index, b.place[b.displaced(int(i), d)]-int32(1-active)*int32(len(sites)))
			}
		}
	}
	members := len(index) / len(sites)
	means, at := make([]float32, members*len(b.orbits)), 0
	for o, orbit := range b.orbits {
		for range orbit {
			means[at*len(b.orbits)+o] = 1 / float32(len(orbit))
			at++
		}
	}
	at2 := g.Constant(graph.Int32s(index, len(sites), members))
	mean := g.Constant(graph.Float32s(means, members, len(b.orbits)))
	return frozen.Cos().Gather(1, at2).MatMul(mean), frozen.Sin().Gather(1, at2).MatMul(mean)
}

// energy returns that of the model XY, float[M], of angles, float[M,N].
func (b *checkerboard) energy(g *graph.Graph, angles *graph.Node) *graph.Node {
	var total *graph.Node
	n := len(b.place)
	for k, l := range b.sides {
		if l == 1 {
			continue // a site is no neighbour of its own
		}
		step := make([]int, len(b.sides))
		step[k] = 1
		next := make([]int32, n)
		for i := range next {
			next[i] = int32(b.displaced(i, step))
		}
		total = plus(total, angles.Sub(angles.Gather(1, g.Constant(graph.Int32s(next, n)))).Cos())
	}
	return total.ReduceSum(graph.DropDims, 1).Neg()
}
