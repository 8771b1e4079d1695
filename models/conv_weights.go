package models

import (
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// closings is the number of weight sets for periodic closure: one for every row or column,
// one for the last but one, and one for the last.
const closings = 3

// convWeights holds the weights of a convolutional network with C channels and reach r =
// (kernel-1)/2.
type convWeights struct {
	rows struct {
		input   *graph.Node // A, float[r+1,kernel*q,C], the nearest row first
		closing *graph.Node // float[3,kernel*q,C] of the first row
		place   *graph.Node // float[12,C]
		bias    *graph.Node // a, float[C]
		blocks  []convBlock // W, float[r+1,kernel*C,C]
	}
	sites struct {
		input   *graph.Node // B, float[(r+1)*q,C], the farthest site first
		closing *graph.Node // float[3,q,C] of the row's first site
		place   *graph.Node // float[12,C]
		context *graph.Node // C_0, float[C,C]
		bias    *graph.Node // c_0, float[C]
		blocks  []convBlock // U, float[(r+1)*C,C]
	}
	output, outputBias         *graph.Node // w, float[C,q], and d, float[q]
	attraction, attractionBias *graph.Node // u, float[C,1], and beta, float[1]
}

// convBlock holds the weights of a residual block.
type convBlock struct {
	taps    *graph.Node // of the block's own stack
	context *graph.Node // P or C, float[C,C], of the mean or the other stack
	bias    *graph.Node // float[C]
	output  *graph.Node // O or Q, float[C,C]
}

// declare declares one weight, given its name, the standard deviation of its initial
// values, and its shape.
type declare func(name string, deviation float64, shape ...int) *graph.Node

// declareIn declares weights in a graph.
func declareIn(g *graph.Graph) declare {
	return func(name string, _ float64, shape ...int) *graph.Node { return g.Param(name, shape...) }
}

// drawInto draws initial values instead; it returns no nodes.
func drawInto(weights map[string]graph.Tensor, r *rand.Rand) declare {
	return func(name string, deviation float64, shape ...int) *graph.Node {
		weights[name] = normal(r, deviation, shape...)
		return nil
	}
}

// declareConv passes every weight to param. The initial values keep the variance of every
// sum near 1 and make the scores nearly equal.
func declareConv(s System, h Hyperparameters, param declare) *convWeights {
	c, q, reach := h.Width, s.Q, h.Kernel/2
	layer := 1 / math.Sqrt(float64(c))
	residual := layer / math.Sqrt(float64(h.Depth))
	block := func(stack string, i int, context string, taps ...int) convBlock {
		name := func(of string) string { return fmt.Sprintf("%s.%d.%s", stack, i, of) }
		inputs := float64(graph.Shape(taps).Elements() * c)
		taps[len(taps)-1] *= c
		return convBlock{
			taps:    param(name("weight"), 1/math.Sqrt(inputs), append(taps, c)...),
			context: param(name(context), layer, c, c),
			bias:    param(name("bias"), 0, c),
			output:  param(name("output"), residual, c, c),
		}
	}
	w := &convWeights{}
	w.rows.input = param("rows.input.weight", 1/math.Sqrt(float64((reach+1)*h.Kernel)), reach+1, h.Kernel*q, c)
	w.rows.closing = param("rows.closing.weight", 1/math.Sqrt(float64(closings*h.Kernel)), closings, h.Kernel*q, c)
	w.rows.place = param("rows.place.weight", 0.3, placeFeatures, c)
	w.rows.bias = param("rows.input.bias", 0, c)
	for i := range h.Depth {
		w.rows.blocks = append(w.rows.blocks, block("rows", i, "mean", reach+1, h.Kernel))
	}
	w.sites.input = param("sites.input.weight", 1/math.Sqrt(float64(reach+1)), (reach+1)*q, c)
	w.sites.closing = param("sites.closing.weight", 1/math.Sqrt(closings), closings, q, c)
	w.sites.place = param("sites.place.weight", 0.3, placeFeatures, c)
	w.sites.context = param("sites.input.context", layer, c, c)
	w.sites.bias = param("sites.input.bias", 0, c)
	for i := range h.Depth {
		w.sites.blocks = append(w.sites.blocks, block("sites", i, "context", reach+1))
	}
	w.output, w.outputBias = param("output.weight", 0.1*layer, c, q), param("output.bias", 0, q)
	w.attraction, w.attractionBias = param("attraction.weight", 0.1*layer, c, 1), param("attraction.bias", 0, 1)
	return w
}
