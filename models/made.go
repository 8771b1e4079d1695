package models

import (
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// Made is the name of the architecture.
const Made = "made"

// made is an unconditional masked autoregressive network with one hidden layer (Germain,
// Gregor, Murray, Larochelle, ICML 2015), in NADE form, which samples site by site: the
// decoder with the same context for every proposal. It is the variational autoregressive
// network of Wu, Wang and Zhang (PRL 122, 080602 (2019)). Proposals are independent draws
// from it.
type made struct {
	s System
	h Hyperparameters
}

func newMade(s System, h Hyperparameters) (*made, error) { return &made{s, h}, nil }

func (a *made) Architecture() string { return Made }

func (a *made) Conditions() []string { return []string{} }

func (a *made) Symmetries() []string { return []string{} }

// context returns the initial input of the hidden units for all walkers, float[M,H]. M is
// taken from perWalker, an input of one axis whose values do not matter.
func (a *made) context(g *graph.Graph, perWalker *graph.Node) *graph.Node {
	x := perWalker.Cast(g.Float())
	return x.Mul(x.Scalar(0)).Unsqueeze(1).Add(g.Param("context.bias", a.h.Decoder))
}

func (a *made) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	d := newDecoder(g, a.s, a.h)
	proposal, logP := d.sample(g, a.context(g, start), state, start, uniform)
	g.Output(Proposal, proposal)
	g.Output(LogQ, d.fromStart(g, logP, start))
	return g, g.Err()
}

func (a *made) LogProb() (*graph.Graph, error) { return a.LogProbAtOnce(1) }

func (a *made) LogProbAtOnce(sites int) (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	d := newDecoder(g, a.s, a.h)
	g.Output(LogQ, d.fromStart(g, d.logProbInOrder(g, a.context(g, start), state, sites), start))
	return g, g.Err()
}

func (a *made) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	d := newDecoder(g, a.s, a.h)
	logQ := d.logProb(a.context(g, weight), state).ReduceSum(graph.DropDims, 0)
	return g, addLoss(g, logQ, weight)
}

func (a *made) Initial(r *rand.Rand) map[string]graph.Tensor {
	n, q, h := a.s.Sites(), a.s.Q, a.h
	return map[string]graph.Tensor{
		"context.bias":   graph.Zeros(graph.Float32, h.Decoder),
		"decoder.embed":  normal(r, math.Sqrt(2/float64(n)), n, q, h.Decoder),
		"decoder.output": normal(r, 0.1/math.Sqrt(float64(h.Decoder)), n, h.Decoder, q),
		"decoder.bias":   graph.Zeros(graph.Float32, n, q),
	}
}
