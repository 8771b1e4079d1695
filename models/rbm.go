package models

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// RBM is the name of the architecture.
const RBM = "rbm"

// rbm is a restricted Boltzmann machine with a Potts variable s_i at each site and binary hidden
// units h_j (Smolensky (1986); Hinton, Neural Comput. 14, 1771 (2002)). Summed over the hidden
// units, its weight of a configuration is
//
//	p(s) ~ exp(-F(s)),  -F(s) = sum_i b_i(s_i) + sum_j [ln(1 + exp a_j(s)) - ln(1 + exp c_j)],
//	a_j(s) = c_j + sum_i W_ij(s_i),
//
// where the last term, a constant, keeps the sum small. A proposal makes block-Gibbs steps
// s -> h -> s': given s the hidden units are independent, h_j = 1 with probability
// 1/(1 + exp(-a_j)), and given h the sites are, with the weights exp[b_i(s_i) + sum_j W_ij(s_i)
// h_j]. One step is reversible for p, and so is its repetition:
//
//	p(s) K(s'|s) = p(s) sum_h p(h|s) p(s'|h) = sum_h p(h) p(s|h) p(s'|h) = p(s') K(s|s').
//
// K itself is unknown, but an acceptance needs only K(s|s')/K(s'|s) = p(s)/p(s') (L. Huang and L. Wang,
// PRB 95, 035105 (2017)), so that log_q is -F: the network is Unnormalised. Sites before start keep their
// colours in all steps, which leaves the steps reversible for p given these.
//
// Hidden units of the kind Convolutional are copies of few filters, at every site and for every
// colour, that see whether the sites of a square around theirs have that colour: W_ij(s_i) =
// w_f(x_i - x_j) for s_i = c_j, and b = 0. p is then invariant under translations and permutations of the
// colours, and the weights depend neither on the size nor on q.
type rbm struct {
	s System
	h Hyperparameters
}

func newRBM(s System, h Hyperparameters) (*rbm, error) {
	var faults []error
	if h.Hidden < 1 {
		faults = append(faults, fmt.Errorf("hidden = %d, at least 1 unit is needed", h.Hidden))
	}
	if h.GibbsSteps < 1 || h.GibbsSteps > MostGibbsSteps {
		faults = append(faults, fmt.Errorf("gibbs_steps = %d, must be between 1 and %d", h.GibbsSteps, MostGibbsSteps))
	}
	switch h.HiddenKind {
	case "", Dense:
	case Convolutional:
		if err := s.needsBonds("hidden_kind "+Convolutional, "take "+Dense); err != nil {
			faults = append(faults, err)
		} else if most := min(s.lx(), s.ly()); h.Kernel < 1 || h.Kernel%2 == 0 || h.Kernel > most {
			faults = append(faults, fmt.Errorf("kernel = %d, must be odd and between 1 and %d on %s sites", h.Kernel, most, s.Size()))
		}
	default:
		faults = append(faults, fmt.Errorf("hidden_kind = %q, must be %s or %s", h.HiddenKind, Dense, Convolutional))
	}
	return &rbm{s, h}, errors.Join(faults...)
}

// MostGibbsSteps bounds the Gibbs steps of a proposal, each of which makes the graph longer.
const MostGibbsSteps = 64

func (a *rbm) Architecture() string { return RBM }

func (a *rbm) Conditions() []string { return []string{State} }

func (a *rbm) Symmetries() []string {
	if a.isConvolutional() {
		return []string{Colours}
	}
	return []string{}
}

func (a *rbm) isConvolutional() bool { return a.h.HiddenKind == Convolutional }

// units is the number of hidden units.
func (a *rbm) units() int {
	if a.isConvolutional() {
		return a.h.Hidden * a.s.Sites() * a.s.Q
	}
	return a.h.Hidden
}

// Uniforms counts, for each Gibbs step, those of the hidden units and of the sites.
func (a *rbm) Uniforms() int { return a.h.GibbsSteps * (a.units() + a.s.Sites()) }

// machine has the weights of an rbm as matrices. What the hidden units see of a configuration are R
// vectors of V numbers 0 or 1: one of all sites and colours, or, for convolutional ones, one of all
// sites for each colour, which have the same weights.
type machine struct {
	*rbm
	weight  *graph.Node // W, float[V,H]
	hidden  *graph.Node // c, float[H]
	visible *graph.Node // b, float[N,q], nil for none
}

func (a *rbm) declare(g *graph.Graph) machine {
	n, q := a.s.Sites(), a.s.Q
	if !a.isConvolutional() {
		return machine{a, g.Param("coupling", n*q, a.h.Hidden), g.Param("hidden.bias", a.h.Hidden), g.Param("visible.bias", n, q)}
	}
	k, f := a.h.Kernel, a.h.Hidden
	filters := g.Param("filter", k*k, f)
	// Site i and the unit at site x: the tap of the filters, or k^2, where they are 0.
	taps := make([]int32, n*n)
	for x := range n {
		for i := range n {
			taps[i*n+x] = a.tap(i, x)
		}
	}
	units := make([]int32, n*f)
	for j := range units {
		units[j] = int32(j % f)
	}
	weight := filters.Pad(0, 0, 1, 0).Gather(0, g.Constant(graph.Int32s(taps, n, n))).Reshape(n, n*f)
	return machine{a, weight, g.Param("filter.bias", f).Gather(0, g.Constant(graph.Int32s(units, n*f))), nil}
}

// tap is the number of the displacement from site x to site i in the square that filters see,
// the square of the kernel if it is outside.
func (a *rbm) tap(i, x int) int32 {
	k, lx, ly := a.h.Kernel, a.s.lx(), a.s.ly()
	dx := (i%lx - x%lx + k/2 + lx) % lx
	dy := (i/lx - x/lx + k/2 + ly) % ly
	if dx >= k || dy >= k {
		return int32(k * k)
	}
	return int32(dy*k + dx)
}

// see returns what the hidden units see of configurations, int32[M,N], float[M,R,V].
func (m machine) see(state *graph.Node) *graph.Node {
	colours := oneHot(state, m.s.Q)
	if m.isConvolutional() {
		return colours.Transpose(0, 2, 1)
	}
	return colours.Reshape(-1, 1, m.s.Sites()*m.s.Q)
}

// inputs returns a, float[M,R,H].
func (m machine) inputs(seen *graph.Node) *graph.Node { return seen.MatMul(m.weight).Add(m.hidden) }

// logP returns -F, float[M], of configurations, int32[M,N].
func (m machine) logP(state *graph.Node) *graph.Node {
	seen := m.see(state)
	f := softplus(m.inputs(seen)).Sub(softplus(m.hidden)).ReduceSum(graph.DropDims, 1, 2)
	if m.visible == nil {
		return f
	}
	return seen.Mul(m.visible.Reshape(1, 1, -1)).ReduceSum(graph.DropDims, 1, 2).Add(f)
}

// softplus is ln(1 + exp x), computed without overflow.
func softplus(x *graph.Node) *graph.Node {
	positive := x.Relu()
	small := positive.Add(x.Neg().Relu()).Neg().Exp() // exp(-|x|)
	return positive.Add(small.Add(small.Scalar(1)).Log())
}

// step makes a Gibbs step of configurations, int32[M,N], with uniforms, float[M,units+N]. kept,
// bool[M,N], are the sites that stay.
func (m machine) step(g *graph.Graph, state, kept, uniform *graph.Node) *graph.Node {
	n, q, units := m.s.Sites(), m.s.Q, m.units()
	a := m.inputs(m.see(state))
	on := uniform.Slice(1, 0, units).Reshape(-1, a.Dim(1), a.Dim(2)).Less(a.Sigmoid()).Cast(g.Float())
	logits := on.MatMul(m.weight.Transpose(1, 0)) // [M,R,V]
	if m.visible == nil {
		logits = logits.Transpose(0, 2, 1)
	} else {
		logits = logits.Reshape(-1, n, q).Add(m.visible)
	}
	d := conditionals{sites: n, colours: q}
	borders := logits.Softmax(-1).MatMul(d.cumulate(g).Transpose(1, 0)) // [M,N,q-1]
	passed := uniform.Slice(1, units, units+n).Unsqueeze(2).GreaterOrEqual(borders).Cast(graph.Int32)
	return graph.Where(kept, state, passed.ReduceSum(graph.DropDims, 2))
}

func (a *rbm) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	n, each := a.s.Sites(), a.units()+a.s.Sites()
	state := g.Input(State, graph.Int32, graph.Dynamic, n)
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.Uniforms())
	m := a.declare(g)
	kept := arange32(g, n).Less(start.Unsqueeze(1))
	for k := range a.h.GibbsSteps {
		state = m.step(g, state, kept, uniform.Slice(1, k*each, (k+1)*each))
	}
	g.Output(Proposal, state)
	g.Output(LogQ, m.logP(state))
	return g, g.Err()
}

func (a *rbm) LogProb() (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	g.Input(Start, graph.Int32, graph.Dynamic)
	g.Output(LogQ, a.declare(g).logP(state))
	return g, g.Err()
}

func (a *rbm) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	return g, addLoss(g, a.declare(g).logP(state), weight)
}

func (a *rbm) Initial(r *rand.Rand) map[string]graph.Tensor {
	n, q, h := a.s.Sites(), a.s.Q, a.h
	if a.isConvolutional() {
		return map[string]graph.Tensor{
			"filter":      normal(r, 1/float64(h.Kernel), h.Kernel*h.Kernel, h.Hidden),
			"filter.bias": graph.Zeros(graph.Float32, h.Hidden),
		}
	}
	// The sum over the sites then has a standard deviation of 0.1: p is nearly uniform, and a Gibbs step
	// nearly a random configuration.
	return map[string]graph.Tensor{
		"coupling":     normal(r, 0.1/math.Sqrt(float64(n)), n*q, h.Hidden),
		"hidden.bias":  graph.Zeros(graph.Float32, h.Hidden),
		"visible.bias": graph.Zeros(graph.Float32, n, q),
	}
}
