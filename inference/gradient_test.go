package inference_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// TestGradient compares derivatives of the loss along random directions with
// differences of the loss itself.
func TestGradient(t *testing.T) {
	onnxtest.Open(t)
	for name, h := range tiny {
		// The second number is no multiple of the part.
		for _, samples := range []int{64, 50} {
			t.Run(fmt.Sprint(name, samples), func(t *testing.T) { gradientIsDerivative(t, h, samples) })
		}
	}
}

func gradientIsDerivative(t *testing.T, h models.Hyperparameters, samples int) {
	s := models.System{Q: 3, Sides: []int{4, 3}}
	b := sharpened(t, s, h)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	g, err := inference.NewGradient(b, onnxtest.Runtime(2), samples)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	r := rand.New(rand.NewPCG(14, 15))
	for i := range g.State {
		g.State[i] = int32(r.IntN(s.Q))
		if len(g.Condition) > 0 {
			g.Condition[i] = int32(r.IntN(s.Q))
		}
	}
	for i := range g.Weight {
		g.Weight[i] = r.Float32() / float32(samples)
	}
	for i := range g.Noise {
		g.Noise[i] = float32(r.NormFloat64())
	}
	loss := func(w map[string]graph.Tensor) (float64, map[string][]float32) {
		gradients := map[string][]float32{}
		for name, t := range w {
			gradients[name] = make([]float32, len(t.Float32s()))
		}
		set, err := inference.NewWeights(w)
		if err != nil {
			t.Fatal(err)
		}
		l, err := g.Evaluate(context.Background(), set, gradients)
		if err != nil {
			t.Fatal(err)
		}
		return l, gradients
	}
	_, gradients := loss(weights)
	for name, w := range weights {
		direction := make([]float64, len(w.Float32s()))
		derivative, length := 0.0, 0.0
		for i := range direction {
			// Mostly along the gradient, so that the derivative is not small.
			direction[i] = float64(gradients[name][i]) * (0.5 + r.Float64())
			derivative += direction[i] * float64(gradients[name][i])
			length += direction[i] * direction[i]
		}
		length = math.Sqrt(length)
		const step = 3e-3
		moved := func(sign float64) float64 {
			data := make([]float32, len(direction))
			for i, x := range w.Float32s() {
				data[i] = x + float32(sign*step*direction[i]/length)
			}
			other := map[string]graph.Tensor{}
			for n, t := range weights {
				other[n] = t
			}
			other[name] = graph.Float32s(data, w.Shape...)
			l, _ := loss(other)
			return l
		}
		difference := (moved(1) - moved(-1)) / (2 * step)
		if want := derivative / length; math.Abs(difference-want) > 0.02*math.Abs(want)+1e-3 {
			t.Errorf("%s: derivative %v, difference quotient %v", name, want, difference)
		}
	}
}

// BenchmarkOpenGradient opens the gradients of a flow of 4x4 in its usual size.
func BenchmarkOpenGradient(b *testing.B) {
	onnxtest.Open(b)
	flow := bundletest.New(b, models.Flow, models.System{Model: models.XY, Sides: []int{4, 4}},
		models.Hyperparameters{Width: 24, Depth: 2, Kernel: 5, Layers: 8, Harmonics: []int{1, 2, 1}})
	for _, samples := range []int{128, 129} {
		b.Run(fmt.Sprint(samples), func(b *testing.B) {
			for b.Loop() {
				g, err := inference.NewGradient(flow, onnxtest.Runtime(1), samples)
				if err != nil {
					b.Fatal(err)
				}
				g.Close()
			}
		})
	}
}
