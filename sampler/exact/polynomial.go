package exact

import (
	"math/big"
	"math/bits"
)

// A packed polynomial has non-negative integer coefficients of a fixed number of words
// each, least significant first, concatenated: the value of the polynomial at x =
// 2^(64*words). Sums, differences and products of polynomials are then those of long
// integers, exact as long as no coefficient of the result is negative or overflows;
// intermediate ones may.

// Packed polynomials share words with package big, so the word size must be 64 bits.
var _ = [1]struct{}{}[bits.UintSize-64]

// vertical sets result to sum + (x-1) a, where sum has the length of a and is at least a in
// every coefficient; result is longer by one coefficient of the given number of words.
func vertical(result, sum, a []uint64, words int) {
	if words == 1 { // no carries between coefficients
		sum, result = sum[:len(a)], result[:len(a)+1]
		var before uint64
		for i, v := range a {
			result[i] = sum[i] - v + before
			before = v
		}
		result[len(a)] = before
		return
	}
	subtract(result, sum, a)
	clear(result[len(a) : len(a)+words])
	accumulate(result[words:], a)
}

// accumulate adds a to the first len(a) words of sum. Adding four words at a time keeps the
// carry in the processor's flag.
func accumulate(sum, a []uint64) {
	var carry uint64
	for ; len(a) >= 4; sum, a = sum[4:], a[4:] {
		s, v := (*[4]uint64)(sum), (*[4]uint64)(a)
		s[0], carry = bits.Add64(s[0], v[0], carry)
		s[1], carry = bits.Add64(s[1], v[1], carry)
		s[2], carry = bits.Add64(s[2], v[2], carry)
		s[3], carry = bits.Add64(s[3], v[3], carry)
	}
	for i, v := range a {
		sum[i], carry = bits.Add64(sum[i], v, carry)
	}
}

// accumulateSingle is accumulate for coefficients of one word.
func accumulateSingle(sum, a []uint64) {
	sum = sum[:len(a)]
	for i, v := range a {
		sum[i] += v
	}
}

// subtract sets the first len(a) words of difference to those of b - a.
func subtract(difference, b, a []uint64) {
	var borrow uint64
	for ; len(a) >= 4; difference, b, a = difference[4:], b[4:], a[4:] {
		d, u, v := (*[4]uint64)(difference), (*[4]uint64)(b), (*[4]uint64)(a)
		d[0], borrow = bits.Sub64(u[0], v[0], borrow)
		d[1], borrow = bits.Sub64(u[1], v[1], borrow)
		d[2], borrow = bits.Sub64(u[2], v[2], borrow)
		d[3], borrow = bits.Sub64(u[3], v[3], borrow)
	}
	for i, v := range a {
		difference[i], borrow = bits.Sub64(b[i], v, borrow)
	}
}

// scale sets product to factor times a, both of equal length.
func scale(product, a []uint64, factor uint64) {
	product = product[:len(a)]
	var carry uint64
	for i, v := range a {
		hi, lo := bits.Mul64(v, factor)
		lo, c := bits.Add64(lo, carry, 0)
		product[i], carry = lo, hi+c
	}
}

// accumulateAt adds a to sum from the given word on; sum has room for the
// result.
func accumulateAt(sum []uint64, a []big.Word, at int) {
	var carry uint64
	for i, v := range a {
		sum[at+i], carry = bits.Add64(sum[at+i], uint64(v), carry)
	}
	for i := at + len(a); carry > 0; i++ {
		sum[i], carry = bits.Add64(sum[i], 0, carry)
	}
}
