package models

import (
	"fmt"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// halves is the microcanonical network in the order Checkerboard. It draws the sites whose coordinates
// have an odd sum, one after the other in raster order, each given the earlier ones of these alone.
// Then the even sites follow, in raster order as well. All four neighbours of each are known, so that it
// depends on the other even sites only through the energy.
//
// On the odd half all is as in raster order, with 33 sites of this half in the window, and the target as a
// share of all bonds as one more of the features g. No bond joins two of these sites. In place of bonds
// satisfied, the budget is reduced by what even sites are expected to satisfy once all their neighbours
// are placed. With n_c neighbours of colour c that is, at the inverse temperature beta of the infinite
// lattice's transition, ln(1 + sqrt q),
//
//	m(beta) = sum_c n_c exp(beta n_c) / sum_c exp(beta n_c).
//
// Those in the first and in the last row stay undecided. In the place of like neighbours the network counts
// the two sites diagonally above, and in the last row those across the edge as well.
//
// On the even half,
//
//	p_c = exp(beta_e n_c) / sum over colours,  beta_e = beta + (b - M) / (V + S),
//
// where b is the exact budget, M and V are the mean and the variance of what this site and the later ones
// satisfy at beta, and beta is such that the whole half satisfies in the mean as many bonds as are aimed
// at: the mean of the levels within w of the target, from 0 to 2N, whose variance is S. Up to eight sites
// are drawn at once, with one beta_e. For many sites that is the distribution of the colours given the odd
// half and an energy of that mean and variance. As everywhere, p = (1 - floor) p_c + floor / q.
//
// The network has half as many colours to find as in raster order, with half of the work, and
// is to blame for errors of ln q on one half alone.
type halves struct {
	s System
	h Hyperparameters
	half
}

func newHalves(s System, h Hyperparameters) (*halves, error) {
	for _, side := range s.Sides {
		if side%2 > 0 || side < 4 {
			return nil, fmt.Errorf("order = %s, which divides the sites into two halves: the sides must be even and at least 4, not %v", Checkerboard, s.Sides)
		}
	}
	return &halves{s, h, newHalf(s)}, nil
}

func (a *halves) Architecture() string { return Microcanonical }

func (a *halves) Conditions() []string { return []string{Energy} }

func (a *halves) Symmetries() []string { return []string{Colours} }

func (a *halves) weights(g *graph.Graph) []*graph.Node {
	return declareWeights(g, weightShapes(halfFeatures, budgetFeatures+1, a.h.Width))
}

func (a *halves) Initial(r *rand.Rand) map[string]graph.Tensor {
	return initialBudgetWeights(r, weightShapes(halfFeatures, budgetFeatures+1, a.h.Width))
}

// network returns the network with those weights, for c sites at once, and what the target, float[M], adds to
// the budget's part of the hidden layer, float[M,H+1].
func (a *halves) network(c int, weights []*graph.Node, target *graph.Node) (n *budgetNetwork, aim *graph.Node) {
	n = newBudgetNetwork(a.s, a.h.Width, c, newBudgetWeights(weights))
	share := target.Mul(target.Scalar(1 / float64(a.s.Sites()))).Sub(target.Scalar(1)) // from -1 to 1
	return n, share.Unsqueeze(1).MatMul(n.spread.Slice(0, budgetFeatures, budgetFeatures+1))
}

// raster puts what belongs to the odd and to the even sites, [N/2,M], into raster order.
func (a *halves) raster(odd, even *graph.Node) *graph.Node {
	return graph.Concat(0, even, odd).Gather(0, indices(odd.Graph(), a.place))
}

func (a *halves) withFloor(p *graph.Node) *graph.Node { return withFloor(p, a.h.Floor, a.s.Q) }

func (a *halves) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	free := siteNumbers(g, a.s.Sites()).GreaterOrEqual(start).Cast(graph.Int32)
	kept := free.Scalar(1).Sub(free).Mul(state.Transpose(1, 0))
	// The borders are not normalised: the level is multiplied by the sum instead.
	level := uniform.Transpose(1, 0).Mul(uniform.Scalar(1 / (1 - a.h.Floor)))
	of := func(half []int) drawing {
		sites := indices(g, half)
		return drawing{free.Gather(0, sites), kept.Gather(0, sites), level.Gather(0, sites), g.Constant(borders(a.s.Q, a.h.Floor))}
	}
	target := energy.Neg()
	odd, p := a.sample(g, a.weights(g), target, of(a.odd))
	even, filled := a.fill(g, a.around(g, odd), target).sample(g, of(a.even))
	g.Output(Proposal, a.raster(odd, even).Transpose(1, 0))
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(a.raster(p, filled)), start))
	return g, g.Err()
}

// drawing is what decides about the colours of some sites, besides their probabilities.
type drawing struct {
	free, kept *graph.Node // int32[n,M] 1 if a site is drawn, and its colour if it is not
	level      *graph.Node // float[n,M] uniform in [0, 1/(1 - floor))
	borders    *graph.Node // float[q-1,q], see borders
}

// colours returns the colours at sites, int32[...,M], given exponentials of logits, float[...,q,M], with their sum,
// and the slices of free, kept and level.
func (d drawing) colours(e, total, free, kept, level *graph.Node) *graph.Node {
	passed := level.Mul(total).Unsqueeze(-2).GreaterOrEqual(d.borders.MatMul(e)).Cast(graph.Int32)
	return passed.ReduceSum(graph.DropDims, -2).Mul(free).Add(kept)
}

func (a *halves) LogProb() (*graph.Graph, error) { return a.LogProbAtOnce(1) }

// LogProbAtOnce takes so many sites of each half, or the next number that divides them.
func (a *halves) LogProbAtOnce(sites int) (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	target := g.Input(Energy, graph.Float32, graph.Dynamic).Neg()
	c := divisor(len(a.odd), sites)
	n, aim := a.network(c, a.weights(g), target)
	order := state.Transpose(1, 0).Gather(0, indices(g, a.odd))
	k := a.known(g, c, order, target)
	of := n.lookUp()
	atSites := n.atSites(a.placeTable(g))
	colours := 0 // the axis of the colours
	if c > 1 {
		colours = 1
		atSites = atSites.Reshape(append([]int{len(a.odd) / c, c}, atSites.Shape()[1:]...)...)
	}
	// With one site at a time, its data stays in the cache.
	_, out := g.Scan(nil, append(k.scanned, atSites), func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
		logits := k.logits(n, slice, slice[knownParts], of, aim)
		e := logits.Sub(logits.ReduceMax(graph.KeepDims, colours)).Exp()
		chosen := slice[knownColours].Mul(e).ReduceSum(graph.DropDims, colours)
		return nil, []*graph.Node{chosen.Div(e.ReduceSum(graph.DropDims, colours))}
	})
	p := out[0]
	if c > 1 {
		p = p.Reshape(len(a.odd), -1)
	}
	even := state.Transpose(1, 0).Gather(0, indices(g, a.even))
	filled := a.fill(g, a.around(g, order), target).evaluate(g, even)
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(a.raster(p, filled)), start))
	return g, g.Err()
}

func (a *halves) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	target := g.Input(Energy, graph.Float32, graph.Dynamic).Neg()
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	c := divisor(len(a.odd), max(2, gradientSites/a.s.Q))
	order := state.Transpose(1, 0).Gather(0, indices(g, a.odd))
	k := a.known(g, c, order, target)
	places := a.placeTable(g).Reshape(len(a.odd)/c, c, placeFeatures)
	even := state.Transpose(1, 0).Gather(0, indices(g, a.even))
	filled := a.withFloor(a.fill(g, a.around(g, order), target).evaluate(g, even))
	rest := filled.ReduceSum(graph.DropDims, 0).Mul(weight).ReduceSum(graph.DropDims).Neg().Unsqueeze(0)
	return g, gradientByParts(g, a.weights(g), append(k.scanned, places), rest, func(weights, slice []*graph.Node) *graph.Node {
		n, aim := a.network(c, weights, target)
		p := k.logits(n, slice, n.atSites(slice[knownParts]), n.multiply(), aim).Softmax(-2)
		chosen := p.Mul(slice[knownColours]).ReduceSum(graph.DropDims, -2)
		return a.withFloor(chosen).Mul(weight).ReduceSum(graph.DropDims).Neg().Unsqueeze(0)
	})
}
