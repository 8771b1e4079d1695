package models

import (
	"fmt"

	"neuralwl/models/graph"
)

// The sampling graph scans the rows, and in each row the columns. It carries from row to row the
// row above, the first row and the budget, and from column to column the sites of its own row
// that later ones see, and the budget:
//
//	0..3  the sites before, the nearest first
//	4..7  the first sites of the row, seen across the right edge
//	8     -1, no site
//	9     q, the colour of none
//
// These, the two rows and the colour that prevails above are what a site sees.
const (
	besideHead  = edgeReach
	besideNone  = 2 * edgeReach
	besideOther = besideNone + 1
	besideSites = besideOther + 1
)

// edgeKinds are rows, one of each kind: what is seen differs in the first two and the last.
func (e *edge) edgeKinds() []int { return []int{0, 1, min(2, e.s.ly()-1), e.s.ly() - 1} }

// rowKinds returns the kind of each row.
func (e *edge) rowKinds(g *graph.Graph) *graph.Node {
	kinds := make([]int, e.s.ly())
	for y := range kinds {
		kinds[y] = min(y, 2)
	}
	kinds[e.s.ly()-1] = 3
	return indices(g, kinds)
}

// place returns where the sampling graph has a site when it draws site (x, y): beside it, in the
// row above or in the first row.
func (e *edge) place(site, x, y int) int {
	lx := e.s.lx()
	column, row := site%lx, site/lx
	switch {
	case site > e.s.Sites():
		return besideSites + 2*lx // what prevails in the row above
	case site == e.s.Sites():
		return besideNone
	case row == y && column < x && x-column <= edgeReach:
		return x - column - 1
	case row == y && column < edgeReach:
		return besideHead + column
	case row == y-1:
		return besideSites + column
	case row == 0:
		return besideSites + lx + column
	}
	panic(fmt.Sprintf("models: the sampling graph keeps no site %d for site (%d, %d)", site, x, y))
}

// sample draws configurations. Sites before start, int32[M], keep the colour of state,
// int32[M,N]; the others follow the network by inverting the cumulative probabilities at
// uniform, float[M,N]. It returns the configurations and the probabilities of their colours
// before the floor, float[N,M].
func (a *frontier) sample(g *graph.Graph, params []*graph.Node, state, start, energy, uniform *graph.Node) (proposal, p *graph.Node) {
	lx, ly, q, n := a.s.lx(), a.s.ly(), a.s.Q, a.network(params)
	free := siteNumbers(g, a.s.Sites()).GreaterOrEqual(start).Cast(graph.Int32)
	kept := free.Scalar(1).Sub(free).Mul(state.Transpose(1, 0))
	// The borders are not normalised: the level is multiplied by the sum instead.
	level := uniform.Transpose(1, 0).Mul(uniform.Scalar(1 / (1 - a.h.Floor)))
	byRow := func(x *graph.Node, dims ...int) *graph.Node { return x.Reshape(append([]int{ly, lx, 1}, dims...)...) }

	var slots, classes, all []int
	for _, y := range a.e.edgeKinds() {
		for x := range lx {
			for k, site := range a.e.seen(y*lx + x) {
				if at := a.e.place(site, x, y); k < edgeSites {
					slots = append(slots, at)
				} else {
					classes = append(classes, at)
				}
			}
			classes, all = append(classes, besideOther), append(all, y*lx+x)
		}
	}
	byKind := func(x *graph.Node, dims ...int) *graph.Node {
		return x.Reshape(append([]int{len(a.e.edgeKinds()), lx, 1}, dims...)...)
	}
	slotsByKind, classesByKind := byKind(indices(g, slots), edgeSites, 1), byKind(indices(g, classes), 1, -1)
	candidatesByKind := classesByKind
	if k := a.e.candidates; k > 0 {
		candidatesByKind = byKind(classesByKind.Slice(-1, 0, k), k, 1)
	}
	nearByKind := byKind(a.e.nearTable(g, all), 1, edgeFeatures)
	var next []int // where what is beside the next site comes from: from there, or the new colour
	for x := range lx {
		for k := range besideSites {
			switch {
			case k == 0 || k == besideHead+x && k < besideNone:
				next = append(next, besideSites)
			case k < edgeReach:
				next = append(next, k-1)
			default:
				next = append(next, k)
			}
		}
	}
	nextBeside := indices(g, next).Reshape(lx, besideSites)

	colours := arange32(g, q).Unsqueeze(1)
	borders := g.Constant(borders(q, a.h.Floor))
	slope, shift := budgetTables(g, a.r.undecided())
	none := g.Constant(graph.Int32s([]int32{noColour}, 1, 1))
	empty := none.Expand(lx, -1)
	beside := graph.Concat(0, none.Expand(besideOther, -1), none.Mul(none.Scalar(-float64(q))).Expand(1, -1))
	scanned := []*graph.Node{
		a.e.rowKinds(g), a.s.isRow(g, 0),
		n.atSites(g).Reshape(ly, lx, 1, edgeFeatures, -1), n.atPlaces(a.r.placeTable(g)).Reshape(ly, lx, 1, 1, -1),
		byRow(slope, edgeBudget, 1), byRow(shift, edgeBudget, 1), byRow(free, -1), byRow(kept, -1), byRow(level, 1, -1),
	}
	_, out := g.Scan([]*graph.Node{empty, empty, energy.Neg().Reshape(1, 1, -1)}, scanned, func(row *graph.Graph, carry, slice []*graph.Node) (_, emitted []*graph.Node) {
		above, first, budget := carry[0], carry[1], carry[2]
		kind, isFirst := slice[0], slice[1]
		counts := func(row *graph.Node) *graph.Node { // float[1,q,M]
			return row.Unsqueeze(1).Equal(colours).Cast(graph.Float32).ReduceSum(graph.KeepDims, 0)
		}
		ofAbove := counts(above)
		shares := a.e.shareTable(ofAbove, counts(first))
		known := graph.Concat(0, above, first, a.e.prevailing(above.Unsqueeze(0), ofAbove))
		factors := n.shareFactors(shares)
		sites := append(slice[2:len(slice):len(slice)], nextBeside)
		for _, table := range []*graph.Node{nearByKind, slotsByKind, classesByKind, candidatesByKind} {
			sites = append(sites, table.Gather(0, kind))
		}
		final, out := row.Scan([]*graph.Node{beside, budget}, sites, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			beside, budget := carry[0], carry[1]
			weights, place, slope, shift := slice[0], slice[1], slice[2], slice[3] // in the order of sites
			free, kept, level, nextBeside := slice[4], slice[5], slice[6], slice[7]

			near, known := slice[8], graph.Concat(0, beside, known)
			v := sight{
				slots: known.Gather(0, slice[9]), shares: shares, factors: factors, near: near, weights: weights,
				budget: n.budgetOf(budget, slope, shift, place),
			}
			if a.e.candidates > 0 {
				v.classes, v.candidates = known.Gather(0, slice[10]), known.Gather(0, slice[11])
			}
			e := n.evaluate(v)
			total := e.ReduceSum(graph.KeepDims, 1)
			passed := level.Mul(total).GreaterOrEqual(borders.MatMul(e)).Cast(graph.Int32)
			colour := passed.ReduceSum(graph.DropDims, 1).Mul(free).Add(kept) // [1,M]
			chosen := e.GatherElements(1, colour.Unsqueeze(1))
			alike := v.slots.Slice(1, 0, edgeNear).Equal(colour).Cast(graph.Float32).Reshape(1, edgeNear, -1)
			satisfied := near.Slice(2, 0, edgeNear).MatMul(alike)
			return []*graph.Node{graph.Concat(0, beside, colour).Gather(0, nextBeside), budget.Sub(satisfied)},
				[]*graph.Node{colour, chosen, total}
		})
		drawn := out[0].Squeeze(1)
		return []*graph.Node{drawn, graph.Where(isFirst, drawn, first), final[1]}, out
	})
	flat := func(x *graph.Node) *graph.Node { return x.Reshape(a.s.Sites(), -1) }
	return flat(out[0]).Transpose(1, 0), flat(out[1]).Div(flat(out[2]))
}
