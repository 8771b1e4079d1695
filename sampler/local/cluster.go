package local

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// cluster moves all sites at once, in clusters, and then each site by the heat bath.
//
// The cluster move is multibondic (W. Janke, S. Kappler, Phys. Rev. Lett. 74, 212 (1995)), with an
// acceptance that makes it exact for any weights w(B) of the levels, 1/g among them. In a
// configuration with B satisfied pairs,
//
//  1. draw a number of bonds n, with probability C(B,n) W(n)/Z(B);
//  2. put bonds on n of the satisfied pairs, any n with the same probability;
//  3. turn the colours of each cluster of bonded sites by a random number, the same for all of its
//     sites and any with the same probability (in the Potts model: give each cluster any colour). Then
//     there are B' satisfied pairs, those with bonds among them;
//  4. accept that with probability min[1, w(B')/Z(B') : w(B)/Z(B)].
//
// The probability of the bonds A in a configuration is W(n)/Z(B), since there are C(B,n) sets of
// n. The way back takes the same bonds, of probability W(n)/Z(B'), and as many ways to turn the same
// clusters. So w(B) W(n)/Z(B) min[1, ...] is the same both ways, for each A: detailed balance holds for any
// W. The W of bondWeights make w/Z smooth, so that next to nothing is rejected, in both phases and between them.
//
// To bond each satisfied pair with a probability p(B) of its own, 1 - exp(-beta(B)), is as exact and simpler,
// with the acceptance ratio
//
//	w(B') p(B')^n (1-p(B'))^(B'-n) / [w(B) p(B)^n (1-p(B))^(B-n)],
//
// but B' - B is as large as the fluctuations of the energy at constant temperature are, and over such a
// distance beta changes by as much as the energy determines it: the logarithm of the ratio is of order one
// on any lattice. Where the density of states is curved most, 0.3 of the moves are accepted instead of 0.8
// (docs/moves.md). Multibondic weights alone, without an acceptance, are the case w = Z: a histogram
// flat in n, and not w at a level.
//
// Below the level of least weight, where beta < 0, there are no bonds to be had: levels there take no part,
// and no cluster move comes from there or leads there.
type cluster struct {
	Kernel    // the heat bath
	colours   uint64
	couplings *lattice.Couplings
	bonds     *bondWeights
	workers   []clusterScratch
}

// clusterScratch is a configuration with its clusters.
type clusterScratch struct {
	state  []uint8
	parent []int32 // of a site, in its cluster: itself or a site before it
	turn   []uint8 // of its colour
}

func newCluster(heatBath Kernel, s lattice.System, window lattice.Window, workers int) Kernel {
	c, err := lattice.CouplingsOf(s)
	if err != nil {
		panic("local: no clusters: " + err.Error()) // Check has been asked
	}
	k := &cluster{Kernel: heatBath, colours: uint64(s.Colours()), couplings: c, bonds: newBondWeights(s, window)}
	for range workers {
		k.workers = append(k.workers, clusterScratch{make([]uint8, s.Sites()), make([]int32, s.Sites()), make([]uint8, s.Sites())})
	}
	return k
}

func (k *cluster) Fill(lnWeight []float64) {
	k.Kernel.Fill(lnWeight)
	k.bonds.fill(lnWeight)
}

// Sweep makes a cluster move and N trials of the heat bath, which alone are counted.
func (k *cluster) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	moved := false
	if !math.IsInf(k.bonds.lnRest[level], -1) {
		if level, moved = k.move(&k.workers[worker], state, level, rng); moved {
			accepted = len(state)
		}
	}
	level, _ = k.Kernel.Sweep(worker, state, level, hits, situations, rng)
	return level, accepted
}

// unit makes a number in [0,1).
func unit(rng *rand.PCG) float64 { return float64(rng.Uint64()>>11) * 0x1p-53 }

// move makes a cluster move, and reports whether it was accepted.
func (k *cluster) move(c *clusterScratch, state []uint8, level int, rng *rand.PCG) (newLevel int, moved bool) {
	n, _ := k.bonds.walk(level, unit(rng)*k.bonds.sum[level])
	for i := range c.parent {
		c.parent[i] = int32(i)
	}
	k.bond(c, state, level, n, rng)
	q := k.colours
	for i, p := range c.parent {
		if turn := c.turn[p]; int(p) < i {
			c.turn[i] = turn
		} else {
			upper, _ := bits.Mul64(rng.Uint64(), q)
			c.turn[i] = uint8(upper)
		}
		colour := uint64(state[i]) + uint64(c.turn[i])
		if colour >= q {
			colour -= q
		}
		c.state[i] = uint8(colour)
	}
	to := k.couplings.Count(c.state, int(q))
	rest := k.bonds.lnRest
	if unit(rng) < math.Exp(rest[to]-rest[level]) {
		copy(state, c.state)
		return to, true
	}
	return level, false
}

// bond puts n bonds on the satisfied pairs, of which there are as many as the level says (D. E. Knuth, The
// Art of Computer Programming 2, algorithm 3.4.2S).
func (k *cluster) bond(c *clusterScratch, state []uint8, level, n int, rng *rand.PCG) {
	left, needed := uint64(level), uint64(n)
	for i, p := range k.couplings.Pairs {
		if !k.couplings.Satisfied(i, p, state, int(k.colours)) {
			continue
		}
		if needed == 0 {
			return
		}
		if upper, _ := bits.Mul64(rng.Uint64(), left); upper < needed {
			needed--
			c.join(p.A, p.B)
		}
		left--
	}
}

// join makes two sites' clusters one, whose first site is the first of both.
func (c *clusterScratch) join(a, b int32) {
	parent := c.parent
	for parent[a] != a {
		parent[a] = parent[parent[a]]
		a = parent[a]
	}
	for parent[b] != b {
		parent[b] = parent[parent[b]]
		b = parent[b]
	}
	if a < b {
		parent[b] = a
	} else {
		parent[a] = b
	}
}
