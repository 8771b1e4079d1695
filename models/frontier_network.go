package models

import (
	"math"
	"math/rand/v2"
	"slices"

	"neuralwl/models/graph"
)

// Features of the budget in a frontier network, and those of a site and the number of
// colours.
const (
	edgeSteps   = 8 // of b and of R-b: whether they are -1 or less, 0, 1, ..., 6 or more
	edgeBudget  = ratioFeatures + 2*edgeSteps + 2
	edgeColours = 2 // ln q and 1/q
	edgeShared  = edgeBudget + placeFeatures + edgeColours
)

// edgeWeightShapes lists the weights of a frontier network with h hidden units in the order of
// newEdgeNetwork.
func edgeWeightShapes(h int) []namedShape {
	return []namedShape{
		{"edge.weight", []int{edgeRows, h}},
		{"budget.weight", []int{edgeShared, h}},
		{"budget.bias", []int{h}},
		{"hidden.weight", []int{h, h}},
		{"mean.weight", []int{h, h}},
		{"context.weight", []int{h, h}},
		{"output.weight", []int{h}},
		{"attraction.budget", []int{edgeShared}},
		{"attraction.context", []int{h}},
		{"share.weight", []int{edgeShares}},
	}
}

type namedShape struct {
	name  string
	shape []int
}

// edgeNetwork computes logits from features, for c sites at once. Walkers are on the
// innermost axis of features, and before the hidden units elsewhere.
type edgeNetwork struct {
	s System
	h int
	e *edge

	rows       *graph.Node // W_a and a row of zeros, float[edgeRows+1,H]
	spread     *graph.Node // W_g with w_1 as one more column, float[edgeShared,H+1]
	bias       *graph.Node // b_g, float[H]
	hidden     *graph.Node // W_b
	mean       *graph.Node // W_m
	context    *graph.Node // W_t
	output     *graph.Node // w
	attraction *graph.Node // w_2
	shares     *graph.Node // float[1,2], of a colour that no candidate has
	average    *graph.Node // float[1,classes]
}

func newEdgeNetwork(s System, h int, e *edge, w []*graph.Node) *edgeNetwork {
	return &edgeNetwork{
		s: s, h: h, e: e,
		rows:   w[0].Pad(0, 0, 1, 0),
		spread: graph.Concat(1, w[1], w[7].Unsqueeze(1)), bias: w[2],
		hidden: w[3], mean: w[4], context: w[5], output: w[6], attraction: w[8], shares: w[9].Unsqueeze(0),
		average: w[4].Graph().Constant(graph.Float32s(slices.Repeat([]float32{1 / float32(e.classes)}, e.classes), 1, e.classes)),
	}
}

// atSites returns the weights of the features of a colour, float[N,16,H].
func (n *edgeNetwork) atSites(g *graph.Graph) *graph.Node {
	lx, ly := n.s.lx(), n.s.ly()
	var columns, rows []int // weights that depend on the column alone and on the row alone
	for x := range lx {
		for _, t := range edgeSlots {
			if t.row != rowFirst {
				columns = append(columns, n.e.weightRow(x, 0, t))
			}
		}
	}
	for y := range ly {
		for _, t := range edgeSlots {
			if t.row == rowFirst {
				rows = append(rows, n.e.weightRow(0, y, t))
			}
		}
	}
	const first, before = firstColumns, edgeSites - firstColumns
	byColumn := n.rows.Gather(0, indices(g, columns)).Reshape(1, lx, before, n.h).Expand(ly, lx, before, n.h)
	byRow := n.rows.Gather(0, indices(g, rows)).Reshape(ly, 1, first, n.h).Expand(ly, lx, first, n.h)
	shares := n.rows.Slice(0, rowShares, rowShares+edgeShares).Reshape(1, 1, edgeShares, n.h).Expand(ly, lx, edgeShares, n.h)
	// The slots of the first row are 3 and 10 to 13.
	return graph.Concat(2,
		byColumn.Slice(2, 0, 3), byRow.Slice(2, 0, 1), byColumn.Slice(2, 3, before), byRow.Slice(2, 1, first), shares,
	).Reshape(lx*ly, edgeFeatures, n.h)
}

// atPlaces returns what the features of places, float[k,12], and the number of colours add to
// the budget's part of the hidden layer, float[k,H+1].
func (n *edgeNetwork) atPlaces(places *graph.Node) *graph.Node {
	q := float64(n.s.Q)
	colours := n.spread.Graph().Constant(graph.Float32s([]float32{float32(logScale * math.Log(q)), float32(1 / q)}, 1, edgeColours))
	const site = edgeBudget + placeFeatures
	alike := colours.MatMul(n.spread.Slice(0, site, edgeShared)).Add(n.bias.Pad(0, 0, 1, 0))
	return places.MatMul(n.spread.Slice(0, edgeBudget, site)).Add(alike)
}

// budgetTables returns slopes and shifts, float[N,20,1], that turn b into the features of the
// budget before they are limited, given R of every site.
func budgetTables(g *graph.Graph, undecided []int) (slope, shift *graph.Node) {
	var inverse, bonds []float32
	for _, r := range undecided {
		inverse, bonds = append(inverse, float32(1/float64(r))), append(bonds, float32(r))
	}
	perBond := []float32{0, 0}
	perShare := []float32{1, -4}
	constant := []float32{0, 2}
	perUndecided := []float32{0, 0}
	for _, of := range []float32{1, -1} { // b, R-b
		for z := range edgeSteps {
			perBond, perShare = append(perBond, of), append(perShare, 0)
			constant, perUndecided = append(constant, 1-float32(z)), append(perUndecided, indicator(of < 0))
		}
	}
	for _, of := range []float32{1, -1} { // 1 + b, 1 + R-b
		perBond, perShare = append(perBond, of), append(perShare, 0)
		constant, perUndecided = append(constant, 1), append(perUndecided, indicator(of < 0))
	}
	column := func(v []float32) *graph.Node { return g.Constant(graph.Float32s(v, edgeBudget, 1)) }
	sites := func(v []float32) *graph.Node { return g.Constant(graph.Float32s(v, len(v), 1, 1)) }
	return sites(inverse).Mul(column(perShare)).Add(column(perBond)), sites(bonds).Mul(column(perUndecided)).Add(column(constant))
}

// budgetOf returns g [W_g w_1] + [b_g 0], float[c,M,H+1], for budgets b, float[c,1,M]: those of b/R
// and 4(R-b)/R - 2, kept within +-3; of b and R-b by steps, min(max(z-k,-1),0) for k = -1, ...,
// 6; of ln(1+z) for them, 0 below 0; and those of the place, float[c,1,H+1].
func (n *edgeNetwork) budgetOf(b, slope, shift, place *graph.Node) *graph.Node {
	const logs = edgeBudget - 2
	least, most := []float32{-3, -3}, []float32{3, 3}
	for range 2 * edgeSteps {
		least, most = append(least, -1), append(most, 0)
	}
	least, most = append(least, 1, 1), append(most, math.MaxInt32, math.MaxInt32)
	g := n.average.Graph()
	f := b.Mul(slope).Add(shift).
		Max(g.Constant(graph.Float32s(least, edgeBudget, 1))).Min(g.Constant(graph.Float32s(most, edgeBudget, 1)))
	f = graph.Concat(1, f.Slice(1, 0, logs), f.Slice(1, logs, edgeBudget).Log())
	return f.Transpose(0, 2, 1).MatMul(n.spread.Slice(0, 0, edgeBudget)).Add(place)
}

// logits returns those of the classes of colours, float[c,classes,M], given their features phi,
// float[c,16,classes*M], the weights of these, float[c,16,H], the budget's part of the hidden layer
// from budgetOf, and the number of earlier neighbours of that colour, float[c,classes,M].
func (n *edgeNetwork) logits(phi, weights, budget, like *graph.Node) *graph.Node {
	c := phi.Dim(0)
	shared := budget.Slice(-1, 0, n.h)
	t := shared.SiLU()
	h := phi.Transpose(0, 2, 1).MatMul(weights).Reshape(c, n.e.classes, -1, n.h).Add(shared.Unsqueeze(1)).Relu()
	mean := n.average.MatMul(h.Reshape(c, n.e.classes, -1)).Reshape(c, -1, n.h)
	rest := mean.MatMul(n.mean).Add(t.MatMul(n.context))
	u := h.MatMul(n.hidden).Add(rest.Unsqueeze(1)).Relu()
	attraction := budget.Slice(-1, n.h, n.h+1).Add(t.MatMul(n.attraction.Unsqueeze(1)))
	return u.MatMul(n.output).Add(attraction.Reshape(c, 1, -1).Mul(like))
}

// Logits and what shares add to them are kept within these bounds, so that the exponentials, and
// their sum, are positive and within the range of float32.
const largestLogit, largestShare = 60, 20

// shareFactors returns the factors, float[k,q,M], by which the shares, float[k,2,q+1,M], multiply the
// exponentials of the logits.
func (n *edgeNetwork) shareFactors(shares *graph.Node) *graph.Node {
	k, q := shares.Dim(0), n.s.Q
	return n.shares.MatMul(shares.Slice(2, 0, q).Reshape(k, edgeShares, -1)).Reshape(k, q, -1).Clip(-largestShare, largestShare).Exp()
}

// sight is what a frontier network sees at c sites.
type sight struct {
	slots      *graph.Node // int32[c,14,1,M] the colours of the sites in the slots, -1 for none
	classes    *graph.Node // int32[c,1,K+1,M] those of the candidates, and q; nil if all colours are evaluated
	candidates *graph.Node // int32[c,K,1,M] those of the candidates
	shares     *graph.Node // float[c,2,q+1,M]
	factors    *graph.Node // float[c,q,M] of shareFactors
	near       *graph.Node // float[c,1,16] 1 in slots that hold neighbours
	weights    *graph.Node // float[c,16,H] of atSites
	budget     *graph.Node // float[c,M,H+1] of budgetOf
}

// evaluate returns the exponentials of the logits of all colours, float[c,q,M].
func (n *edgeNetwork) evaluate(v sight) *graph.Node {
	c, k, q := v.slots.Dim(0), n.e.classes, n.s.Q
	classes := v.classes
	share := v.shares.Slice(2, 0, q)
	if classes == nil {
		classes = arange32(n.average.Graph(), q).Reshape(1, 1, q, 1)
	} else {
		share = v.shares.GatherElements(2, graph.Concat(1, classes, classes))
	}
	is := v.slots.Equal(classes).Cast(v.shares.DType())
	phi := graph.Concat(1, is, share).Reshape(c, edgeFeatures, -1)
	like := v.near.MatMul(phi).Reshape(c, k, -1)
	e := n.logits(phi, v.weights, v.budget, like).Clip(-largestLogit, largestLogit).Exp()
	if v.classes == nil {
		return e.Mul(v.factors)
	}
	has := v.candidates.Equal(arange32(n.average.Graph(), q).Unsqueeze(1)) // [c,K,q,M]
	// Candidates of one colour have the same logit.
	most := graph.Where(has, e.Slice(1, 0, k-1).Unsqueeze(2), e.Scalar(0)).ReduceMax(graph.DropDims, 1)
	return graph.Where(most.Equal(most.Scalar(0)), e.Slice(1, k-1, k).Mul(v.factors), most)
}

// nearTable returns which slots hold neighbours, float[k,1,16], at the sites given.
func (e *edge) nearTable(g *graph.Graph, sites []int) *graph.Node {
	var table []float32
	for _, i := range sites {
		near := e.near(i%e.s.lx(), i/e.s.lx())
		table = append(append(table, near[:]...), make([]float32, edgeFeatures-edgeNear)...)
	}
	return g.Constant(graph.Float32s(table, len(sites), 1, edgeFeatures))
}

// shareTable returns the shares of each colour, float[k,2,q+1,M], in rows given by the numbers of
// their sites of each colour, float[k,q,M]: those of the row above, and of the first row. The
// last colour is none.
func (e *edge) shareTable(above, first *graph.Node) *graph.Node {
	both := graph.Concat(1, above.Unsqueeze(1), first.Unsqueeze(1))
	return both.Mul(both.Scalar(1/float64(e.s.lx()))).Pad(2, 0, 1, 0)
}

// initialEdgeWeights draws weights that keep the hidden layers quiet and make like neighbours
// attract each other more strongly the larger the share of undecided bonds still to be satisfied.
func initialEdgeWeights(r *rand.Rand, h int) map[string]graph.Tensor {
	layer := 1 / math.Sqrt(float64(h))
	deviations := map[string]float64{
		"edge.weight": 0.5, "budget.weight": 0.3,
		"hidden.weight": layer, "mean.weight": layer, "context.weight": layer,
		"output.weight": 0.1 * layer,
	}
	weights := map[string]graph.Tensor{}
	for _, w := range edgeWeightShapes(h) {
		weights[w.name] = normal(r, deviations[w.name], w.shape...)
	}
	// The first feature is b/R. At b = R nearly all neighbours should be alike.
	weights["attraction.budget"].Float32s()[0] = 5
	// A colour that no candidate has is likely that of the row above.
	copy(weights["share.weight"].Float32s(), []float32{2, 1})
	return weights
}
