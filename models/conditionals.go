package models

import "neuralwl/models/graph"

// conditionals are the distributions p_i of each site's colour given the earlier sites,
// computed from scores before the floor:
//
//	p_i = (1 - floor) scores_i + floor / q.
type conditionals struct {
	sites, colours int
	floor          float64
}

// logOf returns ln p_i[s_i], float[N,M], of the colours, int32[N,M], given scores,
// float[N,M,q].
func (d conditionals) logOf(scores, colours *graph.Node) *graph.Node {
	p := scores.Mul(oneHot(colours, d.colours)).ReduceSum(graph.DropDims, -1)
	return withFloor(p, d.floor, d.colours)
}

// cumulate returns the matrix, float[q-1,q], that multiplies scores (colours first) to give
// their cumulative sums C_0, ..., C_q-2. The last sum is omitted: it is 1 up to rounding.
func (d conditionals) cumulate(g *graph.Graph) *graph.Node {
	borders := d.colours - 1
	below := make([]float32, borders*d.colours)
	for k := range borders {
		for c := range k + 1 {
			below[k*d.colours+c] = 1
		}
	}
	return g.Constant(graph.Float32s(below, borders, d.colours))
}

// choose returns the colour of a site, int32[M], given its levels, float[q-1,M], the matrix
// cumulate and its scores, float[M,q]. Walkers come last in the comparison because the
// runtime vectorises along the last axis.
func choose(levels, cumulate, scores *graph.Node) *graph.Node {
	passed := levels.GreaterOrEqual(cumulate.MatMul(scores.Transpose(1, 0))).Cast(graph.Int32)
	return passed.ReduceSum(graph.DropDims, 0)
}

// levels returns numbers, float[N,q-1,M], such that the colour of a site is the number of
// borders C_k at or below its level k. With the floor, the border between colours k and k+1
// is (1 - floor) C_k + (k+1) floor/q, so u is at or above it if and only if (u - (k+1)
// floor/q) / (1 - floor) is at or above C_k. For a site to be kept, the levels lie above
// all borders below its colour and under all others.
func (d conditionals) levels(g *graph.Graph, state, start, uniform *graph.Node) *graph.Node {
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
func (d conditionals) site(g *graph.Graph) *graph.Node {
	site := make([]int32, d.sites)
	for i := range site {
		site[i] = int32(i)
	}
	return g.Constant(graph.Int32s(site, d.sites, 1))
}

// fromStart sums logP, float[N,M], over the sites from start, int32[M], on.
func (d conditionals) fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node {
	resampled := d.site(g).GreaterOrEqual(start).Cast(logP.DType())
	return logP.Mul(resampled).ReduceSum(graph.DropDims, 0)
}

// oneHot appends an axis to an integer index, with 1 at the position it names and 0
// elsewhere. Copying rows of a unit matrix is several times faster than comparing the index
// with every position.
func oneHot(index *graph.Node, places int) *graph.Node {
	unit := make([]float32, places*places)
	for i := range places {
		unit[i*places+i] = 1
	}
	return index.Graph().Constant(graph.Float32s(unit, places, places)).Gather(0, index)
}
