package models

import "neuralwl/models/graph"

// drawn holds what a frontier network sees in given configurations, for evaluation c sites at a
// time.
type drawn struct {
	colours *graph.Node // int32[N+2+Ly,M] of every site, -1 for no site, what prevails in each row, and q
	shares  *graph.Node // float[Ly,2,q+1,M]
	// scanned lists, part by part: the sites in the slots, and those of the classes; the rows; which
	// slots hold neighbours; the tables of the budget; the budgets, float[N/c,c,1,M]; and the
	// sites' own colours, int32[N/c,c,1,M].
	scanned []*graph.Node
}

// Indices into drawn.scanned, and their number.
const (
	drawnSlots = iota
	drawnClasses
	drawnRow
	drawnNear
	drawnSlope
	drawnShift
	drawnBudget
	drawnColour
	drawnParts
)

func (a *frontier) drawn(g *graph.Graph, c int, state, energy *graph.Node) *drawn {
	n, q, lx, ly := a.s.Sites(), a.s.Q, a.s.lx(), a.s.ly()
	order := state.Transpose(1, 0) // int32[N,M]

	var slots, classes, rows, near, all []int
	for i := range n {
		sites := a.e.seen(i)
		slots = append(slots, sites[:edgeSites]...)
		classes = append(append(classes, sites[edgeSites:]...), n+1+ly) // q
		rows, all = append(rows, i/lx), append(all, i)
		mask := a.e.near(i%lx, i/lx)
		for k, of := range mask {
			if of == 0 {
				near = append(near, n)
			} else {
				near = append(near, sites[k])
			}
		}
	}
	byRow := order.Reshape(ly, lx, -1)
	counts := byRow.Unsqueeze(2).Equal(arange32(g, q).Unsqueeze(1)).Cast(graph.Float32).ReduceSum(graph.DropDims, 1)
	other := order.Slice(0, 0, 1).Mul(order.Scalar(0)).Add(order.Scalar(float64(q)))
	colours := graph.Concat(0, order.Pad(0, 0, 1, noColour), a.e.prevailing(byRow, counts), other)
	// Bonds that each site satisfies with earlier ones.
	satisfied := colours.Gather(0, indices(g, near).Reshape(n, edgeNear)).Equal(order.Unsqueeze(1)).
		Cast(graph.Float32).ReduceSum(graph.DropDims, 1)
	budget := energy.Add(satisfied.CumSum(0, graph.CumSumMode{Exclusive: true})).Neg()

	inside := make([]float32, ly)
	for y := range ly {
		inside[y] = indicator(y > 0)
	}
	first := counts.Slice(0, 0, 1).Mul(g.Constant(graph.Float32s(inside, ly, 1, 1)))

	parts := func(x *graph.Node, dims ...int) *graph.Node {
		return x.Reshape(append([]int{n / c, c}, dims...)...)
	}
	slope, shift := budgetTables(g, a.r.undecided())
	return &drawn{
		colours: colours,
		shares:  a.e.shareTable(counts.Pad(0, 1, 0, 0).Slice(0, 0, ly), first),
		scanned: []*graph.Node{
			parts(indices(g, slots), edgeSites, 1), parts(indices(g, classes), 1, len(classes)/n), parts(indices(g, rows)), parts(a.e.nearTable(g, all), 1, edgeFeatures),
			parts(slope, edgeBudget, 1), parts(shift, edgeBudget, 1), parts(budget, 1, -1), parts(order, 1, -1),
		},
	}
}

// exponentials evaluates the network on a part of the sites, given the part's slices of scanned
// and the weights at these sites and places.
func (k *drawn) exponentials(n *edgeNetwork, slice []*graph.Node, weights, places *graph.Node) *graph.Node {
	v := sight{
		slots: k.colours.Gather(0, slice[drawnSlots]), shares: k.shares.Gather(0, slice[drawnRow]),
		near: slice[drawnNear], weights: weights,
		budget: n.budgetOf(slice[drawnBudget], slice[drawnSlope], slice[drawnShift], places),
	}
	v.factors = n.shareFactors(v.shares)
	if c := v.slots.Dim(0); n.e.candidates > 0 {
		v.classes = k.colours.Gather(0, slice[drawnClasses])
		v.candidates = v.classes.Slice(2, 0, n.e.candidates).Reshape(c, n.e.candidates, 1, -1)
	}
	return n.evaluate(v)
}
