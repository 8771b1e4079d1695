package exact

import (
	"context"
	"math"
	"math/big"
)

// transferMatrix adds the sites of the torus one by one to the amplitudes of row colourings
// (Binder, Physica 62, 508 (1972); Bhanot, J. Stat. Phys. 60, 55 (1990)) and returns the
// numbers of configurations by satisfied bonds. Rows that are permutations of each other's
// colours have equal amplitudes and form one state; see rowSpace.
//
// Let u_r(s) be the polynomial in x = exp(beta J) that counts, by satisfied bonds, the
// colourings of the rows between a given first row s_0 and row r = s; bonds within the
// first and the last row do not count, but the vertical ones up to row r do. The lattice
// looks the same from both ends, so it can be closed in the middle: with h(s) the satisfied
// bonds within a row,
//
//	Z = sum over s_0, s of x^(h(s_0)+h(s)) u_m(s) u_n(s), m + n = height.
//
// Only half of the height is swept, with coefficients of half the length. The first row
// stays fixed during a sweep, so one from each class of equivalent first rows suffices.
// Width is the shorter side.
func transferMatrix(ctx context.Context, q, width, height, workers int, progress *tracker) ([]*big.Int, error) {
	t := newTransfer(q, width, height)
	states := extensionTable[int](width, q)[width]
	classes := firstRows(width, q)
	units, most := 0, 0
	for colours, rows := range classes {
		if len(rows) > 0 {
			units += len(rows) * states[colours] * (t.steps() + 1)
			most = max(most, states[colours])
		}
	}
	progress.expect(units)

	byBonds := make([]*big.Int, 2*width*height+1)
	for k := range byBonds {
		byBonds[k] = new(big.Int)
	}
	s := newSweeper(t, most, workers, progress)
	for colours, rows := range classes {
		if len(rows) == 0 {
			continue
		}
		s.space = newRowSpace(width, q, colours)
		for _, first := range rows {
			if err := s.add(ctx, byBonds, first); err != nil {
				return nil, err
			}
		}
	}
	return byBonds, nil
}

// transfer is the geometry of a computation.
type transfer struct {
	q, width, height int
	// rows is the number of rows swept completely after the first one, before the last half
	// step, which has only vertical bonds.
	rows int
	// words is the length of a coefficient of an amplitude, whose value at x = 1 is the
	// number of colourings of the rows between the first and the present one. fullWords is
	// the length of a coefficient of a product of two, summed over states: at most the
	// number of colourings of all other rows.
	words, fullWords int
}

func newTransfer(q, width, height int) transfer {
	t := transfer{q: q, width: width, height: height}
	t.rows = (height+1)/2 - 2
	t.words = wordsFor(q, width*(t.rows+1))
	t.fullWords = wordsFor(q, width*(height-1))
	return t
}

// wordsFor returns the number of words that hold any integer up to q^sites. The excess bits
// cover the rounding of the logarithm.
func wordsFor(q, sites int) int {
	const excess = 1e-6
	return int((float64(sites)*math.Log2(float64(q))+excess)/64) + 1
}

// odd reports whether the two halves of the lattice differ by a row.
func (t transfer) odd() bool { return t.height%2 == 1 }

// steps is the number of sites that a sweep adds.
func (t transfer) steps() int { return t.width * (t.rows + 1) }

// coefficients is the length of the amplitudes after complete rows: at most two bonds per
// site, including the first row added.
func (t transfer) coefficients(rows int) int { return 2*t.width*(rows+1) + 1 }

// stride is the length in words of the longest amplitude: the complete rows and the
// vertical bonds of one more.
func (t transfer) stride() int { return (t.coefficients(t.rows) + t.width) * t.words }
