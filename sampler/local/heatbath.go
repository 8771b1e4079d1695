package local

import (
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// pottsHeatBath draws the colour of every site in turn from its conditional distribution;
// see heatBathSweep.
type pottsHeatBath struct {
	potts  *lattice.Potts
	window lattice.Window
	tables heatBathTables
}

func newPottsHeatBath(p *lattice.Potts, window lattice.Window) *pottsHeatBath {
	return &pottsHeatBath{p, window, heatBathTables{make(siteTable, p.Levels()), make(hazardTable, p.Levels())}}
}

func (k *pottsHeatBath) Fill(lnWeight []float64) {
	k.tables.sites.fill(lnWeight, k.potts.Q(), k.window)
	k.tables.hazards.fill(k.tables.sites, k.window)
}

func (k *pottsHeatBath) Sweep(_ int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return heatBathSweep(k.potts, state, level, isOrdered(k.potts, level), &k.tables, hits, situations, rng), len(state)
}

func (k *pottsHeatBath) Transitions(blocks int) *Transitions {
	return newTransitions(k.potts, blocks, len(situationAt), countSituation)
}

// pottsRandomHeatBath is pottsHeatBath at sites drawn at random.
type pottsRandomHeatBath struct{ *pottsHeatBath }

func (k *pottsRandomHeatBath) Sweep(_ int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return heatBathAtRandom(k.potts, state, level, &k.tables, hits, situations, rng), len(state)
}

// The colours of a site's four neighbours, in ascending order, fall into runs of equal
// colours. The three comparisons of successive colours say which of the eight patterns of
// runs it is: they are the bits of its index.
const patterns = 8

var (
	// runLength is the length of the run that a position belongs to: the bonds that the
	// site satisfies with that colour.
	runLength [patterns][4]uint8
	// runStart is runLength at the first position of each run and 0 elsewhere.
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
	numberSituations()
}

// heatBathSweep updates every site once, drawing its colour from the conditional
// distribution under the weights 1/g,
//
//	p(c) ∝ 1 / g(B_0 + n_c),
//
// with B_0 the satisfied bonds apart from those of the site, and n_c its neighbours of
// colour c. One site's update keeps detailed balance; the sweep, a product of such updates
// in a fixed order, keeps the distribution. Each update is one trial. situations, unless
// nil, counts it by its initial level and by situationOf. heatBathSweep returns the level
// after the sweep.
//
// The order is row by row, in each row the even sites first, then the odd ones, then the
// last site if their number is odd. No two sites of such a group are neighbours, so one
// loop can gather their surroundings and a second one draw their colours, carrying only the
// level from site to site. That makes the sweep fast. An ordered sweep skips the sites
// inside a domain, which changes how it uses random numbers but not the distribution.
func heatBathSweep(p *lattice.Potts, state []uint8, level int, ordered bool, t *heatBathTables, hits, situations []int64, rng *rand.PCG) int {
	lx, ly := p.Size()
	even := lx - lx%2
	b := heatBathBlock{q: p.Q(), tables: t, hits: hits, situations: situations, rng: rng}
	if ordered {
		b.wind()
	}
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
			for from := 0; from < even; from += 2 * blockSites {
				to := min(from+2*blockSites, even)
				if ordered {
					b.outside(row, up, down, from, to, first)
				} else {
					b.every(from+first, to)
				}
				b.gather(row, up, down)
				level = b.draw(row, level)
			}
		}
		if even < lx {
			b.every(even, lx)
			b.gather(row, up, down)
			level = b.draw(row, level)
		}
	}
	return level
}

// heatBathAtRandom is heatBathSweep for N sites drawn at random.
func heatBathAtRandom(p *lattice.Potts, state []uint8, level int, t *heatBathTables, hits, situations []int64, rng *rand.PCG) int {
	lx, _ := p.Size()
	b := heatBathBlock{q: p.Q(), tables: t, hits: hits, situations: situations, rng: rng}
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
		b.every(x, x+1)
		b.gather(row, state[above:above+lx], state[below:below+lx])
		level = b.draw(row, level)
	}
	return level
}

// blockSites is how many sites are gathered at once: few enough for the first-level cache,
// enough to hide the cost of a call.
const blockSites = 32

// heatBathBlock updates every second site of a stretch of a row together.
type heatBathBlock struct {
	q                int
	tables           *heatBathTables
	hits, situations []int64
	rng              *rand.PCG
	clock            float64 // see wind

	from, to int             // the sites are from, from+2, ... below to
	n        int             // number of sites updated one by one; the others are inside a domain
	columns  [blockSites]int // of those n sites, ascending
	sites    [blockSites]surroundings
	draws    [blockSites]uint64
}

// every selects all sites from, from+2, ... below to, at most blockSites of them.
func (b *heatBathBlock) every(from, to int) {
	b.from, b.to = from, to
	b.n = min((to-from+1)/2, blockSites)
	for i := range b.columns[:b.n] {
		b.columns[i] = from + 2*i
	}
}

// surroundings of a site: its neighbours' colours in ascending order, their pattern, and
// the number of bonds that the site satisfies now.
type surroundings struct {
	colours          [4]uint8
	pattern, present uint8
}

// gather fills in the surroundings of the selected sites.
func (b *heatBathBlock) gather(row, up, down []uint8) {
	up, down = up[:len(row)], down[:len(row)]
	for i, x := range b.columns[:b.n] {
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
		s := &b.sites[i]
		s.colours[0], s.colours[1], s.colours[2], s.colours[3] = uint8(c0), uint8(c1), uint8(c2), uint8(c3)
		s.pattern = uint8(equal(c0, c1) | equal(c1, c2)<<1 | equal(c2, c3)<<2)
		s.present = uint8(present)
	}
}

// draw gives all sites of the block new colours and returns the resulting level.
func (b *heatBathBlock) draw(row []uint8, level int) int {
	n := b.n
	for i := range b.draws[:n] {
		b.draws[i] = b.rng.Uint64()
	}
	table, situations := b.tables.sites, b.situations
	hits := b.hits[:len(table)]
	next := b.from
	for i, x := range b.columns[:n] {
		if x > next {
			level = b.pass(row, next, (x-next)/2, level)
		}
		next = x + 2
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
			c = otherColour(s, u, border[0], b.q)
		} else {
			k := (notBelow(u, border[1]) + notBelow(u, border[2]) + notBelow(u, border[3])) % 4
			level += int(runLength[pattern][k])
			c = int(s.colours[k])
		}
		row[x] = uint8(c)
		hits[level]++
	}
	if next < b.to {
		level = b.pass(row, next, (b.to-next+1)/2, level)
	}
	return level
}

// otherColour picks one of the colours that no neighbour has, all with the same
// probability; u is uniform below border. It turns the index among these colours into a
// colour by skipping the neighbours' colours in ascending order.
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

// The following comparisons yield 0 or 1 and compile to code without branches: a branch
// could not be predicted here.

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
