package exact

import (
	"math/big"
	"math/bits"
)

// primeBits is the length of the primes: short enough that the sum of two
// residues never overflows a word.
const primeBits = 62

// field is the integers modulo an odd prime p < 2^62. Elements are kept in
// Montgomery form, a*2^64 mod p, so that a product needs no division (P. L.
// Montgomery, Math. Comp. 44, 519 (1985)).
type field struct {
	p        uint64
	negInv   uint64 // -1/p mod 2^64
	one, two uint64
	square   uint64 // 2^128 mod p, in plain form
}

func newField(p uint64) field {
	f := field{p: p}
	inv := p // correct to 3 bits; every Newton step doubles the number
	for range 5 {
		inv *= 2 - p*inv
	}
	f.negInv = -inv
	f.square = bits.Rem64(bits.Rem64(1, 0, p), 0, p)
	f.one = f.element(1)
	f.two = f.add(f.one, f.one)
	return f
}

// element returns the residue of a in Montgomery form.
func (f *field) element(a uint64) uint64 { return f.mul(a%f.p, f.square) }

// residue returns the plain residue, in [0, p), of an element.
func (f *field) residue(a uint64) uint64 { return f.mul(a, 1) }

func (f *field) mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	carryHi, carryLo := bits.Mul64(lo*f.negInv, f.p)
	_, carry := bits.Add64(lo, carryLo, 0)
	r := hi + carryHi + carry
	if r >= f.p {
		r -= f.p
	}
	return r
}

func (f *field) add(a, b uint64) uint64 {
	r := a + b
	if r >= f.p {
		r -= f.p
	}
	return r
}

func (f *field) sub(a, b uint64) uint64 {
	r := a - b
	if a < b {
		r += f.p
	}
	return r
}

func (f *field) pow(a, exponent uint64) uint64 {
	r := f.one
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			r = f.mul(r, a)
		}
		a = f.mul(a, a)
	}
	return r
}

func (f *field) inverse(a uint64) uint64 { return f.pow(a, f.p-2) }

// root returns an element of the given multiplicative order, which must
// divide p-1.
func (f *field) root(order uint64) uint64 {
	divisors := primeDivisors(order)
next:
	for candidate := uint64(2); ; candidate++ {
		r := f.pow(f.element(candidate), (f.p-1)/order)
		for _, d := range divisors {
			if f.pow(r, order/d) == f.one {
				continue next
			}
		}
		return r
	}
}

// interpolate replaces the values of a polynomial at the powers 1, w, w^2, ...
// of a primitive len(v)-th root of unity w by its coefficients. The length is a
// power of two.
func (f *field) interpolate(v []uint64, w uint64) {
	n := len(v)
	shift := bits.LeadingZeros64(uint64(n)) + 1
	for i := range v {
		if j := int(bits.Reverse64(uint64(i)) >> shift); n > 1 && i < j {
			v[i], v[j] = v[j], v[i]
		}
	}
	inverse := f.inverse(w)
	for half := 1; half < n; half *= 2 {
		step := f.pow(inverse, uint64(n/(2*half)))
		for start := 0; start < n; start += 2 * half {
			twiddle := f.one
			for i := start; i < start+half; i++ {
				a, b := v[i], f.mul(v[i+half], twiddle)
				v[i], v[i+half] = f.add(a, b), f.sub(a, b)
				twiddle = f.mul(twiddle, step)
			}
		}
	}
	scale := f.inverse(f.element(uint64(n)))
	for i := range v {
		v[i] = f.mul(v[i], scale)
	}
}

// fields returns the fields of the largest primes p = 1 mod order below
// 2^primeBits whose product exceeds 2^length.
func fields(order uint64, length int) []field {
	var list []field
	product := 0.0 // a lower bound of the total bits of the primes
	for p := (uint64(1)<<primeBits-2)/order*order + 1; product <= float64(length); p -= order {
		if new(big.Int).SetUint64(p).ProbablyPrime(0) { // proves primality below 2^64
			list = append(list, newField(p))
			product += primeBits - 1
		}
	}
	return list
}

// primeDivisors returns the distinct prime factors of n.
func primeDivisors(n uint64) []uint64 {
	var list []uint64
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			list = append(list, d)
		}
		for n%d == 0 {
			n /= d
		}
	}
	if n > 1 {
		list = append(list, n)
	}
	return list
}

// reconstructor recovers integers from their residues by the Chinese remainder theorem in
// Garner's mixed-radix form (Knuth, The Art of Computer Programming 2, section 4.3.2).
type reconstructor struct {
	fields []field
	// inverse[i][j], j < i: 1/p_j modulo p_i, as an element.
	inverse [][]uint64
}

func newReconstructor(fields []field) *reconstructor {
	r := &reconstructor{fields: fields}
	for i := range fields {
		f := &fields[i]
		row := make([]uint64, i)
		for j := range row {
			row[j] = f.inverse(f.element(fields[j].p))
		}
		r.inverse = append(r.inverse, row)
	}
	return r
}

// integer returns the smallest non-negative integer with the given residues, one for each
// prime. It overwrites them with the mixed-radix digits.
func (r *reconstructor) integer(residues []uint64) *big.Int {
	for i := range r.fields {
		f := &r.fields[i]
		digit := f.element(residues[i])
		for j, inverse := range r.inverse[i] {
			digit = f.mul(f.sub(digit, f.element(residues[j])), inverse)
		}
		residues[i] = f.residue(digit)
	}
	n, word := new(big.Int), new(big.Int)
	for i := len(r.fields) - 1; i >= 0; i-- {
		n.Mul(n, word.SetUint64(r.fields[i].p))
		n.Add(n, word.SetUint64(residues[i]))
	}
	return n
}
