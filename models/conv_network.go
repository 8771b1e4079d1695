package models

import "neuralwl/models/graph"

// convNetwork computes logits of R rows at once, or of one site.
type convNetwork struct {
	*convWeights
	s             System
	width, kernel int
	reach         int // r
	p             conditionals

	place   *graph.Node // float[Ly,Lx,1,12] features of the sites alone
	share   *graph.Node // float[Ly,1,1] 1 / number of sites up to the end of each row
	closing *graph.Node // float[Ly,kernel*q,C] weights of the first row, by row
	last    *graph.Node // float[Ly,1,1] 1 in the last row
	beside  *graph.Node // float[Lx,(r+2)*q,C] weights of the sites seen in the same row
	near    *graph.Node // float[Lx,(r+2)*q,q] which of those sites are neighbours

	// Channels of a grid of cells, float[16,M*C], added to the sum of v^0 after
	// interpolation to the sites by shares, float[Ly,Lx,16]. Both are nil without a
	// context.
	cells, shares *graph.Node
}

// newConvNetwork declares the weights in g. The network is conditioned on context,
// float[M,16*C], the channels of a grid of cells; it is unconditional if context is nil.
func newConvNetwork(g *graph.Graph, s System, h Hyperparameters, context *graph.Node) *convNetwork {
	n := &convNetwork{
		s: s, width: h.Width, kernel: h.Kernel, reach: h.Kernel / 2,
		p:           conditionals{s.Sites(), s.Q, h.Floor},
		convWeights: declareConv(s, h, declareIn(g)),
	}
	n.place = s.raster().placeTable(g).Reshape(s.ly(), s.lx(), 1, placeFeatures)
	share, last := make([]float32, s.ly()), make([]float32, s.ly())
	for y := range share {
		share[y] = 1 / float32((y+1)*s.lx())
	}
	last[s.ly()-1] = 1
	n.share, n.last = g.Constant(graph.Float32s(share, s.ly(), 1, 1)), g.Constant(graph.Float32s(last, s.ly(), 1, 1))

	// closes returns the sum of the weights, float[3,k,C], that apply at each of so many
	// places, float[places,k,C]. The first place does not see itself.
	closes := func(weights *graph.Node, places int) *graph.Node {
		used := make([]float32, places*closings)
		for i := 1; i < places; i++ {
			used[i*closings] = 1
			used[i*closings+1], used[i*closings+2] = indicator(i == places-2), indicator(i == places-1)
		}
		k := weights.Dim(1)
		return g.Constant(graph.Float32s(used, places, closings)).MatMul(weights.Reshape(closings, -1)).Reshape(places, k, n.width)
	}
	n.closing = closes(n.rows.closing, s.ly())
	n.beside = graph.Concat(1, n.sites.input.Unsqueeze(0).Expand(s.lx(), (n.reach+1)*s.Q, n.width), closes(n.sites.closing, s.lx()))

	slots := n.reach + 2
	near := make([]float32, s.lx()*slots*s.Q*s.Q)
	for x := range s.lx() {
		for c := range s.Q {
			at := func(slot int) *float32 { return &near[((x*slots+slot)*s.Q+c)*s.Q+c] }
			*at(n.reach) = 1 // to the left, if placed
			*at(n.reach + 1) = indicator(x == s.lx()-1)
		}
	}
	n.near = g.Constant(graph.Float32s(near, s.lx(), slots*s.Q, s.Q))
	if context != nil {
		n.cells = context.Reshape(0, gridCells, h.Width).Transpose(1, 0, 2).Reshape(gridCells, -1)
		n.shares = g.Constant(graph.Float32s(s.gridShares(), s.ly(), s.lx(), gridCells))
	}
	return n
}

// earlierRows gives the first stack access to the rows before each of the R rows it is
// evaluated on.
type earlierRows interface {
	// sum returns, for row y, the sum over j of products[j] at row y-j, all
	// float[R,Lx,M,C].
	sum(products []*graph.Node) *graph.Node
	// total returns, for row y, the sum of x, float[R,M,C], over all rows up to y.
	total(x *graph.Node) *graph.Node
}

// rowTables holds the constants and weights of R rows.
type rowTables struct{ place, share, closing, last, shares *graph.Node }

func (n *convNetwork) rowTables() rowTables {
	return rowTables{n.place, n.share, n.closing, n.last, n.shares}
}

// scanned lists the tables; rowTablesOf rebuilds those of one row from their slices.
func (t rowTables) scanned() []*graph.Node {
	list := []*graph.Node{t.place, t.share, t.closing, t.last}
	if t.shares != nil {
		list = append(list, t.shares)
	}
	return list
}

func rowTablesOf(slice []*graph.Node) rowTables {
	t := rowTables{slice[0].Unsqueeze(0), slice[1].Unsqueeze(0), slice[2].Unsqueeze(0), slice[3].Unsqueeze(0), nil}
	if len(slice) > 4 {
		t.shares = slice[4].Unsqueeze(0)
	}
	return t
}

// row is what the first stack passes to the second: terms for the input and each block,
// float[R,Lx,M,C], and the number of neighbours of each colour in other rows,
// float[R,Lx,M,q].
type row struct {
	input      *graph.Node
	blocks     []*graph.Node
	neighbours *graph.Node
}

// overRows evaluates the first stack on R rows, given the colours of the row before each,
// above, and of the first row. Both are float[R,Lx,M,q], or have 1 in place of R.
func (n *convNetwork) overRows(above, first *graph.Node, at rowTables, before earlierRows) row {
	rows := at.share.Dim(0)
	closing := around(first, n.kernel).Reshape(1, -1, n.kernel*n.s.Q).MatMul(at.closing).Reshape(rows, n.s.lx(), -1, n.width)
	place := at.place.MatMul(n.rows.place).Add(n.rows.bias)
	sum := n.convolve(above, n.rows.input, before).Add(closing).Add(place)
	if n.cells != nil {
		sum = sum.Add(at.shares.MatMul(n.cells).Reshape(rows, n.s.lx(), -1, n.width))
	}
	v := sum.SiLU()
	out := row{
		input:      v.MatMul(n.sites.context).Add(at.place.MatMul(n.sites.place).Add(n.sites.bias)),
		neighbours: above.Add(first.Mul(at.last.Unsqueeze(1))),
	}
	for i, block := range n.rows.blocks {
		mean := before.total(v.ReduceSum(graph.DropDims, 1)).Mul(at.share)
		context := mean.MatMul(block.context).Add(block.bias).Unsqueeze(1)
		v = v.Add(n.convolve(v, block.taps, before).Add(context).SiLU().MatMul(block.output))
		site := n.sites.blocks[i]
		out.blocks = append(out.blocks, v.MatMul(site.context).Add(site.bias))
	}
	return out
}

// convolve returns the sum over all taps of x, float[R,Lx,M,k], times weights,
// float[r+1,kernel*k,C].
func (n *convNetwork) convolve(x, weights *graph.Node, before earlierRows) *graph.Node {
	beside := around(x, n.kernel)
	var products []*graph.Node
	for j := range n.reach + 1 {
		products = append(products, beside.MatMul(weights.Slice(0, j, j+1).Squeeze(0)))
	}
	return before.sum(products)
}

// around concatenates x, float[R,Lx,M,k], at all columns within reach,
// float[R,Lx,M,kernel*k].
func around(x *graph.Node, kernel int) *graph.Node {
	padded := x.PadPeriodic(1, kernel/2, kernel/2)
	var parts []*graph.Node
	for k := range kernel {
		parts = append(parts, padded.Slice(1, k, k+x.Dim(1)))
	}
	return graph.Concat(-1, parts...)
}

// overSites evaluates the second stack and returns the scores of the colours, with q as the
// last axis. seen, [(r+2)*q], holds the colours of the r+1 sites to the left and of the
// row's first one; beside and near are the weights that belong to them. left prepends a
// block's input at the r sites to the left to its input h, [C], at the site itself.
func (n *convNetwork) overSites(seen, beside, near *graph.Node, of row, left func(block int, h *graph.Node) *graph.Node) *graph.Node {
	h := seen.MatMul(beside).Add(of.input).SiLU()
	for i, block := range n.sites.blocks {
		h = h.Add(left(i, h).MatMul(block.taps).Add(of.blocks[i]).SiLU().MatMul(block.output))
	}
	strength := h.MatMul(n.attraction).Add(n.attractionBias)
	neighbours := seen.MatMul(near).Add(of.neighbours)
	return h.SiLU().MatMul(n.output).Add(n.outputBias).Add(strength.Mul(neighbours)).Softmax(-1)
}

// overRow evaluates the second stack on all sites of R rows of known colours,
// float[R,Lx,M,q].
func (n *convNetwork) overRow(colours *graph.Node, of row) *graph.Node {
	lx := n.s.lx()
	toTheLeft := func(x *graph.Node, first, last int) (parts []*graph.Node) {
		padded := x.Pad(1, first, 0, 0)
		for j := first; j >= last; j-- {
			parts = append(parts, padded.Slice(1, first-j, first-j+lx))
		}
		return parts
	}
	first := colours.Slice(1, 0, 1).Expand(colours.Dim(0), lx, graph.Dynamic, n.s.Q)
	seen := graph.Concat(-1, append(toTheLeft(colours, n.reach+1, 1), first)...)
	return n.overSites(seen, n.beside, n.near, of, func(_ int, h *graph.Node) *graph.Node {
		return graph.Concat(-1, toTheLeft(h, n.reach, 0)...)
	})
}

// lattice returns the colours of configurations, int32[M,N], one-hot as float[Ly,Lx,M,q].
func (s System) lattice(state *graph.Node) *graph.Node {
	return oneHot(state.Transpose(1, 0).Reshape(s.ly(), s.lx(), -1), s.Q)
}

// logOfState returns ln p_i[s_i], float[N,M], of configurations, int32[M,N], given scores,
// float[Ly,Lx,M,q].
func (n *convNetwork) logOfState(scores, state *graph.Node) *graph.Node {
	return n.p.logOf(scores.Reshape(n.s.Sites(), -1, n.s.Q), state.Transpose(1, 0))
}

// logProb returns ln p_i[s_i], float[N,M], of configurations, int32[M,N], all sites at
// once. Only this form has a gradient.
func (n *convNetwork) logProb(state *graph.Node) *graph.Node {
	colours := n.s.lattice(state)
	above := allRows{}.before(colours, 1)
	of := n.overRows(above, colours.Slice(0, 0, 1), n.rowTables(), allRows{})
	return n.logOfState(n.overRow(colours, of), state)
}

// allRows implements earlierRows for all rows at once.
type allRows struct{}

// before shifts x down by that many rows.
func (allRows) before(x *graph.Node, rows int) *graph.Node {
	return x.Pad(0, rows, 0, 0).Slice(0, 0, x.Dim(0))
}

func (a allRows) sum(products []*graph.Node) *graph.Node {
	sum := products[0]
	for j, p := range products[1:] {
		sum = sum.Add(a.before(p, j+1))
	}
	return sum
}

func (allRows) total(x *graph.Node) *graph.Node { return x.CumSum(0, graph.CumSumMode{}) }
