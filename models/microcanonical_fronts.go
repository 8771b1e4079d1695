package models

import (
	"slices"

	"neuralwl/models/graph"
)

// The sampling graph for a route of fronts scans the fronts. It carries three things:
//
//   - the memory, int32[P,1,M]: the colours of the sites that later fronts still see. Which
//     these are is known beforehand. Place 0 is a site without a colour.
//   - the history, float[18,q*M]: the running counts of each colour before this front and
//     before each of the 16 fronts ahead of it, and that of the first row.
//   - the budget, float[M].
//
// All fronts have as many slots as the longest one. Slots without a site have the colour -1,
// which is none.
const (
	noColour    = -1
	remembered  = 4 * slope // fronts to which the running counts go back
	historyRow  = remembered + 1
	historyRows = historyRow + 1
	frontSites  = windowSites + 1 // the window's, and the neighbour below in its own slot
)

// frontSlots lists the slots of the window in the order in which a front sees them: first
// the neighbours, of which the one below, across the edge, has a slot of its own.
var frontSlots = func() []int {
	slots := []int{slotAbove, slotLeft, slotRight, windowSites}
	for slot := range windowSites {
		if !slices.Contains(slots, slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}()

// frontNeighbours is the number of neighbours among frontSlots.
const frontNeighbours = 4

// fronts holds the tables of the sampling graph, all by front.
type fronts struct {
	*route
	width  int     // slots of a front, at least 2, for budgetNetwork to have the axis of the sites
	slots  []int32 // [T,width] the site in each slot, N if there is none
	places int     // P, of the memory
	seen   []int32 // [T,29,width] places in the memory of the sites that each site sees
	next   []int32 // [T,P] what comes into each place of the memory: of the memory's places and, from P on, the front's slots
}

func newFronts(r *route) *fronts {
	n, steps := len(r.step), r.steps()
	f := &fronts{route: r, width: 2}
	for t := range steps {
		f.width = max(f.width, r.before[t+1]-r.before[t])
	}
	// see returns the sites that a site sees, in the order of frontSlots.
	see := func(i int) []int32 {
		lx, ly := r.s.lx(), r.s.ly()
		window := append(r.window(i%lx, i/lx), int32(n))
		if i/lx == ly-1 {
			window[windowSites] = window[slotFirstRow]
		}
		sites := make([]int32, frontSites)
		for k, slot := range frontSlots {
			sites[k] = window[slot]
		}
		return sites
	}
	last := make([]int, n+1) // front by which a site is seen for the last time
	for i, t := range r.step {
		for _, j := range see(i) {
			last[j] = max(last[j], t)
		}
	}

	place := make([]int32, n+1) // of each site in the memory
	var memory []int            // its sites from place 1 on
	next := make([][]int32, steps)
	f.places = 1
	for t := range steps {
		front := r.sites[r.before[t]:r.before[t+1]]
		slots, seen := slices.Repeat([]int32{int32(n)}, f.width), make([]int32, frontSites*f.width)
		for w, i := range front {
			slots[w] = int32(i)
			for k, j := range see(i) {
				seen[k*f.width+w] = place[j]
			}
		}
		f.slots, f.seen = append(f.slots, slots...), append(f.seen, seen...)

		var kept []int
		next[t] = []int32{0}
		for w, i := range front {
			if last[i] > t {
				kept, next[t] = append(kept, i), append(next[t], int32(-1-w)) // P is not known yet
			}
		}
		for _, i := range memory {
			if last[i] > t {
				kept, next[t] = append(kept, i), append(next[t], place[i])
			}
		}
		memory = kept
		for k, i := range memory {
			place[i] = int32(k + 1)
		}
		f.places = max(f.places, len(next[t]))
	}
	for _, from := range next {
		for p := range f.places {
			switch {
			case p >= len(from):
				f.next = append(f.next, 0)
			case from[p] < 0:
				f.next = append(f.next, int32(f.places)-1-from[p])
			default:
				f.next = append(f.next, from[p])
			}
		}
	}
	return f
}

// siteTables returns the tables of R, which the sites of a front share.
func (f *fronts) siteTables(g *graph.Graph) siteTables {
	var undecided []int
	left := f.undecided()
	for t := range f.steps() {
		undecided = append(undecided, left[f.sites[f.before[t]]])
	}
	return newSiteTables(g, undecided, 1)
}

// placeTable returns the features of the sites alone, float[T*width,12], 0 in slots without
// a site.
func (f *fronts) placeTable(g *graph.Graph) *graph.Node {
	return f.route.placeTable(g).Pad(0, 0, 1, 0).Gather(0, g.Constant(graph.Int32s(f.slots, len(f.slots))))
}

// shareTable returns the matrices, float[T,4*width,18], that turn the history into the shares
// of each slot.
func (f *fronts) shareTable(g *graph.Graph) *graph.Node {
	var table []float32
	for t := range f.steps() {
		_, scale := f.sums(f.sites[f.before[t]])
		m := make([]float32, shares*historyRows)
		for k, ago := range []int{0, f.recent, 4 * f.recent} {
			m[k*historyRows] = float32(scale[k])
			if k > 0 {
				m[k*historyRows+ago] = -float32(scale[k])
			}
		}
		m[3*historyRows+historyRow] = float32(scale[3])
		table = append(table, m...)
	}
	return g.Constant(graph.Float32s(table, f.steps(), shares, 1, historyRows)).
		Expand(f.steps(), shares, f.width, historyRows).Reshape(f.steps(), shares*f.width, historyRows)
}

// historyTable returns the matrices, float[T,18,18+width], that turn the history and the
// colours of a front into the next history.
func (f *fronts) historyTable(g *graph.Graph) *graph.Node {
	const wide = historyRows
	cols := wide + f.width
	table := make([]float32, 2*historyRows*cols)
	for kind := range 2 {
		m := table[kind*historyRows*cols:]
		m[0] = 1
		for w := range f.width {
			m[wide+w] = 1
		}
		for k := 1; k <= remembered; k++ {
			m[k*cols+k-1] = 1
		}
		m[historyRow*cols+historyRow] = 1
		if kind == 1 { // the first slot is of the first row
			m[historyRow*cols+wide] = 1
		}
	}
	kinds := make([]int32, f.steps())
	for t := range min(f.s.lx(), f.steps()) {
		kinds[t] = 1
	}
	return g.Constant(graph.Float32s(table, 2, historyRows, cols)).Gather(0, g.Constant(graph.Int32s(kinds, len(kinds))))
}

// sampleFronts is sample for a route of fronts.
func (a *microcanonical) sampleFronts(g *graph.Graph, weights []*graph.Node, state, start, energy, uniform *graph.Node) (proposal, p *graph.Node) {
	f, n, q := newFronts(a.r), a.s.Sites(), a.s.Q
	width, steps := f.width, f.steps()
	sites, one := a.network(width, weights), a.network(1, weights)

	slots := g.Constant(graph.Int32s(f.slots, len(f.slots)))
	bySlot := func(x *graph.Node, none float64) *graph.Node { // [N,M] to [T,width,1,M]
		return x.Pad(0, 0, 1, none).Gather(0, slots).Reshape(steps, width, 1, -1)
	}
	free := siteNumbers(g, n).GreaterOrEqual(start).Cast(graph.Int32)
	kept := free.Scalar(1).Sub(free).Mul(state.Transpose(1, 0))
	// The borders are not normalised: the level is multiplied by the sum instead.
	level := uniform.Transpose(1, 0).Mul(uniform.Scalar(1 / (1 - a.h.Floor)))

	t := f.siteTables(g)
	atSites := one.atSites(f.placeTable(g)).Reshape(steps, width, ratioFeatures+1, -1)
	order := make([]int, 0, frontSites+shares)
	for _, slot := range frontSlots {
		if slot == windowSites { // seen for counting alone
			slot = colourFeatures
		}
		order = append(order, slot)
	}
	for k := range shares {
		order = append(order, windowSites+k)
	}
	window := sites.window.Pad(0, 0, 1, 0).Gather(0, indices(g, order))
	of := one.lookUp()
	borders, colours := g.Constant(borders(q, a.h.Floor)), arange32(g, q).Unsqueeze(1)

	scanned := []*graph.Node{
		t.undecided, t.slope, t.shift, atSites, f.shareTable(g), f.historyTable(g),
		g.Constant(graph.Int32s(f.seen, steps, frontSites, width)), g.Constant(graph.Int32s(f.next, steps, f.places)),
		bySlot(free, 0), bySlot(kept, noColour), bySlot(level, 0),
	}
	carry := []*graph.Node{
		g.Constant(graph.Int32s([]int32{noColour}, 1, 1, 1)).Expand(f.places, 1, -1),
		g.Constant(graph.Zeros(graph.Float32, 1)).Expand(historyRows, -q),
		energy.Neg(),
	}
	_, out := g.Scan(carry, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		memory, history, budget := carry[0], carry[1], carry[2]
		at, site, share, step := siteTablesOf(slice), slice[3], slice[4], slice[5] // in the order of scanned
		seen, come, free, kept, level := slice[6], slice[7], slice[8], slice[9], slice[10]

		is := memory.Gather(0, seen).Equal(colours).Cast(graph.Float32) // [29,width,q,M]
		like := is.Slice(0, 0, frontNeighbours).ReduceSum(graph.DropDims, 0)
		phi := graph.Concat(0, is.Reshape(frontSites, -1), share.MatMul(history).Reshape(shares, -1))
		logits := sites.logits(phi, window, one.budgetOf(budget, at, site, of), like)
		e := logits.Sub(logits.ReduceMax(graph.KeepDims, 1)).Exp()
		total := e.ReduceSum(graph.KeepDims, 1)
		passed := level.Mul(total).GreaterOrEqual(borders.MatMul(e)).Cast(graph.Int32)
		colour := passed.ReduceSum(graph.KeepDims, 1).Mul(free).Add(kept) // [width,1,M]
		placed := colour.Equal(colours).Cast(graph.Float32)
		chosen := placed.Mul(e).ReduceSum(graph.KeepDims, 1)
		satisfied := placed.Mul(like).ReduceSum(graph.DropDims, 0, 1)
		return []*graph.Node{
			graph.Concat(0, memory, colour).Gather(0, come),
			step.MatMul(graph.Concat(0, history, placed.Reshape(width, -1))),
			budget.Sub(satisfied),
		}, []*graph.Node{colour, chosen, total}
	})
	slotOf := make([]int, n)
	for k, i := range f.slots {
		if int(i) < n {
			slotOf[i] = k
		}
	}
	bySite := func(x *graph.Node) *graph.Node { return x.Reshape(steps*width, -1).Gather(0, indices(g, slotOf)) }
	return bySite(out[0]).Transpose(1, 0), bySite(out[1]).Div(bySite(out[2]))
}
