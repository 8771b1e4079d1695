package sampler

import (
	"encoding/binary"

	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
)

// powers of the order parameter that are summed: |m|, m^2 and m^4.
const powers = 3

// order holds production's measurements of the order parameter,
//
//	m = (q n / N - 1) / (q - 1),
//
// of a configuration whose most frequent colour has n sites: 1 if all sites are alike,
// about 0 in disorder, and |M|/N of the Ising model for q = 2.
type order struct {
	count [][]int64     // number of measurements, by block and level
	sums  [][][]float64 // of |m|, m^2 and m^4, by block, power and level
}

// measuresOrder is false for systems without such an order or with too many levels.
func measuresOrder(p lattice.System, blocks int) bool {
	return p.ColoursOrder() && p.Levels() <= maxCounted/blocks
}

// newOrder returns nil if the order is not measured.
func newOrder(p lattice.System, blocks int) *order {
	if !measuresOrder(p, blocks) {
		return nil
	}
	levels := p.Levels()
	o := &order{count: make([][]int64, blocks), sums: make([][][]float64, blocks)}
	for k := range blocks {
		o.count[k] = make([]int64, levels)
		for range powers {
			o.sums[k] = append(o.sums[k], make([]float64, levels))
		}
	}
	return o
}

// tally counts sites by colour in four lanes. In ordered configurations a single counter
// would have to wait for its own previous increment.
type tally [4][256]uint32

// most returns the number of sites of the most frequent of q colours. The tally must be
// empty and is left empty.
func (t *tally) most(state []uint8, q int) int {
	for ; len(state) >= 8; state = state[8:] {
		x := binary.LittleEndian.Uint64(state)
		t[0][uint8(x)]++
		t[1][uint8(x>>8)]++
		t[2][uint8(x>>16)]++
		t[3][uint8(x>>24)]++
		t[0][uint8(x>>32)]++
		t[1][uint8(x>>40)]++
		t[2][uint8(x>>48)]++
		t[3][uint8(x>>56)]++
	}
	for _, colour := range state {
		t[0][colour]++
	}
	most := uint32(0)
	for c := range q {
		most = max(most, t[0][c]+t[1][c]+t[2][c]+t[3][c])
		t[0][c], t[1][c], t[2][c], t[3][c] = 0, 0, 0, 0
	}
	return int(most)
}

// measure measures the order parameter of every walker in production, except in windows
// still without walkers. Once a pass is often enough, since walkers forget it slowly, and
// takes about one per cent of the time of the local sweeps.
func (e *Engine) measure() {
	if e.samples == nil || e.samples.order == nil {
		return
	}
	p := e.o.System
	q, sites := p.Colours(), float64(p.Sites())
	columns := len(e.walkers) / len(e.windows)
	size := groupSize(columns) * len(e.windows)
	parallel.Do(e.o.Workers, groups(columns), 1, func(_, group int) {
		var t tally
		for i := group * size; i < min((group+1)*size, len(e.walkers)); i++ {
			if !e.window(i).isOpen {
				continue
			}
			w, block := &e.walkers[i], e.samples.block(i)
			m := (float64(q*t.most(w.state, q))/sites - 1) / float64(q-1)
			sums := e.samples.order.sums[block]
			e.samples.order.count[block][w.level]++
			sums[0][w.level] += m
			sums[1][w.level] += m * m
			sums[2][w.level] += m * m * m * m
		}
	})
}

// Order returns the measurements of the order parameter m = (q n / N - 1)/(q - 1), with n
// the sites of the most frequent colour, one per walker and pass: their number by block and
// level, and the sums of |m|, m^2 and m^4 by block, power and level, for dos.Measurements.
// The blocks are those of the histograms, all windows together. Nil for systems without such
// an order. Shared, valid until the next pass.
func (s *Samples) Order() (count [][]int64, sums [][][]float64) {
	if s.order == nil {
		return nil, nil
	}
	return s.order.count, s.order.sums
}
