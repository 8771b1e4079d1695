package local

import (
	"math"
	"math/rand/v2"
	"slices"
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

// randomTerms is a system without any symmetry: pairs and triples of sites with energies of their own,
// in a field that differs from site to site, on so many sites.
func randomTerms(sites, q, bin int) lattice.Model {
	r := rand.New(rand.NewPCG(7, 8))
	m := lattice.Model{Name: "random", Sides: []int{sites}, Colours: q, Denominator: 1000, Bin: bin}
	for k := range 3 * sites {
		energies := map[[3]int]int{}
		order := 2 + k%2
		m.Kinds = append(m.Kinds, lattice.Kind{Order: order, Energy: func(a, b, c int) int {
			key := [3]int{a, b, c}
			slices.Sort(key[3-order:])
			if order == 2 {
				key = [3]int{min(a, b), max(a, b)}
			}
			if _, known := energies[key]; !known {
				energies[key] = r.IntN(1000)
			}
			return energies[key]
		}})
		p := r.Perm(sites)
		m.Terms = append(m.Terms, lattice.Term{Kind: k, Sites: [3]int{p[0], p[1], p[2]}})
	}
	fields := make([]int, sites*q)
	for i := range fields {
		fields[i] = r.IntN(500)
	}
	m.Field = func(site, colour int) int { return fields[site*q+colour] }
	return m
}

// TestTermsDetailedBalance builds the transition matrix of the kernels for systems made
// of terms, at every site of tiny lattices, and compares the flow s -> s' with s' -> s
// under the weights 1/g of an arbitrary g. Of systems with more than 30,000 configurations it takes an even 10,000.
func TestTermsDetailedBalance(t *testing.T) {
	for _, s := range []*lattice.Terms{
		terms(t)(lattice.NewBlumeCapel(1.5, 3, 3)),
		terms(t)(lattice.NewIsingField(0.5, 3, 3)),
		terms(t)(lattice.NewRandomBond(0.5, 3, 3, 3)),
		terms(t)(lattice.NewBaxterWu(3, 3)),
		terms(t)(lattice.PottsTerms(mustPotts(t, 3, 3, 3))),
		terms(t)(lattice.NewBlumeCapelInBins(1.9655, 0.7, 3, 3)),
		terms(t)(lattice.NewJoint(terms(t)(lattice.NewIsingField(0, 3, 3)), lattice.Magnetisation(-1, 1))),
		terms(t)(lattice.NewJoint(terms(t)(lattice.NewBlumeCapel(0, 3, 3)), lattice.Squares(-1, 0, 1))),
		terms(t)(lattice.NewJoint(terms(t)(lattice.PottsTerms(mustPotts(t, 3, 3, 3))), lattice.Colour(3))),
		terms(t)(lattice.NewClock(4, 0, 3, 3)),
		terms(t)(lattice.NewClock(5, 0.3, 3, 3)),
		terms(t)(lattice.New(randomTerms(8, 3, 0))),
		terms(t)(lattice.New(randomTerms(8, 3, 450))),
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
			_, levels, borders := k.weigh(state, site, k.begin(state, level))
			if levels[state[site]] != level {
				t.Fatalf("%v: a site's own colour leads from level %d to %d", s, level, levels[state[site]])
			}
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
						resolution := 0x1p-52 * (math.Exp(-lnG[level]) + math.Exp(-lnG[to])) // of the number that decides
						if !(flow[0] > 0) || math.Abs(left-right) > 1e-9*(left+right)+resolution {
							t.Fatalf("%v %s: %v site %d -> %d: flow %g forth, %g back", s, move, state, site, c, left, right)
						}
					}
				}
				state[site] = old
				if math.Abs(sum-1) > 1e-12 {
					t.Fatalf("%v: %v site %d: probabilities sum to %v", s, state, site, sum)
				}
			}
			// All configurations, or, of many, every so manieth.
			carry := 1
			if all := math.Exp(s.LnStates()); all > 3e4 {
				carry = int(all / 1e4)
			}
			for i, c := range state {
				carry += int(c)
				state[i], carry = uint8(carry%s.Colours()), carry/s.Colours()
			}
			more = carry == 0
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
