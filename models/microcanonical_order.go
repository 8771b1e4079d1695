package models

import "slices"

// Orders in which a microcanonical network draws the sites.
const (
	Raster   = "raster"   // one after the other, row by row
	Diagonal = "diagonal" // all sites (x, y) of a front x + 4y = t at once
	// Checkerboard has one half of the sites one after the other, and then the other half, between them.
	Checkerboard = "checkerboard"
)

// Orders lists them, the default first.
func Orders() []string { return []string{Raster, Diagonal, Checkerboard} }

// slope is by how many columns a front lies further left in the next row. The site
// diagonally above, three columns to the right, which is the farthest in the window, is then
// still in an earlier front. No two sites of a front are neighbours.
const slope = 4

// route is the order in which a microcanonical network draws the sites: step by step, all
// sites of a step at once. A site sees those of earlier steps alone. Each bond is decided with
// the later one of its two sites; no bond joins two sites of one step.
type route struct {
	s      System
	step   []int // by site: the step in which it is drawn
	sites  []int // in the order in which they are drawn
	before []int // by step, and at the end: the number of sites of earlier steps
	// recent is the number of steps in which, away from the edges, Lx sites are drawn.
	recent int
	// first is where in counted the first row is on its own. With rows one after the other it
	// is so anyway.
	first int
}

// raster returns the route row by row.
func (s System) raster() *route {
	return newRoute(s, func(x, y int) int { return y*s.lx() + x }, s.lx(), 0)
}

// diagonal returns the route front by front.
func (s System) diagonal() *route {
	return newRoute(s, func(x, y int) int { return x + slope*y }, slope, s.Sites())
}

func newRoute(s System, step func(x, y int) int, recent, first int) *route {
	r := &route{s: s, recent: recent, first: first}
	for i := range s.Sites() {
		r.step, r.sites = append(r.step, step(i%s.lx(), i/s.lx())), append(r.sites, i)
	}
	r.before = make([]int, slices.Max(r.step)+2)
	for _, t := range r.step {
		r.before[t+1]++
	}
	for t := range r.steps() {
		r.before[t+1] += r.before[t]
	}
	slices.SortStableFunc(r.sites, func(a, b int) int { return r.step[a] - r.step[b] })
	return r
}

// steps is the number of steps.
func (r *route) steps() int { return len(r.before) - 1 }

// inTurn reports whether the sites are drawn one after the other.
func (r *route) inTurn() bool { return r.first == 0 }

// window returns the sites that site (x, y) sees, in other rows and its own: those of the
// window that are drawn in earlier steps. Slots without such a site hold the number of sites N.
func (r *route) window(x, y int) []int32 {
	s := r.s
	own := r.step[y*s.lx()+x]
	var seen []int32
	see := func(placed bool, row, dx int) {
		if site := row*s.lx() + s.wrap(x, dx); placed && r.step[site] < own {
			seen = append(seen, int32(site))
		} else {
			seen = append(seen, int32(s.Sites()))
		}
	}
	for _, o := range offsetsAbove {
		see(y >= o.row, y-o.row, o.column)
	}
	for _, o := range offsetsFirst {
		see(y > o.row, o.row, o.column)
	}
	for _, o := range offsetsBeside {
		see(true, y, o.column)
	}
	return seen
}

// undecided returns, for every site, the number R of bonds that do not join two sites of
// earlier steps.
func (r *route) undecided() []int {
	decided := make([]int, r.steps()+1) // by step: in earlier ones
	for i, t := range r.step {
		decided[t+1] += r.s.decided(i%r.s.lx(), i/r.s.lx())
	}
	for t := range r.steps() {
		decided[t+1] += decided[t]
	}
	left := make([]int, len(r.step))
	for i, t := range r.step {
		left[i] = 2*r.s.Sites() - decided[t]
	}
	return left
}

// counted lists the sites over which running counts of the colours go, in this order: all as
// they are drawn, and then once more the first row, unless it came first.
func (r *route) counted() []int {
	list := slices.Clone(r.sites)
	if r.first > 0 {
		for x := range r.s.lx() {
			list = append(list, x)
		}
	}
	return list
}

// sums returns the places k of running counts from which the shares of site i are made, where
// count(k) is over the first k sites of counted: all earlier sites are count(places[0]); those
// of the last steps, in which about L and 4 L are drawn, are count(places[0]) less
// count(places[1]) and count(places[2]); and those of the first row are count(places[3]), less
// count(places[4]) if there is that place. scale is one over the number of sites in each.
func (r *route) sums(i int) (places []int, scale [shares]float64) {
	t := r.step[i]
	earlier := func(steps int) int { return r.before[max(t-steps, 0)] }
	row := min(t, r.s.lx())
	places = []int{earlier(0), earlier(r.recent), earlier(4 * r.recent), r.first + row}
	for k, n := range [shares]int{places[0], places[0] - places[1], places[0] - places[2], row} {
		scale[k] = 1 / float64(max(n, 1))
	}
	if r.first > 0 {
		places = append(places, r.first)
	}
	return places, scale
}

// coefficients returns the matrix that turns the counts at the places of sums into shares.
func coefficients(places int, scale [shares]float64) []float32 {
	m := make([]float32, shares*places)
	for k, v := range scale {
		if k == 1 || k == 2 {
			m[k*places], m[k*places+k] = float32(v), -float32(v)
		} else {
			m[k*places+k] = float32(v)
		}
	}
	if places > shares {
		m[3*places+shares] = -float32(scale[3])
	}
	return m
}
