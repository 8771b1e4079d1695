package models

import (
	"fmt"
	"math"

	"neuralwl/models/graph"
)

// coupling is one layer of a flow, with H hidden units, O orbits and S steps.
type coupling struct {
	harmonics []int
	products  *graph.Node   // float[O(O+1)/2+1,H] of the products of vectors, and of the local field
	beta      *graph.Node   // float[1,H]
	bias      *graph.Node   // float[H]
	hidden    []hiddenLayer // after the first
	output    *graph.Node   // float[H,O+S]
	offset    *graph.Node   // float[O+S]
}

type hiddenLayer struct{ weight, bias *graph.Node } // float[H,H] and float[H]

// declareCoupling passes every weight of a layer to param. The initial values make the steps nearly the
// identity.
func declareCoupling(b *checkerboard, h Hyperparameters, layer int, param declare) *coupling {
	name := func(of string) string { return fmt.Sprintf("layer.%d.%s", layer, of) }
	orbits, deep := len(b.orbits), 1/math.Sqrt(float64(h.Width))
	products := orbits*(orbits+1)/2 + 1
	c := &coupling{
		harmonics: h.Harmonics,
		products:  param(name("products.weight"), 1/math.Sqrt(float64(products)), products, h.Width),
		beta:      param(name("beta.weight"), 1, 1, h.Width),
		bias:      param(name("bias"), 0, h.Width),
	}
	for i := 1; i < h.Depth; i++ {
		of := fmt.Sprintf("hidden.%d.", i)
		c.hidden = append(c.hidden, hiddenLayer{param(name(of+"weight"), deep, h.Width, h.Width), param(name(of+"bias"), 0, h.Width)})
	}
	c.output = param(name("output.weight"), 0.1*deep, h.Width, orbits+len(h.Harmonics))
	c.offset = param(name("output.bias"), 0, orbits+len(h.Harmonics))
	return c
}

// strongest is the largest p of a step, which stretches angles by up to about 4 p^2 and their rounding
// errors with them. Von Mises distributions of beta |h| up to 16 need less.
const strongest = 10

// steps returns the transformations of the sites of one half given the angles of the other, float[M,N/2],
// and beta, float[M].
func (c *coupling) steps(g *graph.Graph, b *checkerboard, active int, frozen, beta *graph.Node) []step {
	x, y := b.vectors(g, active, frozen) // float[M,N/2,O]
	orbits := x.Dim(-1)
	strength := beta.Mul(beta.Scalar(2 * float64(b.axes()))).Unsqueeze(1) // float[M,1], of a full local field

	var left, right []int32
	for o := range orbits {
		for p := range o + 1 {
			left, right = append(left, int32(o)), append(right, int32(p))
		}
	}
	products := both(g, x, left, right).Add(both(g, y, left, right))
	field := products.Slice(2, 0, 1).Mul(strength.Mul(strength).Unsqueeze(2))
	features := graph.Concat(2, products, field.Add(field.Scalar(1)).Log())
	warmth := strength.Add(strength.Scalar(1)).Log().MatMul(c.beta).Unsqueeze(1) // float[M,1,H]
	h := features.MatMul(c.products).Add(warmth).Add(c.bias).SiLU()
	for _, l := range c.hidden {
		h = h.Add(h.MatMul(l.weight).Add(l.bias).SiLU())
	}
	out := h.MatMul(c.output).Add(c.offset)

	// v = beta times the sum of the vectors, the local field in full and the others by the network's
	// factors; u is v made shorter than 1.
	first := make([]float32, orbits)
	first[0] = 1
	factors := out.Slice(2, 0, orbits).Add(g.Constant(graph.Float32s(first, orbits)))
	vx := x.Mul(factors).ReduceSum(graph.DropDims, 2).Mul(strength)
	vy := y.Mul(factors).ReduceSum(graph.DropDims, 2).Mul(strength)
	length := vx.Mul(vx).Add(vy.Mul(vy)).Add(vx.Scalar(1)).Sqrt()
	ux, uy := vx.Div(length), vy.Div(length)

	// The step of harmonic k has p = amplitude u^k, so that it is smooth where v vanishes.
	powers := [][2]*graph.Node{{ux, uy}}
	var steps []step
	for i, k := range c.harmonics {
		for len(powers) < k {
			q := powers[len(powers)-1]
			powers = append(powers, [2]*graph.Node{q[0].Mul(ux).Sub(q[1].Mul(uy)), q[0].Mul(uy).Add(q[1].Mul(ux))})
		}
		amplitude := out.Slice(2, orbits+i, orbits+i+1).Squeeze(2)
		amplitude = amplitude.Mul(amplitude.Scalar(1.0 / strongest)).Tanh().Mul(amplitude.Scalar(strongest))
		px, py := powers[k-1][0].Mul(amplitude), powers[k-1][1].Mul(amplitude)
		s := px.Mul(px).Add(py.Mul(py)).Add(px.Scalar(1)).Sqrt()
		steps = append(steps, step{float64(k), px, py, s})
	}
	return steps
}

// both multiplies elements of the last axis of x, float[M,A,O], in pairs.
func both(g *graph.Graph, x *graph.Node, left, right []int32) *graph.Node {
	index := func(i []int32) *graph.Node { return g.Constant(graph.Int32s(i, len(i))) }
	return x.Gather(2, index(left)).Mul(x.Gather(2, index(right)))
}

// step is the Moebius transformation z^k -> (z^k + w) / (1 + conj(w) z^k) of all sites, with w = p/s,
// s = sqrt(1 + |p|^2). Since |w| < 1, s + p z^-k has a positive real part, and
//
//	theta' = theta + 2/k arg(s + p z^-k),  d theta'/d theta = 1 / |s + p z^-k|^2.
//
// The inverse has -p in place of p.
type step struct {
	k         float64
	px, py, s *graph.Node // float[M,A]
}

// apply transforms angles, float[M,A], or back for the sign -1, and returns ln d theta'/d theta.
func (t step) apply(theta *graph.Node, sign float64) (next, stretch *graph.Node) {
	turned := theta.Mul(theta.Scalar(t.k))
	c, s := turned.Cos(), turned.Sin()
	re := t.px.Mul(c).Add(t.py.Mul(s))
	im := t.py.Mul(c).Sub(t.px.Mul(s))
	if sign < 0 {
		re, im = t.s.Sub(re), im.Neg()
	} else {
		re = t.s.Add(re)
	}
	next = theta.Add(im.Div(re).Atan().Mul(theta.Scalar(2 / t.k)))
	return next, re.Mul(re).Add(im.Mul(im)).Log().Neg()
}
