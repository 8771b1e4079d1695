package local

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

// configurations calls f with every configuration of p and its level.
func configurations(p *lattice.Potts, f func(state []uint8, level int)) {
	state := make([]uint8, p.Sites())
	for {
		f(state, p.Bonds(state))
		i := 0
		for ; i < len(state); i++ {
			if state[i]++; int(state[i]) < p.Q() {
				break
			}
			state[i] = 0
		}
		if i == len(state) {
			return
		}
	}
}

// randomLnG is an arbitrary ln g, so that no test can pass because the weights
// happen to be physical.
func randomLnG(p *lattice.Potts) []float64 {
	r := rand.New(rand.NewPCG(5, 6))
	lnG := make([]float64, p.Levels())
	for b := range lnG {
		lnG[b] = 3 * r.NormFloat64()
	}
	return lnG
}

func mustPotts(t testing.TB, q, lx, ly int) *lattice.Potts {
	t.Helper()
	p, err := lattice.NewPotts(q, lx, ly)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// siteProbabilities are the probabilities of each colour of site x, y under the
// heat bath, read off the table as heatBathBlock.draw reads it.
func siteProbabilities(p *lattice.Potts, state []uint8, level, x, y int, table siteTable) []float64 {
	lx, ly := p.Size()
	row := func(y int) []uint8 { y = (y + ly) % ly; return state[y*lx : (y+1)*lx] }
	var block heatBathBlock
	block.every(x, x+1)
	block.gather(row(y), row(y-1), row(y+1))
	s := &block.sites[0]
	border := table[level-int(s.present)][s.pattern]
	unit := func(u uint64) float64 { return float64(u>>11) * 0x1p-53 }
	probability := make([]float64, p.Q())
	others := p.Q() - runs[s.pattern]
	for i := range others {
		if border[0] == 0 {
			break // colours that no neighbour has lead out of the window
		}
		u := uint64((float64(i) + 0.5) / float64(others) * float64(border[0]))
		probability[otherColour(s, u, border[0], p.Q())] += unit(border[0]) / float64(others)
	}
	borders := []float64{unit(border[0]), unit(border[1]), unit(border[2]), unit(border[3]), 1}
	for k := range 4 {
		probability[s.colours[k]] += borders[k+1] - borders[k]
	}
	return probability
}

// balanceCases are the systems, on the 3x3 lattice, and windows of the tests below.
var balanceCases = []struct {
	q      int
	window lattice.Window
}{{2, lattice.Window{Low: 0, High: 18}}, {3, lattice.Window{Low: 0, High: 18}}, {2, lattice.Window{Low: 6, High: 14}}, {3, lattice.Window{Low: 3, High: 12}}, {3, lattice.Window{Low: 5, High: 18}}}

// TestHeatBathDetailedBalance builds the transition matrix of the heat bath at
// every site of the 3x3 lattice by enumeration and compares the flow s -> s' with
// s' -> s under the weights 1/g, over the whole range and within a window. It also
// finds every colour's probability positive where it leads to a level of the window,
// and else zero, and their sum 1.
func TestHeatBathDetailedBalance(t *testing.T) {
	for _, c := range balanceCases {
		q, window := c.q, c.window
		p := mustPotts(t, q, 3, 3)
		lnG := randomLnG(p)
		table := make(siteTable, p.Levels())
		table.fill(lnG, q, window)
		configurations(p, func(state []uint8, level int) {
			if !window.Contains(level) {
				return
			}
			for i := range state {
				x, y := i%3, i/3
				old := state[i]
				forward := siteProbabilities(p, state, level, x, y, table)
				sum := 0.0
				for c, pForward := range forward {
					sum += pForward
					state[i] = uint8(c)
					to := p.Bonds(state)
					if !window.Contains(to) {
						if pForward > 1e-15 {
							t.Fatalf("q=%d %v: level %d outside of %v has probability %g", q, state, to, window, pForward)
						}
						continue
					}
					backward := siteProbabilities(p, state, to, x, y, table)
					left := math.Exp(-lnG[level]) * pForward
					right := math.Exp(-lnG[to]) * backward[old]
					if pForward <= 0 || math.Abs(left-right) > 1e-9*(left+right) {
						t.Fatalf("q=%d %v site %d -> %d: flow %g forth, %g back", q, state, i, c, left, right)
					}
				}
				state[i] = old
				if math.Abs(sum-1) > 1e-12 {
					t.Fatalf("q=%d %v site %d: probabilities sum to %v", q, state, i, sum)
				}
			}
		})
	}
}

// TestMetropolisDetailedBalance does the same for the acceptance table of the
// Metropolis move; the proposal, a uniform site and other colour, is symmetric.
func TestMetropolisDetailedBalance(t *testing.T) {
	for _, c := range balanceCases {
		q, window := c.q, c.window
		p := mustPotts(t, q, 3, 3)
		lnG := randomLnG(p)
		table := make(metropolisTable, p.Levels())
		table.fill(lnG, window)
		accept := func(from, to int) float64 { return float64(table[from][to-from+4]>>11) * 0x1p-53 }
		configurations(p, func(state []uint8, level int) {
			if !window.Contains(level) {
				return
			}
			for i, old := range state {
				for c := range q {
					state[i] = uint8(c)
					to := p.Bonds(state)
					if !window.Contains(to) {
						if accept(level, to) > 0 {
							t.Fatalf("q=%d %v: level %d outside of %v is accepted", q, state, to, window)
						}
						continue
					}
					left := math.Exp(-lnG[level]) * accept(level, to)
					right := math.Exp(-lnG[to]) * accept(to, level)
					if math.Abs(left-right) > 1e-9*(left+right) {
						t.Fatalf("q=%d %v site %d -> %d: flow %g forth, %g back", q, state, i, c, left, right)
					}
				}
				state[i] = old
			}
		})
	}
}
