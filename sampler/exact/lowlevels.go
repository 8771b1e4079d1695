package exact

import (
	"maps"
	"math"
	"math/big"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// maxSeries is the highest order of LowestCounts, which takes a tenth of a second.
const maxSeries = 27

// Pins returns the levels of a system whose numbers of states are known: those of LowestCounts and
// LowestCubicCounts for the q-state Potts model on the periodic square and simple cubic lattice and for systems
// that are the same up to the names of the colours of each site (the Ising model, one with bonds of both
// signs that can all be satisfied), and for others the ground states, if they are known. Of pairs those of the
// ground states are known if all sites are alike in each of these.
func Pins(s lattice.System) []dos.Pin {
	if !lattice.GroundKnown(s) {
		return nil
	}
	if t := lattice.JointOf(s); t != nil {
		return uniformPins(t)
	}
	ground := s.GroundLevel()
	if !isPotts(s) {
		return []dos.Pin{{Level: ground, LnG: s.LnGroundStates()}}
	}
	var pins []dos.Pin
	counts := LowestCubicCounts
	if len(s.Sides()) == 2 {
		counts = LowestCounts
	}
	for u, g := range counts(s.Colours(), s.Sides()...) {
		switch {
		case u == 0:
			pins = append(pins, dos.Pin{Level: ground, LnG: s.LnGroundStates()})
		case g.Sign() > 0:
			pins = append(pins, dos.Pin{Level: ground - u, LnG: ln(g)})
		}
	}
	return pins
}

// uniformPins returns the levels of ground states that are uniform, nil if there are others.
func uniformPins(t *lattice.Terms) (pins []dos.Pin) {
	states := map[int]int{}
	state, all := make([]uint8, t.Sites()), 0
	for colour := range t.Colours() {
		for i := range state {
			state[i] = uint8(colour)
		}
		if level := t.Level(state); level >= t.GroundLevel() {
			states[level]++
			all++
		}
	}
	if all != int(math.Round(math.Exp(t.LnGroundStates()))) {
		return nil
	}
	for _, level := range slices.Sorted(maps.Keys(states)) {
		pins = append(pins, dos.Pin{Level: level, LnG: math.Log(float64(states[level]))})
	}
	return pins
}

// isPotts reports whether a system with known ground states has as many states at each level as the
// Potts model on the periodic square or simple cubic lattice.
func isPotts(s lattice.System) bool {
	if _, ok := s.(*lattice.Potts); ok {
		return true
	}
	own, err := lattice.CouplingsOf(s)
	if err != nil {
		return false
	}
	var potts lattice.System
	switch sides := s.Sides(); len(sides) {
	case 2:
		potts, err = lattice.NewPotts(s.Colours(), sides[0], sides[1])
	case 3:
		potts, err = lattice.NewPotts3D(s.Colours(), sides...)
	default:
		return false
	}
	if err != nil {
		return false
	}
	regular, err := lattice.CouplingsOf(potts)
	if err != nil || !slices.Equal(ordered(own.Pairs), ordered(regular.Pairs)) {
		return false
	}
	// If a configuration satisfies all pairs, the differences from it are the colours of a Potts model.
	return s.GroundLevel() == potts.GroundLevel() && s.LnGroundStates() == potts.LnGroundStates()
}

// ordered returns pairs in an order of their own.
func ordered(pairs []lattice.Pair) []lattice.Pair {
	out := make([]lattice.Pair, len(pairs))
	for i, p := range pairs {
		out[i] = lattice.Pair{A: min(p.A, p.B), B: max(p.A, p.B)}
	}
	slices.SortFunc(out, func(a, b lattice.Pair) int {
		if a.A != b.A {
			return int(a.A - b.A)
		}
		return int(a.B - b.B)
	})
	return out
}

// LowestCubicCounts returns the numbers of configurations of the q-state Potts model on a periodic simple
// cubic lattice by the number of unsatisfied bonds, 0 to 11: beside the uniform ones, those with one site
// or two neighbours of other colours. From 12 on there are sites apart, and lines around a side of 3.
func LowestCubicCounts(q int, sides ...int) []*big.Int {
	g := zeroes(11)
	sites := int64(1)
	for _, l := range sides {
		sites *= int64(l)
	}
	colours := int64(q)
	g[0].SetInt64(colours)
	g[6].SetInt64(colours * (colours - 1) * sites)
	g[10].SetInt64(colours * (colours - 1) * 3 * sites)
	g[11].SetInt64(colours * (colours - 1) * (colours - 2) * 3 * sites)
	return g
}

// LowestCounts returns the numbers of configurations of the q-state Potts model on the periodic square
// lattice with sides lx and ly by the number of unsatisfied bonds u = 0, 1, 2, ..., as far as the low-temperature series of
// the infinite lattice gives them: with z = e^-beta and the free energy per site
//
//	f = sum over k of f_k z^k,  sum over u of g_u z^u = q exp(N f)  for u < 2 min(lx, ly).
//
// From there on walls around the torus count as well. At most the orders up to maxSeries are
// computed, by the finite-lattice method (T. de Neef, I. G. Enting, J. Phys. A 10, 801
// (1977); A. J. Guttmann, I. G. Enting, ibid. 26, 807 (1993)): f is a sum over rectangles, of
// which those of m x n sites begin at the order 2(m+n).
func LowestCounts(q int, sides ...int) []*big.Int {
	lx, ly := sides[0], sides[1]
	return seriesCounts(q, lx*ly, min(maxSeries, 2*min(lx, ly)-1))
}

// seriesCounts returns what the series gives for a number of sites.
func seriesCounts(q, n, most int) []*big.Int {
	a := energySeries(q, most) // k f_k
	sites := big.NewInt(int64(n))
	g := []*big.Int{big.NewInt(int64(q))}
	for u := 1; u <= most; u++ {
		sum, product := new(big.Int), new(big.Int)
		for k := 1; k <= u; k++ {
			sum.Add(sum, product.Mul(a[k], g[u-k]))
		}
		g = append(g, sum.Quo(sum.Mul(sum, sites), big.NewInt(int64(u))))
	}
	return g
}

// energySeries returns k f_k for k = 0..most.
func energySeries(q, most int) []*big.Int {
	perimeter := most / 2 // m+n of the largest rectangles
	total := zeroes(most)
	// connected[m][n] is k times the series of ln Z of a rectangle without its parts in smaller ones.
	connected := make([][][]*big.Int, perimeter)
	for m := 1; 2*m <= perimeter; m++ {
		connected[m] = make([][]*big.Int, perimeter)
		for n, z := range rectangles(q, m, perimeter-m, most) {
			if n < m {
				continue
			}
			own := logDerivative(z)
			for a := 1; a <= m; a++ {
				for b := 1; b <= n; b++ {
					if a == m && b == n {
						continue
					}
					places, product := big.NewInt(int64(m-a+1)*int64(n-b+1)), new(big.Int)
					for k, x := range connected[min(a, b)][max(a, b)] {
						own[k].Sub(own[k], product.Mul(places, x))
					}
				}
			}
			connected[m][n] = own
			for k, x := range own {
				total[k].Add(total[k], x)
				if m != n {
					total[k].Add(total[k], x)
				}
			}
		}
	}
	return total
}

func zeroes(most int) []*big.Int {
	x := make([]*big.Int, most+1)
	for k := range x {
		x[k] = new(big.Int)
	}
	return x
}

// logDerivative returns k times the coefficients of ln z, for a series z that begins with 1.
func logDerivative(z []*big.Int) []*big.Int {
	d, product := zeroes(len(z)-1), new(big.Int)
	for k := 1; k < len(z); k++ {
		d[k].Mul(big.NewInt(int64(k)), z[k])
		for j := 1; j < k; j++ {
			d[k].Sub(d[k], product.Mul(d[j], z[k-j]))
		}
	}
	return d
}

// rectangles returns the numbers of configurations of m x n sites, n = 0..height, within a surrounding of
// one colour, by the number of unsatisfied bonds up to most. Sites are added one by one to the
// colourings of the last m of them, in which colours other than the surrounding one are
// numbered in the order in which they appear. A series is packed into one integer.
func rectangles(q, m, height, most int) [][]*big.Int {
	slot := uint(math.Ceil(float64(m*height)*math.Log2(float64(q)))) + 1
	mask := new(big.Int).Lsh(big.NewInt(1), slot*uint(most+1))
	mask.Sub(mask, big.NewInt(1))
	var all [][]*big.Int
	edges := map[[maxSeries / 4]uint8]*big.Int{{}: big.NewInt(1)}
	for n := 0; ; n++ {
		z, closed := new(big.Int), new(big.Int)
		for row, amplitude := range edges {
			unlike := uint(0)
			for _, colour := range row[:m] {
				if colour != 0 {
					unlike++
				}
			}
			z.Add(z, closed.And(closed.Lsh(amplitude, slot*unlike), mask))
		}
		all = append(all, unpack(z, slot, most))
		if n == height {
			return all
		}
		for x := range m {
			next := make(map[[maxSeries / 4]uint8]*big.Int, len(edges))
			for row, amplitude := range edges {
				left, used := uint8(0), slices.Max(row[:m])
				if x > 0 {
					left = row[x-1]
				}
				for colour := range used + 2 {
					choices := int64(1)
					if colour > used {
						choices = int64(q - 1 - int(used))
					}
					if choices <= 0 {
						continue
					}
					unlike := uint(0)
					for _, unequal := range []bool{colour != row[x], colour != left, x == m-1 && colour != 0} {
						if unequal {
							unlike++
						}
					}
					to := row
					to[x] = colour
					number(to[:m])
					term := new(big.Int).Lsh(amplitude, slot*unlike)
					term.And(term, mask)
					if choices > 1 {
						term.Mul(term, big.NewInt(choices))
					}
					if sum, ok := next[to]; ok {
						sum.Add(sum, term)
					} else {
						next[to] = term
					}
				}
			}
			edges = next
		}
	}
}

// number gives the colours of a row, but for 0, numbers in the order in which they appear.
func number(row []uint8) {
	var names [maxSeries]uint8
	used := uint8(0)
	for i, colour := range row {
		if colour == 0 {
			continue
		}
		if names[colour] == 0 {
			used++
			names[colour] = used
		}
		row[i] = names[colour]
	}
}

// unpack returns the coefficients of a packed series.
func unpack(packed *big.Int, slot uint, most int) []*big.Int {
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), slot), big.NewInt(1))
	z := zeroes(most)
	for k := range z {
		z[k].And(z[k].Rsh(packed, slot*uint(k)), mask)
	}
	return z
}
