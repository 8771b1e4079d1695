package models

import "neuralwl/models/graph"

// The sampling graph of the odd half scans the rows, and in each row the columns, as that of the order Raster
// does: see carried. A row holds Lx/2 sites, which lie in odd columns in even rows and in even columns in odd rows.

// Kinds of rows.
const (
	halfFirst = iota
	halfEven
	halfOdd
	halfNextToLast
	halfLast
	halfKinds
)

func (b half) rowKind(y int) int {
	switch y {
	case 0:
		return halfFirst
	case b.ly - 2:
		return halfNextToLast
	case b.ly - 1:
		return halfLast
	}
	return halfEven + y%2
}

// halfOrder holds constants of the sampling graph by kind of row and place in it.
type halfOrder struct {
	window  *graph.Node // int32[5,Lx/2,28] positions of the window's sites in the rows kept
	leaving *graph.Node // int32[Lx/2,2] the sites that drop out of the last Lx/2 and 2 Lx
	order   *graph.Node // int32[Lx/2,37] which weights belong to the carried values
	step    *graph.Node // float[5,Lx/2,9,12] maps the carried values from one site to the next
	pick    *graph.Node // float[2,37] 1 at diagonal neighbours, and at what surrounds the even site above
}

func (a *halves) inOrder(g *graph.Graph) halfOrder {
	l := a.perRow()
	at := rowsAbove{l}
	var window []int32
	for kind := range halfKinds {
		y := []int{0, 2, 1, 0, 1}[kind] // a row of this parity
		for k := range l {
			x := 2*k + 1 - y%2
			// in is the place of a column in its row.
			in := func(column int) int { return (x + column + 2*a.lx) % a.lx / 2 }
			for _, o := range halfAbove {
				window = append(window, at.above(o.row, in(o.column)))
			}
			first := func(yes bool, list []offset) {
				for _, o := range list {
					if yes {
						window = append(window, at.first(o.row, in(o.column)))
					} else {
						window = append(window, 0)
					}
				}
			}
			first(kind == halfLast, halfClosing)
			first(kind == halfNextToLast, halfNext)
		}
	}
	var leaving, order []int32
	step := make([]float32, 0, halfKinds*l*carried*(carried+3))
	for k := range l {
		leaving = append(leaving, at.above(1, k), at.above(carriedLast, k))
		order = append(order, carriedOrder(k, l, halfFeatures, halfSlotRight)...)
	}
	for kind := range halfKinds {
		for k := range l {
			step = append(step, carriedStep(k, l, kind == halfFirst)...)
		}
	}
	pick := make([]float32, 2*halfFeatures)
	for _, slot := range []int{halfSlotUpLeft, halfSlotUpRight, halfSlotDownLeft, halfSlotDownRight} {
		pick[slot] = 1
	}
	for _, slot := range []int{halfSlotUpLeft, halfSlotUpRight, halfSlotAbove} {
		pick[halfFeatures+slot] = 1
	}
	return halfOrder{
		window:  g.Constant(graph.Int32s(window, halfKinds, l, halfWindowAbove)),
		leaving: g.Constant(graph.Int32s(leaving, l, 2)),
		order:   g.Constant(graph.Int32s(order, l, halfFeatures)),
		step:    g.Constant(graph.Float32s(step, halfKinds, l, carried, carried+3)),
		pick:    g.Constant(graph.Float32s(pick, 2, halfFeatures)),
	}
}

// sample draws the odd half. It returns the colours, int32[N/2,M], and their probabilities before the floor,
// float[N/2,M].
func (a *halves) sample(g *graph.Graph, params []*graph.Node, target *graph.Node, d drawing) (colours, p *graph.Node) {
	l, ly, q := a.perRow(), a.ly, a.s.Q
	byRow := func(x *graph.Node) *graph.Node { return x.Reshape(append([]int{ly, l}, x.Shape()[1:]...)...) }
	walkers := func(x *graph.Node) *graph.Node { return x.Reshape(ly, l, -1) }

	c := a.inOrder(g)
	n, aim := a.network(1, params, target)
	t := newSiteTables(g, a.undecided(), 1)
	weights := n.window.Pad(0, 0, 1, 0).Gather(0, c.order) // [Lx/2,37,H]
	of, table := n.lookUp(), a.expectedTable(g)
	number := arange32(g, q).Unsqueeze(1)

	zero := g.Constant(graph.Zeros(graph.Float32, 1))
	rows := zero.Expand(rowsAbove{l}.len(), -q)
	beside := zero.Expand(carried, -q)
	sites := []*graph.Node{
		byRow(t.undecided), byRow(t.slope), byRow(t.shift), byRow(n.atSites(a.placeTable(g))), byRow(a.shareScale(g)), byRow(a.decided(g)),
		walkers(d.free), walkers(d.kept), walkers(d.level),
	}
	kind := make([]int32, ly)
	for y := range kind {
		kind[y] = int32(a.rowKind(y))
	}
	kinds := []*graph.Node{g.Constant(graph.Int32s(kind, ly)), a.s.isRow(g, 0), a.s.isRow(g, 1)}
	_, out := g.Scan([]*graph.Node{rows, beside, target}, append(sites, kinds...), func(row *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		rows, sites, kinds := carry[0], slice[:len(sites):len(sites)], slice[len(sites):]
		sites = append(sites, c.leaving, weights, c.window.Gather(0, kinds[0]), c.step.Gather(0, kinds[0]))
		final, out := row.Scan(carry[1:], sites, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			beside, budget := carry[0], carry[1]
			at, site, scale, decides := siteTablesOf(slice), slice[3], slice[4], slice[5]
			leaving, weights, window, step := slice[9], slice[10], slice[11], slice[12]

			phi := graph.Concat(0, rows.Gather(0, window), beside)
			picked := c.pick.MatMul(phi).Reshape(2, q, -1)
			logits := n.logits(phi, weights.Mul(scale), n.budgetOf(budget, at, site, of).Add(aim), picked.Slice(0, 0, 1).Squeeze(0))
			e := logits.Sub(logits.ReduceMax(graph.KeepDims, 0)).Exp()
			total := e.ReduceSum(graph.DropDims, 0)
			colour := d.colours(e, total, slice[6], slice[7], slice[8])
			placed := colour.Equal(number).Cast(graph.Float32)
			chosen := placed.Mul(e).ReduceSum(graph.DropDims, 0)
			decided := expected(table, picked.Slice(0, 1, 2).Squeeze(0).Add(placed)).Mul(decides)
			flat := placed.Reshape(1, -1)
			beside = step.MatMul(graph.Concat(0, beside, flat, rows.Gather(0, leaving)))
			return []*graph.Node{beside, budget.Sub(decided)}, []*graph.Node{flat, colour, chosen.Div(total)}
		})
		return append([]*graph.Node{nextRows(rows, out[0], l, kinds)}, final...), out[1:]
	})
	flat := func(x *graph.Node) *graph.Node { return x.Reshape(len(a.odd), -1) }
	return flat(out[0]), flat(out[1])
}
