package sampler

import (
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
