package exporter_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// dense builds softmax(x·w + b), with an idle weight that is not exported and a Scan that
// adds the rows of r.
func dense() *graph.Graph {
	g := graph.New("dense")
	x := g.Input("x", graph.Float32, graph.Dynamic, 2)
	w, b, r := g.Param("w", 2, 3), g.Param("b", 3), g.Param("r", 4, 3)
	g.Param("idle", 5)
	y := x.MatMul(w).Add(b).Softmax(-1)
	final, _ := g.Scan([]*graph.Node{y}, []*graph.Node{r},
		func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			return []*graph.Node{carry[0].Add(slice[0]).Mul(carry[0].Scalar(0.5))}, nil
		})
	g.Output("y", y)
	g.Output("z", final[0])
	g.Output("flat", y.Reshape(-1))
	return g
}

func denseWeights() map[string]graph.Tensor {
	return map[string]graph.Tensor{
		"w":     graph.Float32s([]float32{1, 2, 3, -1, -2, -3}, 2, 3),
		"b":     graph.Float32s([]float32{0.5, 0, -0.5}, 3),
		"r":     graph.Zeros(graph.Float32, 4, 3),
		"other": graph.Int64s([]int64{1}, 1),
	}
}

func mustEncode(t *testing.T, g *graph.Graph, weights map[string]graph.Tensor) (*onnxpb.ModelProto, []byte) {
	t.Helper()
	model, err := exporter.Encode(g, weights)
	if err != nil {
		t.Fatal(err)
	}
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return model, data
}

// TestEncodeIsDeterministic builds and encodes the same graph repeatedly.
func TestEncodeIsDeterministic(t *testing.T) {
	_, want := mustEncode(t, dense(), denseWeights())
	for range 20 {
		if _, got := mustEncode(t, dense(), denseWeights()); !bytes.Equal(got, want) {
			t.Fatal("the same graph gives different files")
		}
	}
}

func TestEncodeInterface(t *testing.T) {
	model, _ := mustEncode(t, dense(), denseWeights())
	if got := model.OpsetImport[0].GetVersion(); got != exporter.OpsetVersion || len(model.OpsetImport) != 1 {
		t.Errorf("operator set %d, want %d alone", got, exporter.OpsetVersion)
	}
	if got, want := describe(model.Graph.Input), "x[M,2] w[2,3] b[3] r[4,3]"; got != want {
		t.Errorf("inputs %s, want %s", got, want)
	}
	if got, want := describe(model.Graph.Output), "y[M,3] z[M,3] flat[3M]"; got != want {
		t.Errorf("outputs %s, want %s", got, want)
	}
	initialisers := map[string]bool{}
	for _, p := range model.Graph.Initializer {
		initialisers[p.GetName()] = true
	}
	for name, want := range map[string]bool{"w": true, "b": true, "r": true, "idle": false, "x": false, "other": false} {
		if initialisers[name] != want {
			t.Errorf("%s as an initialiser: %t, want %t", name, !want, want)
		}
	}
}

// describe prints names and shapes of inputs or outputs.
func describe(values []*onnxpb.ValueInfoProto) string {
	var all []string
	for _, v := range values {
		var dims []string
		for _, d := range v.GetType().GetTensorType().GetShape().GetDim() {
			if d.GetDimParam() != "" {
				dims = append(dims, d.GetDimParam())
			} else {
				dims = append(dims, string(rune('0'+d.GetDimValue())))
			}
		}
		all = append(all, v.GetName()+"["+strings.Join(dims, ",")+"]")
	}
	return strings.Join(all, " ")
}

// TestEncodeErrors checks that every fault of the weights is in one message.
func TestEncodeErrors(t *testing.T) {
	_, err := exporter.Encode(dense(), map[string]graph.Tensor{
		"w": graph.Zeros(graph.Float32, 3, 2),
		"r": graph.Float32s(append(make([]float32, 11), float32(math.Inf(1))), 4, 3),
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`encode graph "dense"`,
		`weight "w": it is float32[3 2], the model has float32[2 3]`,
		`weight b float32[3] is missing`,
		`weight "r": not all its elements are finite`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "idle") {
		t.Errorf("an unused weight is required: %v", err)
	}

	if _, err := exporter.Encode(graph.New("empty"), nil); err == nil || !strings.Contains(err.Error(), "no outputs") {
		t.Errorf("empty graph: %v", err)
	}
	faulty := graph.New("faulty")
	faulty.Output("y", faulty.Input("x", graph.Bool, 2).Exp())
	if _, err := exporter.Encode(faulty, nil); err != faulty.Err() {
		t.Errorf("faulty graph: %v, want %v", err, faulty.Err())
	}
}
