package models

import (
	"math"

	"neuralwl/models/graph"
)

// Sizes of what a microcanonical network sees at a site.
const (
	windowAbove    = 23 // sites of other rows
	windowBeside   = 5  // sites of the same row
	windowSites    = windowAbove + windowBeside
	shares         = 4                    // of a colour among earlier sites
	colourFeatures = windowSites + shares // of one colour
	ratioFeatures  = 2                    // of budget and undecided bonds
	levelFeatures  = 9                    // of a number of bonds: ln(1+z), z = 0..6, z < 0
	placeFeatures  = 12                   // of the site alone
	budgetFeatures = ratioFeatures + 2*levelFeatures + placeFeatures
)

// Slots of the neighbours in the window.
const (
	slotAbove    = 3  // the site above
	slotFirstRow = 17 // the first row's site in the same column
	slotLeft     = windowAbove
	slotRight    = windowAbove + 3 // across the right edge
)

// offset is a position in the window relative to a site. Rows count upwards from the site's
// own row, or downwards from the first.
type offset struct{ row, column int }

// offsetsAbove and offsetsFirst are the positions in earlier rows: 7, 5 and 3 sites of the
// three rows above, and 5 and 3 of the first two. offsetsBeside are those in the same row:
// three sites to the left, and two to the right, which are placed only across the edge.
var offsetsAbove, offsetsFirst, offsetsBeside = func() (above, first, beside []offset) {
	for row, reach := range []int{3, 2, 1} {
		for c := -reach; c <= reach; c++ {
			above = append(above, offset{row + 1, c})
		}
	}
	for row, reach := range []int{2, 1} {
		for c := -reach; c <= reach; c++ {
			first = append(first, offset{row, c})
		}
	}
	for _, c := range []int{-1, -2, -3, 1, 2} {
		beside = append(beside, offset{0, c})
	}
	return
}()

// wrap returns column x+dx on the torus.
func (s System) wrap(x, dx int) int { return ((x+dx)%s.lx() + s.lx()) % s.lx() }

// decided returns the number of bonds between a site and earlier ones, in either order.
func (s System) decided(x, y int) int {
	n := 0
	for _, yes := range []bool{x > 0, y > 0, x == s.lx()-1, y == s.ly()-1} {
		if yes {
			n++
		}
	}
	return n
}

// place returns the features of a site that do not depend on the configuration, given R:
// 0.3 ln R; the row and the column as fractions of their number; whether they are the
// first, second, last but one and last; and whether the site is the last one.
func (s System) place(x, y, undecided int) []float32 {
	f := []float32{float32(logScale * math.Log(float64(undecided))), float32(y) / float32(s.ly()), float32(x) / float32(s.lx())}
	for _, yes := range []bool{
		y == 0, y == 1, y == s.ly()-2, y == s.ly()-1,
		x == 0, x == 1, x == s.lx()-2, x == s.lx()-1,
		x == s.lx()-1 && y == s.ly()-1,
	} {
		f = append(f, indicator(yes))
	}
	return f
}

// placeTable returns the features of the sites alone, float[N,12].
func (r *route) placeTable(g *graph.Graph) *graph.Node {
	table := make([]float32, 0, len(r.step)*placeFeatures)
	for i, undecided := range r.undecided() {
		table = append(table, r.s.place(i%r.s.lx(), i/r.s.lx(), undecided)...)
	}
	return g.Constant(graph.Float32s(table, len(r.step), placeFeatures))
}

// isRow reports for each row whether it is row y, bool[Ly].
func (s System) isRow(g *graph.Graph, y int) *graph.Node {
	is := make([]bool, s.ly())
	is[y] = true
	return g.Constant(graph.Bools(is, s.ly()))
}

// fromStart sums logP, float[N,M], over the sites from start, int32[M], on. It sums in
// double precision: over a thousand terms, float32 would lose 1e-3.
func (s System) fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node {
	resampled := siteNumbers(g, s.Sites()).GreaterOrEqual(start).Cast(logP.DType())
	return logP.Mul(resampled).Cast(graph.Float64).ReduceSum(graph.DropDims, 0).Cast(logP.DType())
}

// logScale scales logarithms of numbers of bonds to order 1.
const logScale = 0.3

// level returns the features of a number z of bonds: 0.3 ln(1+z), whether it is 0, ..., 6,
// and whether it is negative.
func level(z int) []float32 {
	f := []float32{float32(logScale * math.Log1p(float64(max(z, 0))))}
	for n := range levelFeatures - 2 {
		f = append(f, indicator(z == n))
	}
	return append(f, indicator(z < 0))
}

func indicator(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}
