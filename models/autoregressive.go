package models

import (
	"neuralwl/models/graph"
)

// decoder is a masked autoregressive network in the form of NADE (Uria, Côté,
// Gregor, Murray, Larochelle, JMLR 17, 1 (2016)), conditioned on a context: with
// the hidden units' input
//
//	a_i = context + sum over j < i of V_j[s_j],
//
// the colour of site i, in raster order, has the distribution
//
//	p_i = (1 - floor) softmax(U_i tanh(a_i) + c_i) + floor / q,
//
// so that ln q(s) is the sum of ln p_i[s_i]. It samples by adding one row to a
// per site, and its floor keeps every configuration possible and ln q bounded.
type decoder struct {
	embed  *graph.Node // V, float[N,q,H]
	output *graph.Node // U, float[N,H,q]
	bias   *graph.Node // c, float[N,q]

	sites, colours int
	floor          float64
}

func newDecoder(g *graph.Graph, s System, h Hyperparameters) *decoder {
	n := s.Sites()
	return &decoder{
		embed:   g.Param("decoder.embed", n, s.Q, h.Decoder),
		output:  g.Param("decoder.output", n, h.Decoder, s.Q),
		bias:    g.Param("decoder.bias", n, s.Q),
		sites:   n,
		colours: s.Q,
		floor:   h.Floor,
	}
}

// probabilities turns scores, float[...,q], into distributions over the colours.
func (d *decoder) probabilities(scores *graph.Node) *graph.Node {
	p := scores.Softmax(-1)
	return p.Mul(p.Scalar(1 - d.floor)).Add(p.Scalar(d.floor / float64(d.colours)))
}

// logProb returns ln p_i[s_i], float[N,M], of the configurations state, int32[M,N],
// given context, float[M,H]. All sites are done at once: a cumulative sum stands
// for the recursion.
func (d *decoder) logProb(context, state *graph.Node) *graph.Node {
	colour := oneHot(state.Transpose(1, 0), d.colours) // [N,M,q]
	hidden := colour.MatMul(d.embed).CumSum(0, graph.CumSumMode{Exclusive: true}).Add(context).Tanh()
	p := d.probabilities(hidden.MatMul(d.output).Add(d.bias.Unsqueeze(1)))
	return p.Mul(colour).ReduceSum(graph.DropDims, -1).Log()
}

// sample draws configurations: sites before start, int32[M], keep the colour of
// state, int32[M,N], the others follow p_i by inversion of its cumulative sum at
// uniform, float[M,N]. It returns the configurations, int32[M,N], and ln p_i of
// their colours, float[N,M].
func (d *decoder) sample(g *graph.Graph, context, state, start, uniform *graph.Node) (proposal, logP *graph.Node) {
	site := make([]int32, d.sites)
	for i := range site {
		site[i] = int32(i)
	}
	// The product of below with p, colours first, is the cumulative sum without
	// its last entry, which is 1 up to rounding. Walkers come last there because
	// the runtime compares along the last axis in one go.
	below := make([]float32, (d.colours-1)*d.colours)
	for k := range d.colours - 1 {
		for c := range k + 1 {
			below[k*d.colours+c] = 1
		}
	}
	cumulate := g.Constant(graph.Float32s(below, d.colours-1, d.colours))
	scanned := []*graph.Node{
		g.Constant(graph.Int32s(site, d.sites)),
		state.Transpose(1, 0), uniform.Transpose(1, 0),
		d.embed, d.output, d.bias,
	}
	_, out := g.Scan([]*graph.Node{context}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		a := carry[0]
		site, old, u, embed, output, bias := slice[0], slice[1], slice[2], slice[3], slice[4], slice[5]
		p := d.probabilities(a.Tanh().MatMul(output).Add(bias))
		// The colour is the number of borders at or below u.
		passed := u.GreaterOrEqual(cumulate.MatMul(p.Transpose(1, 0))).Cast(graph.Int32)
		colour := graph.Where(site.Less(start), old, passed.ReduceSum(graph.DropDims, 0))
		chosen := p.Mul(oneHot(colour, d.colours)).ReduceSum(graph.DropDims, 1)
		return []*graph.Node{a.Add(embed.Gather(0, colour))}, []*graph.Node{colour, chosen}
	})
	return out[0].Transpose(1, 0), out[1].Log()
}

// fromStart sums logP, float[N,M], over the sites from start, int32[M], on.
func (d *decoder) fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node {
	site := make([]int32, d.sites)
	for i := range site {
		site[i] = int32(i)
	}
	resampled := g.Constant(graph.Int32s(site, d.sites, 1)).GreaterOrEqual(start).Cast(logP.DType())
	return logP.Mul(resampled).ReduceSum(graph.DropDims, 0)
}

// oneHot appends an axis to an integer index with 1 at the place that it names and
// 0 elsewhere. Rows of a unit matrix are copied several times faster than the
// index is compared with every place.
func oneHot(index *graph.Node, places int) *graph.Node {
	unit := make([]float32, places*places)
	for i := range places {
		unit[i*places+i] = 1
	}
	return index.Graph().Constant(graph.Float32s(unit, places, places)).Gather(0, index)
}
