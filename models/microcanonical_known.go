package models

import (
	"neuralwl/models/graph"
)

// siteTables holds constants of the sites, c of them at a time. With c = 1 the axis of c is
// missing.
type siteTables struct {
	undecided *graph.Node // float[N/c,c,1] R
	// b/R, 4(R-b)/R - 2 and the constant 1 equal b slope + shift. Both are
	// float[N/c,c,3,1].
	slope, shift *graph.Node
}

// newSiteTables makes them given R of every site.
func newSiteTables(g *graph.Graph, of []int, c int) siteTables {
	var undecided, slope, shift []float32
	for _, r := range of {
		undecided = append(undecided, float32(r))
		slope = append(slope, float32(1/float64(r)), float32(-4/float64(r)), 0)
		shift = append(shift, 0, 2, 1)
	}
	table := func(data []float32, dims ...int) *graph.Node {
		if c > 1 {
			dims = append([]int{c}, dims...)
		}
		return g.Constant(graph.Float32s(data, append([]int{len(of) / c}, dims...)...))
	}
	return siteTables{table(undecided, 1), table(slope, 3, 1), table(shift, 3, 1)}
}

// scanned lists the tables; siteTablesOf rebuilds them from their slices.
func (t siteTables) scanned() []*graph.Node { return []*graph.Node{t.undecided, t.slope, t.shift} }

func siteTablesOf(slice []*graph.Node) siteTables { return siteTables{slice[0], slice[1], slice[2]} }

// known holds the features of given configurations, for evaluation c sites at a time.
type known struct {
	features int         // of a colour
	colours  *graph.Node // float[N+1,q*M] 1 at each site's colour; the last row is 0
	counts   *graph.Node // float[K,q*M] running counts, see route.sums
	// scanned lists, part by part: the site tables; the positions of the window's sites,
	// neighbours and counts; the matrix that turns counts into shares; the sites' own
	// colours, float[N/c,c,q,M]; and the budgets, float[N/c,c,M].
	scanned []*graph.Node
}

// Indices into known.scanned, and their number.
const (
	knownWindow = 3 + iota
	knownNear
	knownPlaces
	knownCoefficients
	knownColours
	knownBudget
	knownParts
)

func (a *microcanonical) known(g *graph.Graph, c int, state, energy *graph.Node) *known {
	n, q := a.s.Sites(), a.s.Q
	order := state.Transpose(1, 0) // int32[N,M]
	placed := order.Unsqueeze(1).Equal(arange32(g, q).Unsqueeze(1)).Cast(graph.Float32).Reshape(n, -1)
	colours := placed.Pad(0, 0, 1, 0)

	t := knownTables{undecided: a.r.undecided(), q: q}
	for i := range n {
		x, y := i%a.s.lx(), i/a.s.lx()
		window := a.r.window(x, y)
		down := int32(n)
		if y == a.s.ly()-1 {
			down = window[slotFirstRow]
		}
		t.window = append(t.window, window)
		t.near = append(t.near, window[slotLeft], window[slotAbove], window[slotRight], down)
		at, scale := a.r.sums(i)
		t.places = append(t.places, at)
		t.coefficients = append(t.coefficients, coefficients(len(at), scale)...)
	}
	// Bonds that each site satisfies with earlier ones; -1 is no colour.
	before := order.Pad(0, 0, 1, -1).Gather(0, g.Constant(graph.Int32s(t.near, n, 4))) // [N,4,M]
	satisfied := before.Equal(order.Unsqueeze(1)).Cast(graph.Float32).ReduceSum(graph.DropDims, 1)
	counted := colours
	if !a.r.inTurn() {
		counted = colours.Gather(0, indices(g, append(a.r.counted(), n)))
		satisfied = satisfied.Gather(0, indices(g, a.r.sites))
	}
	decided := satisfied.CumSum(0, graph.CumSumMode{Exclusive: true})
	if !a.r.inTurn() {
		first := make([]int, n) // the place of the first site of each site's step
		for i, t := range a.r.step {
			first[i] = a.r.before[t]
		}
		decided = decided.Gather(0, indices(g, first))
	}
	budget := energy.Add(decided).Neg()

	return newKnown(g, c, t, placed, colours, counted, budget)
}

// knownTables holds constants by site.
type knownTables struct {
	window       [][]int32 // positions of the window's sites, N where there is none
	near         []int32   // of the neighbours, four each
	places       [][]int   // of running counts
	coefficients []float32 // that turn these counts into shares, see coefficients
	undecided    []int     // R
	q            int
}

// newKnown has c sites at a time, given the sites' colours, float[N,q*M], the same with a row of zeros, those that are
// counted, and the budgets, float[N,M].
func newKnown(g *graph.Graph, c int, t knownTables, placed, colours, counted, budget *graph.Node) *known {
	n, slots, sums := len(t.window), len(t.window[0]), len(t.places[0])
	windows := make([]int32, n*slots)
	var places []int32
	for i, window := range t.window {
		for slot, site := range window { // slots come before the sites of a part
			windows[i/c*c*slots+slot*c+i%c] = site
		}
		for _, place := range t.places[i] {
			places = append(places, int32(place))
		}
	}
	parts := func(x *graph.Node, dims ...int) *graph.Node {
		if c > 1 {
			dims = append([]int{c}, dims...)
		}
		return x.Reshape(append([]int{n / c}, dims...)...)
	}
	window := g.Constant(graph.Int32s(windows, n/c, slots, c))
	if c == 1 {
		window = window.Squeeze(-1)
	}
	scanned := append(newSiteTables(g, t.undecided, c).scanned(),
		window,
		parts(g.Constant(graph.Int32s(t.near, n, 4)), 4),
		parts(g.Constant(graph.Int32s(places, n, sums)), sums),
		parts(g.Constant(graph.Float32s(t.coefficients, n, shares, sums)), shares, sums),
		parts(placed, t.q, -1), parts(budget, -1))
	return &known{
		features: slots + shares,
		colours:  colours,
		counts:   counted.CumSum(0, graph.CumSumMode{Exclusive: true}),
		scanned:  scanned,
	}
}

// logits evaluates the network on a part of the sites, given the part's slices of scanned, the weights from atSites, and
// what is added to the budget's part of the hidden layer, nil for nothing.
func (k *known) logits(n *budgetNetwork, slice []*graph.Node, weights *graph.Node, of [2]func(*graph.Node) *graph.Node, aim *graph.Node) *graph.Node {
	shares := slice[knownCoefficients].MatMul(k.counts.Gather(0, slice[knownPlaces]))
	near := k.colours.Gather(0, slice[knownNear]).ReduceSum(graph.DropDims, -2).Reshape(n.shape(n.s.Q, -1)...)
	if n.c > 1 {
		shares = shares.Transpose(1, 0, 2)
	}
	phi := graph.Concat(0, k.colours.Gather(0, slice[knownWindow]), shares).Reshape(k.features, -1)
	budget := n.budgetOf(slice[knownBudget], siteTablesOf(slice), weights, of)
	if aim != nil {
		budget = budget.Add(aim)
	}
	return n.logits(phi, n.window, budget, near)
}

// indices returns indices as int32[n].
func indices(g *graph.Graph, of []int) *graph.Node {
	v := make([]int32, len(of))
	for i, x := range of {
		v[i] = int32(x)
	}
	return g.Constant(graph.Int32s(v, len(v)))
}

// siteNumbers returns 0, ..., n-1 as int32[n,1].
func siteNumbers(g *graph.Graph, n int) *graph.Node { return arange32(g, n).Unsqueeze(1) }

func arange32(g *graph.Graph, n int) *graph.Node {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return g.Constant(graph.Int32s(v, n))
}
