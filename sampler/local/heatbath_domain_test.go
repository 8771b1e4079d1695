package local

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
)

// nearlyOrdered sets a share of the sites to a random colour and the others to colour 0.
func nearlyOrdered(r *rand.Rand, state []uint8, q int, share float64) {
	for i := range state {
		state[i] = 0
		if r.Float64() < share {
			state[i] = uint8(r.IntN(q))
		}
	}
}

// TestOutside compares the sites that are to be looked at with those that have a
// neighbour of another colour, in rows with and without columns that fill no word.
func TestOutside(t *testing.T) {
	const q = 3
	r := rand.New(rand.NewPCG(1, 2))
	for _, lx := range []int{3, 4, 8, 9, 10, 16, 23, 64, 66, 72, 130} {
		p := mustPotts(t, q, lx, 3)
		state := make([]uint8, p.Sites())
		row, up, down := state[:lx], state[lx:2*lx], state[2*lx:]
		passed := 0
		for range 300 {
			nearlyOrdered(r, state, q, r.Float64()*r.Float64()*0.3)
			even := lx - lx%2
			for first := range 2 {
				var got, want []int
				for from := 0; from < even; from += 2 * blockSites {
					to := min(from+2*blockSites, even)
					var b heatBathBlock
					b.outside(row, up, down, from, to, first)
					got = append(got, b.columns[:b.n]...)
					for x := from + first; x < to; x += 2 {
						c := row[x]
						inside := row[(x+1)%lx] == c && row[(x+lx-1)%lx] == c && up[x] == c && down[x] == c
						if examined := x < from+(to-from)/8*8; !inside || !examined {
							want = append(want, x)
						} else {
							passed++
						}
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("lx = %d: columns %v are looked at, want %v of %v with %v above and %v below", lx, got, want, row, up, down)
				}
			}
		}
		if lx >= 8 && passed == 0 {
			t.Errorf("lx = %d: no site was inside a domain", lx)
		}
	}
}

// TestOrderedSweep compares sweeps that pass over the sites inside domains with those that
// look at each, from the same state: the mean of every site's change, of the visits to
// every level, and of every situation. The weights make changes inside domains frequent.
func TestOrderedSweep(t *testing.T) {
	const q, sweeps = 3, 40000
	p := mustPotts(t, q, 18, 4)
	r := rand.New(rand.NewPCG(3, 4))
	lnG := make([]float64, p.Levels())
	for b := range lnG {
		lnG[b] = float64(p.Levels()-b)*0.3 + 0.5*r.NormFloat64()
	}
	for _, window := range []lattice.Window{{Low: 0, High: p.Levels() - 1}, {Low: p.Levels() - 60, High: p.Levels() - 10}} {
		kernel := newPottsHeatBath(p, window)
		kernel.Fill(lnG)
		start := make([]uint8, p.Sites())
		for level := -1; !window.Contains(level); level = p.Bonds(start) {
			nearlyOrdered(r, start, q, 0.2)
		}
		// By kind of sweep: sums and sums of squares of all numbers.
		var sums, squares [2][]float64
		rng := rand.NewPCG(5, 6)
		for k, ordered := range []bool{false, true} {
			state := make([]uint8, len(start))
			for range sweeps {
				copy(state, start)
				hits, situations := make([]int64, p.Levels()), make([]int64, p.Levels()*len(situationAt))
				level := heatBathSweep(p, state, p.Bonds(start), ordered, &kernel.tables, hits, situations, rng)
				if counted := p.Bonds(state); counted != level {
					t.Fatalf("level %d carried along, %d counted", level, counted)
				}
				var numbers []float64
				for i, c := range state {
					changed := 0.0
					if c != start[i] {
						changed = 1
					}
					numbers = append(numbers, changed, float64(c))
				}
				trials := int64(0)
				for b, n := range hits {
					numbers = append(numbers, float64(n))
					trials += n
					if n > 0 && !window.Contains(b) {
						t.Fatalf("level %d is out of %v", b, window)
					}
				}
				situated := make([]float64, len(situationAt))
				for i, n := range situations {
					situated[i%len(situationAt)] += float64(n)
					trials -= n
				}
				if trials != 0 {
					t.Fatalf("%d more visits than situations", trials)
				}
				numbers = append(numbers, situated...)
				if sums[k] == nil {
					sums[k], squares[k] = make([]float64, len(numbers)), make([]float64, len(numbers))
				}
				for i, x := range numbers {
					sums[k][i] += x
					squares[k][i] += x * x
				}
			}
		}
		chi2, n := 0.0, 0
		for i := range sums[0] {
			variance := 0.0
			for k := range sums {
				variance += (squares[k][i] - sums[k][i]*sums[k][i]/sweeps)
			}
			difference := sums[1][i] - sums[0][i]
			if variance < 100 { // rare events have no normal distribution
				continue
			}
			z := difference / math.Sqrt(variance)
			if math.Abs(z) > 4.5 {
				t.Errorf("%v: number %d is %.4f on average, want %.4f (%.1f errors)", window, i, sums[1][i]/sweeps, sums[0][i]/sweeps, z)
			}
			chi2 += z * z
			n++
		}
		if n < 100 {
			t.Errorf("%v: only %d numbers were compared", window, n)
		}
		t.Logf("%v: mean square deviation %.2f errors squared of %d numbers", window, chi2/float64(n), n)
	}
}
