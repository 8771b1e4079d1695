package models

import (
	"slices"

	"neuralwl/models/graph"
)

// siteTables holds constants of the sites, c of them at a time.
type siteTables struct {
	undecided *graph.Node // float[N/c,2,c,1] 0 and R
	inverse   *graph.Node // float[N/c,2,c,1] 1/R and 4/R
}

func (a *microcanonical) siteTables(g *graph.Graph, c int) siteTables {
	var undecided, inverse []float32
	for part := range slices.Chunk(a.s.undecided(), c) {
		for k := range 2 {
			for _, r := range part {
				undecided = append(undecided, float32(k*r))
				inverse = append(inverse, float32(1+3*k)/float32(r))
			}
		}
	}
	n := a.s.Sites()
	return siteTables{
		undecided: g.Constant(graph.Float32s(undecided, n/c, 2, c, 1)),
		inverse:   g.Constant(graph.Float32s(inverse, n/c, 2, c, 1)),
	}
}

// placeTable returns the features of the sites alone, float[N,12].
func (a *microcanonical) placeTable(g *graph.Graph) *graph.Node {
	table := make([]float32, 0, a.s.Sites()*placeFeatures)
	for i, r := range a.s.undecided() {
		table = append(table, a.s.place(i%a.s.Lx, i/a.s.Lx, r)...)
	}
	return g.Constant(graph.Float32s(table, a.s.Sites(), placeFeatures))
}

// known are the features of configurations that are given, to be evaluated c sites
// at a time.
type known struct {
	colours *graph.Node // float[N+1,q*M] 1 at each site's colour, nothing at the last
	counts  *graph.Node // float[N+1,q*M] of the sites before
	// scanned are, by part: window, places of counts, their coefficients, neighbours,
	// undecided, inverse, the sites' own colours and budgets.
	scanned []*graph.Node
	q       int
}

func (a *microcanonical) known(g *graph.Graph, c int, state, energy *graph.Node) *known {
	n, q := a.s.Sites(), a.s.Q
	order := state.Transpose(1, 0) // int32[N,M]
	placed := order.Unsqueeze(1).Equal(arange32(g, q).Unsqueeze(1)).Cast(graph.Float32).Reshape(n, -1)
	colours := placed.Pad(0, 0, 1, 0)

	var windows, places, near []int32
	var coefficients, neighbours []float32
	for i := range n {
		x, y := i%a.s.Lx, i/a.s.Lx
		window := a.s.window(x, y)
		windows = append(windows, window...)
		is := make([]float32, colourFeatures)
		is[slotAbove], is[slotLeft], is[slotRight] = 1, 1, 1
		is[slotFirstRow] = indicator(y == a.s.Ly-1)
		neighbours = append(neighbours, is...)
		for slot, yes := range is {
			if yes == 1 {
				near = append(near, window[slot])
			}
		}
		for len(near) < 4*(i+1) {
			near = append(near, int32(n))
		}
		at, scale := a.s.sums(i)
		m := make([]float32, shares*shares)
		for k, v := range scale {
			places = append(places, int32(at[k]))
			if k == 1 || k == 2 {
				m[k*shares], m[k*shares+k] = float32(v), -float32(v)
			} else {
				m[k*shares+k] = float32(v)
			}
		}
		coefficients = append(coefficients, m...)
	}
	// Bonds that each site satisfies with earlier ones; no colour is -1.
	before := order.Pad(0, 0, 1, -1).Gather(0, g.Constant(graph.Int32s(near, n, 4))) // [N,4,M]
	satisfied := before.Equal(order.Unsqueeze(1)).Cast(graph.Float32).ReduceSum(graph.DropDims, 1)
	budget := energy.Add(satisfied.CumSum(0, graph.CumSumMode{Exclusive: true})).Neg()

	t := a.siteTables(g, c)
	return &known{
		colours: colours,
		counts:  colours.CumSum(0, graph.CumSumMode{Exclusive: true}),
		q:       q,
		scanned: []*graph.Node{
			g.Constant(graph.Int32s(windows, n/c, c, windowSites)),
			g.Constant(graph.Int32s(places, n/c, c, shares)),
			g.Constant(graph.Float32s(coefficients, n/c, c, shares, shares)),
			g.Constant(graph.Float32s(neighbours, n/c, c, 1, colourFeatures)),
			t.undecided, t.inverse,
			placed.Reshape(n/c, c, q, -1), budget.Reshape(n/c, c, -1),
		},
	}
}

// logits evaluates the network on a part of the sites, given the part's slices of
// scanned and of the network's places.
func (k *known) logits(n *budgetNetwork, slice []*graph.Node, place *graph.Node, look func(*graph.Node) *graph.Node) *graph.Node {
	window, places, coefficients, neighbours, undecided, inverse, budget := slice[0], slice[1], slice[2], slice[3], slice[4], slice[5], slice[7]
	phi := graph.Concat(1, k.colours.Gather(0, window), coefficients.MatMul(k.counts.Gather(0, places)))
	like := neighbours.MatMul(phi).Reshape(window.Dim(0), k.q, -1)
	return n.logits(phi, n.window, n.budgetOf(budget, undecided, inverse, place, look), like)
}

// siteNumbers are 0, ..., n-1 as int32[n,1].
func siteNumbers(g *graph.Graph, n int) *graph.Node { return arange32(g, n).Unsqueeze(1) }

func arange32(g *graph.Graph, n int) *graph.Node {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return g.Constant(graph.Int32s(v, n))
}
