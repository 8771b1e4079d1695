package exact

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
)

func TestMethodsAgreeWithEnumeration(t *testing.T) {
	for _, system := range []struct{ q, lx, ly int }{
		{2, 3, 3}, {2, 3, 4}, {2, 4, 3}, {2, 3, 5}, {2, 5, 3}, {2, 4, 4}, {2, 3, 6}, {2, 6, 3},
		{2, 4, 5}, {2, 5, 4}, {2, 3, 7}, {2, 3, 8}, {2, 4, 6}, {2, 5, 5},
		{3, 3, 3}, {3, 3, 4}, {3, 4, 3}, {3, 3, 5}, {3, 5, 3}, {3, 4, 4},
		{4, 3, 3}, {4, 3, 4}, {4, 4, 3}, {5, 3, 3}, {6, 3, 3}, {7, 3, 3},
	} {
		q, lx, ly := system.q, system.lx, system.ly
		t.Run(fmt.Sprintf("q=%d/%dx%d", q, lx, ly), func(t *testing.T) {
			want := compute(t, q, lx, ly, Enumeration)
			sameCounts(t, compute(t, q, lx, ly, TransferMatrix), want)
			if q == 2 {
				sameCounts(t, compute(t, q, lx, ly, Kaufman), want)
			}
		})
	}
}

func TestKaufmanAgreesWithTransferMatrix(t *testing.T) {
	for _, sides := range [][2]int{
		{3, 5}, {4, 6}, {5, 5}, {3, 3}, {3, 4}, {5, 6}, {7, 5}, {7, 7}, {8, 7}, {6, 9}, {9, 9},
		{3, 40}, {4, 41}, {5, 64}, {10, 3}, {10, 10},
	} {
		t.Run(fmt.Sprintf("%dx%d", sides[0], sides[1]), func(t *testing.T) {
			sameCounts(t, compute(t, 2, sides[0], sides[1], Kaufman), compute(t, 2, sides[0], sides[1], TransferMatrix))
		})
	}
}

func TestSidesMayBeSwapped(t *testing.T) {
	for _, system := range []struct{ q, lx, ly int }{{2, 7, 12}, {3, 4, 9}, {10, 3, 8}, {255, 3, 4}} {
		for _, method := range affordable(system.q, system.lx, system.ly, 1) {
			a := compute(t, system.q, system.lx, system.ly, method)
			b := compute(t, system.q, system.ly, system.lx, method)
			if b.Lx != system.ly || b.Ly != system.lx {
				t.Errorf("%v: sides %dx%d are not those requested", system, b.Lx, b.Ly)
			}
			sameCounts(t, a, b)
		}
	}
}

// Known levels of the square lattice: q ground states; one flipped site, 4 bonds above
// them, N q (q-1) ways; with sides of at least 5 the next levels are a broken pair (6
// bonds, both sites alike) and, 7 bonds, an unlike pair.
func TestLowestLevels(t *testing.T) {
	for _, system := range []struct{ q, lx, ly int }{
		{2, 32, 32}, {2, 31, 33}, {2, 48, 20}, {3, 7, 7}, {3, 5, 30}, {4, 6, 6}, {10, 5, 9}, {200, 5, 6}, {255, 5, 5},
	} {
		t.Run(fmt.Sprintf("q=%d/%dx%d", system.q, system.lx, system.ly), func(t *testing.T) {
			counts := compute(t, system.q, system.lx, system.ly, Auto)
			n, q := int64(system.lx*system.ly), int64(system.q)
			want := map[int64]int64{
				0: q, 1: 0, 2: 0, 3: 0, 4: n * q * (q - 1), 5: 0,
				6: 2 * n * q * (q - 1),
				7: 2 * n * q * (q - 1) * (q - 2),
			}
			for above, g := range want {
				if got := level(counts, int(above-2*n)); got.Cmp(big.NewInt(g)) != 0 {
					t.Errorf("g(E_min+%d) = %v, want %d", above, got, g)
				}
			}
			all := new(big.Int).Exp(big.NewInt(q), big.NewInt(n), nil)
			if counts.Total().Cmp(all) != 0 {
				t.Errorf("sum of g = %v, want %v", counts.Total(), all)
			}
		})
	}
}

// Beale's values for the 32x32 Ising model,
// spot.colorado.edu/~beale/IsingExactMathematica.html, by broken bonds.
func TestBealesCoefficients(t *testing.T) {
	counts := compute(t, 2, 32, 32, Kaufman)
	for broken, want := range map[int]string{
		0: "2", 4: "2048", 6: "4096", 8: "1057792", 10: "4218880", 12: "371621888",
		26: "44743561136807936", 48: "34699120806036636726464401408",
		64: "3523173455605142701375696893142359104", 2048: "2",
	} {
		if got := level(counts, broken-2*32*32).String(); got != want {
			t.Errorf("%d broken bonds: g = %s, want %s", broken, got, want)
		}
	}
}

// At infinite temperature each bond is satisfied with probability 1/q.
func TestMeanEnergy(t *testing.T) {
	for _, system := range []struct{ q, lx, ly int }{{2, 16, 16}, {2, 17, 9}, {3, 5, 8}, {10, 4, 11}, {99, 3, 5}} {
		counts := compute(t, system.q, system.lx, system.ly, Auto)
		sum, term := new(big.Int), new(big.Int)
		for k, g := range counts.G {
			sum.Add(sum, term.Mul(g, big.NewInt(int64(-counts.Energies[k]))))
		}
		want := new(big.Int).Mul(counts.Total(), big.NewInt(int64(2*system.lx*system.ly)))
		if sum.Mul(sum, big.NewInt(int64(system.q))).Cmp(want) != 0 {
			t.Errorf("%v: mean number of bonds is not 2N/q", system)
		}
	}
}

// Flipping every other spin exchanges satisfied and broken bonds if both sides are even.
func TestIsingSymmetryOnEvenSides(t *testing.T) {
	counts := compute(t, 2, 12, 10, Auto)
	for k, g := range counts.G {
		mirror := len(counts.G) - 1 - k
		if counts.Energies[k]+counts.Energies[mirror] != -2*12*10 || g.Cmp(counts.G[mirror]) != 0 {
			t.Fatalf("level E=%d has no mirror image", counts.Energies[k])
		}
	}
}

// sameCounts compares levels and numbers.
func sameCounts(t *testing.T, got, want *Counts) {
	t.Helper()
	if !slices.Equal(got.Energies, want.Energies) {
		t.Fatalf("%s: levels %v, want %v", got.Method, got.Energies, want.Energies)
	}
	for k, g := range got.G {
		if g.Cmp(want.G[k]) != 0 {
			t.Errorf("%s: g(%d) = %v, want %v", got.Method, got.Energies[k], g, want.G[k])
		}
	}
}

// level returns g at an energy, 0 if it is not occupied.
func level(counts *Counts, energy int) *big.Int {
	if k := slices.Index(counts.Energies, energy); k >= 0 {
		return counts.G[k]
	}
	return new(big.Int)
}
