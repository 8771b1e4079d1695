package models

import (
	"fmt"
	"math"

	"neuralwl/models/graph"
)

// Kinds of an autoencoder's encoder and decoder. If both are Convolutional, the weights fit
// every lattice size.
const (
	Dense         = "dense"
	Convolutional = "convolutional"
)

// The latent vector is computed from, and acts on, a periodic grid of cells, whose size
// does not depend on the lattice.
const (
	gridSide  = 4
	gridCells = gridSide * gridSide
)

// gridShares returns the weights, float[N,16], of a linear interpolation from the centres
// of the grid's cells to the sites, along both axes. Each row sums to 1.
func (s System) gridShares() []float32 {
	along := func(sites int) [][gridSide]float64 {
		shares := make([][gridSide]float64, sites)
		for x := range shares {
			at := (float64(x)+0.5)*gridSide/float64(sites) + gridSide - 0.5 // not negative
			cell, part := math.Modf(at)
			shares[x][int(cell)%gridSide] += 1 - part
			shares[x][(int(cell)+1)%gridSide] += part
		}
		return shares
	}
	rows, columns := along(s.ly()), along(s.lx())
	shares := make([]float32, 0, s.Sites()*gridCells)
	for _, row := range rows {
		for _, column := range columns {
			for _, a := range row {
				for _, b := range column {
					shares = append(shares, float32(a*b))
				}
			}
		}
	}
	return shares
}

// gridMeans is the transpose of gridShares with rows normalised to 1, float[16,N]: it
// averages over the sites around each cell.
func (s System) gridMeans() []float32 {
	shares, n := s.gridShares(), s.Sites()
	means := make([]float32, gridCells*n)
	for cell := range gridCells {
		sum := float32(0)
		for i := range n {
			sum += shares[i*gridCells+cell]
		}
		for i := range n {
			means[cell*n+i] = shares[i*gridCells+cell] / sum
		}
	}
	return means
}

// convEncoder encodes whole configurations by periodic convolutions: one over the sites,
// whose activations are averaged onto the grid, then residual blocks over the cells. With C
// channels, taps over rows and columns within r = (kernel-1)/2, and the colours s one-hot,
//
//	x = silu(sum over taps of s A + a),  v^0 = means of x around the cells,
//	v^l+1 = v^l + silu(sum over taps of v^l W_l + b_l) O_l.
type convEncoder struct {
	input, bias *graph.Node // A, float[kernel,kernel*q,C], and a, float[C]
	blocks      []convBlock // W, float[kernel,kernel*C,C]; context is unused
}

// declareEncoder passes every weight to param, as declareConv does.
func declareEncoder(s System, h Hyperparameters, param declare) *convEncoder {
	c := h.Width
	taps := float64(h.Kernel * h.Kernel)
	e := &convEncoder{
		input: param("encoder.input.weight", 1/math.Sqrt(taps), h.Kernel, h.Kernel*s.Q, c),
		bias:  param("encoder.input.bias", 0, c),
	}
	for i := range h.Depth {
		name := func(of string) string { return fmt.Sprintf("encoder.%d.%s", i, of) }
		e.blocks = append(e.blocks, convBlock{
			taps:   param(name("weight"), 1/math.Sqrt(taps*float64(c)), h.Kernel, h.Kernel*c, c),
			bias:   param(name("bias"), 0, c),
			output: param(name("output"), 1/math.Sqrt(float64(c*h.Depth)), c, c),
		})
	}
	return e
}

// encode returns the cells' channels, float[M,16*C], of configurations, int32[M,N].
func (e *convEncoder) encode(g *graph.Graph, s System, state *graph.Node) *graph.Node {
	x := convolvePeriodic(s.lattice(state), e.input).Add(e.bias).SiLU()
	channels := x.Dim(-1)
	means := g.Constant(graph.Float32s(s.gridMeans(), gridCells, s.Sites()))
	v := means.MatMul(x.Reshape(s.Sites(), -1)).Reshape(gridSide, gridSide, -1, channels)
	for _, block := range e.blocks {
		v = v.Add(convolvePeriodic(v, block.taps).Add(block.bias).SiLU().MatMul(block.output))
	}
	return v.Transpose(2, 0, 1, 3).Reshape(-1, gridCells*channels)
}

// convolvePeriodic returns the sum over all taps of x, float[R,Lx,M,k], times weights,
// float[kernel,kernel*k,C], on a torus.
func convolvePeriodic(x, weights *graph.Node) *graph.Node {
	rows, kernel := x.Dim(0), weights.Dim(0)
	beside := around(x, kernel)
	var sum *graph.Node
	for j := range kernel {
		product := beside.MatMul(weights.Slice(0, j, j+1).Squeeze(0)).PadPeriodic(0, kernel/2, kernel/2).Slice(0, j, j+rows)
		if sum == nil {
			sum = product
		} else {
			sum = sum.Add(product)
		}
	}
	return sum
}

// latentDecoder draws configurations given a context, which is a linear function of the
// latent vector. Its methods are those of decoder.
type latentDecoder interface {
	sample(g *graph.Graph, context, state, start, uniform *graph.Node) (proposal, logP *graph.Node)
	logProb(context, state *graph.Node) *graph.Node
	logProbInOrder(g *graph.Graph, context, state *graph.Node, sites int) *graph.Node
	fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node
}

// convDecoder is the conv network conditioned on channels of the grid's cells: interpolated
// to the sites, they are added to the sum of v^0.
type convDecoder struct {
	s System
	h Hyperparameters
}

func (d convDecoder) sample(g *graph.Graph, context, state, start, uniform *graph.Node) (proposal, logP *graph.Node) {
	return newConvNetwork(g, d.s, d.h, context).sample(g, state, start, uniform)
}

func (d convDecoder) logProb(context, state *graph.Node) *graph.Node {
	return newConvNetwork(context.Graph(), d.s, d.h, context).logProb(state)
}

// logProbInOrder always goes row by row, whatever number of sites is requested.
func (d convDecoder) logProbInOrder(g *graph.Graph, context, state *graph.Node, _ int) *graph.Node {
	return newConvNetwork(g, d.s, d.h, context).logProbByRow(g, state)
}

func (d convDecoder) fromStart(g *graph.Graph, logP, start *graph.Node) *graph.Node {
	return d.s.fromStart(g, logP, start)
}
