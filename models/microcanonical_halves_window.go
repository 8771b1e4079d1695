package models

import (
	"math"

	"neuralwl/models/graph"
)

// Offsets in the window of a site of the odd half, as in offset; all lead to sites of this half.
// halfAbove has 6, 5, 4 and 3 sites of the four rows above, halfClosing those of the first two rows seen across the
// edge from the last row, and then from the last but one. halfBeside are in the same row, the
// last two seen across the edge and the others not.
var halfAbove, halfClosing, halfNext, halfBeside = func() (above, closing, next, beside []offset) {
	row := func(row int, columns ...int) (list []offset) {
		for _, c := range columns {
			list = append(list, offset{row, c})
		}
		return list
	}
	for r, columns := range [][]int{{-5, -3, -1, 1, 3, 5}, {-4, -2, 0, 2, 4}, {-3, -1, 1, 3}, {-2, 0, 2}} {
		above = append(above, row(r+1, columns...)...)
	}
	closing = append(row(0, -3, -1, 1, 3), row(1, -2, 0, 2)...)
	return above, closing, row(0, -2, 0, 2), row(0, -2, -4, -6, 2, 4)
}()

const (
	halfWindowAbove = 18 + 7 + 3 // sites of other rows
	halfWindow      = halfWindowAbove + windowBeside
	halfFeatures    = halfWindow + shares // of one colour
)

// Slots in the window.
const (
	halfSlotUpLeft    = 2
	halfSlotUpRight   = 3
	halfSlotAbove     = 8  // two rows above
	halfSlotDownLeft  = 19 // across the edge
	halfSlotDownRight = 20
	halfSlotRight     = halfWindowAbove + 3 // across the edge
)

// half is the geometry of a lattice whose sides are even and at least 4.
type half struct {
	lx, ly    int
	odd, even []int // sites by the sum of their coordinates, in raster order
	place     []int // the number of each site in even followed by odd
}

func newHalf(s System) half {
	ints := func(of []int32) []int {
		list := make([]int, len(of))
		for k, i := range of {
			list[k] = int(i)
		}
		return list
	}
	b := newCheckerboard(s.Sides, 0)
	return half{lx: s.lx(), ly: s.ly(), even: ints(b.halves[0]), odd: ints(b.halves[1]), place: ints(b.place)}
}

// perRow is the number of odd sites in a row.
func (b half) perRow() int { return b.lx / 2 }

// at is the number of an odd site, given by its coordinates on the torus.
func (b half) at(x, y int) int {
	return b.place[(y+b.ly)%b.ly*b.lx+(x+2*b.lx)%b.lx] - len(b.even)
}

// window returns the numbers of the sites that odd site k sees, N/2 where there is none or it comes later.
func (b half) window(k int) []int32 {
	x, y := b.odd[k]%b.lx, b.odd[k]/b.lx
	var seen []int32
	see := func(yes bool, row, column int) {
		if j := b.at(x+column, row); yes && j < k {
			seen = append(seen, int32(j))
		} else {
			seen = append(seen, int32(len(b.odd)))
		}
	}
	for _, o := range halfAbove {
		see(y >= o.row, y-o.row, o.column)
	}
	for _, o := range halfClosing {
		see(y == b.ly-1 && y > o.row, o.row, o.column)
	}
	for _, o := range halfNext {
		see(y == b.ly-2, o.row, o.column)
	}
	for _, o := range halfBeside {
		see((o.column > 0) == (x+o.column >= b.lx) && x+o.column >= 0, y, o.column)
	}
	return seen
}

// decides reports whether placing odd site k completes the neighbours of the even site above it.
func (b half) decides(k int) bool { return b.odd[k]/b.lx >= 2 }

// undecided returns, for each odd site, the number R of bonds of even sites not completed before.
func (b half) undecided() []int {
	list := make([]int, len(b.odd))
	left := 2 * b.lx * b.ly
	for k := range list {
		list[k] = left
		if b.decides(k) {
			left -= 4
		}
	}
	return list
}

// decided is 1 for odd sites that complete the site above, float[N/2,1].
func (b half) decided(g *graph.Graph) *graph.Node {
	v := make([]float32, len(b.odd))
	for k := range v {
		v[k] = indicator(b.decides(k))
	}
	return g.Constant(graph.Float32s(v, len(v), 1))
}

// sums returns the places of running counts for the shares among all earlier odd sites, the last ones of as many as
// are in one row and in four, and those of the first row, and one over the number of sites in each; see route.sums.
func (b half) sums(k int) (places []int, scale [shares]float64) {
	l := b.perRow()
	places = []int{k, max(k-l, 0), max(k-4*l, 0), min(k, l)}
	for i, n := range [shares]int{k, k - places[1], k - places[2], places[3]} {
		scale[i] = 1 / float64(max(n, 1))
	}
	return places, scale
}

// shareScale returns factors for the features of a colour, float[N/2,37,1], that turn running counts into shares.
func (b half) shareScale(g *graph.Graph) *graph.Node {
	var scale []float32
	for k := range b.odd {
		for range halfWindow {
			scale = append(scale, 1)
		}
		_, of := b.sums(k)
		for _, v := range of {
			scale = append(scale, float32(v))
		}
	}
	return g.Constant(graph.Float32s(scale, len(b.odd), halfFeatures, 1))
}

// placeTable returns the features of the odd sites alone, float[N/2,12].
func (a *halves) placeTable(g *graph.Graph) *graph.Node {
	var table []float32
	for k, undecided := range a.undecided() {
		table = append(table, a.s.place(a.odd[k]%a.lx, a.odd[k]/a.lx, undecided)...)
	}
	return g.Constant(graph.Float32s(table, len(a.odd), placeFeatures))
}

// expectedTable returns, by the sum of n_c^2 over the colours, the mean number of bonds that a site satisfies with
// four placed neighbours, n_c of colour c, at the transition of the infinite lattice, float[17]. They are rounded to
// 64ths, so that single precision adds them up exactly, in whatever order, for up to 2^17 sites.
func (a *halves) expectedTable(g *graph.Graph) *graph.Node {
	table := make([]float32, 17)
	for _, k := range surroundings {
		z, first, _ := k.moments(math.Log1p(math.Sqrt(float64(a.s.Q))), a.s.Q)
		table[k.squares()] = float32(math.Round(64*first/z) / 64)
	}
	return g.Constant(graph.Float32s(table, len(table)))
}

// expected returns what the table has for numbers of neighbours by colour, float[...,q,M]: float[...,M].
func expected(table, like *graph.Node) *graph.Node {
	return table.Gather(0, like.Mul(like).ReduceSum(graph.DropDims, -2).Cast(graph.Int32))
}

// known prepares the evaluation of given colours of the odd half, int32[N/2,M], c sites at a time.
func (a *halves) known(g *graph.Graph, c int, order, target *graph.Node) *known {
	n, q := len(a.odd), a.s.Q
	t := knownTables{undecided: a.undecided(), q: q}
	above := make([]int, 0, 4*n)
	for k := range n {
		window := a.window(k)
		t.window = append(t.window, window)
		t.near = append(t.near, window[halfSlotUpLeft], window[halfSlotUpRight], window[halfSlotDownLeft], window[halfSlotDownRight])
		places, scale := a.sums(k)
		t.places = append(t.places, places)
		t.coefficients = append(t.coefficients, coefficients(len(places), scale)...)
		above = append(above, int(window[halfSlotAbove]), int(window[halfSlotUpLeft]), int(window[halfSlotUpRight]), k)
	}
	placed := order.Unsqueeze(1).Equal(arange32(g, q).Unsqueeze(1)).Cast(graph.Float32).Reshape(n, -1)
	colours := placed.Pad(0, 0, 1, 0)
	like := colours.Gather(0, indices(g, above)).Reshape(n, 4, q, -1).ReduceSum(graph.DropDims, 1)
	decided := expected(a.expectedTable(g), like).Mul(a.decided(g)).CumSum(0, graph.CumSumMode{Exclusive: true})
	return newKnown(g, c, t, placed, colours, colours, target.Sub(decided))
}

// around returns the number of neighbours of each colour of the even sites, float[N/2,q,M], given the colours of the
// odd ones, int32[N/2,M].
func (a *halves) around(g *graph.Graph, order *graph.Node) *graph.Node {
	var neighbours [4][]int
	for _, i := range a.even {
		x, y := i%a.lx, i/a.lx
		for k, j := range []int{a.at(x, y-1), a.at(x-1, y), a.at(x+1, y), a.at(x, y+1)} {
			neighbours[k] = append(neighbours[k], j)
		}
	}
	placed := order.Unsqueeze(1).Equal(arange32(g, a.s.Q).Unsqueeze(1)).Cast(graph.Float32)
	var sum *graph.Node
	for _, of := range neighbours {
		one := placed.Gather(0, indices(g, of))
		if sum != nil {
			one = sum.Add(one)
		}
		sum = one
	}
	return sum
}
