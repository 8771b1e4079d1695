// Package bundletest makes bundles of small networks for tests.
package bundletest

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
)

// New returns a bundle with the name "tiny" and random weights, always the same ones.
func New(t testing.TB, architecture string, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	b, err := exporter.NewUntrained("tiny", architecture, s, h, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Scale multiplies those of the named weights that a bundle has by factors.
func Scale(t testing.TB, b *exporter.Bundle, factors map[string]float32) {
	t.Helper()
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	for name, factor := range factors {
		if w, ok := weights[name]; ok {
			for i := range w.Float32s() {
				w.Float32s()[i] *= factor
			}
		}
	}
	if err := b.SetWeights(weights); err != nil {
		t.Fatal(err)
	}
}

// Offset adds a constant to ln q in both graphs of a bundle, so that it no longer belongs to
// the draws.
func Offset(b *exporter.Bundle, by float32) {
	for _, model := range []*onnxpb.ModelProto{b.Propose, b.LogProb} {
		g := model.Graph
		for _, n := range g.Node {
			for i, output := range n.Output {
				if output == models.LogQ {
					n.Output[i] = "true_" + models.LogQ
				}
			}
		}
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
			Name: proto.String("offset"), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{1}, FloatData: []float32{by},
		})
		g.Node = append(g.Node, &onnxpb.NodeProto{
			OpType: proto.String("Add"), Input: []string{"true_" + models.LogQ, "offset"}, Output: []string{models.LogQ},
		})
	}
}
