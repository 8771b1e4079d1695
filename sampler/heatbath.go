package sampler

import (
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// The colours of the four neighbours of a site, in ascending order, fall into
// runs of equal colours. Which of the eight patterns is present follows from
// the three comparisons of successive colours, the bits of the index.
const patterns = 8

var (
	// runLength is the length of the run that a position belongs to, the bonds
	// that the site gains with that colour.
	runLength [patterns][4]uint8
	// runStart is runLength at the first position of every run and 0 elsewhere.
	runStart [patterns][4]uint8
	// runs is the number of different colours among the neighbours.
	runs [patterns]int
)

func init() {
	for pattern := range patterns {
		first := 0
		for k := 1; k <= 4; k++ {
			if k < 4 && pattern>>(k-1)&1 == 1 {
				continue
			}
			for j := first; j < k; j++ {
				runLength[pattern][j] = uint8(k - first)
			}
			runStart[pattern][first] = uint8(k - first)
			runs[pattern]++
			first = k
		}
	}
}

// heatBathSweep updates every site once, drawing its colour from the conditional
// distribution under the weights 1/g,
//
//	p(c) ∝ 1 / g(B_0 + n_c),
//
// with B_0 the satisfied bonds without those of the site and n_c its neighbours
// of colour c. One site's update keeps detailed balance; the sweep, a product of
// such updates in a fixed order, keeps the distribution. Each update is one trial,
// counted in hits by the level it ends on, and in situations, unless that is nil, by
// the level, the neighbours and the bonds that it begins with, as transitions has
// them. It returns the level after the sweep.
//
// The order is row by row, in each row first the even and then the odd sites (and
// the last site of a row of odd length by itself): no two sites of such a group
// are neighbours, so that their surroundings are gathered in one loop and their
// colours drawn in a second one, in which only the level is carried from site to
// site. That is what makes the sweep fast.
func heatBathSweep(p *lattice.Potts, state []uint8, level int, table heatBathTable, hits, situations []int64, rng *rand.PCG) int {
	lx, ly := p.Size()
	even := lx - lx%2
	var block heatBathBlock
	for y := range ly {
		above, below := y-1, y+1
		if above < 0 {
			above = ly - 1
		}
		if below == ly {
			below = 0
		}
		row := state[y*lx : y*lx+lx]
		up := state[above*lx : above*lx+lx]
		down := state[below*lx : below*lx+lx]
		for first := range 2 {
			for x := first; x < even; x += 2 * blockSites {
				n := block.gather(row, up, down, x, even)
				level = block.draw(row, x, n, p.Q(), level, table, hits, situations, rng)
			}
		}
		if even < lx {
			n := block.gather(row, up, down, even, lx)
			level = block.draw(row, even, n, p.Q(), level, table, hits, situations, rng)
		}
	}
	return level
}

// heatBathAtRandom is heatBathSweep for N sites drawn at random.
func heatBathAtRandom(p *lattice.Potts, state []uint8, level int, table heatBathTable, hits, situations []int64, rng *rand.PCG) int {
	lx, _ := p.Size()
	var block heatBathBlock
	for range state {
		upper, _ := bits.Mul64(rng.Uint64(), uint64(len(state)))
		x := int(upper) % lx
		from := int(upper) - x
		above, below := from-lx, from+lx
		if above < 0 {
			above += len(state)
		}
		if below == len(state) {
			below = 0
		}
		row := state[from : from+lx]
		block.gather(row, state[above:above+lx], state[below:below+lx], x, x+1)
		level = block.draw(row, x, 1, p.Q(), level, table, hits, situations, rng)
	}
	return level
}

// blockSites is how many sites are gathered at once: small enough for the
// first-level cache, large enough to hide the cost of a call.
const blockSites = 32

// heatBathBlock is the scratch space of heatBathSweep.
type heatBathBlock struct {
	sites [blockSites]surroundings
	draws [blockSites]uint64
}

// surroundings of a site: the colours of its neighbours in ascending order,
// their pattern, and the bonds that are satisfied now.
type surroundings struct {
	colours          [4]uint8
	pattern, present uint8
}

// gather fills in the surroundings of the sites from, from+2, ... before to, at
// most blockSites of them, and returns their number.
func (b *heatBathBlock) gather(row, up, down []uint8, from, to int) int {
	up, down = up[:len(row)], down[:len(row)]
	n := 0
	for x := from; x < to && x < len(row) && n < len(b.sites); x += 2 {
		left, right := x-1, x+1
		if left < 0 {
			left = len(row) - 1
		}
		if right == len(row) {
			right = 0
		}
		old := int(row[x])
		c0, c1, c2, c3 := int(row[left]), int(row[right]), int(up[x]), int(down[x])
		present := equal(c0, old) + equal(c1, old) + equal(c2, old) + equal(c3, old)
		c2, c3 = min(c2, c3), max(c2, c3)
		c0, c1 = min(c0, c1), max(c0, c1)
		c0, c2 = min(c0, c2), max(c0, c2)
		c1, c3 = min(c1, c3), max(c1, c3)
		c1, c2 = min(c1, c2), max(c1, c2)
		s := &b.sites[n]
		s.colours[0], s.colours[1], s.colours[2], s.colours[3] = uint8(c0), uint8(c1), uint8(c2), uint8(c3)
		s.pattern = uint8(equal(c0, c1) | equal(c1, c2)<<1 | equal(c2, c3)<<2)
		s.present = uint8(present)
		n++
	}
	return n
}

// draw gives the n gathered sites from, from+2, ... their new colours and
// returns the level afterwards.
func (b *heatBathBlock) draw(row []uint8, from, n, q, level int, table heatBathTable, hits, situations []int64, rng *rand.PCG) int {
	n = min(n, blockSites)
	for i := range b.draws[:n] {
		b.draws[i] = rng.Uint64()
	}
	hits = hits[:len(table)]
	x := from
	for i := range b.sites[:n] {
		s := &b.sites[i]
		u := b.draws[i]
		pattern := s.pattern % patterns
		if situations != nil {
			situations[level*len(situationAt)+int(situationOf[pattern][s.present])]++
		}
		level -= int(s.present)
		border := &table[level][pattern]
		c := 0
		if u < border[0] {
			c = otherColour(s, u, border[0], q)
		} else {
			k := (notBelow(u, border[1]) + notBelow(u, border[2]) + notBelow(u, border[3])) % 4
			level += int(runLength[pattern][k])
			c = int(s.colours[k])
		}
		if x < len(row) {
			row[x] = uint8(c)
		}
		x += 2
		hits[level]++
	}
	return level
}

// otherColour picks one of the colours that no neighbour has; u is uniform below
// border. All are alike, so the index among them is mapped to the colour by
// passing over the neighbours' colours in ascending order.
func otherColour(s *surroundings, u, border uint64, q int) int {
	repeated := int(s.pattern)
	others := q - runs[s.pattern%patterns]
	c := int(float64(int64(u>>11)) / float64(int64(border>>11)) * float64(others))
	c = min(c, others-1) // u/border may round to 1
	c += notLess(c, int(s.colours[0]))
	c += notLess(c, int(s.colours[1])) &^ repeated
	c += notLess(c, int(s.colours[2])) &^ (repeated >> 1)
	c += notLess(c, int(s.colours[3])) &^ (repeated >> 2)
	return c
}

// The comparisons as numbers 0 and 1 that follow compile to code without
// branches, which could not be predicted here.

func equal(a, b int) int {
	if a == b {
		return 1
	}
	return 0
}

func notLess(a, b int) int {
	if a >= b {
		return 1
	}
	return 0
}

func notBelow(a, b uint64) int {
	_, borrow := bits.Sub64(a, b, 0)
	return 1 - int(borrow)
}
