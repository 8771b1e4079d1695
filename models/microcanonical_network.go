package models

import (
	"math"
	"math/rand/v2"
	"slices"

	"neuralwl/models/graph"
)

// budgetWeights holds the weights of a microcanonical network with H hidden units.
type budgetWeights struct {
	window     *graph.Node // W_a, float[32,H], of the features of a colour
	budget     *graph.Node // W_g, float[32,H], of those that all colours share
	budgetBias *graph.Node // b_g, float[H]
	hidden     *graph.Node // W_b, float[H,H]
	mean       *graph.Node // W_m, float[H,H]
	context    *graph.Node // W_t, float[H,H]
	hiddenBias *graph.Node // b_m, float[H]
	output     *graph.Node // w, float[H]
	// w_1 and w_2, float[32] and float[H], give the attraction of like neighbours.
	attraction, attractionContext *graph.Node
}

// weightShape is the name and the shape of weights.
type weightShape struct {
	name  string
	shape []int
}

// weightShapes lists the weights in the order of newBudgetWeights, given the numbers of features of a colour and of
// those that all share, and the width H. No shape depends on the lattice or on the number of colours.
func weightShapes(colour, budget, h int) []weightShape {
	return []weightShape{
		{"window.weight", []int{colour, h}},
		{"budget.weight", []int{budget, h}},
		{"budget.bias", []int{h}},
		{"hidden.weight", []int{h, h}},
		{"mean.weight", []int{h, h}},
		{"context.weight", []int{h, h}},
		{"hidden.bias", []int{h}},
		{"output.weight", []int{h}},
		{"attraction.budget", []int{budget}},
		{"attraction.context", []int{h}},
	}
}

// declareWeights declares weights in g.
func declareWeights(g *graph.Graph, shapes []weightShape) []*graph.Node {
	var nodes []*graph.Node
	for _, w := range shapes {
		nodes = append(nodes, g.Param(w.name, w.shape...))
	}
	return nodes
}

func newBudgetWeights(nodes []*graph.Node) *budgetWeights {
	return &budgetWeights{nodes[0], nodes[1], nodes[2], nodes[3], nodes[4], nodes[5], nodes[6], nodes[7], nodes[8], nodes[9]}
}

// budgetNetwork computes logits from features, for c sites at once. In features, walkers
// are on the innermost axis and colours on the one before. Where a shape below begins with
// c, that axis is missing for c = 1.
type budgetNetwork struct {
	*budgetWeights
	s      System
	h, c   int
	spread *graph.Node // W_g with w_1 as one more column, float[32,H+1]
	share  *graph.Node // W_m / q, since the mean over colours is computed as a sum
	ones   *graph.Node // float[1,q]
}

func newBudgetNetwork(s System, h, c int, w *budgetWeights) *budgetNetwork {
	return &budgetNetwork{
		budgetWeights: w, s: s, h: h, c: c,
		spread: graph.Concat(1, w.budget, w.attraction.Unsqueeze(1)),
		share:  w.mean.Mul(w.mean.Scalar(1 / float64(s.Q))),
		ones:   w.mean.Graph().Constant(graph.Float32s(slices.Repeat([]float32{1}, s.Q), 1, s.Q)),
	}
}

// atSites returns the weights, float[k,3,H+1], of the two ratios of budget and bonds and of
// a constant feature 1, at k sites with features places, float[k,12].
func (n *budgetNetwork) atSites(places *graph.Node) *graph.Node {
	const first = budgetFeatures - placeFeatures
	one := places.MatMul(n.spread.Slice(0, first, budgetFeatures)).Add(n.budgetBias.Pad(0, 0, 1, 0))
	ratios := n.spread.Slice(0, 0, ratioFeatures).Unsqueeze(0).Expand(places.Dim(0), ratioFeatures, n.h+1)
	return graph.Concat(1, ratios, one.Unsqueeze(1))
}

// levelTable returns the features of 0, ..., 2N and, last, of -1 bonds, float[2N+2,9]. They
// are constant below 0 and from 2N on.
func (n *budgetNetwork) levelTable() *graph.Node {
	most := 2 * n.s.Sites()
	var table []float32
	for z := range most + 1 {
		table = append(table, level(z)...)
	}
	table = append(table, level(-1)...)
	return n.spread.Graph().Constant(graph.Float32s(table, most+2, levelFeatures))
}

// lookUp returns two functions for budgetOf that look up rows of precomputed tables: the
// fast form.
func (n *budgetNetwork) lookUp() (of [2]func(z *graph.Node) *graph.Node) {
	for k := range of {
		table := n.levelTable().MatMul(n.levelWeights(k))
		of[k] = func(z *graph.Node) *graph.Node { return table.Gather(0, z) }
	}
	return of
}

// multiply returns two functions for budgetOf that multiply features by weights: the form
// with an efficient gradient.
func (n *budgetNetwork) multiply() (of [2]func(z *graph.Node) *graph.Node) {
	for k := range of {
		table, weights := n.levelTable(), n.levelWeights(k)
		of[k] = func(z *graph.Node) *graph.Node { return table.Gather(0, z).MatMul(weights) }
	}
	return of
}

// levelWeights returns the weights of the features of b (k = 0) or of R-b (k = 1),
// float[9,H+1].
func (n *budgetNetwork) levelWeights(k int) *graph.Node {
	first := ratioFeatures + k*levelFeatures
	return n.spread.Slice(0, first, first+levelFeatures)
}

// budgetOf returns g [W_g w_1] + [b_g 0], float[c,M,H+1], for budgets b, float[c,M]. The
// functions in of return the contributions of b and of R-b.
func (n *budgetNetwork) budgetOf(b *graph.Node, at siteTables, weights *graph.Node, of [2]func(z *graph.Node) *graph.Node) *graph.Node {
	place := func(z *graph.Node) *graph.Node { return z.Clip(-1, float64(2*n.s.Sites())).Cast(graph.Int32) }
	levels := of[0](place(b)).Add(of[1](place(at.undecided.Sub(b))))
	if n.c > 1 {
		b = b.Unsqueeze(1)
	}
	ratios := b.Mul(at.slope).Add(at.shift).Clip(-3, 3)
	if n.c > 1 {
		return ratios.Transpose(0, 2, 1).MatMul(weights).Add(levels)
	}
	return ratios.Transpose(1, 0).MatMul(weights).Add(levels)
}

// shape prepends c to dims, if that axis exists.
func (n *budgetNetwork) shape(dims ...int) []int {
	if n.c > 1 {
		return append([]int{n.c}, dims...)
	}
	return dims
}

// logits returns the logits, float[c,q,M], given the features of the colours phi,
// float[32,c*q*M], their weights, float[32,H], the budget's part of the hidden layer from
// budgetOf, and the number of placed neighbours of each colour, float[c,q,M].
func (n *budgetNetwork) logits(phi, weights, budget, neighbours *graph.Node) *graph.Node {
	colours := n.shape(n.s.Q, -1, n.h)
	all := func(x *graph.Node) *graph.Node { // the same for all colours
		if n.c > 1 {
			return x.Unsqueeze(1)
		}
		return x
	}
	shared := budget.Slice(-1, 0, n.h) // [c,M,H]
	t := shared.SiLU()
	h := phi.Transpose(1, 0).MatMul(weights).Reshape(colours...).Add(all(shared)).SiLU()
	sum := n.ones.MatMul(h.Reshape(n.shape(n.s.Q, -1)...)).Reshape(n.shape(-1, n.h)...)
	rest := sum.MatMul(n.share).Add(t.MatMul(n.context).Add(n.hiddenBias))
	u := h.MatMul(n.hidden).Add(all(rest)).SiLU()
	attraction := budget.Slice(-1, n.h, n.h+1).Add(t.MatMul(n.attractionContext.Unsqueeze(1)))
	return u.MatMul(n.output).Add(attraction.Reshape(n.shape(1, -1)...).Mul(neighbours))
}

// initialBudgetWeights draws weights that keep the hidden layers quiet and make like
// neighbours attract each other more strongly the larger the share of undecided bonds still
// to be satisfied.
func initialBudgetWeights(r *rand.Rand, shapes []weightShape) map[string]graph.Tensor {
	layer := 1 / math.Sqrt(float64(shapes[0].shape[1]))
	// About two features of a colour and ten of the others are non-zero.
	deviations := map[string]float64{
		"window.weight": 0.5, "budget.weight": 0.3,
		"hidden.weight": layer, "mean.weight": layer, "context.weight": layer,
		"output.weight": 0.1 * layer,
	}
	weights := map[string]graph.Tensor{}
	for _, w := range shapes {
		weights[w.name] = normal(r, deviations[w.name], w.shape...)
	}
	// The first feature is b/R. At b = R nearly all neighbours should be alike.
	weights["attraction.budget"].Float32s()[0] = 5
	return weights
}
