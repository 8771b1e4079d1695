package exact

import (
	"context"
	"math/big"
	"math/bits"
)

// kaufman expands Kaufman's solution of the Ising model on the torus (Phys. Rev. 76, 1232
// (1949)) in powers of y = exp(beta J), like Beale (Phys. Rev. Lett. 76, 78 (1996)), and
// returns the numbers of configurations by satisfied bonds: Z = sum over B of g(B) y^B.
//
// With the four combinations of periodic (p) and antiperiodic (a) momenta,
//
//	Z = 1/2 (Z_aa + Z_ap + Z_pa - Z_pp),
//	Z_st = prod [(y^2+1)^2 - 2 y (y^2-1) (cos theta + cos phi)]^(1/2)
//
// over theta = pi a/Lx and phi = pi b/Ly, a and b even (periodic) or odd. Each factor
// occurs twice, as (theta, phi) and (-theta, -phi), except where both are 0 or pi; there
// the root is the polynomial given by fixedPoint. This also holds for odd sides: they only
// move the momentum pi from the periodic to the antiperiodic set.
//
// Where Beale multiplies polynomials by computer algebra, this code evaluates and
// interpolates Z at roots of unity modulo primes that have the needed roots, so that the
// cosines are exact residues; the Chinese remainder theorem then gives the integers. The
// number of broken bonds is even on every closed line of the torus, hence Z is a polynomial
// of degree N in z = y^2.
func kaufman(ctx context.Context, lx, ly, workers int, progress *tracker) ([]*big.Int, error) {
	n := lx * ly
	points := 1 << bits.Len(uint(n))
	order := lcm(lcm(2*uint64(lx), 2*uint64(ly)), 2*uint64(points))
	fields := fields(order, n)
	progress.expect(len(fields))

	residues := make([][]uint64, len(fields))
	err := inChunks(ctx, workers, len(fields), 1, func(_, i, _ int) {
		residues[i] = kaufmanModulo(&fields[i], order, lx, ly, points)
		progress.add(1)
	})
	if err != nil {
		return nil, err
	}

	byBonds := make([]*big.Int, 2*n+1)
	crt := newReconstructor(fields)
	const chunk = 64
	err = inChunks(ctx, workers, n+1, chunk, func(_, from, to int) {
		column := make([]uint64, len(fields))
		for k := from; k < to; k++ {
			for i := range column {
				column[i] = residues[i][k]
			}
			byBonds[2*k] = crt.integer(column)
			if k < n {
				byBonds[2*k+1] = new(big.Int)
			}
		}
	})
	return byBonds, err
}

// kaufmanModulo returns the coefficients of Z as a polynomial in z modulo the
// prime of f, whose multiplicative group has elements of the given order.
func kaufmanModulo(f *field, order uint64, lx, ly, points int) []uint64 {
	unit := f.root(order)
	s := momenta{
		field: f, lx: lx, ly: ly,
		cosX: doubleCosines(f, f.pow(unit, order/uint64(2*lx)), lx),
		cosY: doubleCosines(f, f.pow(unit, order/uint64(2*ly)), ly),
	}
	root := f.pow(unit, order/uint64(2*points)) // y runs over its powers
	values := make([]uint64, points)
	y := f.one
	for j := range values {
		values[j] = s.partitionFunction(y)
		y = f.mul(y, root)
	}
	f.interpolate(values, f.mul(root, root))
	for j := range values {
		values[j] = f.residue(values[j])
	}
	return values
}

// doubleCosines returns 2 cos(pi a/n) for a = 0..n, root = exp(i pi/n).
func doubleCosines(f *field, root uint64, n int) []uint64 {
	inverse := f.inverse(root)
	list := make([]uint64, n+1)
	e, eInverse := f.one, f.one
	for a := range list {
		list[a] = f.add(e, eInverse)
		e, eInverse = f.mul(e, root), f.mul(eInverse, inverse)
	}
	return list
}

// momenta holds the two sets of momenta of the torus modulo a prime. The momentum with
// index a is pi a/L; even indices are periodic, odd ones antiperiodic.
type momenta struct {
	*field
	lx, ly     int
	cosX, cosY []uint64 // twice the cosines, indices 0..L
}

// partitionFunction returns Z at y.
func (s *momenta) partitionFunction(y uint64) uint64 {
	y2 := s.mul(y, y)
	a := s.mul(s.add(y2, s.one), s.add(y2, s.one))
	b := s.mul(y, s.sub(y2, s.one))

	// product[i][j]: periodic (0) or antiperiodic (1) in x (i) and in y (j).
	product := [2][2]uint64{{s.one, s.one}, {s.one, s.one}}
	bPow := s.pow(b, uint64(s.ly))
	bPow2 := s.add(bPow, bPow)
	for k := 1; k < s.lx; k++ {
		// All phi at once: prod over phi of (X - 2 cos phi) is 2 T(X/2) -+ 2, T the
		// Chebyshev polynomial of order Ly.
		chebyshev := s.chebyshev(s.sub(a, s.mul(b, s.cosX[k])), b)
		z := &product[k%2]
		z[0] = s.mul(z[0], s.sub(chebyshev, bPow2))
		z[1] = s.mul(z[1], s.add(chebyshev, bPow2))
	}
	for _, k := range [2]int{0, s.lx} {
		x := s.sub(a, s.mul(b, s.cosX[k]))
		z := &product[k%2]
		for l := 1; l < s.ly; l++ {
			z[l%2] = s.mul(z[l%2], s.sub(x, s.mul(b, s.cosY[l])))
		}
		z[0] = s.mul(z[0], s.fixedPoint(y, y2, k > 0, false))
		z[s.ly%2] = s.mul(z[s.ly%2], s.fixedPoint(y, y2, k > 0, true))
	}

	sum := s.add(s.add(product[1][1], product[1][0]), s.sub(product[0][1], product[0][0]))
	return s.mul(sum, s.inverse(s.two))
}

// fixedPoint returns the root of the factor of a momentum that equals its own negative. Its
// sign makes all roots positive at infinite temperature, y = 1.
func (s *momenta) fixedPoint(y, y2 uint64, thetaIsPi, phiIsPi bool) uint64 {
	switch {
	case thetaIsPi != phiIsPi:
		return s.add(y2, s.one)
	case thetaIsPi:
		return s.sub(s.add(y2, s.add(y, y)), s.one)
	default:
		return s.sub(s.add(s.one, s.add(y, y)), y2)
	}
}

// chebyshev returns b^Ly * 2 T(x/(2b)), T the Chebyshev polynomial of order Ly,
// by doubling the order m bit by bit: with C_m = b^m * 2 T_m(x/(2b)),
// C_i C_j = C_(i+j) + b^(2j) C_(i-j).
func (s *momenta) chebyshev(x, b uint64) uint64 {
	low, high := s.two, x // C_m and C_(m+1)
	power := s.one        // b^(2m)
	square := s.mul(b, b)
	for bit := bits.Len(uint(s.ly)) - 1; bit >= 0; bit-- {
		middle := s.sub(s.mul(low, high), s.mul(power, x))
		if s.ly>>bit&1 == 0 {
			low, high = s.sub(s.mul(low, low), s.add(power, power)), middle
			power = s.mul(power, power)
		} else {
			next := s.mul(power, square)
			low, high = middle, s.sub(s.mul(high, high), s.add(next, next))
			power = s.mul(power, next)
		}
	}
	return low
}

// lcm returns the least common multiple.
func lcm(a, b uint64) uint64 {
	gcd, r := a, b
	for r != 0 {
		gcd, r = r, gcd%r
	}
	return a / gcd * b
}
