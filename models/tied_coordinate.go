package models

import (
	"math"

	"neuralwl/models/graph"
)

// What latent coordinate 0 can be tied to.
const (
	EnergyTie = "energy"
	OrderTie  = "order"
)

// tiedCoordinate ties coordinate 0 of the latent vector z of a configuration s to a quantity
// ("conditioning in latent space" of Riedel, Zierenberg and Weigel, 2024), on the scale of tanh:
// to the energy E,
//
//	x(s) = 0.9 (1 + E(s)/(N J)), from -0.9 at the ground state to 0.9 with no satisfied bond,
//
// or to the order parameter m = (q n/N - 1)/(q - 1), n being the sites of the most frequent colour,
//
//	x(s) = 0.9 (2 m(s) - 1), from -0.9 in disorder to 0.9 in a ground state.
//
// Training adds lambda (z_0 - x(s))^2 to -ln q of every sample. Up to a constant that is
// -ln of a normal distribution of z_0 around x(s) with variance 1/(2 lambda). The noise on
// z_0 is limited to the same variance, so the decoder sees the quantity as precisely as the
// tie enforces it; the usual noise would hide it.
//
// The tie is not used in proposals. They take a shift d,
//
//	q(s'|s,d) = q_D(s'|z(s) + 0.9 d/N e_0),
//
// a distribution of known probability for any d, whether or not z_0 has learned the quantity: d is
// one of the energy in units of J, or of the order parameter in units of 1/(2N). Weight 0 means no
// tie and no shift.
type tiedCoordinate struct {
	s      System
	latent int // width of z
	weight float64
	to     string // EnergyTie, or empty for that, or OrderTie
}

// tiedEnd is the largest x(s), and the least is -tiedEnd. Being below 1, it is reached by tanh at a
// finite argument.
const tiedEnd = 0.9

func (c tiedCoordinate) isTied() bool { return c.weight > 0 }

// unit returns the vector, float[K], with v at coordinate 0 and rest elsewhere.
func (c tiedCoordinate) unit(g *graph.Graph, v, rest float64) *graph.Node {
	x := make([]float32, c.latent)
	for i := range x {
		x[i] = float32(rest)
	}
	x[0] = float32(v)
	return g.Constant(graph.Float32s(x, c.latent))
}

// shifted returns z, float[M,K], with coordinate 0 moved by the input Shift.
func (c tiedCoordinate) shifted(g *graph.Graph, z *graph.Node) *graph.Node {
	if !c.isTied() {
		return z
	}
	shift := g.Input(Shift, graph.Float32, graph.Dynamic)
	return z.Add(shift.Unsqueeze(1).Mul(c.unit(g, tiedEnd/float64(c.s.Sites()), 0)))
}

// noise returns the standard deviations of the noise on z, float[K]; deviation applies to
// untied coordinates.
func (c tiedCoordinate) noise(g *graph.Graph, deviation float64) *graph.Node {
	if !c.isTied() {
		return g.Scalar(graph.Float32, deviation)
	}
	return c.unit(g, min(deviation, 1/math.Sqrt(2*c.weight)), deviation)
}

// tie subtracts lambda (z_0 - x(s))^2 from ln q, float[M], given z, float[M,K], of
// configurations s, int32[M,N].
func (c tiedCoordinate) tie(logQ, z, state *graph.Node) *graph.Node {
	if !c.isTied() {
		return logQ
	}
	off := z.Slice(1, 0, 1).Sub(c.of(state))
	return logQ.Sub(off.Mul(off).ReduceSum(graph.DropDims, 1).Mul(logQ.Scalar(c.weight)))
}

// of returns x(s), float[M,1], of configurations, int32[M,N].
func (c tiedCoordinate) of(state *graph.Node) *graph.Node {
	if c.to == OrderTie {
		return c.order(state)
	}
	return c.energy(state)
}

func (c tiedCoordinate) energy(state *graph.Node) *graph.Node {
	n := c.s.Sites()
	var site, neighbour []int32
	for i := range n {
		x, y := i%c.s.lx(), i/c.s.lx()
		right, below := y*c.s.lx()+(x+1)%c.s.lx(), (y+1)%c.s.ly()*c.s.lx()+x
		site = append(site, int32(i), int32(i))
		neighbour = append(neighbour, int32(right), int32(below))
	}
	at := func(sites []int32) *graph.Node {
		return state.Gather(1, state.Graph().Constant(graph.Int32s(sites, 2*n)))
	}
	bonds := at(site).Equal(at(neighbour)).Cast(state.Graph().Float()).ReduceSum(graph.KeepDims, 1)
	return bonds.Mul(bonds.Scalar(-tiedEnd / float64(n))).Add(bonds.Scalar(tiedEnd))
}

func (c tiedCoordinate) order(state *graph.Node) *graph.Node {
	q := float64(c.s.Q)
	most := oneHot(state, c.s.Q).ReduceSum(graph.DropDims, 1).ReduceMax(graph.KeepDims, 1)
	scale := 2 * tiedEnd / (q - 1)
	return most.Mul(most.Scalar(scale * q / float64(c.s.Sites()))).Sub(most.Scalar(scale + tiedEnd))
}
