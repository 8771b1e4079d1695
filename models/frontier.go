package models

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// Frontier is the name of the architecture.
const Frontier = "frontier"

// frontier is a network conditioned on a target energy E* = -B*, as microcanonical is, for half
// its work. It visits the sites in raster order with a budget b, the number of bonds still to
// be satisfied: B* less those satisfied so far. R bonds are still undecided.
//
// Given the sites on the edge of what has been drawn, those that come later do not depend on the
// others but for the budget. So a site sees that edge alone: the four sites before it, the five of
// the row above from its own column on, the five nearest ones of the first row, onto which
// the lattice closes, and the share of each colour in the row above and in the first row.
//
// Its colour is most likely that of one of a few candidates among these sites: the neighbours, and
// one or two more, or the colour that prevails in the row above. All others are much alike. The network is evaluated for
// each candidate's colour c and once for a colour that no candidate has: with the sites phi_c that
// carry c and its shares, and features g of budget and place that all share,
//
//	t = silu(g W_g + b_g),  h_c = relu(phi_c W_a + g W_g + b_g),
//	u_c = relu(h_c W_b + mean over c of h_c W_m + t W_t),
//	logit_c = u_c w + (g w_1 + t w_2) n_c,
//	p = (1 - floor) softmax(logit) + floor / q,
//
// where n_c is the number of earlier neighbours of colour c. For a colour that no candidate has, phi_c =
// 0, and its shares add to the logit in proportion. With few colours each is
// evaluated, and there are no candidates. Logits are kept within +-60, what shares add within +-20.
//
// No weight depends on the lattice or on q, which is among the features, and q(s) is invariant
// under permutations of the colours. The network does not enforce the target.
type frontier struct {
	s System
	h Hyperparameters
	e *edge
	r *route
}

func newFrontier(s System, h Hyperparameters) (*frontier, error) {
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
	if h.Order != "" && h.Order != Raster {
		faults = append(faults, fmt.Errorf("order = %q, this network draws in the order %s alone; take the architecture %s", h.Order, Raster, Microcanonical))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &frontier{s, h, newEdge(s), s.raster()}, nil
}

func (a *frontier) Architecture() string { return Frontier }

func (a *frontier) Conditions() []string { return []string{Energy} }

func (a *frontier) Symmetries() []string { return []string{Colours} }

// weights declares the weights in g.
func (a *frontier) weights(g *graph.Graph) []*graph.Node {
	var nodes []*graph.Node
	for _, w := range edgeWeightShapes(a.h.Width) {
		nodes = append(nodes, g.Param(w.name, w.shape...))
	}
	return nodes
}

func (a *frontier) network(weights []*graph.Node) *edgeNetwork {
	return newEdgeNetwork(a.s, a.h.Width, a.e, weights)
}

// withFloor returns ln p, given the probabilities p before the floor.
func (a *frontier) withFloor(p *graph.Node) *graph.Node {
	return p.Mul(p.Scalar(1 - a.h.Floor)).Add(p.Scalar(a.h.Floor / float64(a.s.Q))).Log()
}

func (a *frontier) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	proposal, p := a.sample(g, a.weights(g), state, start, energy, uniform)
	g.Output(Proposal, proposal)
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(p), start))
	return g, g.Err()
}

func (a *frontier) LogProb() (*graph.Graph, error) {
	return a.LogProbAtOnce(a.s.divisor(frontierSites))
}

// frontierSites is about the number of sites that log_prob treats at once on a CPU: enough for
// the operators' fixed cost not to matter, few enough for their data to stay in the cache.
const frontierSites = 4

func (a *frontier) LogProbAtOnce(sites int) (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	n := a.network(a.weights(g))
	k := a.drawn(g, sites, state, energy)
	weights := n.atSites(g).Reshape(a.s.Sites()/sites, sites, edgeFeatures, -1)
	places := n.atPlaces(a.r.placeTable(g)).Reshape(a.s.Sites()/sites, sites, 1, -1)
	_, out := g.Scan(nil, append(k.scanned, weights, places), func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
		e := k.exponentials(n, slice, slice[drawnParts], slice[drawnParts+1])
		chosen := e.GatherElements(1, slice[drawnColour])
		return nil, []*graph.Node{chosen.Div(e.ReduceSum(graph.KeepDims, 1))}
	})
	g.Output(LogQ, a.s.fromStart(g, a.withFloor(out[0].Reshape(a.s.Sites(), -1)), start))
	return g, g.Err()
}

// frontierGradientSites is about the number of sites that the gradient graph treats at once, times
// the number of colours for which the network is evaluated.
const frontierGradientSites = 80

func (a *frontier) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	energy := g.Input(Energy, graph.Float32, graph.Dynamic)
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	c := a.s.divisor(frontierGradientSites / a.e.classes)
	params := a.weights(g)
	k := a.drawn(g, c, state, energy)
	rows := indices(g, a.e.weightRows()).Reshape(a.s.Sites()/c, c*edgeFeatures)
	places := a.r.placeTable(g).Reshape(a.s.Sites()/c, c, placeFeatures)

	// The loss is a sum over parts of the sites, as in microcanonical.
	carry := append(params[:len(params):len(params)], g.Constant(graph.Zeros(graph.Float32, 1)))
	for _, p := range params {
		carry = append(carry, g.Constant(graph.Zeros(graph.Float32, p.Shape()...)))
	}
	var failed error
	final, _ := g.Scan(carry, append(k.scanned, rows, places), func(body *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		weights, sums := carry[:len(params)], carry[len(params):]
		n := a.network(weights)
		seen := n.rows.Gather(0, slice[drawnParts]).Reshape(c, edgeFeatures, -1)
		e := k.exponentials(n, slice, seen, n.atPlaces(slice[drawnParts+1]).Unsqueeze(1))
		is := slice[drawnColour].Equal(arange32(g, a.s.Q).Unsqueeze(1)).Cast(graph.Float32) // [c,q,M]
		chosen := is.Mul(e).ReduceSum(graph.DropDims, 1).Div(e.ReduceSum(graph.DropDims, 1))
		loss := a.withFloor(chosen).Mul(weight).ReduceSum(graph.DropDims).Neg().Unsqueeze(0)
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
		return g, failed
	}
	g.Output(Loss, final[len(params)])
	for i, p := range params {
		g.Output(GradientOf+p.Name(), final[len(params)+1+i])
	}
	return g, g.Err()
}

func (a *frontier) Initial(r *rand.Rand) map[string]graph.Tensor {
	return initialEdgeWeights(r, a.h.Width)
}
