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
//
// The loops over sites hold nothing but what must happen in order: a node costs
// the runtime about as much as a hundred multiplications per walker do, and
// outside of the loop it costs that once.
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

// scores are the conditional distributions before the floor, float[M,q], of one
// site given the hidden units' input, float[M,H].
func scores(a, output, bias *graph.Node) *graph.Node {
	return a.Tanh().MatMul(output).Add(bias).Softmax(-1)
}

// logOf returns ln p_i[s_i], float[N,M], of the colours, int32[N,M], under scores,
// float[N,M,q].
func (d *decoder) logOf(scores, colours *graph.Node) *graph.Node {
	p := scores.Mul(oneHot(colours, d.colours)).ReduceSum(graph.DropDims, -1)
	return p.Mul(p.Scalar(1 - d.floor)).Add(p.Scalar(d.floor / float64(d.colours))).Log()
}

// logProb returns ln p_i[s_i], float[N,M], of configurations, int32[M,N], given
// context, float[M,H], all sites at once: a cumulative sum stands for the
// recursion. This is the form that has a gradient.
func (d *decoder) logProb(context, state *graph.Node) *graph.Node {
	colours := state.Transpose(1, 0)
	placed := oneHot(colours, d.colours).MatMul(d.embed).CumSum(0, graph.CumSumMode{Exclusive: true})
	return d.logOf(scores(placed.Add(context), d.output, d.bias.Unsqueeze(1)), colours)
}

// logProbInOrder is logProb c sites at a time, where c divides N. For c = 1 what a site
// needs stays in the cache, which makes it the fastest form for many walkers on a CPU.
// With c = N there are a few large operators, as a GPU likes them; sums over the sites
// before each of a part are a product with a triangular matrix, as those of a cumulative
// sum there take time as the square of c and cannot use what multiplies matrices.
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
	earlier := arange32(g, c).Less(part).Cast(g.Float()) // [c,c] 1 at sites before
	scanned := []*graph.Node{
		// Rows of the part's weights by site and colour.
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

// sample draws configurations: sites before start, int32[M], keep the colour of
// state, int32[M,N], the others follow p_i by inversion of its cumulative sum at
// uniform, float[M,N]. It returns the configurations, int32[M,N], and ln p_i of
// their colours, float[N,M].
func (d *decoder) sample(g *graph.Graph, context, state, start, uniform *graph.Node) (proposal, logP *graph.Node) {
	// The product of below with the scores, colours first, is their cumulative
	// sum C_0, C_1, ... without the last one, which is 1 up to rounding. Walkers
	// come last there because the runtime compares along the last axis in one go.
	borders := d.colours - 1
	below := make([]float32, borders*d.colours)
	for k := range borders {
		for c := range k + 1 {
			below[k*d.colours+c] = 1
		}
	}
	cumulate := g.Constant(graph.Float32s(below, borders, d.colours))
	scanned := []*graph.Node{d.levels(g, state, start, uniform), d.embed, d.output, d.bias}
	_, out := g.Scan([]*graph.Node{context}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		a, levels, embed, output, bias := carry[0], slice[0], slice[1], slice[2], slice[3]
		p := scores(a, output, bias)
		passed := levels.GreaterOrEqual(cumulate.MatMul(p.Transpose(1, 0))).Cast(graph.Int32)
		colour := passed.ReduceSum(graph.DropDims, 0)
		return []*graph.Node{a.Add(embed.Gather(0, colour))}, []*graph.Node{colour, p}
	})
	return out[0].Transpose(1, 0), d.logOf(out[1], out[0])
}

// levels are numbers, float[N,q-1,M], so that the colour of a site is the number of
// borders C_k at or below its level k. With the floor, the border between the
// colours k and k+1 is (1 - floor) C_k + (k+1) floor/q, and u at or above it means
// (u - (k+1) floor/q) / (1 - floor) at or above C_k. The levels of a site to be
// kept lie above all borders below its colour and under all others.
func (d *decoder) levels(g *graph.Graph, state, start, uniform *graph.Node) *graph.Node {
	borders := d.colours - 1
	shift, below := make([]float32, borders), make([]int32, borders)
	for k := range borders {
		shift[k] = float32(float64(k+1) * d.floor / float64(d.colours))
		below[k] = int32(k)
	}
	u := uniform.Transpose(1, 0).Unsqueeze(1) // [N,1,M]
	drawn := u.Sub(g.Constant(graph.Float32s(shift, borders, 1))).Div(u.Scalar(1 - d.floor))
	old := state.Transpose(1, 0).Unsqueeze(1)
	kept := graph.Where(g.Constant(graph.Int32s(below, borders, 1)).Less(old), u.Scalar(2), u.Scalar(-1))
	return graph.Where(d.site(g).Unsqueeze(1).Less(start), kept, drawn)
}

// site numbers the sites, int32[N,1].
func (d *decoder) site(g *graph.Graph) *graph.Node {
	site := make([]int32, d.sites)
	for i := range site {
		site[i] = int32(i)
	}
	return g.Constant(graph.Int32s(site, d.sites, 1))
}

// fromStart sums logP, float[N,M], over the sites from start, int32[M], on.
func (d *decoder) fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node {
	resampled := d.site(g).GreaterOrEqual(start).Cast(logP.DType())
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
