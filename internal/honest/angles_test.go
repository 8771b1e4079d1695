package honest_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/honest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
)

func checkAngles(t testing.TB, b *exporter.Bundle) (*honest.AngleReport, error) {
	t.Helper()
	onnxtest.Open(t)
	return honest.CheckAngles(context.Background(), b, honest.AngleOptions{Runtime: onnxtest.Runtime(1), Seed: 1, Beta: 1})
}

func angleBundle(t testing.TB, half bool) *exporter.Bundle {
	t.Helper()
	h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}, Half: half}
	return bundletest.New(t, models.Flow, models.System{Model: models.XY, Sides: []int{4, 2}}, h)
}

func TestAngles(t *testing.T) {
	for _, half := range []bool{false, true} {
		own, foreign := angleBundle(t, half), angleBundle(t, half)
		foreign.Card.Hyperparameters = models.Hyperparameters{}
		if r, err := checkAngles(t, own); err != nil || r.Windings || r.Jacobians != 3 {
			t.Errorf("own graphs: %+v, %v", r, err)
		}
		r, err := checkAngles(t, foreign)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
		if !r.Windings || r.Draws != 64 || r.Jacobians != 3 || r.Untested != "" || r.Stated > 1e-4 || r.Evaluated > 1e-4 || r.Jacobian > 1e-4 {
			t.Errorf("%+v", r)
		}
	}
}

// TestAnglesThatLie refuses networks whose ln q is not the density of their draws.
func TestAnglesThatLie(t *testing.T) {
	// before gives the inputs of that name to the graph through an operator with a constant.
	before := func(model *onnxpb.ModelProto, input, op string, by float32) {
		g := model.Graph
		for _, n := range g.Node {
			for i, name := range n.Input {
				if name == input {
					n.Input[i] = "changed"
				}
			}
		}
		constant(g, by)
		g.Node = append([]*onnxpb.NodeProto{{OpType: proto.String(op), Input: []string{input, "lie"}, Output: []string{"changed"}}}, g.Node...)
	}
	after := func(model *onnxpb.ModelProto, output, op string, by float32) {
		g := model.Graph
		for _, n := range g.Node {
			for i, name := range n.Output {
				if name == output {
					n.Output[i] = "changed"
				}
			}
		}
		constant(g, by)
		g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String(op), Input: []string{"changed", "lie"}, Output: []string{output}})
	}
	for name, c := range map[string]struct {
		lie  func(b *exporter.Bundle)
		want string
	}{
		"a constant":             {func(b *exporter.Bundle) { bundletest.Offset(b, 0.01) }, "derivatives of its angles"},
		"a constant in log_prob": {func(b *exporter.Bundle) { after(b.LogProb, models.LogQ, "Add", 0.01) }, "at most"},
		"half of the circle":     {func(b *exporter.Bundle) { before(b.Propose, models.Uniform, "Mul", 0.5) }, "derivatives of its angles"},
		"twice around the circle": {func(b *exporter.Bundle) {
			// Its derivatives are right, and every draw comes from 2^8 points.
			before(b.Propose, models.Uniform, "Mul", 2)
			bundletest.Offset(b, -8*math.Ln2)
		}, "draws take each configuration 256 times"},
		"angles below 0": {func(b *exporter.Bundle) { after(b.Propose, models.Proposal, "Sub", 1) }, "between 0 and 2 pi"},
	} {
		t.Run(name, func(t *testing.T) {
			b := angleBundle(t, false)
			c.lie(b)
			if r, err := checkAngles(t, b); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v, want %q", r, err, c.want)
			}
		})
	}
	b := angleBundle(t, true)
	after(b.Propose, models.Proposal, "Mul", 0.5)
	if _, err := checkAngles(t, b); err == nil || !strings.Contains(err.Error(), "the half that stays") {
		t.Errorf("a half that does not stay: %v", err)
	}
}

func constant(g *onnxpb.GraphProto, v float32) {
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String("lie"), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{1}, FloatData: []float32{v}})
}
