package models

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"neuralwl/models/graph"
)

// Microcanonical is the name of the architecture.
const Microcanonical = "microcanonical"

// microcanonical is a network conditioned on a target energy E* = -B*. It visits the sites
// in raster order with a budget b, the number of bonds still to be satisfied: B* less those
// satisfied so far. R bonds are still undecided.
//
// From b, R and the place of the site it computes features g that all colours share. For
// each colour c it sees phi_c: which of 28 earlier sites carry c (nearby ones, and some of
// the first two rows, onto which the lattice closes); and the share of c among all earlier
// sites, the last L, the last 4 L and those of the first row. With n_c earlier neighbours
// of colour c,
//
//	t = silu(g W_g + b_g),  h_c = silu(phi_c W_a + g W_g + b_g),
//	u_c = silu(h_c W_b + mean over c of h_c W_m + t W_t + b_m),
//	logit_c = u_c w + (g w_1 + t w_2) n_c,
//	p = (1 - floor) softmax(logit) + floor / q.
//
// All colours and sites share the same weights. Therefore q(s) is invariant under
// permutations of the colours, and weights fit every lattice and every q.
//
// In the order Diagonal, all sites (x, y) of a front x + 4y = t are drawn at once, each given
// the earlier fronts alone: 5L - 4 steps instead of L^2 on an L x L lattice. Budget, R and
// shares, of the last 4 and 16 fronts, are those before the front. Everything else is the same,
// except that sites across the left edge are not earlier and thus unseen. No two sites of a front
// are neighbours: each bond is counted with its later site. Given the earlier fronts, a front's
// colours are independent: its sites do not know of each other's bonds. Neither order enforces
// the target. A proposal has the energy that it happens to have. In the order Checkerboard it is
// another network: see halves.
type microcanonical struct {
	s System
	h Hyperparameters
	r *route
}

func newMicrocanonical(s System, h Hyperparameters) (Model, error) {
	var faults []error
	if err := s.needsBonds("the network", fmt.Sprintf("take the architecture %s, %s or %s", Autoencoder, Made, Conv)); err != nil {
		faults = append(faults, err)
	}
	if h.Width < 1 {
		faults = append(faults, fmt.Errorf("width = %d, at least 1 hidden unit is needed", h.Width))
	}
	if !(h.Floor > 0 && h.Floor < 1) {
		faults = append(faults, fmt.Errorf("floor = %g, must be between 0 and 1", h.Floor))
	}
	if h.Window < 0 {
		faults = append(faults, fmt.Errorf("window = %d, must not be negative", h.Window))
	}
	if h.Order != "" && !slices.Contains(Orders(), h.Order) {
		faults = append(faults, fmt.Errorf("order = %q, choose one of %q", h.Order, Orders()))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if h.Order == Checkerboard {
		return newHalves(s, h)
	}
	if h.Order == Diagonal {
		return &microcanonical{s, h, s.diagonal()}, nil
	}
	return &microcanonical{s, h, s.raster()}, nil
}

func (a *microcanonical) Architecture() string { return Microcanonical }

func (a *microcanonical) Conditions() []string { return []string{Energy} }

func (a *microcanonical) Symmetries() []string { return []string{Colours} }

func (a *microcanonical) shapes() []weightShape {
	return weightShapes(colourFeatures, budgetFeatures, a.h.Width)
}

// weights declares the weights in g.
func (a *microcanonical) weights(g *graph.Graph) []*graph.Node { return declareWeights(g, a.shapes()) }

// network returns the network with those weights, for c sites at once.
func (a *microcanonical) network(c int, weights []*graph.Node) *budgetNetwork {
	return newBudgetNetwork(a.s, a.h.Width, c, newBudgetWeights(weights))
}

// withFloor returns ln p, given the probabilities p before the floor.
func (a *microcanonical) withFloor(p *graph.Node) *graph.Node { return withFloor(p, a.h.Floor, a.s.Q) }

// withFloor returns ln((1 - floor) p + floor / q).
func withFloor(p *graph.Node, floor float64, q int) *graph.Node {
	return p.Mul(p.Scalar(1 - floor)).Add(p.Scalar(floor / float64(q))).Log()
}

func (a *microcanonical) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	sample := a.sampleFronts
	if a.r.inTurn() {
		sample = a.sample
	}
	proposal, p := sample(g, a.weights(g), state, start, energy, uniform)
	g.Output(Proposal, proposal)
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(p), start))
	return g, g.Err()
}

func (a *microcanonical) LogProb() (*graph.Graph, error) {
	if a.r.inTurn() {
		return a.LogProbAtOnce(1)
	}
	return a.LogProbAtOnce(divisor(a.s.Sites(), evaluatedSites))
}

// divisor returns the least divisor of n from least on.
func divisor(n, least int) int {
	c := min(least, n)
	for n%c > 0 {
		c++
	}
	return c
}

// evaluatedSites is about the number of sites that log_prob treats at once for an order that is
// meant for small batches.
const evaluatedSites = 8

func (a *microcanonical) LogProbAtOnce(sites int) (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	n := a.network(sites, a.weights(g))
	k := a.known(g, sites, state, energy)
	of := n.lookUp()
	atSites := n.atSites(a.r.placeTable(g))
	colours := 0 // the axis of the colours
	if sites > 1 {
		colours = 1
		atSites = atSites.Reshape(append([]int{a.s.Sites() / sites, sites}, atSites.Shape()[1:]...)...)
	}
	// With one site at a time, its data stays in the cache.
	_, out := g.Scan(nil, append(k.scanned, atSites), func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
		logits := k.logits(n, slice, slice[knownParts], of, nil)
		e := logits.Sub(logits.ReduceMax(graph.KeepDims, colours)).Exp()
		chosen := slice[knownColours].Mul(e).ReduceSum(graph.DropDims, colours)
		return nil, []*graph.Node{chosen.Div(e.ReduceSum(graph.DropDims, colours))}
	})
	p := out[0]
	if sites > 1 {
		p = p.Reshape(a.s.Sites(), -1)
	}
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(p), start))
	return g, g.Err()
}

// gradientSites is about the number of sites that the gradient graph treats at once, times
// the number of colours. The layers of 32 walkers then stay in the cache.
const gradientSites = 80

func (a *microcanonical) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	c := divisor(a.s.Sites(), max(2, gradientSites/a.s.Q))
	params := a.weights(g)
	k := a.known(g, c, state, energy)
	places := a.r.placeTable(g).Reshape(a.s.Sites()/c, c, placeFeatures)

	zero := g.Constant(graph.Zeros(graph.Float32, 1))
	return g, gradientByParts(g, params, append(k.scanned, places), zero, func(weights, slice []*graph.Node) *graph.Node {
		n := a.network(c, weights)
		p := k.logits(n, slice, n.atSites(slice[knownParts]), n.multiply(), nil).Softmax(-2)
		chosen := p.Mul(slice[knownColours]).ReduceSum(graph.DropDims, -2)
		return a.withFloor(chosen).Mul(weight).ReduceSum(graph.DropDims).Neg().Unsqueeze(0)
	})
}

// gradientByParts makes the loss and its derivatives by params outputs of g. The loss, float[1], is a sum over
// parts of the sites, each with its slices of scanned, and of rest, which does not depend on params. Each step of
// the loop adds a part's loss and derivatives to the carried values. Weights are carried as well, because
// Gradients differentiates by nodes of the graph in which they are used.
func gradientByParts(g *graph.Graph, params, scanned []*graph.Node, rest *graph.Node, of func(weights, slice []*graph.Node) *graph.Node) error {
	carry := append(params[:len(params):len(params)], rest)
	for _, p := range params {
		carry = append(carry, g.Constant(graph.Zeros(graph.Float32, p.Shape()...)))
	}
	var failed error
	final, _ := g.Scan(carry, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		weights, sums := carry[:len(params)], carry[len(params):]
		loss := of(weights, slice)
		derivatives, err := graph.Gradients(loss, weights)
		if err != nil {
			failed = err
			return carry, nil
		}
		next = append(weights[:len(weights):len(weights)], sums[0].Add(loss))
		for i, d := range derivatives {
			next = append(next, sums[i+1].Add(d))
		}
		return next, nil
	})
	if failed != nil {
		return failed
	}
	g.Output(Loss, final[len(params)])
	for i, p := range params {
		g.Output(GradientOf+p.Name(), final[len(params)+1+i])
	}
	return g.Err()
}

func (a *microcanonical) Initial(r *rand.Rand) map[string]graph.Tensor {
	return initialBudgetWeights(r, a.shapes())
}
