package local

import (
	"encoding/binary"
	"math"
	"math/bits"

	"neuralwl/sampler/lattice"
)

// In ordered states most sites are inside a domain: all four neighbours have the site's
// colour. An update changes such a site with a small probability p, which depends on the
// level alone. So the heat bath need not visit them one by one. Each update adds -ln(1-p) to
// a hazard, and the update that lifts the hazard to an exponential random number of mean 1,
// the clock, is the first to make a change (the waiting times of Bortz, Kalos, Lebowitz,
// J. Comput. Phys. 17, 10 (1975), in discrete time). The hazard accumulates across levels
// and across other updates in between.

// hazardTable holds -ln(1-p) of an update inside a domain, by the level before it.
type hazardTable []float64

// fill computes the table from that of all sites.
func (t hazardTable) fill(sites siteTable, window lattice.Window) {
	for level := max(maxStep, window.Low); level <= window.High; level++ {
		t[level] = -math.Log1p(-float64(sites[level-maxStep][patterns-1][0]) / (1 << 64))
	}
}

// isOrdered reports whether enough sites are inside a domain for skipping them to save
// time. It affects speed alone.
func isOrdered(p *lattice.Potts, level int) bool { return 4*level > 5*p.Sites() }

// wind draws the clock.
func (b *heatBathBlock) wind() {
	b.clock = -math.Log1p(-float64(b.rng.Uint64()>>11) * 0x1p-53)
}

// pass updates the n sites x, x+2, ... inside a domain and returns the resulting level.
func (b *heatBathBlock) pass(row []uint8, x, n, level int) int {
	for {
		hazard := b.tables.hazards[level]
		if sum := float64(n) * hazard; b.clock >= sum {
			b.clock -= sum
			b.kept(n, level)
			return level
		}
		kept := min(int(b.clock/hazard), n-1)
		b.kept(kept, level)
		if b.situations != nil {
			b.situations[level*len(situationAt)+insideSituation]++
		}
		x += 2 * kept
		upper, _ := bits.Mul64(b.rng.Uint64(), uint64(b.q-1))
		c := uint8(upper)
		if c >= row[x] {
			c++
		}
		row[x] = c
		level -= maxStep
		b.hits[level]++
		b.wind()
		if n -= kept + 1; n == 0 {
			return level
		}
		x += 2
	}
}

// kept counts n updates inside a domain that change nothing.
func (b *heatBathBlock) kept(n, level int) {
	b.hits[level] += int64(n)
	if b.situations != nil {
		b.situations[level*len(situationAt)+insideSituation] += int64(n)
	}
}

// outside selects those of the sites from+first, from+first+2, ... below to that are not
// inside a domain. It does not examine trailing columns that fill no word: all are selected.
func (b *heatBathBlock) outside(row, up, down []uint8, from, to, first int) {
	const word, alternate = 8, 0x5555555555555555
	b.from, b.to = from+first, to
	mask := uint64(0)
	x := from
	for ; x+word <= to; x += word {
		left, right := x-1, x+word
		if left < 0 {
			left = len(row) - 1
		}
		if right == len(row) {
			right = 0
		}
		own := binary.LittleEndian.Uint64(row[x:])
		differ := own ^ (own<<8 | uint64(row[left]))
		differ |= own ^ (own>>8 | uint64(row[right])<<56)
		differ |= own ^ binary.LittleEndian.Uint64(up[x:])
		differ |= own ^ binary.LittleEndian.Uint64(down[x:])
		mask |= nonzero(differ) << (x - from)
	}
	mask |= ^uint64(0) << (x - from)
	mask &= alternate << first
	if to-from < 64 {
		mask &= 1<<(to-from) - 1
	}
	b.n = bits.OnesCount64(mask)
	for i := range b.columns[:b.n] {
		b.columns[i] = from + bits.TrailingZeros64(mask)
		mask &= mask - 1
	}
}

// nonzero sets bit i of the result if byte i of x is not 0, the lowest being byte 0.
func nonzero(x uint64) uint64 {
	const low = 0x7f7f7f7f7f7f7f7f
	x = ((x&low + low) | x) &^ low >> 7
	return x * 0x0102040810204080 >> 56
}
