package local

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

func terms(t testing.TB) func(s *lattice.Terms, err error) *lattice.Terms {
	return func(s *lattice.Terms, err error) *lattice.Terms {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestTermsDetailedBalance builds the transition matrix of the kernels for systems made
// of terms, at every site of tiny lattices, and compares the flow s -> s' with s' -> s
// under the weights 1/g of an arbitrary g.
func TestTermsDetailedBalance(t *testing.T) {
	for _, s := range []*lattice.Terms{
		terms(t)(lattice.NewBlumeCapel(1.5, 3, 3)),
		terms(t)(lattice.NewIsingField(0.5, 3, 3)),
		terms(t)(lattice.NewRandomBond(0.5, 3, 3, 3)),
		terms(t)(lattice.NewBaxterWu(3, 3)),
		terms(t)(lattice.PottsTerms(mustPotts(t, 3, 3, 3))),
	} {
		r := rand.New(rand.NewPCG(5, 6))
		lnG := make([]float64, s.Levels())
		for b := range lnG {
			lnG[b] = 3 * r.NormFloat64()
		}
		// A third of the levels lies outside of the window, at both ends.
		window := lattice.Window{Low: s.Levels() / 6, High: s.Levels() - 1 - s.Levels()/6}
		table := make(weightTable, s.Levels())
		table.fill(lnG, window)
		k := newTermsKernel(s, table)
		heatBath := func(state []uint8, site, level int) []float64 {
			_, borders := k.weigh(state, site, level)
			last, p := 0.0, make([]float64, len(borders))
			for c, border := range borders {
				p[c] = (border - last) / borders[len(borders)-1]
				last = border
			}
			return p
		}
		// The acceptance is read off by bisection of the number that decides.
		accept := func(from, to int) float64 {
			low, high := 0.0, 1.0
			for range 53 {
				if u := (low + high) / 2; table.accepts(from, to, u) {
					low = u
				} else {
					high = u
				}
			}
			return (low + high) / 2
		}
		acceptance := map[[2]int]float64{}
		state := make([]uint8, s.Sites())
		for more := true; more; {
			level := s.Level(state)
			for site, old := range state {
				if !window.Contains(level) {
					break
				}
				forward := heatBath(state, site, level)
				sum := 0.0
				for c, p := range forward {
					sum += p
					state[site] = uint8(c)
					to := s.Level(state)
					if !window.Contains(to) {
						if p != 0 || table.accepts(level, to, 0) {
							t.Fatalf("%v: %v site %d -> %d leaves the window", s, state, site, c)
						}
						continue
					}
					for _, pair := range [][2]int{{level, to}, {to, level}} {
						if _, known := acceptance[pair]; !known {
							acceptance[pair] = accept(pair[0], pair[1])
						}
					}
					backward := heatBath(state, site, to)[old]
					for move, flow := range map[string][2]float64{
						"heat bath":  {p, backward},
						"metropolis": {acceptance[[2]int{level, to}], acceptance[[2]int{to, level}]},
					} {
						left, right := math.Exp(-lnG[level])*flow[0], math.Exp(-lnG[to])*flow[1]
						if !(flow[0] > 0) || math.Abs(left-right) > 1e-9*(left+right) {
							t.Fatalf("%v %s: %v site %d -> %d: flow %g forth, %g back", s, move, state, site, c, left, right)
						}
					}
				}
				state[site] = old
				if math.Abs(sum-1) > 1e-12 {
					t.Fatalf("%v: %v site %d: probabilities sum to %v", s, state, site, sum)
				}
			}
			more = false
			for i := range state {
				if state[i]++; int(state[i]) < s.Colours() {
					more = true
					break
				}
				state[i] = 0
			}
		}
	}
}

// TestWeightTable compares weights, relative to the largest of some, with exponentials,
// for mild and extreme ln g: a choice among levels without states, 3000 below all others,
// is still the right one.
func TestWeightTable(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, scale := range []float64{1, 300, 1e5} {
		lnG := make([]float64, 100)
		for b := range lnG {
			lnG[b] = scale * r.NormFloat64()
		}
		table := make(weightTable, len(lnG))
		table.fill(lnG, lattice.Window{Low: 0, High: len(lnG) - 1})
		for range 1000 {
			choices := []int{r.IntN(100), r.IntN(100), r.IntN(100)}
			top, least := int64(math.MinInt64), math.Inf(1)
			for _, b := range choices {
				top, least = max(top, table[b].exponent), min(least, lnG[b])
			}
			sum, want := 0.0, 0.0
			for _, b := range choices {
				sum += table[b].over(top)
				want += math.Exp(least - lnG[b])
			}
			for _, b := range choices {
				got, p := table[b].over(top)/sum, math.Exp(least-lnG[b])/want
				if !(sum > 0) || math.Abs(got-p) > 1e-15*(10+scale) {
					t.Fatalf("scale %g: choice of level with ln g = %v has probability %v, want %v", scale, lnG[b], got, p)
				}
			}
		}
	}
}
