package reference_test

import (
	"math/rand/v2"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// foreignCase is a model that only other programs write.
type foreignCase struct {
	name   string
	model  *onnxpb.ModelProto
	inputs map[string]graph.Tensor
}

// foreignCases returns operators, and forms of operators, that no graph of this program
// uses.
func foreignCases(r *rand.Rand) []foreignCase {
	f32 := func(shape ...int) graph.Tensor { return random(r, graph.Float32, shape...) }
	i32 := func(shape ...int) graph.Tensor { return random(r, graph.Int32, shape...) }
	coins := func(shape ...int) graph.Tensor { return random(r, graph.Bool, shape...) }
	int64s := func(v ...int64) graph.Tensor { return graph.Int64s(v, len(v)) }
	int64Scalar := func(v int64) graph.Tensor { return graph.Int64s([]int64{v}) }
	float32Scalar := func(v float32) graph.Tensor { return graph.Float32s([]float32{v}) }

	var cases []foreignCase
	// call adds a model of one operator on the operands x0, x1, ..., without the empty
	// ones.
	call := func(name, op string, opset int64, operands []graph.Tensor, attributes ...*onnxpb.AttributeProto) {
		inputs := map[string]graph.Tensor{}
		var in []string
		for i, t := range operands {
			if t.DType == 0 {
				in = append(in, "")
				continue
			}
			in = append(in, "x"+string(rune('0'+i)))
			inputs[in[i]] = t
		}
		cases = append(cases, foreignCase{name, foreign(opset, inputs, names("y"), node(op, in, names("y"), attributes...)), inputs})
	}
	list := func(t ...graph.Tensor) []graph.Tensor { return t }
	none := graph.Tensor{}

	call("Abs", "Abs", 17, list(f32(2, 3)))
	call("Abs int32", "Abs", 17, list(i32(2, 3)))
	for _, op := range []string{"And", "Or", "Xor", "Equal"} {
		call(op+" bool", op, 17, list(coins(4, 1), coins(4)))
	}
	call("Not", "Not", 17, list(coins(5)))
	for _, op := range []string{"Greater", "LessOrEqual", "Less", "GreaterOrEqual"} {
		call(op, op, 17, list(f32(4, 1), f32(4)))
		call(op+" int32", op, 17, list(i32(4, 1), i32(4)))
	}
	call("Max of three", "Max", 17, list(f32(4, 1), f32(4), f32(2, 1, 1)))
	call("Max of one", "Max", 17, list(f32(4)))
	call("Min of three", "Min", 17, list(i32(4, 1), i32(4), i32(2, 1, 1)))
	call("Pow", "Pow", 17, list(graph.Float32s([]float32{0.5, 1, 2, 3}, 4), f32(4)))
	call("Pow by integer", "Pow", 17, list(f32(4, 1), i32(4)))
	call("Pow of integers", "Pow", 17, list(i32(4, 1), graph.Int64s([]int64{0, 1, 2, 5}, 4)))
	call("Clip below", "Clip", 17, list(f32(4), float32Scalar(0)))
	call("Clip above", "Clip", 17, list(f32(4), none, float32Scalar(0)))
	call("Clip empty", "Clip", 17, list(f32(4), float32Scalar(1), float32Scalar(-1)))
	call("Clip not", "Clip", 17, list(f32(4)))
	call("Div of integers", "Div", 17, list(graph.Int32s([]int32{7, -7, 7, -7, 6}, 5), graph.Int32s([]int32{2, 2, -2, -2, 3}, 5)))
	call("Flatten", "Flatten", 17, list(f32(2, 3, 4)))
	call("Flatten all", "Flatten", 17, list(f32(2, 3, 4)), integer("axis", 0))
	call("Flatten last", "Flatten", 17, list(f32(2, 3, 4)), integer("axis", -1))
	call("Shape", "Shape", 17, list(f32(2, 3, 4)))
	call("Shape part", "Shape", 17, list(f32(2, 3, 4)), integer("start", -2), integer("end", 9))
	call("Reshape", "Reshape", 17, list(f32(2, 3, 4), int64s(4, 0, 2)))
	call("Squeeze all", "Squeeze", 17, list(f32(1, 3, 1)))
	call("Transpose default", "Transpose", 17, list(f32(2, 3, 4)))
	call("Expand both ways", "Expand", 17, list(f32(3, 1), int64s(2, 1, 4)))
	call("ConstantOfShape", "ConstantOfShape", 17, list(int64s(2, 3)))
	call("ConstantOfShape value", "ConstantOfShape", 17, list(int64s(2, 3)), value(stored("", graph.Int32s([]int32{7}, 1))))
	call("Range", "Range", 17, list(int64Scalar(3), int64Scalar(12), int64Scalar(4)))
	call("Range down", "Range", 17, list(int64Scalar(3), int64Scalar(-6), int64Scalar(-3)))
	call("Range floats", "Range", 17, list(float32Scalar(0.5), float32Scalar(2.75), float32Scalar(0.5)))
	call("Slice", "Slice", 17, list(f32(5, 6), int64s(1, -2), int64s(100, 0)))
	call("Slice steps", "Slice", 17, list(f32(5, 6), int64s(-1, 1), int64s(-100, 5), int64s(1, 0), int64s(-2, 3)))
	call("Slice backwards", "Slice", 17, list(f32(5, 6), int64s(9), int64s(0), int64s(-1), int64s(-1)))
	call("Slice int32 positions", "Slice", 17, list(f32(5, 6), graph.Int32s([]int32{2}, 1), graph.Int32s([]int32{4}, 1)))
	call("Pad axes", "Pad", 18, list(f32(2, 3), int64s(1, 2), float32Scalar(0.5), int64s(-1)))
	call("Pad zeros", "Pad", 17, list(f32(2, 3), int64s(1, 0, 0, 2)))
	call("Gather", "Gather", 17, list(f32(3, 4, 2), int64s(-1, 0, 3)), integer("axis", -2))
	call("GatherElements", "GatherElements", 17, list(f32(3, 4), graph.Int64s([]int64{0, -1, 2, 3}, 2, 2)), integer("axis", 1))
	call("GatherElements rows", "GatherElements", 17, list(f32(3, 4), graph.Int64s([]int64{0, -1, 2, 1}, 1, 4)))
	call("Gemm", "Gemm", 17, list(f32(2, 3), f32(3, 4)))
	call("Gemm dense", "Gemm", 17, list(f32(2, 3), f32(4, 3), f32(4)), integer("transB", 1))
	call("Gemm all", "Gemm", 17, list(f32(3, 2), f32(4, 3), f32(2, 1)),
		integer("transA", 1), integer("transB", 1), float("alpha", 0.5), float("beta", -2))
	call("MatMul row", "MatMul", 17, list(f32(3), f32(2, 3, 4)))
	call("MatMul column", "MatMul", 17, list(f32(2, 4, 3), f32(3)))
	call("Softmax default", "Softmax", 17, list(f32(3, 4)))
	call("Softmax large", "Softmax", 17, list(graph.Float32s([]float32{1000, 1000, -1000, 999}, 4)))
	call("CumSum axis int32", "CumSum", 17, list(f32(3, 4), graph.Int32s([]int32{-1}, 1)))
	for _, op := range []string{"ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"} {
		call(op, op, 18, list(f32(3, 4, 2), int64s(-1, 0)))
		call(op+" attribute", op, 17, list(f32(3, 4, 2)), integers("axes", 1), integer("keepdims", 0))
		call(op+" all", op, 18, list(f32(3, 4)))
		call(op+" int32", op, 18, list(i32(3, 4), int64s(0)))
	}
	call("ReduceSum none", "ReduceSum", 13, list(f32(3, 4)), integer("noop_with_empty_axes", 1))
	call("ReduceSum all", "ReduceSum", 13, list(f32(3, 4), graph.Int64s(nil, 0)))
	call("Cast saturating", "Cast", 19, list(f32(3)), integer("to", int64(onnxpb.TensorProto_INT32)), integer("saturate", 1))
	call("infinities", "Exp", 17, list(graph.Float32s([]float32{1000, -1000}, 2)))
	call("opset 20", "Tanh", 20, list(f32(3)))

	// Models of more than one node.
	x := map[string]graph.Tensor{"x": f32(2, 3)}
	floats := &onnxpb.AttributeProto{Name: new("value_floats"), Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: []float32{1, 2, 3}}
	cases = append(cases,
		foreignCase{"Constant", foreign(17, x, names("a", "b", "c", "d", "e"),
			node("Constant", nil, names("k"), value(stored("", graph.Float32s([]float32{1, 2, 3}, 3)))),
			node("Constant", nil, names("l"), float("value_float", 0.5)),
			node("Constant", nil, names("m"), floats),
			node("Constant", nil, names("n"), integers("value_ints", -1, 2)),
			node("Constant", nil, names("o"), integer("value_int", 1)),
			node("Add", names("x", "k"), names("a")), node("Mul", names("x", "l"), names("b")), node("Sub", names("x", "m"), names("c")),
			node("Reshape", names("x", "n"), names("d")), node("Gather", names("x", "o"), names("e"), integer("axis", 1)),
		), x},
		foreignCase{"Constant bool", foreign(17, x, names("y"),
			node("Constant", nil, names("mask"), value(stored("", graph.Bools([]bool{true, false, true}, 3)))),
			node("Cast", names("mask"), names("factor"), integer("to", int64(onnxpb.TensorProto_FLOAT))),
			node("Mul", names("x", "factor"), names("y")),
		), x},
		foreignCase{"masked dense", maskedDense(r), x},
		foreignCase{"Scan without names of attributes", scanModel(nil), x},
	)
	return cases
}

// maskedDense is two masked layers with a log-softmax, as PyTorch writes them: the masks
// multiply the weights at run time.
func maskedDense(r *rand.Rand) *onnxpb.ModelProto {
	model := foreign(17, map[string]graph.Tensor{"x": random(r, graph.Float32, 2, 3)}, names("y"),
		node("Mul", names("w1", "mask1"), names("v1")),
		node("Gemm", names("x", "v1", "b1"), names("h"), integer("transB", 1)),
		node("Relu", names("h"), names("relu")),
		node("Mul", names("w2", "mask2"), names("v2")),
		node("Gemm", names("relu", "v2", "b2"), names("logits"), integer("transB", 1)),
		node("LogSoftmax", names("logits"), names("y"), integer("axis", 1)))
	mask := func(outputs, inputs int) graph.Tensor {
		v := make([]float32, outputs*inputs)
		for i := range v {
			if i%inputs <= i/inputs {
				v[i] = 1
			}
		}
		return graph.Float32s(v, outputs, inputs)
	}
	for name, t := range map[string]graph.Tensor{
		"w1": random(r, graph.Float32, 4, 3), "b1": random(r, graph.Float32, 4), "mask1": mask(4, 3),
		"w2": random(r, graph.Float32, 2, 4), "b2": random(r, graph.Float32, 2), "mask2": mask(2, 4),
	} {
		model.Graph.Initializer = append(model.Graph.Initializer, stored(name, t))
	}
	return model
}

// scanModel sums the rows of x, float32[2,3], and emits them all plus one, with an
// initialiser in the body. It adds attributes to the required ones.
func scanModel(b *onnxpb.GraphProto, attributes ...*onnxpb.AttributeProto) *onnxpb.ModelProto {
	row := graph.Zeros(graph.Float32, 3)
	if b == nil {
		b = &onnxpb.GraphProto{
			Name:        new("body"),
			Input:       []*onnxpb.ValueInfoProto{declaration("sum", row), declaration("row", row)},
			Output:      []*onnxpb.ValueInfoProto{declaration("next", row), declaration("out", row)},
			Initializer: []*onnxpb.TensorProto{stored("one", graph.Float32s([]float32{1}))},
			Node: []*onnxpb.NodeProto{
				node("Add", names("sum", "row"), names("next")),
				node("Add", names("row", "one"), names("out")),
			},
		}
	}
	model := foreign(17, map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 2, 3)}, names("total", "rows"),
		node("Scan", names("zero", "x"), names("total", "rows"), append(attributes, body(b), integer("num_scan_inputs", 1))...))
	model.Graph.Initializer = []*onnxpb.TensorProto{stored("zero", row)}
	return model
}
