package exact

import (
	"context"
	"math/big"
)

// sweeper computes the contributions of first rows to the partition function. Its buffers
// are reused for each of them.
type sweeper struct {
	transfer
	workers  int
	progress *tracker
	// space is the row space of the current first rows.
	space *rowSpace
	// amplitude holds one packed polynomial per state, stride words apart.
	amplitude []uint64
	// earlier is the amplitude one row before the last, kept if the height is
	// odd; earlierStride words per state.
	earlier       []uint64
	earlierStride int
	scratch       []scratch // one for each worker
}

// scratch is the workspace of a goroutine.
type scratch struct {
	sum, result []uint64
	// left, right and product are integers with fullWords words per coefficient; leftWords
	// and rightWords are the storage of the factors.
	left, right, product  big.Int
	leftWords, rightWords []big.Word
	// share[k] is the sum of the products over the states with k colours besides those of
	// the first row.
	share [][]uint64
}

// newSweeper returns a sweeper for rows of at most the given number of states.
func newSweeper(t transfer, states, workers int, progress *tracker) *sweeper {
	s := &sweeper{transfer: t, workers: workers, progress: progress}
	s.amplitude = make([]uint64, states*t.stride())
	if t.odd() {
		s.earlierStride = t.coefficients(t.rows) * t.words
		s.earlier = make([]uint64, states*s.earlierStride)
	}
	s.scratch = make([]scratch, workers)
	for i := range s.scratch {
		w := &s.scratch[i]
		w.sum = make([]uint64, t.stride())
		w.result = make([]uint64, t.stride())
		w.leftWords = make([]big.Word, t.stride()/t.words*t.fullWords)
		w.rightWords = make([]big.Word, t.stride()/t.words*t.fullWords)
		w.share = make([][]uint64, min(t.q, t.width)+1)
		for k := range w.share {
			w.share[k] = make([]uint64, (2*t.width*t.height+1)*t.fullWords)
		}
	}
	return s
}

// add adds the contribution of a class of first rows to byBonds.
func (s *sweeper) add(ctx context.Context, byBonds []*big.Int, first firstRow) error {
	s.start(first.row)
	coefficients := s.coefficients(0)
	for row := range s.rows + 1 {
		last := row == s.rows
		if last && s.odd() {
			s.keep()
		}
		for j := range s.width {
			left := !last && j > 0
			right := !last && j == s.width-1
			if err := s.site(ctx, j, coefficients, left, right); err != nil {
				return err
			}
			coefficients++
			if left {
				coefficients++
			}
			if right {
				coefficients++
			}
			s.progress.add(s.space.states)
		}
	}
	if err := s.close(ctx); err != nil {
		return err
	}
	s.progress.add(s.space.states)
	s.collect(byBonds, first)
	return nil
}

// start sets the amplitudes of the row after the first one, including the bonds within it.
func (s *sweeper) start(first []uint8) {
	stride := s.stride()
	clear(s.amplitude[:s.space.states*stride])
	s.space.each(func(state int, row []uint8, _ int) {
		bonds := int(s.space.bonds[state])
		for i, c := range row {
			if c == first[i] {
				bonds++
			}
		}
		s.amplitude[state*stride+bonds*s.words] = 1
	})
}

// keep copies the amplitudes.
func (s *sweeper) keep() {
	stride, n := s.stride(), s.earlierStride
	for state := range s.space.states {
		copy(s.earlier[state*n:(state+1)*n], s.amplitude[state*stride:])
	}
}

// site replaces the last site of the row, rotated by j sites, by the site above it. It adds
// the vertical bond between the two, and the bonds of the new site with its left and right
// neighbours if these have already been replaced. coefficients is the length of the
// amplitudes before.
func (s *sweeper) site(ctx context.Context, j, coefficients int, left, right bool) error {
	const chunk = 256
	return inChunks(ctx, s.workers, len(s.space.fibres), chunk, func(worker, from, to int) {
		w := &s.scratch[worker]
		n := coefficients * s.words
		stride := s.stride()
		sum, result := w.sum[:n], w.result[:n+s.words]
		for _, f := range s.space.fibres[from:to] {
			location := s.space.location[j][f.first:][:s.space.size(f)]
			s.sumOver(sum, location, int(f.known))
			for colour, at := range location {
				a := s.amplitude[int(at)*stride:][:stride]
				vertical(result, sum, a[:n], s.words)
				shift := 0
				if left && colour == int(f.left) {
					shift += s.words
				}
				if right && colour == int(f.right) {
					shift += s.words
				}
				clear(a[:shift])
				copy(a[shift:], result)
			}
		}
	})
}

// sumOver sets sum to the sum of the amplitudes over all q colours of the last site;
// equivalent colours count with their multiplicity.
func (s *sweeper) sumOver(sum []uint64, location []uint32, known int) {
	stride := s.stride()
	if known < s.q {
		a := s.amplitude[int(location[known])*stride:]
		scale(sum, a[:len(sum)], uint64(s.q-known))
	} else {
		clear(sum)
	}
	add := accumulate
	if s.words == 1 {
		add = accumulateSingle
	}
	for _, at := range location[:known] {
		add(sum, s.amplitude[int(at)*stride:][:len(sum)])
	}
}

// close multiplies the amplitudes of the two halves and the bonds within the row where they
// meet.
func (s *sweeper) close(ctx context.Context) error {
	for i := range s.scratch {
		for _, share := range s.scratch[i].share {
			clear(share)
		}
	}
	const chunk = 256
	stride := s.stride()
	return inChunks(ctx, s.workers, s.space.states, chunk, func(worker, from, to int) {
		w := &s.scratch[worker]
		for state := from; state < to; state++ {
			s.widen(&w.left, w.leftWords, s.amplitude[state*stride:][:stride])
			right, shift := &w.left, int(s.space.bonds[state])
			if s.odd() { // this factor already has the bonds within the row
				right, shift = &w.right, 0
				s.widen(right, w.rightWords, s.earlier[state*s.earlierStride:][:s.earlierStride])
			}
			w.product.Mul(&w.left, right)
			share := w.share[int(s.space.colours[state])-s.space.fixed]
			accumulateAt(share, w.product.Bits(), shift*s.fullWords)
		}
	})
}

// widen sets n to the polynomial a with fullWords instead of words for each coefficient, in
// the given storage.
func (s *sweeper) widen(n *big.Int, storage []big.Word, a []uint64) {
	length := len(a) / s.words * s.fullWords
	clear(storage[:length])
	for i, v := range a {
		storage[i/s.words*s.fullWords+i%s.words] = big.Word(v)
	}
	n.SetBits(storage[:length])
}

// collect adds the shares of all workers to byBonds, each state with the number of
// colourings equivalent to it.
func (s *sweeper) collect(byBonds []*big.Int, first firstRow) {
	rows := big.NewInt(int64(first.images))
	rows.Mul(rows, arrangements(s.q, first.colours))
	weight, g := new(big.Int), new(big.Int)
	for i := range s.scratch {
		for k, share := range s.scratch[i].share {
			weight.Mul(rows, arrangements(s.q-first.colours, k))
			for b := range len(byBonds) - first.bonds {
				g.SetBits(bigWords(share[b*s.fullWords:][:s.fullWords]))
				byBonds[b+first.bonds].Add(byBonds[b+first.bonds], g.Mul(g, weight))
			}
		}
	}
}

// arrangements returns n (n-1) ... (n-k+1), the number of ways to choose k different
// colours out of n in order.
func arrangements(n, k int) *big.Int {
	product := big.NewInt(1)
	for i := range k {
		product.Mul(product, big.NewInt(int64(n-i)))
	}
	return product
}

// bigWords converts a number to the representation of package big.
func bigWords(n []uint64) []big.Word {
	list := make([]big.Word, len(n))
	for i, v := range n {
		list[i] = big.Word(v)
	}
	return list
}
