package models

import (
	"slices"

	"neuralwl/models/graph"
)

// carriedRows implements earlierRows for one row at a time: terms that the first stack
// needs from earlier rows are carried along in the order of their use.
type carriedRows struct {
	carry []*graph.Node // from earlier rows, not used yet
	next  []*graph.Node // for the next row
}

func (c *carriedRows) sum(products []*graph.Node) *graph.Node {
	sums := c.carry[:len(products)-1]
	c.carry = c.carry[len(sums):]
	for j, p := range products[1:] {
		if j+1 < len(sums) {
			p = p.Add(sums[j+1])
		}
		c.next = append(c.next, p)
	}
	return products[0].Add(sums[0])
}

func (c *carriedRows) total(x *graph.Node) *graph.Node {
	x = x.Add(c.carry[0])
	c.carry, c.next = c.carry[1:], append(c.next, x)
	return x
}

// rowByRow scans the rows with the first stack. It carries the colours of the previous row
// and of the first one, for each convolution the sums that earlier rows contribute to the
// next r rows, and for each mean a sum. place is given the row's terms for the second stack
// and the row's slices of scanned; it returns the row's colours, float[1,Lx,M,q], and the
// values to stack.
func (n *convNetwork) rowByRow(g *graph.Graph, scanned []*graph.Node, place func(body *graph.Graph, of row, slice []*graph.Node) (colours *graph.Node, emitted []*graph.Node)) []*graph.Node {
	zero := g.Constant(graph.Zeros(graph.Float32, 1))
	none := zero.Expand(1, n.s.lx(), graph.Dynamic, n.s.Q)
	sums := slices.Repeat([]*graph.Node{zero.Expand(1, n.s.lx(), graph.Dynamic, n.width)}, n.reach)
	carry := append([]*graph.Node{none, none}, sums...)
	for range n.rows.blocks {
		carry = append(append(carry, zero.Expand(1, graph.Dynamic, n.width)), sums...)
	}
	tables := n.rowTables().scanned()
	isFirst := len(tables)
	tables = append(tables, n.s.isRow(g, 0))
	_, out := g.Scan(carry, append(tables, scanned...), func(body *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		above, first := carry[0], carry[1]
		before := &carriedRows{carry: carry[2:]}
		of := n.overRows(above, first, rowTablesOf(slice[:isFirst]), before)
		colours, emitted := place(body, of, slice[len(tables):])
		first = graph.Where(slice[isFirst], colours, first)
		return append([]*graph.Node{colours, first}, before.next...), emitted
	})
	return out
}

// logProbByRow is logProb row by row, so that the data of one row stays in the cache.
func (n *convNetwork) logProbByRow(g *graph.Graph, state *graph.Node) *graph.Node {
	out := n.rowByRow(g, []*graph.Node{n.s.lattice(state)}, func(_ *graph.Graph, of row, slice []*graph.Node) (colours *graph.Node, emitted []*graph.Node) {
		colours = slice[0].Unsqueeze(0)
		return colours, []*graph.Node{n.overRow(colours, of).Squeeze(0)}
	})
	return n.logOfState(out[0], state)
}

// sample draws configurations. Sites before start, int32[M], keep the colour of state,
// int32[M,N]; the others follow p_i by inverting its cumulative sum at uniform, float[M,N].
// It returns the configurations, int32[M,N], and ln p_i of their colours, float[N,M].
func (n *convNetwork) sample(g *graph.Graph, state, start, uniform *graph.Node) (proposal, logP *graph.Node) {
	lx, q := n.s.lx(), n.s.Q
	cumulate := n.p.cumulate(g)
	levels := n.p.levels(g, state, start, uniform).Reshape(n.s.ly(), lx, q-1, -1)
	begins := make([]float32, lx)
	begins[0] = 1
	begin := g.Constant(graph.Float32s(begins, lx))
	zero := g.Constant(graph.Zeros(graph.Float32, 1))
	nothing, silent := zero.Expand(graph.Dynamic, q), zero.Expand(graph.Dynamic, n.width)
	// Carried: the colours of the r+1 sites to the left and of the row's first one, and
	// each block's inputs at the r sites to the left.
	var carry []*graph.Node
	for range n.reach + 2 {
		carry = append(carry, nothing)
	}
	for range n.reach * len(n.sites.blocks) {
		carry = append(carry, silent)
	}
	out := n.rowByRow(g, []*graph.Node{levels}, func(body *graph.Graph, of row, slice []*graph.Node) (colours *graph.Node, emitted []*graph.Node) {
		sites := []*graph.Node{slice[0], n.beside, n.near, begin, of.input.Squeeze(0), of.neighbours.Squeeze(0)}
		for _, b := range of.blocks {
			sites = append(sites, b.Squeeze(0))
		}
		_, out := body.Scan(carry, sites, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			levels, beside, near, begin := slice[0], slice[1], slice[2], slice[3]
			seen, left := carry[:n.reach+2], carry[n.reach+2:]
			var kept []*graph.Node
			p := n.overSites(graph.Concat(-1, seen...), beside, near, row{slice[4], slice[6:], slice[5]}, func(block int, h *graph.Node) *graph.Node {
				all := append(left[block*n.reach:(block+1)*n.reach:(block+1)*n.reach], h)
				kept = append(kept, all[1:]...)
				return graph.Concat(-1, all...)
			})
			colour := choose(levels, cumulate, p)
			placed := oneHot(colour, q)
			next = append(next, seen[1:n.reach+1]...)
			next = append(next, placed, seen[n.reach+1].Add(placed.Mul(begin)))
			return append(next, kept...), []*graph.Node{placed, colour, p}
		})
		return out[0].Unsqueeze(0), out[1:]
	})
	flat := func(x *graph.Node, dims ...int) *graph.Node {
		return x.Reshape(append([]int{n.s.Sites(), -1}, dims...)...)
	}
	colours := flat(out[0])
	return colours.Transpose(1, 0), n.p.logOf(flat(out[1], q), colours)
}
