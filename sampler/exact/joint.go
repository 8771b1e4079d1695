package exact

import (
	"context"
	"math"
	"math/big"
	"slices"

	"neuralwl/sampler/lattice"
)

// joint is elimination for levels that are pairs of the energy and a second variable. The numbers of
// configurations are the coefficients of a polynomial in x and y, whose exponents are the gains of
// both. With a whole polynomial for every configuration of the frontier it would take too much
// memory: it is evaluated, one y at a time and modulo primes, at all row-th roots of unity, row being
// the number of values of the second variable. As a polynomial in x that is elimination with a
// weight for each colour of a site. A discrete Fourier transform gives the coefficients in y, and the Chinese
// remainder theorem the integers.
type joint struct {
	row    int
	gains  []int // in y, of a site by colour
	fields []field
	// mirrored says that the energy is the same with the colours in reverse order, which reverses the
	// second variable: the polynomial in y is a palindrome.
	mirrored bool
}

// point is where the polynomial is evaluated.
type point struct {
	field   *field
	weights []uint64 // y to the gain of each colour
}

// costWeighted is the time of a step in units of that without weights.
const costWeighted = 2

// newJoint returns what pairs need, and the tables of their energies alone; nil for levels that are energies.
func newJoint(s *lattice.Terms) (*joint, lattice.Tables) {
	t, row := s.Tables(), int32(s.Row())
	if row == 1 {
		return nil, t
	}
	j := &joint{row: int(row)}
	for _, gain := range t.Field[:s.Colours()] {
		j.gains = append(j.gains, int(gain%row))
	}
	// All sites have the same second variable.
	t.Field, t.Gain = slices.Clone(t.Field), slices.Clone(t.Gain)
	for k := range t.Field {
		t.Field[k] /= row
	}
	for k := range t.Gain {
		t.Gain[k] /= row
	}
	j.fields = fields(uint64(row), int(math.Ceil(s.LnStates()/math.Ln2))+1)
	j.mirrored = mirrored(s, t, j.gains)
	return j, t
}

// mirrored reports whether tables are the same with the colours in reverse order, and gains in y are
// reversed with them.
func mirrored(s *lattice.Terms, t lattice.Tables, gains []int) bool {
	q := s.Colours()
	palindrome := func(x []int32) bool {
		for i := range x {
			if x[i] != x[len(x)-1-i] {
				return false
			}
		}
		return true
	}
	for c, gain := range gains {
		if gain+gains[q-1-c] != gains[0]+gains[q-1] {
			return false
		}
	}
	for k := 0; k < len(t.Field); k += q {
		if !palindrome(t.Field[k : k+q]) {
			return false
		}
	}
	known := map[int32]bool{}
	for _, b := range t.Bonds {
		if !known[b.Offset] && !palindrome(t.Gain[b.Offset:][:q*q*max(1, int(b.Factor))]) {
			return false
		}
		known[b.Offset] = true
	}
	return true
}

// points is the number of values of y, and of primes, together.
func (j *joint) points() int { return len(j.fields) * j.each() }

// each is the number of values of y.
func (j *joint) each() int {
	if j.mirrored {
		return j.row/2 + 1
	}
	return j.row
}

// runJoint returns the numbers of configurations by level.
func (e *elimination) runJoint(ctx context.Context, workers int, progress *tracker) ([]*big.Int, error) {
	j := e.joint
	progress.expect(j.points() * len(e.steps))
	var residues [][]uint64 // by prime, then by level
	for k := range j.fields {
		f := &j.fields[k]
		w := f.root(uint64(j.row))
		var values [][]uint64 // by gain of the energy, then by power of w
		for n := range j.each() {
			y := f.pow(w, uint64(n))
			e.at = &point{field: f}
			for _, gain := range j.gains {
				e.at.weights = append(e.at.weights, f.pow(y, uint64(gain)))
			}
			front, err := e.sweep(ctx, f.one, workers, progress)
			if err != nil {
				return nil, err
			}
			if values == nil {
				values = make([][]uint64, front.length)
				for gain := range values {
					values[gain] = make([]uint64, j.row)
				}
			}
			for gain, row := range values {
				row[n] = front.counts[gain]
				if j.mirrored && n > 0 { // P(1/y) = y^(1-row) P(y), and y^row = 1
					row[j.row-n] = f.mul(y, row[n])
				}
			}
		}
		var own []uint64
		for _, row := range values {
			own = append(own, f.coefficients(row, w)...)
		}
		residues = append(residues, own)
	}
	progress.finish()
	crt := newReconstructor(j.fields)
	byLevel := make([]*big.Int, len(residues[0]))
	each := make([]uint64, len(residues))
	for level := range byLevel {
		for k := range residues {
			each[k] = residues[k][level]
		}
		byLevel[level] = crt.integer(each)
	}
	return byLevel, nil
}

// coefficients returns the plain residues of the coefficients of a polynomial with the given values at the powers
// of a primitive root of unity w, as many as there are.
func (f *field) coefficients(values []uint64, w uint64) []uint64 {
	n := len(values)
	powers := make([]uint64, n) // of 1/w
	inverse, power := f.inverse(w), f.one
	for i := range powers {
		powers[i] = power
		power = f.mul(power, inverse)
	}
	scale := f.inverse(f.element(uint64(n)))
	out := make([]uint64, n)
	for m := range out {
		sum := uint64(0)
		for i, v := range values {
			sum = f.add(sum, f.mul(v, powers[i*m%n]))
		}
		out[m] = f.residue(f.mul(sum, scale))
	}
	return out
}

// weigh multiplies numbers by the weight of a colour.
func (p *point) weigh(counts []uint64, colour int) {
	w := p.weights[colour]
	if w == p.field.one {
		return
	}
	for i, n := range counts {
		counts[i] = p.field.mul(n, w)
	}
}

// accumulate adds numbers to others.
func (p *point) accumulate(sum, counts []uint64) {
	sum = sum[:len(counts)]
	for i, n := range counts {
		sum[i] = p.field.add(sum[i], n)
	}
}
