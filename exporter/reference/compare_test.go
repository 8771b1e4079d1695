package reference_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// m is the dynamic dimension, and batch its size in the tests.
const (
	m     = graph.Dynamic
	batch = 3
)

// single bounds the error of a few float32 operations.
const single = 1e-5

// random returns a tensor of normal numbers, of integers from -4 to 4 or of random bools.
func random(r *rand.Rand, dtype graph.DType, shape ...int) graph.Tensor {
	for i, d := range shape {
		if d < 0 {
			shape[i] = -d * batch
		}
	}
	n := graph.Shape(shape).Elements()
	switch dtype {
	case graph.Float32:
		return graph.Float32s(draw(n, func() float32 { return float32(r.NormFloat64()) }), shape...)
	case graph.Float64:
		return graph.Float64s(draw(n, r.NormFloat64), shape...)
	case graph.Int32:
		return graph.Int32s(draw(n, func() int32 { return r.Int32N(9) - 4 }), shape...)
	case graph.Int64:
		return graph.Int64s(draw(n, func() int64 { return r.Int64N(9) - 4 }), shape...)
	}
	return graph.Bools(draw(n, func() bool { return r.IntN(2) == 0 }), shape...)
}

func draw[T any](n int, next func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = next()
	}
	return out
}

// compare evaluates a model here and by ONNX Runtime. Outputs must agree within tolerance,
// relative to the larger of 1 and the runtime's number, and never more closely than single
// for float32.
func compare(t *testing.T, model *onnxpb.ModelProto, inputs map[string]graph.Tensor, tolerance float64) map[string]graph.Tensor {
	t.Helper()
	got, err := reference.Evaluate(model, inputs)
	if err != nil {
		t.Fatal(err)
	}
	// The runtime returns outputs of unknown rank only if they are declared.
	for _, out := range model.Graph.Output {
		if out.Type == nil {
			t := got[out.GetName()]
			if t.DType == graph.Float64 { // foreign models are of float32 here
				t = graph.Zeros(graph.Float32, t.Shape...)
			}
			out.Type = declaration(out.GetName(), t).Type
		}
	}
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	want := onnxtest.Run(t, data, inputs)
	if len(got) != len(want) {
		t.Fatalf("%d outputs, the runtime has %d", len(got), len(want))
	}
	for name, w := range want {
		if err := differ(got[name], w, tolerance); err != nil {
			t.Errorf("output %s: %v", name, err)
		}
	}
	return got
}

func differ(got, want graph.Tensor, tolerance float64) error {
	if got.DType != want.DType && !(got.DType == graph.Float64 && want.DType == graph.Float32) || !got.Shape.Equal(want.Shape) {
		return fmt.Errorf("%v, the runtime returns %v", got, want)
	}
	if want.DType == graph.Float32 {
		tolerance = max(tolerance, single)
	}
	a, b := numbers(got), numbers(want)
	for i, w := range b {
		if g := a[i]; !(math.Abs(g-w) <= tolerance*max(1, math.Abs(w))) && g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
			return fmt.Errorf("element %d is %v, the runtime's is %v", i, g, w)
		}
	}
	return nil
}

// numbers returns the elements of a tensor of any type as float64.
func numbers(t graph.Tensor) []float64 {
	return slices.Concat(
		floats(t.Float32s(), func(v float32) float64 { return float64(v) }),
		t.Float64s(),
		floats(t.Int32s(), func(v int32) float64 { return float64(v) }),
		floats(t.Int64s(), func(v int64) float64 { return float64(v) }),
		floats(t.Bools(), func(v bool) float64 {
			if v {
				return 1
			}
			return 0
		}))
}

func floats[T any](in []T, convert func(T) float64) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = convert(v)
	}
	return out
}

// used collects the operators of a graph and of nested bodies.
func used(g *onnxpb.GraphProto, by map[string]bool) {
	for _, node := range g.GetNode() {
		by[node.GetOpType()] = true
		for _, a := range node.GetAttribute() {
			used(a.GetG(), by)
		}
	}
}

// The functions below build models as other programs write them.

func foreign(opset int64, inputs map[string]graph.Tensor, outputs []string, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{Name: new("foreign"), Node: nodes}
	for name, t := range inputs {
		g.Input = append(g.Input, declaration(name, t))
	}
	for _, name := range outputs {
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: new(name)})
	}
	return &onnxpb.ModelProto{
		IrVersion:   new(int64(8)),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(opset)}},
		Graph:       g,
	}
}

func node(op string, in, out []string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: new(op), Name: new("the " + out[0]), Input: in, Output: out, Attribute: attributes}
}

func names(v ...string) []string { return v }

func integer(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: new(name), Type: onnxpb.AttributeProto_INT.Enum(), I: new(v)}
}

func integers(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: new(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

func float(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: new(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: new(v)}
}

func body(g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: new("body"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

func value(p *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: new("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: p}
}

// stored returns a small tensor as a list, the form used by other programs.
func stored(name string, t graph.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{
		Name: new(name), DataType: new(code(t.DType)),
		FloatData: t.Float32s(), DoubleData: t.Float64s(), Int32Data: t.Int32s(), Int64Data: t.Int64s(),
	}
	for _, d := range t.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	for _, v := range t.Bools() {
		bit := int32(0)
		if v {
			bit = 1
		}
		p.Int32Data = append(p.Int32Data, bit)
	}
	return p
}

func declaration(name string, t graph.Tensor) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range t.Shape {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{
			Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)},
		})
	}
	return &onnxpb.ValueInfoProto{Name: new(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(code(t.DType)), Shape: shape},
	}}}
}

func code(d graph.DType) int32 {
	return int32(map[graph.DType]onnxpb.TensorProto_DataType{
		graph.Float32: onnxpb.TensorProto_FLOAT, graph.Float64: onnxpb.TensorProto_DOUBLE,
		graph.Int32: onnxpb.TensorProto_INT32, graph.Int64: onnxpb.TensorProto_INT64, graph.Bool: onnxpb.TensorProto_BOOL,
	}[d])
}
