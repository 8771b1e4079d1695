package models

import (
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// Autoencoder is the name of the architecture.
const Autoencoder = "autoencoder"

// autoencoder is the network of Riedel, Zierenberg and Weigel (2024): a dense,
// deterministic encoder maps the present configuration to a latent vector
//
//	z = tanh(W_2 tanh(W_1 onehot(s) + b_1) + b_2),
//
// and a masked autoregressive decoder, whose hidden units start from W_3 z + b_3,
// draws the proposal: q(s'|s) = q_D(s'|z(s)). It is trained to give back the
// configuration that it was shown, with noise on z, so that a proposal resembles
// the present configuration without being its copy. The noise bounds what one
// latent coordinate can carry; it has no part in proposals, whose q is exact.
type autoencoder struct {
	s System
	h Hyperparameters
}

func newAutoencoder(s System, h Hyperparameters) *autoencoder { return &autoencoder{s, h} }

func (a *autoencoder) Architecture() string { return Autoencoder }

func (a *autoencoder) Conditions() []string { return []string{State} }

func (a *autoencoder) Symmetries() []string { return []string{} }

// latent returns z, float[M,K], of configurations, int32[M,N].
func (a *autoencoder) latent(g *graph.Graph, state *graph.Node) *graph.Node {
	n := a.s.Sites()
	w1 := g.Param("encoder.weight", n*a.s.Q, a.h.Encoder)
	b1 := g.Param("encoder.bias", a.h.Encoder)
	w2 := g.Param("latent.weight", a.h.Encoder, a.h.Latent)
	b2 := g.Param("latent.bias", a.h.Latent)
	colours := oneHot(state, a.s.Q).Reshape(-1, n*a.s.Q)
	return colours.MatMul(w1).Add(b1).Tanh().MatMul(w2).Add(b2).Tanh()
}

// context returns what the decoder's hidden units start from, float[M,H].
func (a *autoencoder) context(g *graph.Graph, latent *graph.Node) *graph.Node {
	w := g.Param("context.weight", a.h.Latent, a.h.Decoder)
	b := g.Param("context.bias", a.h.Decoder)
	return latent.MatMul(w).Add(b)
}

func (a *autoencoder) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	context := a.context(g, a.latent(g, state))
	d := newDecoder(g, a.s, a.h)
	proposal, logP := d.sample(g, context, state, start, uniform)
	g.Output(Proposal, proposal)
	g.Output(LogQ, d.fromStart(g, logP, start))
	return g, g.Err()
}

func (a *autoencoder) LogProb() (*graph.Graph, error) { return a.LogProbAtOnce(1) }

func (a *autoencoder) LogProbAtOnce(sites int) (*graph.Graph, error) {
	g := graph.New("log_prob")
	condition := g.Input(Condition, graph.Int32, graph.Dynamic, a.s.Sites())
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	context := a.context(g, a.latent(g, condition))
	d := newDecoder(g, a.s, a.h)
	g.Output(LogQ, d.fromStart(g, d.logProbInOrder(g, context, state, sites), start))
	return g, g.Err()
}

func (a *autoencoder) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	condition := g.Input(Condition, graph.Int32, graph.Dynamic, a.s.Sites())
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	latent := a.latent(g, condition)
	if a.h.Noise > 0 {
		noise := g.Input(Noise, graph.Float32, graph.Dynamic, a.h.Latent)
		latent = latent.Add(noise.Mul(noise.Scalar(a.h.Noise)))
	}
	context := a.context(g, latent)
	d := newDecoder(g, a.s, a.h)
	logQ := d.logProb(context, state).ReduceSum(graph.DropDims, 0)
	return g, addLoss(g, logQ, weight)
}

// addLoss makes the loss -sum weight logQ and its derivatives outputs of g.
func addLoss(g *graph.Graph, logQ, weight *graph.Node) error {
	loss := logQ.Mul(weight).ReduceSum(graph.KeepDims).Neg()
	g.Output(Loss, loss)
	params := g.Program().Params
	gradients, err := graph.Gradients(loss, params)
	if err != nil {
		return err
	}
	for i, p := range params {
		g.Output(GradientOf+p.Name(), gradients[i])
	}
	return g.Err()
}

func (a *autoencoder) Initial(r *rand.Rand) map[string]graph.Tensor {
	n, q, h := a.s.Sites(), a.s.Q, a.h
	// Standard deviations that keep the variance of every layer's sum near 1:
	// one input in q is set in a one-hot vector of n sites, and half as many
	// sites are placed on average when the decoder's sum is used.
	return map[string]graph.Tensor{
		"encoder.weight": normal(r, 1/math.Sqrt(float64(n)), n*q, h.Encoder),
		"encoder.bias":   graph.Zeros(graph.Float32, h.Encoder),
		"latent.weight":  normal(r, 1/math.Sqrt(float64(h.Encoder)), h.Encoder, h.Latent),
		"latent.bias":    graph.Zeros(graph.Float32, h.Latent),
		"context.weight": normal(r, 1/math.Sqrt(float64(h.Latent)), h.Latent, h.Decoder),
		"context.bias":   graph.Zeros(graph.Float32, h.Decoder),
		"decoder.embed":  normal(r, math.Sqrt(2/float64(n)), n, q, h.Decoder),
		"decoder.output": normal(r, 0.1/math.Sqrt(float64(h.Decoder)), n, h.Decoder, q),
		"decoder.bias":   graph.Zeros(graph.Float32, n, q),
	}
}

// normal returns a tensor of independent normal numbers of the given standard
// deviation.
func normal(r *rand.Rand, deviation float64, shape ...int) graph.Tensor {
	data := make([]float32, graph.Shape(shape).Elements())
	for i := range data {
		data[i] = float32(deviation * r.NormFloat64())
	}
	return graph.Float32s(data, shape...)
}
