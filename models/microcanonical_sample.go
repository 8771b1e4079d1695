package models

import "neuralwl/models/graph"

// The sampling graph scans the rows, and in each row the columns. Earlier rows, one number
// per site, colour and walker, are updated once per row instead of once per site. The
// values that change from site to site are few:
//
//	l1 l2 l3  the sites to the left
//	f1 f2     the first two of the row
//	all, last L, last 4 L, first row: running counts of each colour
const (
	carried     = windowBeside + shares
	carriedLast = 4 // rows above that are kept
)

// The three kinds of rows differ in the closing bonds.
const (
	firstRow = iota
	innerRow
	lastRow
	rowKinds
)

// rowsAbove indexes the stored earlier rows: an empty row, the rows above starting with the
// nearest, the first row and the second one.
type rowsAbove struct{ lx int }

func (r rowsAbove) above(row, x int) int32 { return int32(1 + (row-1)*r.lx + x) }
func (r rowsAbove) first(row, x int) int32 { return int32(1 + (carriedLast+row)*r.lx + x) }
func (r rowsAbove) len() int               { return 1 + (carriedLast+2)*r.lx }

// inOrder holds constants of the sampling graph by column and kind of row.
type inOrder struct {
	window     *graph.Node // int32[Lx,23] positions of the window's sites in earlier rows
	leaving    *graph.Node // int32[Lx,2] the sites that drop out of the last L and 4 L
	order      *graph.Node // int32[Lx,32] which weights belong to the carried values
	neighbours *graph.Node // float[3,Lx,1,32] 1 at neighbours
	step       *graph.Node // float[3,Lx,9,12] maps the carried values from one site to the next
}

func (a *microcanonical) inOrder(g *graph.Graph) inOrder {
	lx := a.s.lx()
	at := rowsAbove{lx}
	var window, leaving, order []int32
	neighbours := make([]float32, rowKinds*lx*colourFeatures)
	step := make([]float32, 0, rowKinds*lx*carried*(carried+3))
	for x := range lx {
		for _, o := range offsetsAbove {
			window = append(window, at.above(o.row, a.s.wrap(x, o.column)))
		}
		for _, o := range offsetsFirst {
			window = append(window, at.first(o.row, a.s.wrap(x, o.column)))
		}
		leaving = append(leaving, at.above(1, x), at.above(carriedLast, x))

		order = append(order, carriedOrder(x, lx, colourFeatures, slotRight)...)
		for kind := range rowKinds {
			n := neighbours[(kind*lx+x)*colourFeatures:][:colourFeatures]
			n[slotAbove], n[slotLeft] = 1, 1
			n[slotRight] = indicator(x == lx-1)
			n[slotFirstRow] = indicator(kind == lastRow)
		}
	}
	for kind := range rowKinds {
		for x := range lx {
			step = append(step, carriedStep(x, lx, kind == firstRow)...)
		}
	}
	return inOrder{
		window:     g.Constant(graph.Int32s(window, lx, windowAbove)),
		leaving:    g.Constant(graph.Int32s(leaving, lx, 2)),
		order:      g.Constant(graph.Int32s(order, lx, colourFeatures)),
		neighbours: g.Constant(graph.Float32s(neighbours, rowKinds, lx, 1, colourFeatures)),
		step:       g.Constant(graph.Float32s(step, rowKinds, lx, carried, carried+3)),
	}
}

// carriedOrder returns which of the weights of all slots belongs to each carried value at the k-th of l sites of a row,
// with the first site to the right in slot right: the first two sites of the row are seen only across the edge.
func carriedOrder(k, l, slots, right int) []int32 {
	nothing := int32(slots)
	f1, f2 := nothing, nothing
	switch k {
	case l - 1:
		f1, f2 = int32(right), int32(right+1)
	case l - 2:
		f1 = int32(right + 1)
	}
	order := make([]int32, slots)
	for slot := range order {
		order[slot] = int32(slot)
	}
	order[right], order[right+1] = f1, f2
	return order
}

// carriedStep returns the matrix, float[9,12], that maps the carried values, the new site and the two that drop out
// to the carried values of the next site, at the k-th of l sites of a row.
func carriedStep(k, l int, firstRow bool) []float32 {
	const wide = carried + 3
	m := make([]float32, carried*wide)
	add := func(to, from int, v float32) { m[to*wide+from] += v }
	const placed, leavesOne, leavesFour = carried, carried + 1, carried + 2
	if k < l-1 { // a new row begins with no sites beside it
		add(0, placed, 1)
		add(1, 0, 1)
		add(2, 1, 1)
		add(3, 3, 1)
		add(3, placed, indicator(k == 0))
		add(4, 4, 1)
		add(4, placed, indicator(k == 1))
	}
	for i := range shares {
		add(windowBeside+i, windowBeside+i, 1)
	}
	for i := range shares - 1 {
		add(windowBeside+i, placed, 1)
	}
	add(windowBeside+1, leavesOne, -1)
	add(windowBeside+2, leavesFour, -1)
	add(windowBeside+3, placed, indicator(firstRow))
	return m
}

// nextRows returns the rows kept for the next row, given those kept for this one, of l sites, and its sites,
// float[l,1,...], in a step with that kind of row: whether it is the first, and whether it is the second.
func nextRows(rows, placed *graph.Node, l int, kinds []*graph.Node) *graph.Node {
	placed = placed.Reshape(l, -1)
	top := 1 + carriedLast*l
	return graph.Concat(0,
		rows.Slice(0, 0, 1), placed, rows.Slice(0, 1, 1+(carriedLast-1)*l),
		graph.Where(kinds[1], placed, rows.Slice(0, top, top+l)),
		graph.Where(kinds[2], placed, rows.Slice(0, top+l, top+2*l)))
}

// sample draws configurations. Sites before start, int32[M], keep the colour of state,
// int32[M,N]; the others follow the network by inverting the cumulative probabilities at
// uniform, float[M,N]. It returns the configurations and the probabilities of their colours
// before the floor, float[N,M].
func (a *microcanonical) sample(g *graph.Graph, params []*graph.Node, state, start, energy, uniform *graph.Node) (proposal, p *graph.Node) {
	lx, ly, q, n := a.s.lx(), a.s.ly(), a.s.Q, a.network(1, params)
	byRow := func(x *graph.Node) *graph.Node { return x.Reshape(append([]int{ly, lx}, x.Shape()[1:]...)...) }
	free := siteNumbers(g, a.s.Sites()).GreaterOrEqual(start).Cast(graph.Int32)
	kept := free.Scalar(1).Sub(free).Mul(state.Transpose(1, 0))
	// The borders are not normalised: the level is multiplied by the sum instead.
	level := uniform.Transpose(1, 0).Mul(uniform.Scalar(1 / (1 - a.h.Floor)))
	walkers := func(x *graph.Node) *graph.Node { return x.Reshape(ly, lx, -1) }

	c := a.inOrder(g)
	t := newSiteTables(g, a.r.undecided(), 1)
	weights := n.window.Pad(0, 0, 1, 0).Gather(0, c.order) // [Lx,32,H]
	of := n.lookUp()
	borders := g.Constant(borders(q, a.h.Floor))
	colours := arange32(g, q).Unsqueeze(1)

	zero := g.Constant(graph.Zeros(graph.Float32, 1))
	rows := zero.Expand(rowsAbove{lx}.len(), -q)
	beside := zero.Expand(carried, -q)
	sites := []*graph.Node{
		byRow(t.undecided), byRow(t.slope), byRow(t.shift), byRow(n.atSites(a.r.placeTable(g))), byRow(a.shareScale(g)),
		walkers(free), walkers(kept), walkers(level),
	}
	kinds := []*graph.Node{a.rowKind(g), a.s.isRow(g, 0), a.s.isRow(g, 1)}
	carry := []*graph.Node{rows, beside, energy.Neg()}
	_, out := g.Scan(carry, append(sites, kinds...), func(row *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		rows, sites, kinds := carry[0], slice[:len(sites):len(sites)], slice[len(sites):]
		sites = append(sites, c.window, c.leaving, weights, c.neighbours.Gather(0, kinds[0]), c.step.Gather(0, kinds[0]))
		final, out := row.Scan(carry[1:], sites, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			beside, budget := carry[0], carry[1]
			at, site, scale := siteTablesOf(slice), slice[3], slice[4] // in the order of sites
			free, kept, level := slice[5], slice[6], slice[7]
			window, leaving, weights, neighbours, step := slice[8], slice[9], slice[10], slice[11], slice[12]

			phi := graph.Concat(0, rows.Gather(0, window), beside)
			like := neighbours.MatMul(phi).Reshape(q, -1)
			logits := n.logits(phi, weights.Mul(scale), n.budgetOf(budget, at, site, of), like)
			e := logits.Sub(logits.ReduceMax(graph.KeepDims, 0)).Exp()
			total := e.ReduceSum(graph.DropDims, 0)
			passed := level.Mul(total).GreaterOrEqual(borders.MatMul(e)).Cast(graph.Int32)
			colour := passed.ReduceSum(graph.DropDims, 0).Mul(free).Add(kept)
			placed := colour.Equal(colours).Cast(graph.Float32)
			chosen := placed.Mul(e).ReduceSum(graph.DropDims, 0)
			satisfied := placed.Mul(like).ReduceSum(graph.DropDims, 0)
			flat := placed.Reshape(1, -1)
			beside = step.MatMul(graph.Concat(0, beside, flat, rows.Gather(0, leaving)))
			return []*graph.Node{beside, budget.Sub(satisfied)}, []*graph.Node{flat, colour, chosen, total}
		})
		return append([]*graph.Node{nextRows(rows, out[0], lx, kinds)}, final...), out[1:]
	})
	flat := func(x *graph.Node) *graph.Node { return x.Reshape(a.s.Sites(), -1) }
	return flat(out[0]).Transpose(1, 0), flat(out[1]).Div(flat(out[2]))
}

// borders returns the matrix, float[q-1,q], that turns numbers e_c into the borders between q
// colours on the scale of sum over e_c / (1 - floor): with p_c = (1 - floor) e_c / sum
// + floor / q, they are sum over c <= k of e_c + (k+1) floor / (q (1 - floor)) sum.
func borders(q int, floor float64) graph.Tensor {
	m := make([]float32, (q-1)*q)
	for k := range q - 1 {
		for c := range q {
			m[k*q+c] = indicator(c <= k) + float32(float64(k+1)*floor/(float64(q)*(1-floor)))
		}
	}
	return graph.Float32s(m, q-1, q)
}

// rowKind returns the kind of each row, int32[Ly].
func (a *microcanonical) rowKind(g *graph.Graph) *graph.Node {
	kinds := make([]int32, a.s.ly())
	for y := range kinds {
		kinds[y] = innerRow
	}
	kinds[0], kinds[a.s.ly()-1] = firstRow, lastRow
	return g.Constant(graph.Int32s(kinds, a.s.ly()))
}

// shareScale returns factors for the features of a colour, float[N,32,1], that turn running
// counts into shares.
func (a *microcanonical) shareScale(g *graph.Graph) *graph.Node {
	var scale []float32
	for i := range a.s.Sites() {
		for range windowSites {
			scale = append(scale, 1)
		}
		_, of := a.r.sums(i)
		for _, v := range of {
			scale = append(scale, float32(v))
		}
	}
	return g.Constant(graph.Float32s(scale, a.s.Sites(), colourFeatures, 1))
}
