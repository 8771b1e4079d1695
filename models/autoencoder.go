package models

import (
	"errors"
	"fmt"
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
// and a masked autoregressive decoder, whose hidden units start from W_3 z + b_3, draws the
// proposal: q(s'|s) = q_D(s'|z(s)). It is trained to reproduce its input with noise on z,
// so that a proposal resembles the present configuration without copying it. The noise
// limits how much one latent coordinate can carry. Proposals use no noise, so their q is
// exact.
//
// Encoder and decoder may also be convolutional (convEncoder, convDecoder). The 16 C
// channels of a grid of cells then replace tanh(W_1 onehot(s) + b_1) in the encoder, and
// W_3 z + b_3 in the decoder.
//
// With an energy weight, training ties latent coordinate 0 to the energy or to the order
// parameter, and proposals can shift it; see tiedCoordinate.
type autoencoder struct {
	s System
	h Hyperparameters
}

func newAutoencoder(s System, h Hyperparameters) (*autoencoder, error) {
	var faults []error
	for name, kind := range map[string]string{"encoder_kind": h.EncoderKind, "decoder_kind": h.DecoderKind} {
		if kind != "" && kind != Dense && kind != Convolutional {
			faults = append(faults, fmt.Errorf("%s = %q, must be %s or %s", name, kind, Dense, Convolutional))
		}
	}
	if h.EncoderKind == Convolutional || h.DecoderKind == Convolutional {
		faults = append(faults, convFaults(s, h)...)
	}
	if h.EnergyWeight > 0 {
		if err := s.needsBonds("energy_weight", "set it to 0"); err != nil {
			faults = append(faults, err)
		}
	}
	if h.Tie != "" && h.Tie != EnergyTie && h.Tie != OrderTie {
		faults = append(faults, fmt.Errorf("tie = %q, must be %s or %s", h.Tie, EnergyTie, OrderTie))
	}
	return &autoencoder{s, h}, errors.Join(faults...)
}

func (a *autoencoder) Architecture() string { return Autoencoder }

func (a *autoencoder) Conditions() []string {
	if a.tied().isTied() {
		return []string{State, Shift}
	}
	return []string{State}
}

// tied describes how latent coordinate 0 is tied.
func (a *autoencoder) tied() tiedCoordinate {
	return tiedCoordinate{s: a.s, latent: a.h.Latent, weight: a.h.EnergyWeight, to: a.h.Tie}
}

func (a *autoencoder) Symmetries() []string { return []string{} }

// latent returns z, float[M,K], of configurations, int32[M,N].
func (a *autoencoder) latent(g *graph.Graph, state *graph.Node) *graph.Node {
	hidden := a.encode(g, state)
	w2 := g.Param("latent.weight", hidden.Dim(1), a.h.Latent)
	b2 := g.Param("latent.bias", a.h.Latent)
	return hidden.MatMul(w2).Add(b2).Tanh()
}

// encode returns the hidden units of the encoder, float[M,H].
func (a *autoencoder) encode(g *graph.Graph, state *graph.Node) *graph.Node {
	if a.h.EncoderKind == Convolutional {
		return declareEncoder(a.s, a.h, declareIn(g)).encode(g, a.s, state)
	}
	n := a.s.Sites()
	w1 := g.Param("encoder.weight", n*a.s.Q, a.h.Encoder)
	b1 := g.Param("encoder.bias", a.h.Encoder)
	colours := oneHot(state, a.s.Q).Reshape(-1, n*a.s.Q)
	return colours.MatMul(w1).Add(b1).Tanh()
}

// context returns what the decoder starts from, float[M,H].
func (a *autoencoder) context(g *graph.Graph, latent *graph.Node) *graph.Node {
	w := g.Param("context.weight", a.h.Latent, a.contextUnits())
	b := g.Param("context.bias", a.contextUnits())
	return latent.MatMul(w).Add(b)
}

func (a *autoencoder) contextUnits() int {
	if a.h.DecoderKind == Convolutional {
		return gridCells * a.h.Width
	}
	return a.h.Decoder
}

func (a *autoencoder) decoder(g *graph.Graph) latentDecoder {
	if a.h.DecoderKind == Convolutional {
		return convDecoder{a.s, a.h}
	}
	return newDecoder(g, a.s, a.h)
}

func (a *autoencoder) Encode() (*graph.Graph, error) {
	g := graph.New("encode")
	g.Output(Latent, a.latent(g, g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())))
	return g, g.Err()
}

func (a *autoencoder) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	context := a.context(g, a.tied().shifted(g, a.latent(g, state)))
	d := a.decoder(g)
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
	context := a.context(g, a.tied().shifted(g, a.latent(g, condition)))
	d := a.decoder(g)
	g.Output(LogQ, d.fromStart(g, d.logProbInOrder(g, context, state, sites), start))
	return g, g.Err()
}

func (a *autoencoder) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	condition := g.Input(Condition, graph.Int32, graph.Dynamic, a.s.Sites())
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	encoded := a.latent(g, condition)
	latent := encoded
	if a.h.Noise > 0 {
		noise := g.Input(Noise, graph.Float32, graph.Dynamic, a.h.Latent)
		latent = latent.Add(noise.Mul(a.tied().noise(g, a.h.Noise)))
	}
	context := a.context(g, latent)
	d := a.decoder(g)
	logQ := d.logProb(context, state).ReduceSum(graph.DropDims, 0)
	return g, addLoss(g, a.tied().tie(logQ, encoded, condition), weight)
}

// addLoss makes the loss -sum weight x and its derivatives outputs of g, where x is the
// quantity to maximise, such as logQ.
func addLoss(g *graph.Graph, x, weight *graph.Node) error {
	loss := x.Mul(weight).ReduceSum(graph.KeepDims).Neg()
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
	weights := map[string]graph.Tensor{}
	// These standard deviations keep the variance of every layer's sum near 1: one input in
	// q is set in the one-hot vector of n sites, and on average half of the sites
	// contribute to the decoder's sum.
	hidden := h.Encoder
	if h.EncoderKind == Convolutional {
		hidden = gridCells * h.Width
		declareEncoder(a.s, h, drawInto(weights, r))
	} else {
		weights["encoder.weight"] = normal(r, 1/math.Sqrt(float64(n)), n*q, h.Encoder)
		weights["encoder.bias"] = graph.Zeros(graph.Float32, h.Encoder)
	}
	weights["latent.weight"] = normal(r, 1/math.Sqrt(float64(hidden)), hidden, h.Latent)
	weights["latent.bias"] = graph.Zeros(graph.Float32, h.Latent)
	weights["context.weight"] = normal(r, 1/math.Sqrt(float64(h.Latent)), h.Latent, a.contextUnits())
	weights["context.bias"] = graph.Zeros(graph.Float32, a.contextUnits())
	if h.DecoderKind == Convolutional {
		declareConv(a.s, h, drawInto(weights, r))
	} else {
		weights["decoder.embed"] = normal(r, math.Sqrt(2/float64(n)), n, q, h.Decoder)
		weights["decoder.output"] = normal(r, 0.1/math.Sqrt(float64(h.Decoder)), n, h.Decoder, q)
		weights["decoder.bias"] = graph.Zeros(graph.Float32, n, q)
	}
	return weights
}

// normal returns a tensor of independent normal numbers of the given standard deviation.
func normal(r *rand.Rand, deviation float64, shape ...int) graph.Tensor {
	data := make([]float32, graph.Shape(shape).Elements())
	for i := range data {
		data[i] = float32(deviation * r.NormFloat64())
	}
	return graph.Float32s(data, shape...)
}
