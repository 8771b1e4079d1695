package models

import (
	"slices"

	"neuralwl/models/graph"
)

// What a frontier network sees at a site.
const (
	edgeSites    = 14                     // of the edge, one by one
	edgeShares   = 2                      // of a colour in the row above and in the first row
	edgeFeatures = edgeSites + edgeShares // of one colour
	// edgeNear is the number of slots, the first ones, that may hold neighbours: the site before, the one
	// above, the one to its right, which is a neighbour across the edge, and that of the first row.
	edgeNear = 4
	// edgeReach is how far sites are seen one by one.
	edgeReach = 4
)

// Rows of the weights of what is seen. A site across the left or right edge lies one row further
// up or down than others at the same distance, and has weights of its own. Those of the first
// row depend on how many rows are left.
const (
	rowLeft        = 0
	rowAcrossLeft  = rowLeft + edgeReach
	rowAbove       = rowAcrossLeft + edgeReach
	rowAcrossRight = rowAbove + edgeReach + 1
	rowFirst       = rowAcrossRight + edgeReach
	rowShares      = rowFirst + firstDistances*firstColumns
	edgeRows       = rowShares + edgeShares
	rowNone        = edgeRows // of zeros
	firstColumns   = 5        // of the first row that are seen, two to either side
	firstDistances = 6        // classes of rows left: 1, 2, 3, 4 and 5, 6 to 8, more
)

// fewColours is the largest number of colours each of which is evaluated.
const fewColours = 6

// edgeSlot is a place on the edge: d sites before, d columns to the right in the row above, or d
// columns to the right in the first row.
type edgeSlot struct {
	row int // rowLeft, rowAbove or rowFirst
	d   int
}

var edgeSlots = []edgeSlot{
	{rowLeft, 1}, {rowAbove, 0}, {rowAbove, 1}, {rowFirst, 0},
	{rowLeft, 2}, {rowLeft, 3}, {rowLeft, 4},
	{rowAbove, 2}, {rowAbove, 3}, {rowAbove, 4},
	{rowFirst, -2}, {rowFirst, -1}, {rowFirst, 1}, {rowFirst, 2},
}

// edge is the geometry of what is seen.
type edge struct {
	s          System
	candidates int // whose colours are evaluated; 0 if all colours are
	classes    int // of colours for which the network is evaluated: those, and one for all others
}

func newEdge(s System) *edge {
	if s.Q <= fewColours {
		return &edge{s, 0, s.Q}
	}
	const candidates = 5 // sites, and what prevails
	return &edge{s, candidates, candidates + 1}
}

// Candidates by row: in the first one, inside, and in the last. One more has the colour that prevails in
// the row above, or in the first row that of its first site.
var (
	candidatesFirst  = []edgeSlot{{rowLeft, 1}, {rowLeft, 2}, {rowLeft, 3}, {rowLeft, 4}}
	candidatesInside = []edgeSlot{{rowLeft, 1}, {rowAbove, 0}, {rowAbove, 1}, {rowAbove, 2}}
	candidatesLast   = []edgeSlot{{rowLeft, 1}, {rowAbove, 0}, {rowAbove, 1}, {rowFirst, 0}}
)

// candidatesAt lists the candidates in row y, none if all colours are evaluated.
func (e *edge) candidatesAt(y int) []edgeSlot {
	switch {
	case e.candidates == 0:
		return nil
	case y == 0:
		return candidatesFirst
	case y == e.s.ly()-1:
		return candidatesLast
	}
	return candidatesInside
}

// fits reports whether a lattice has the slot: on a narrow one, sites before and sites above
// would be the same.
func (e *edge) fits(t edgeSlot) bool {
	left := min(edgeReach, (e.s.lx()-1)/2)
	switch t.row {
	case rowLeft:
		return t.d <= left
	case rowAbove:
		return t.d <= e.s.lx()-1-left
	}
	return true
}

// at returns the site in a slot of site i, or the number of sites if there is none.
func (e *edge) at(i int, t edgeSlot) int {
	n, lx := e.s.Sites(), e.s.lx()
	x, y := i%lx, i/lx
	site := n
	switch t.row {
	case rowLeft:
		site = i - t.d
	case rowAbove:
		site = i - lx + t.d
	case rowFirst:
		if y > 1 { // the row above is not shown twice
			site = e.s.wrap(x, t.d)
		}
	}
	if site < 0 || !e.fits(t) {
		return n
	}
	return site
}

// weightRow returns which row of the weights belongs to a slot at (x, y).
func (e *edge) weightRow(x, y int, t edgeSlot) int {
	switch {
	case !e.fits(t):
		return rowNone
	case t.row == rowLeft && t.d > x:
		return rowAcrossLeft + t.d - 1
	case t.row == rowLeft:
		return rowLeft + t.d - 1
	case t.row == rowAbove && x+t.d >= e.s.lx():
		return rowAcrossRight + t.d - 1
	case t.row == rowAbove:
		return rowAbove + t.d
	case y < 2:
		return rowNone
	}
	left := e.s.ly() - y
	class := left - 1
	switch {
	case left > 8:
		class = 5
	case left > 5:
		class = 4
	case left > 3:
		class = 3
	}
	return rowFirst + class*firstColumns + t.d + 2
}

// weightRows returns those of all features of all sites, [N,16].
func (e *edge) weightRows() []int {
	var rows []int
	for i := range e.s.Sites() {
		for _, t := range edgeSlots {
			rows = append(rows, e.weightRow(i%e.s.lx(), i/e.s.lx(), t))
		}
		for k := range edgeShares {
			rows = append(rows, rowShares+k)
		}
	}
	return rows
}

// near reports which of the first slots of site (x, y) hold neighbours.
func (e *edge) near(x, y int) [edgeNear]float32 {
	return [edgeNear]float32{indicator(x > 0), indicator(y > 0), indicator(x == e.s.lx()-1), indicator(y == e.s.ly()-1)}
}

// seen lists the sites in all slots and those of the candidates at site i, with N+1+y for what
// prevails in row y.
func (e *edge) seen(i int) []int {
	var sites []int
	for _, t := range slices.Concat(edgeSlots, e.candidatesAt(i/e.s.lx())) {
		sites = append(sites, e.at(i, t))
	}
	switch y := i / e.s.lx(); {
	case e.candidates == 0:
	case y > 0:
		sites = append(sites, e.s.Sites()+y)
	case i > 0:
		sites = append(sites, 0)
	default:
		sites = append(sites, e.s.Sites())
	}
	return sites
}

// prevailing returns the most frequent colour of rows, int32[k,M], given their colours, int32[k,Lx,M],
// and the numbers of their sites of each colour, float[k,q,M]. Of equally frequent ones it is the one that
// comes first in the row. Rows without colours have none, -1.
func (e *edge) prevailing(rows, counts *graph.Node) *graph.Node {
	lx := e.s.lx()
	column := arange32(rows.Graph(), lx).Unsqueeze(1).Cast(counts.DType())
	score := counts.GatherElements(1, rows).Mul(column.Scalar(float64(lx))).Sub(column)
	first := score.Equal(score.ReduceMax(graph.KeepDims, 1)).Cast(rows.DType())
	return first.Mul(rows).ReduceSum(graph.DropDims, 1)
}

// divisor returns the least divisor of the number of sites from least on.
func (s System) divisor(least int) int {
	c := min(max(least, 1), s.Sites())
	for s.Sites()%c > 0 {
		c++
	}
	return c
}
