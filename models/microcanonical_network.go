package models

import (
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// budgetWeights are the weights of a microcanonical network with H hidden units.
type budgetWeights struct {
	window     *graph.Node // W_a, float[32,H], of the features of a colour
	budget     *graph.Node // W_g, float[32,H], of those that all colours share
	budgetBias *graph.Node // b_g, float[H]
	hidden     *graph.Node // W_b, float[H,H]
	mean       *graph.Node // W_m, float[H,H]
	context    *graph.Node // W_t, float[H,H]
	hiddenBias *graph.Node // b_m, float[H]
	output     *graph.Node // w, float[H]
	// w_1 and w_2, float[32] and float[H], make the attraction of like neighbours.
	attraction, attractionContext *graph.Node
}

// weightShapes lists the weights in the order of newBudgetWeights. No shape depends
// on the lattice or on the number of colours.
func weightShapes(h int) []struct {
	name  string
	shape []int
} {
	return []struct {
		name  string
		shape []int
	}{
		{"window.weight", []int{colourFeatures, h}},
		{"budget.weight", []int{budgetFeatures, h}},
		{"budget.bias", []int{h}},
		{"hidden.weight", []int{h, h}},
		{"mean.weight", []int{h, h}},
		{"context.weight", []int{h, h}},
		{"hidden.bias", []int{h}},
		{"output.weight", []int{h}},
		{"attraction.budget", []int{budgetFeatures}},
		{"attraction.context", []int{h}},
	}
}

func newBudgetWeights(nodes []*graph.Node) *budgetWeights {
	return &budgetWeights{nodes[0], nodes[1], nodes[2], nodes[3], nodes[4], nodes[5], nodes[6], nodes[7], nodes[8], nodes[9]}
}

// budgetNetwork computes logits from features. M walkers are on the innermost axis
// of the features and colours on the one before; C sites are treated at once.
type budgetNetwork struct {
	*budgetWeights
	s      System
	h      int
	spread *graph.Node // W_g with w_1 as one more column, float[32,H+1]
	bias   *graph.Node // b_g and 0, float[H+1]
	share  *graph.Node // W_m / q: the mean over colours is taken as a sum
}

func newBudgetNetwork(s System, h int, w *budgetWeights) *budgetNetwork {
	return &budgetNetwork{
		budgetWeights: w, s: s, h: h,
		spread: graph.Concat(1, w.budget, w.attraction.Unsqueeze(1)),
		bias:   w.budgetBias.Pad(0, 0, 1, 0),
		share:  w.mean.Mul(w.mean.Scalar(1 / float64(s.Q))),
	}
}

// placesOf returns the part of g [W_g w_1] + [b_g 0] that belongs to the features of
// sites alone.
func (n *budgetNetwork) placesOf(features *graph.Node) *graph.Node {
	return features.MatMul(n.spread.Slice(0, budgetFeatures-placeFeatures, budgetFeatures)).Add(n.bias)
}

// levels is the number of different features of a number of bonds: below 0 and from
// 2N on they are all the same.
func (n *budgetNetwork) levels() int { return 2*n.s.Sites() + 2 }

// levelTable returns the features of -1, ..., 2N bonds, float[2N+2,9].
func (n *budgetNetwork) levelTable() *graph.Node {
	table := make([]float32, 0, n.levels()*levelFeatures)
	for z := range n.levels() {
		table = append(table, level(z-1)...)
	}
	return n.spread.Graph().Constant(graph.Float32s(table, n.levels(), levelFeatures))
}

// levelWeights returns the weights of the features of b and of R-b, float[2,9,H+1].
func (n *budgetNetwork) levelWeights() *graph.Node {
	return n.spread.Slice(0, ratioFeatures, ratioFeatures+2*levelFeatures).Reshape(2, levelFeatures, n.h+1)
}

// budgetOf returns g [W_g w_1] + [b_g 0], float[C,M,H+1], for budgets b, float[C,M].
// undecided is (0, R) and inverse (1/R, 4/R), both float[2,C,1], of the sites, and
// places those of the network. look returns the share of the features of b and R-b
// from places int32[2,C,M] in the table of levels.
func (n *budgetNetwork) budgetOf(b, undecided, inverse, places *graph.Node, look func(index *graph.Node) *graph.Node) *graph.Node {
	g := b.Graph()
	pair := func(x, y float32) *graph.Node { return g.Constant(graph.Float32s([]float32{x, y}, 2, 1, 1)) }
	left := b.Unsqueeze(0).Mul(pair(1, -1)).Add(undecided) // b and R-b
	ratios := left.Mul(inverse).Add(pair(0, -2)).Clip(-3, 3)
	index := left.Clip(-1, float64(n.levels()-2)).Add(left.Scalar(1)).Cast(graph.Int32)
	return ratios.Transpose(1, 2, 0).MatMul(n.spread.Slice(0, 0, ratioFeatures)).Add(look(index)).Add(places)
}

// lookUp returns a function for budgetOf that adds up rows of a table computed once,
// the fast form.
func (n *budgetNetwork) lookUp() func(index *graph.Node) *graph.Node {
	table := n.levelTable().MatMul(n.levelWeights()).Reshape(2*n.levels(), n.h+1)
	return func(index *graph.Node) *graph.Node {
		second := index.Graph().Constant(graph.Int32s([]int32{0, int32(n.levels())}, 2, 1, 1))
		return table.Gather(0, index.Add(second)).ReduceSum(graph.DropDims, 0)
	}
}

// multiply returns a function for budgetOf that multiplies features by weights, the
// form with an efficient gradient, for c sites at once.
func (n *budgetNetwork) multiply(c int) func(index *graph.Node) *graph.Node {
	table, weights := n.levelTable(), n.levelWeights()
	return func(index *graph.Node) *graph.Node {
		rows := table.Gather(0, index).Reshape(2, -1, levelFeatures)
		return rows.MatMul(weights).ReduceSum(graph.DropDims, 0).Reshape(c, -1, n.h+1)
	}
}

// logits returns the logits of the colours, float[C,q,M], given the features of the
// colours phi, float[C,32,q*M], their weights, float[32,H], the budget's part of the
// hidden layer from budgetOf, and the number of placed neighbours of each colour,
// float[C,q,M].
func (n *budgetNetwork) logits(phi, weights, budget, neighbours *graph.Node) *graph.Node {
	c := phi.Dim(0)
	shared := budget.Slice(-1, 0, n.h).Unsqueeze(1) // [C,1,M,H]
	t := shared.SiLU()
	h := phi.Transpose(0, 2, 1).MatMul(weights).Reshape(c, n.s.Q, -1, n.h).Add(shared).SiLU()
	rest := h.ReduceSum(graph.KeepDims, 1).MatMul(n.share).Add(t.MatMul(n.context)).Add(n.hiddenBias)
	u := h.MatMul(n.hidden).Add(rest).SiLU()
	attraction := budget.Slice(-1, n.h, n.h+1).Unsqueeze(1).Add(t.MatMul(n.attractionContext.Unsqueeze(1)))
	return u.MatMul(n.output).Add(attraction.Squeeze(-1).Mul(neighbours))
}

// initialBudgetWeights draws weights under which the hidden layers say little and
// like neighbours attract each other the more, the more of the undecided bonds are
// to be satisfied.
func initialBudgetWeights(r *rand.Rand, h int) map[string]graph.Tensor {
	layer := 1 / math.Sqrt(float64(h))
	// About two of the features of a colour and ten of the others are not 0.
	deviations := map[string]float64{
		"window.weight": 0.5, "budget.weight": 0.3,
		"hidden.weight": layer, "mean.weight": layer, "context.weight": layer,
		"output.weight": 0.1 * layer,
	}
	weights := map[string]graph.Tensor{}
	for _, w := range weightShapes(h) {
		weights[w.name] = normal(r, deviations[w.name], w.shape...)
	}
	// The feature b/R comes first. At b = R nearly every neighbour is to be alike.
	weights["attraction.budget"].Float32s()[0] = 5
	return weights
}
