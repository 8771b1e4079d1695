package sampler

import (
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

func mustPotts(t testing.TB, q, lx, ly int) *lattice.Potts {
	t.Helper()
	p, err := lattice.NewPotts(q, lx, ly)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
