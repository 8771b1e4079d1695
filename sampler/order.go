package sampler

import (
	"encoding/binary"

	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
)

// powers of the order parameter that are summed: |m|, m^2 and m^4.
const powers = 3

// ordered is how many observables measure the order of a system: its own, or those powers, in bins with their products
// with the place of the energy.
func ordered(p lattice.System) int {
	if o, ok := p.(lattice.Observed); ok {
		return len(o.Observables())
	}
	if lattice.BinWidth(p) > 0 {
		return 2 * powers
	}
	return powers
}

// measured are production's measurements, one per walker and pass.
type measured struct {
	count [][]int64     // number of measurements, by block and level
	sums  [][][]float64 // of what is measured, by block, observable and level
}

func newMeasured(levels, observables, blocks int) *measured {
	m := &measured{count: make([][]int64, blocks), sums: make([][][]float64, blocks)}
	for k := range blocks {
		m.count[k] = make([]int64, levels)
		for range observables {
			m.sums[k] = append(m.sums[k], make([]float64, levels))
		}
	}
	return m
}

// add adds a measurement at a level.
func (m *measured) add(block, level int, values ...float64) {
	m.count[block][level]++
	for k, x := range values {
		m.sums[block][k][level] += x
	}
}

// restore takes over measurements of as many blocks, or of more, which are added up.
func (m *measured) restore(count [][]int64, sums [][][]float64) {
	fold(m.count, count)
	for i, own := range sums {
		for k := range own {
			fold(m.sums[i*len(m.sums)/len(sums)][k:k+1], own[k:k+1])
		}
	}
}

// measuresOrder is false for systems without an order parameter, or with too many levels. The order
// parameter,
//
//	m = (q n / N - 1) / (q - 1),
//
// of a configuration whose most frequent colour has n sites, is 1 if all sites are alike,
// about 0 in disorder, and |M|/N of the Ising model for q = 2.
//
// Systems with observables of their own have these measured, over the energies in a bin with the rest of its
// average. Of others, products with the place of the energy in its bin tell how they change inside.
func measuresOrder(p lattice.System, blocks int) bool {
	_, own := p.(lattice.Observed)
	return (own || p.ColoursOrder()) && p.Levels() <= maxCounted/blocks
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

// measure measures the order parameter of every walker in production, and where its energy is in its
// bin, except in windows still without walkers. Once a pass is often enough, since walkers forget
// these slowly, and takes about one per cent of the time of the local sweeps.
func (e *Engine) measure() {
	s := e.samples
	if s == nil || s.order == nil && s.inside == nil {
		return
	}
	p := e.o.System
	q, sites := p.Colours(), float64(p.Sites())
	own, _ := p.(lattice.Observed)
	n := ordered(p)
	size := e.division.group * len(e.windows)
	parallel.Do(e.o.Workers, e.division.groups(), 1, func(_, group int) {
		var t tally
		values := make([]float64, max(n, 2*powers))
		for i := group * size; i < min((group+1)*size, len(e.walkers)); i++ {
			if !e.window(i).isOpen {
				continue
			}
			w, block, x := &e.walkers[i], s.block(i), 0.
			if s.inside != nil {
				x = lattice.Place(p, w.state)
				s.inside.add(block, w.level, x, x*x)
			}
			if s.order != nil && own != nil {
				own.Observe(values[:n], w.state)
				s.order.add(block, w.level, values[:n]...)
			} else if s.order != nil {
				m := (float64(q*t.most(w.state, q))/sites - 1) / float64(q-1)
				values[0], values[1], values[2] = m, m*m, m*m*m*m
				for k := range powers {
					values[powers+k] = x * values[k]
				}
				s.order.add(block, w.level, values[:n]...)
			}
		}
	})
}

// Order returns the measurements of the order parameter m = (q n / N - 1)/(q - 1), with n
// the sites of the most frequent colour, one per walker and pass: their number by block and
// level, and the sums of |m|, m^2 and m^4 by block, power and level, for dos.Measurements, in bins followed by
// those of their products with the place of the energy, see Inside; of a lattice.Observed its observables. The blocks are those of the histograms, all windows together. Nil for systems without such
// an order. Shared, valid until the next pass.
func (s *Samples) Order() (count [][]int64, sums [][][]float64) {
	if s.order == nil {
		return nil, nil
	}
	return s.order.count, s.order.sums
}
