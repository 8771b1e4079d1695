package local

import (
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// pottsMetropolis proposes other colours at sites drawn at random; see metropolisSweep.
type pottsMetropolis struct {
	potts  *lattice.Potts
	window lattice.Window
	table  metropolisTable
}

func newPottsMetropolis(p *lattice.Potts, window lattice.Window) *pottsMetropolis {
	return &pottsMetropolis{p, window, make(metropolisTable, p.Levels())}
}

func (k *pottsMetropolis) Fill(lnWeight []float64) { k.table.fill(lnWeight, k.window) }

func (k *pottsMetropolis) Sweep(_ int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	return metropolisSweep(k.potts, state, level, k.table, hits, situations, rng)
}

func (k *pottsMetropolis) Transitions(blocks int) *Transitions { return newChanges(k.potts, blocks) }

// metropolisSweep makes N trials at sites drawn at random: it proposes one of the q-1 other
// colours and accepts with min[1, g(B)/g(B')]. situations, unless nil, counts each trial by
// its initial level and the change proposed. It returns the level after the sweep and the
// number of accepted trials.
func metropolisSweep(p *lattice.Potts, state []uint8, level int, table metropolisTable, hits, situations []int64, rng *rand.PCG) (int, int) {
	neighbours := p.Neighbours()
	sites, q := uint64(p.Sites()), uint64(p.Q())
	hits = hits[:len(table)]
	accepted := 0
	var block [metropolisBlock]uint64
	for done := 0; done < len(state); {
		draws := block[:min(len(state)-done, metropolisBlock)]
		for i := range draws {
			draws[i] = rng.Uint64()
		}
		done += len(draws)
		for _, draw := range draws {
			// One draw serves all three decisions: multiplied by the number of sites,
			// it yields the site in its upper word and a fresh fraction in its lower
			// word. That fraction yields the step to the new colour in the same way,
			// and its own fraction the number that decides on acceptance.
			site, fraction := bits.Mul64(draw, sites)
			step, fraction := bits.Mul64(fraction, q-1)
			old := uint64(state[site])
			c := old + 1 + step
			if c >= q {
				c -= q
			}
			n := (*[lattice.Coordination]int32)(neighbours[lattice.Coordination*site:])
			n0, n1, n2, n3 := int(state[n[0]]), int(state[n[1]]), int(state[n[2]]), int(state[n[3]])
			gain := equal(n0, int(c)) + equal(n1, int(c)) + equal(n2, int(c)) + equal(n3, int(c)) -
				equal(n0, int(old)) - equal(n1, int(old)) - equal(n2, int(old)) - equal(n3, int(old))
			if situations != nil {
				situations[level*(2*maxStep+1)+gain+maxStep]++
			}
			if fraction < table[level][gain+maxStep] {
				state[site] = uint8(c)
				level += gain
				accepted++
			}
			hits[level]++
		}
	}
	return level, accepted
}

// metropolisBlock is how many random numbers are drawn ahead, to keep the generator's
// state out of the loop over trials.
const metropolisBlock = 64
