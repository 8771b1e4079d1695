package models

import (
	"neuralwl/models/graph"
)

// decoder is a masked autoregressive network in the form of NADE (Uria, Côté, Gregor,
// Murray, Larochelle, JMLR 17, 1 (2016)), conditioned on a context. With the hidden units'
// input
//
//	a_i = context + sum over j < i of V_j[s_j],
//
// the colour of site i, in raster order, has the distribution
//
//	p_i = (1 - floor) softmax(U_i tanh(a_i) + c_i) + floor / q,
//
// so that ln q(s) is the sum of ln p_i[s_i]. Sampling adds one row to a per site. The floor
// keeps every configuration possible and ln q bounded.
//
// Loops over sites contain only what must happen in order. A node costs the runtime about
// as much as a hundred multiplications per walker; outside the loop that cost is paid once.
type decoder struct {
	embed  *graph.Node // V, float[N,q,H]
	output *graph.Node // U, float[N,H,q]
	bias   *graph.Node // c, float[N,q]
	conditionals
}

func newDecoder(g *graph.Graph, s System, h Hyperparameters) *decoder {
	n := s.Sites()
	return &decoder{
		embed:        g.Param("decoder.embed", n, s.Q, h.Decoder),
		output:       g.Param("decoder.output", n, h.Decoder, s.Q),
		bias:         g.Param("decoder.bias", n, s.Q),
		conditionals: conditionals{n, s.Q, h.Floor},
	}
}

// scores returns the conditional distributions before the floor, float[M,q], of one site,
// given the hidden units' input, float[M,H].
func scores(a, output, bias *graph.Node) *graph.Node {
	return a.Tanh().MatMul(output).Add(bias).Softmax(-1)
}

// logProb returns ln p_i[s_i], float[N,M], of configurations, int32[M,N], given context,
// float[M,H]. It treats all sites at once, with a cumulative sum instead of the recursion.
// Only this form has a gradient.
func (d *decoder) logProb(context, state *graph.Node) *graph.Node {
	colours := state.Transpose(1, 0)
	placed := oneHot(colours, d.colours).MatMul(d.embed).CumSum(0, graph.CumSumMode{Exclusive: true})
	return d.logOf(scores(placed.Add(context), d.output, d.bias.Unsqueeze(1)), colours)
}

// logProbInOrder is logProb with c sites at a time, where c divides N. With c = 1 a site's
// data stays in the cache, which is fastest for many walkers on a CPU. With c = N there are
// a few large operators, which suits a GPU. Within a part, the sums over earlier sites are
// a product with a triangular matrix: a cumulative sum takes O(c^2) time on a GPU and
// cannot use its matrix units.
func (d *decoder) logProbInOrder(g *graph.Graph, context, state *graph.Node, c int) *graph.Node {
	colours := state.Transpose(1, 0)
	if c == 1 {
		scanned := []*graph.Node{colours, d.embed, d.output, d.bias}
		_, out := g.Scan([]*graph.Node{context}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			a, colour, embed, output, bias := carry[0], slice[0], slice[1], slice[2], slice[3]
			return []*graph.Node{a.Add(embed.Gather(0, colour))}, []*graph.Node{scores(a, output, bias)}
		})
		return d.logOf(out[0], colours)
	}
	parts, q, h := d.sites/c, d.colours, d.embed.Dim(-1)
	part := arange32(g, c).Unsqueeze(1)
	earlier := arange32(g, c).Less(part).Cast(g.Float()) // [c,c], 1 at earlier sites
	scanned := []*graph.Node{
		// Row numbers in the part's weights, by site and colour.
		colours.Reshape(parts, c, -1).Add(part.Mul(part.Scalar(float64(q)))),
		d.embed.Reshape(parts, c*q, h), d.output.Reshape(parts, c, h, q), d.bias.Reshape(parts, c, 1, q),
	}
	_, out := g.Scan([]*graph.Node{context}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		a, row, embed, output, bias := carry[0], slice[0], slice[1], slice[2], slice[3]
		placed := embed.Gather(0, row) // [c,M,H]
		before := earlier.MatMul(placed.Reshape(c, -1)).Reshape(c, -1, h)
		return []*graph.Node{a.Add(placed.ReduceSum(graph.DropDims, 0))}, []*graph.Node{scores(a.Add(before), output, bias)}
	})
	return d.logOf(out[0].Reshape(d.sites, -1, q), colours)
}

// sample draws configurations. Sites before start, int32[M], keep the colour of state,
// int32[M,N]; the others follow p_i by inverting its cumulative sum at uniform, float[M,N].
// It returns the configurations, int32[M,N], and ln p_i of their colours, float[N,M].
func (d *decoder) sample(g *graph.Graph, context, state, start, uniform *graph.Node) (proposal, logP *graph.Node) {
	cumulate := d.cumulate(g)
	scanned := []*graph.Node{d.levels(g, state, start, uniform), d.embed, d.output, d.bias}
	_, out := g.Scan([]*graph.Node{context}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		a, levels, embed, output, bias := carry[0], slice[0], slice[1], slice[2], slice[3]
		p := scores(a, output, bias)
		colour := choose(levels, cumulate, p)
		return []*graph.Node{a.Add(embed.Gather(0, colour))}, []*graph.Node{colour, p}
	})
	return out[0].Transpose(1, 0), d.logOf(out[1], out[0])
}
