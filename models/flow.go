package models

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// Flow is the name of the architecture.
const Flow = "flow"

// XY is the name of the model of planar spins, E = -sum cos(theta_i - theta_j) over nearest neighbours
// of a periodic lattice, in which every site has one bond along each side.
const XY = "xy"

// flow is a normalizing flow on angles, a distribution of all of them or of those of one half of
// a checkerboard given the other. From independent, uniform angles, coupling layers (Dinh,
// Sohl-Dickstein, Bengio, ICLR 2017) change one half at a time, site by site, given the other half
// (masks: Kanwar et al., PRL 125, 121601 (2020)):
//
//	theta' = f_S(... f_1(theta)), ln q(theta') = ln q(theta) - sum ln f_s'(theta),
//
// where f_s is a Moebius transformation of the circle (Rezende et al., ICML 2020, section 2.1.1)
// of harmonic k: it acts on z^k with z = exp(i theta), and f_s(theta) follows it continuously, see
// coupling. Those of one harmonic form a group, in which the uniform density becomes that of
// Cauchy; those of several together generate far more, are smooth, and have closed inverses.
//
// Their parameters come from the vectors
//
//	h_o = mean of exp(i theta_j) over the sites j at distances of orbit o,
//
// of sites of the other half within the kernel, where an orbit holds what reflections and
// permutations of the axes map onto one another. h_0 is the local field of nearest neighbours. A
// dense network of the products Re(conj(h_o) h_p) and of beta gives, at each site, factors of the
// vectors and of the steps. So q does not change if all angles are rotated or reflected, nor under
// symmetries of the lattice that map the halves onto themselves, and is uniform at beta = 0.
// No weight depends on the size of the lattice.
//
// With Half, all layers change the even half (of sites whose coordinates have an even sum) and
// see the odd one as it is. For an energy of nearest neighbours the exact distribution is then a
// product over sites of von Mises distributions around h_0, which a single layer comes close to.
type flow struct {
	s System
	h Hyperparameters
	b *checkerboard
}

// MostHarmonics bounds the harmonics of steps.
const MostHarmonics = 8

func newFlow(s System, h Hyperparameters) (*flow, error) {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if s.Name() != XY {
		fault("it draws angles, those of the model %s; there are none in %v", XY, s)
	}
	if h.Width < 1 {
		fault("width = %d, at least 1 hidden unit is needed", h.Width)
	}
	if h.Depth < 1 {
		fault("depth = %d, at least 1 hidden layer is needed", h.Depth)
	}
	if h.Layers < 1 {
		fault("layers = %d, at least 1 coupling layer is needed", h.Layers)
	}
	if h.Layers == 1 && !h.Half {
		fault("layers = 1 leaves the odd half of the sites uniform; take at least 2, or set half")
	}
	if len(h.Harmonics) == 0 {
		fault("harmonics are missing, such as [1, 2, 3, 4, 1]")
	}
	for _, k := range h.Harmonics {
		if k < 1 || k > MostHarmonics {
			fault("harmonics hold %d, they must be between 1 and %d", k, MostHarmonics)
		}
	}
	for _, l := range s.Sides {
		if l != 1 && (l < 2 || l%2 != 0) {
			fault("the side %d has no checkerboard; all sides must be even, or 1", l)
		}
	}
	if s.Sites() < 2 {
		fault("%d sites have no halves", s.Sites())
	}
	if h.Kernel < 3 || h.Kernel%2 == 0 {
		fault("kernel = %d, must be odd and at least 3", h.Kernel)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &flow{s, h, newCheckerboard(s.Sides, h.Kernel/2)}, nil
}

func (a *flow) Architecture() string { return Flow }

func (a *flow) Conditions() []string {
	if a.h.Half {
		return []string{Beta, Half}
	}
	return []string{Beta}
}

func (a *flow) Symmetries() []string { return []string{Rotations, Reflections} }

// drawn is the number of angles that a proposal draws.
func (a *flow) drawn() int {
	if a.h.Half {
		return a.s.Sites() / 2
	}
	return a.s.Sites()
}

// active is the half that a layer changes.
func (a *flow) active(layer int) int {
	if a.h.Half {
		return 0
	}
	return layer % 2
}

// base is ln q, as a number, of the angles that a flow starts from.
func (a *flow) base() float64 { return -float64(a.drawn()) * math.Log(2*math.Pi) }

// couplings declares the weights of all layers.
func (a *flow) couplings(g *graph.Graph) []*coupling {
	layers := make([]*coupling, a.h.Layers)
	for i := range layers {
		layers[i] = declareCoupling(a.b, a.h, i, declareIn(g))
	}
	return layers
}

// draw takes uniform numbers, float[M,N], and a state, float[M,N], nil if all sites are drawn, to angles
// of both halves, float[M,N/2] each and beyond any interval, and their ln q, float[M].
func (a *flow) draw(g *graph.Graph, state, uniform, beta *graph.Node) (halves [2]*graph.Node, logQ *graph.Node) {
	angles := uniform.Mul(uniform.Scalar(2 * math.Pi))
	halves = a.b.split(g, angles)
	if a.h.Half {
		halves[1] = a.b.split(g, state)[1]
	}
	var sum *graph.Node
	for i, layer := range a.couplings(g) {
		active := a.active(i)
		steps := layer.steps(g, a.b, active, halves[1-active], beta)
		for _, step := range steps {
			var stretch *graph.Node
			halves[active], stretch = step.apply(halves[active], 1)
			sum = plus(sum, stretch.Neg())
		}
	}
	return halves, sum.ReduceSum(graph.DropDims, 1).Add(sum.Scalar(a.base()))
}

// evaluate returns ln q, float[M], of angles, float[M,N], by the inverse of draw.
func (a *flow) evaluate(g *graph.Graph, state, beta *graph.Node) *graph.Node {
	halves := a.b.split(g, state)
	layers := a.couplings(g)
	var sum *graph.Node
	for i := len(layers) - 1; i >= 0; i-- {
		active := a.active(i)
		steps := layers[i].steps(g, a.b, active, halves[1-active], beta)
		for s := len(steps) - 1; s >= 0; s-- {
			var stretch *graph.Node
			halves[active], stretch = steps[s].apply(halves[active], -1)
			sum = plus(sum, stretch)
		}
	}
	return sum.ReduceSum(graph.DropDims, 1).Add(sum.Scalar(a.base()))
}

func plus(sum, x *graph.Node) *graph.Node {
	if sum == nil {
		return x
	}
	return sum.Add(x)
}

// inputs declares the inputs beta and, where the odd half is given, the state.
func (a *flow) inputs(g *graph.Graph) (state, beta *graph.Node) {
	if a.h.Half {
		state = g.Input(State, graph.Float32, graph.Dynamic, a.s.Sites())
	}
	return state, g.Input(Beta, graph.Float32, graph.Dynamic)
}

func (a *flow) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state, beta := a.inputs(g)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	halves, logQ := a.draw(g, state, uniform, beta)
	halves[0] = wrapped(halves[0])
	if !a.h.Half {
		halves[1] = wrapped(halves[1])
	}
	g.Output(Proposal, a.b.join(g, halves))
	g.Output(LogQ, logQ)
	return g, g.Err()
}

// wrapped takes angles to [0,2 pi), in which rounding would leave some at the upper end.
func wrapped(x *graph.Node) *graph.Node {
	turn := x.Scalar(2 * math.Pi)
	x = x.Sub(x.Div(turn).Floor().Mul(turn)).Max(x.Scalar(0))
	return graph.Where(x.GreaterOrEqual(turn), x.Scalar(0), x)
}

func (a *flow) LogProb() (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Float32, graph.Dynamic, a.s.Sites())
	beta := g.Input(Beta, graph.Float32, graph.Dynamic)
	g.Output(LogQ, a.evaluate(g, state, beta))
	return g, g.Err()
}

func (a *flow) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Float32, graph.Dynamic, a.s.Sites())
	beta := g.Input(Beta, graph.Float32, graph.Dynamic)
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	return g, addLoss(g, a.evaluate(g, state, beta), weight)
}

func (a *flow) EnergyGradient() (*graph.Graph, error) {
	g := graph.New("energy_gradient")
	state, beta := a.inputs(g)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	halves, logQ := a.draw(g, state, uniform, beta)
	energy := a.b.energy(g, a.b.join(g, halves))
	return g, addLoss(g, logQ.Add(beta.Mul(energy)).Neg(), weight)
}

func (a *flow) Initial(r *rand.Rand) map[string]graph.Tensor {
	weights := map[string]graph.Tensor{}
	for i := range a.h.Layers {
		declareCoupling(a.b, a.h, i, drawInto(weights, r))
	}
	return weights
}
