package exporter_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// contractInputs returns inputs of a network's graphs for the given number of samples.
func contractInputs(b *exporter.Bundle, samples int) map[string]graph.Tensor {
	n := b.Card.System.Size[0] * b.Card.System.Size[1]
	state, uniform := make([]int32, samples*n), make([]float32, samples*n)
	energy, weight := make([]float32, samples), make([]float32, samples)
	for i := range state {
		state[i] = int32(i * i % b.Card.System.Q)
		uniform[i] = float32(i*37%101) / 101
	}
	for i := range energy {
		energy[i], weight[i] = -float32(3*i), float32(i+1)/4
	}
	configurations := graph.Int32s(state, samples, n)
	return map[string]graph.Tensor{
		models.State: configurations, models.Condition: configurations, models.Start: graph.Zeros(graph.Int32, samples),
		models.Uniform: graph.Float32s(uniform, samples, n), models.Energy: graph.Float32s(energy, samples),
		models.Weight: graph.Float32s(weight, samples), models.Noise: graph.Zeros(graph.Float32, samples, 2),
	}
}

// runModel executes one model of a bundle on those of the inputs that it declares.
func runModel(t testing.TB, model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
	t.Helper()
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	fed := map[string]graph.Tensor{}
	for _, in := range model.GetGraph().GetInput() {
		if x, ok := inputs[in.GetName()]; ok {
			fed[in.GetName()] = x
		}
	}
	return onnxtest.Run(t, data, fed)
}

// TestForGPU checks that the networks laid out for a GPU compute the same as the bundle's
// files, with the bundle's weights, and that the bundle is unchanged.
func TestForGPU(t *testing.T) {
	for _, b := range []*exporter.Bundle{newBundle(t), newTargeted(t, models.System{Q: 3, Sides: []int{4, 3}}), newDiagonal(t), newCheckerboard(t)} {
		t.Run(b.Card.Architecture+" "+b.Card.Hyperparameters.Order, func(t *testing.T) {
			weights, err := b.Weights()
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range weights { // not the weights that it was built with
				for i := range w.Float32s() {
					w.Float32s()[i] += 0.1
				}
			}
			if err := b.SetWeights(weights); err != nil {
				t.Fatal(err)
			}
			before := proto.Clone(b.Propose)
			const samples = 5
			laidOut, own, err := b.ForGPU(exporter.Layout{Samples: samples, Width: 2, AtOnce: 6})
			if err != nil || !own {
				t.Fatalf("the program's own bundle is not laid out: %v", err)
			}
			if !proto.Equal(b.Propose, before) {
				t.Error("the bundle itself has changed")
			}
			inputs := contractInputs(b, samples)
			for name, models := range map[string][2]*onnxpb.ModelProto{
				"propose": {b.Propose, laidOut.Propose}, "log_prob": {b.LogProb, laidOut.LogProb}, "gradient": {b.Gradient, laidOut.Gradient},
			} {
				want, got := runModel(t, models[0], inputs), runModel(t, models[1], inputs)
				for output, w := range want {
					if w.DType == graph.Int32 {
						if !slices.Equal(got[output].Int32s(), w.Int32s()) {
							t.Errorf("%s: different configurations", name)
						}
						continue
					}
					for i, x := range w.Float32s() {
						if d := got[output].Float32s()[i] - x; d > 1e-4 || d < -1e-4 {
							t.Errorf("%s: %s is %v at %d, want %v", name, output, got[output].Float32s()[i], i, x)
							break
						}
					}
				}
			}
		})
	}
}

// TestForGPUForeign checks that networks not encoded by the program, of an unknown
// architecture, or with weights that do not match their card keep their graphs.
func TestForGPUForeign(t *testing.T) {
	for name, change := range map[string]func(b *exporter.Bundle){
		"producer":         func(b *exporter.Bundle) { b.Propose.ProducerName = proto.String("another program") },
		"architecture":     func(b *exporter.Bundle) { b.Card.Architecture = "transformer" },
		"hyper-parameters": func(b *exporter.Bundle) { b.Card.Hyperparameters.Decoder++ },
		"weights": func(b *exporter.Bundle) { // of another architecture, and some more
			b.Card.Architecture = models.Made
		},
	} {
		b := newBundle(t)
		change(b)
		laidOut, own, err := b.ForGPU(exporter.Layout{Samples: 5, Width: 2, AtOnce: 6})
		if err != nil || own {
			t.Fatalf("%s: own %v, %v", name, own, err)
		}
		if !slices.EqualFunc(laidOut.Propose.Graph.Node, b.Propose.Graph.Node, func(a, b *onnxpb.NodeProto) bool { return proto.Equal(a, b) }) {
			t.Errorf("%s: the graph has changed", name)
		}
		runModel(t, laidOut.Propose, contractInputs(b, 5))
	}
}
