package reference_test

import (
	"math"
	"strings"
	"testing"

	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/models/graph"
)

// hostileCase is a model that cannot be evaluated, with part of the expected error.
type hostileCase struct {
	model *onnxpb.ModelProto
	want  string
}

// hostileInputs are fed if the model declares them.
var hostileInputs = map[string]graph.Tensor{
	"x":     graph.Float32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3),
	"i":     graph.Int64s([]int64{0, 1, 2}, 3),
	"large": graph.Int32s([]int32{math.MaxInt32, math.MinInt32}, 2),
	"coin":  graph.Bools([]bool{true, false, true}, 3),
	"huge":  graph.Int64s([]int64{1 << 40}, 1),
	"wide":  graph.Int64s([]int64{1 << 27, 2, 3}, 3),
	"zero":  graph.Int64s([]int64{0}),
	"s":     graph.Float32s([]float32{1}),
	"none":  graph.Float32s(nil, 0, 3),
	"v":     graph.Float32s([]float32{1, 2}, 2),
}

func hostile(nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	return foreign(18, hostileInputs, names("y"), nodes...)
}

// call returns a model of one operator.
func call(op string, in []string, attributes ...*onnxpb.AttributeProto) *onnxpb.ModelProto {
	return hostile(node(op, in, names("y"), attributes...))
}

// altered returns a changed model.
func altered(model *onnxpb.ModelProto, change func(m *onnxpb.ModelProto, g *onnxpb.GraphProto)) *onnxpb.ModelProto {
	change(model, model.Graph)
	return model
}

func structureCases() []hostileCase {
	identity := func() *onnxpb.ModelProto { return call("Identity", names("x")) }
	initialised := func(p *onnxpb.TensorProto) *onnxpb.ModelProto {
		return altered(identity(), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Initializer = append(g.Initializer, p) })
	}
	type model = onnxpb.ModelProto
	type part = onnxpb.GraphProto
	return []hostileCase{
		{nil, "no graph"},
		{&model{}, "no graph"},
		{altered(identity(), func(m *model, _ *part) { m.OpsetImport = nil }), "which operator set"},
		{altered(identity(), func(m *model, _ *part) { m.OpsetImport[0].Version = new(int64(21)) }), "operator set 21 is not supported"},
		{altered(identity(), func(m *model, _ *part) { m.OpsetImport[0].Version = new(int64(12)) }), "operator set 12 is not supported"},
		{altered(identity(), func(m *model, _ *part) { m.OpsetImport[0].Domain = new("com.example") }), "which operator set"},
		{altered(identity(), func(_ *model, g *part) {
			g.Input = append(g.Input, declaration("more", graph.Zeros(graph.Float32)), declaration("most", graph.Zeros(graph.Float32)))
		}), "input \"more\": it is not given and has no initialiser\ninput \"most\""},
		{altered(identity(), func(_ *model, g *part) { g.Input = append(g.Input, g.Input[0]) }), "is defined twice"},
		{altered(identity(), func(_ *model, g *part) { g.Output[0].Name = new("z") }), `output "z": the value "z" is not defined`},
		{altered(identity(), func(_ *model, g *part) { g.Output[0] = declaration("y", graph.Zeros(graph.Int32, 2, 3)) }), "it is float32, the model declares int32"},
		{altered(identity(), func(_ *model, g *part) { g.Output[0] = declaration("y", graph.Zeros(graph.Float32, 2, 4)) }), "the model wants 4 on axis 1"},
		{altered(identity(), func(_ *model, g *part) { g.Output[0] = declaration("y", graph.Zeros(graph.Float32, 2)) }), "the model declares 1 axes"},
		{altered(identity(), func(_ *model, g *part) {
			for _, in := range g.Input {
				if in.GetName() == "x" {
					for _, d := range in.GetType().GetTensorType().Shape.Dim {
						d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "M"}
					}
				}
			}
		}), "the model wants 2 on axis 1"},
		{altered(identity(), func(_ *model, g *part) {
			g.Output[0].Type = declaration("", graph.Zeros(graph.Bool)).Type
			g.Output[0].Type.GetTensorType().ElemType = new(int32(onnxpb.TensorProto_FLOAT16))
		}), "element type FLOAT16 is not supported"},
		{hostile(node("Neg", names("later"), names("y")), node("Neg", names("x"), names("later"))), `node "the y", operator Neg: the value "later" is not defined`},
		{hostile(node("Neg", names("z"), names("y")), node("Neg", names("y"), names("z"))), `the value "z" is not defined`},
		{hostile(node("Neg", names("y"), names("y"))), `the value "y" is not defined`},
		{hostile(node("Neg", names("x"), names("y")), node("Neg", names("x"), names("y"))), `the value "y" is defined twice`},
		{hostile(node("Neg", names("x"), names("x"))), `the value "x" is defined twice`},
		{hostile(node("Neg", names("x"), names(""))), "the name of a value is empty"},
		{hostile(node("Neg", names("x"), names("y", "z"))), "it has 1 results, the node names 2"},
		{hostile(&onnxpb.NodeProto{OpType: new("Neg"), Input: names("x")}), "the node names 0"},
		{hostile(nil), "the operator is not supported"},
		{altered(identity(), func(_ *model, g *part) { g.Node[0].Domain = new("com.microsoft") }), `the domain "com.microsoft"`},
		{call("Einsum", names("x")), `node "the y", operator Einsum: the operator is not supported`},
		{call("Neg", nil), "0 operands"},
		{call("Neg", names("x", "x")), "2 operands"},
		{call("Neg", names("")), "operand 0 is missing"},
		{call("Neg", names("x"), integer("gently", 1)), `the attributes ["gently"] are not supported`},
		{call("Neg", names("x"), nil), `the attributes [""] are not supported`},
		{call("Softmax", names("x"), float("axis", 1)), `attribute "axis" is of kind FLOAT, not INT`},
		{call("Softmax", names("x"), integer("axis", 1), integer("axis", 1)), "given twice"},

		{initialised(stored("x", graph.Zeros(graph.Float32, 2, 3))), ""},
		{initialised(stored("i2", graph.Zeros(graph.Float32, 2, 3))), ""},
		{initialised(nil), "element type UNDEFINED is not supported"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{-1}}), "outside 0"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{1 << 20, 1 << 20}}), "more than 268435456 elements"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{1 << 27}}), "the list has 0 elements"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), Dims: []int64{2}, RawData: []byte{1, 2, 3}}), "3 bytes for 2 elements"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}), "another file"},
		{initialised(&onnxpb.TensorProto{Name: new("w"), DataType: new(int32(onnxpb.TensorProto_FLOAT)), Dims: make([]int64, 33)}), "33 axes"},
	}
}

func operandCases() []hostileCase {
	const maximum, minimum = math.MaxInt64, math.MinInt64
	return []hostileCase{
		{call("Add", names("x", "i")), "element types float32 and int64"},
		{call("Add", names("coin", "coin")), "no rule for bool"},
		{call("Add", names("x", "v")), "do not broadcast"},
		{call("Max", names("x", "")), "element types"},
		{call("Exp", names("i")), "no rule for int64"},
		{call("And", names("x", "coin")), "no rule for float32"},
		{call("Not", names("i")), "no rule for int64"},
		{call("Less", names("coin", "coin")), "no rule for bool"},
		{call("Add", names("large", "large")), "the result 4294967294 does not fit int32"},
		{call("Neg", names("large")), "does not fit int32"},
		{call("Div", names("i", "i")), "divided by zero"},
		{call("Pow", names("i", "x")), "no rule for int64 to the power float32"},
		{hostile(node("Neg", names("i"), names("n")), node("Pow", names("i", "n"), names("y"))), "negative power"},
		{call("Clip", names("x", "v")), "not a single number"},
		{call("Clip", names("x", "zero")), "element types"},
		{call("Where", names("x", "x", "x")), "the condition is float32"},
		{call("Where", names("coin", "x", "i")), "element types"},
		{call("Cast", names("x")), `attribute "to" is missing`},
		{call("Cast", names("x"), integer("to", 8)), "element type STRING"},
		{call("Cast", names("x"), integer("to", 1<<32+1)), "is not supported"},
		{hostile(node("Exp", names("x"), names("a")), node("Exp", names("a"), names("b")), node("Exp", names("b"), names("c")),
			node("Cast", names("c"), names("y"), integer("to", 7))), "does not fit int64"},

		{call("Reshape", names("x", "x")), "not a vector of integers"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0, 0, 0)), node("Reshape", names("x", "k"), names("y"))), "copies an axis"},
		{call("Reshape", names("x", "huge")), "is not possible"},
		{call("Reshape", names("x", "wide")), "is not possible"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 4, -1)), node("Reshape", names("x", "k"), names("y"))), "does not hold the elements"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", -1, -1)), node("Reshape", names("x", "k"), names("y"))), "two dimensions to infer"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0, -1)), node("Reshape", names("none", "k"), names("y"))), "cannot be inferred"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", -2, -3)), node("Reshape", names("x", "k"), names("y"))), "is not possible"},
		{call("Flatten", names("x"), integer("axis", 3)), "axis 3 is outside"},
		{call("Flatten", names("x"), integer("axis", minimum)), "is outside"},
		{call("Transpose", names("x"), integers("perm", 0, 0)), "not a permutation"},
		{call("Transpose", names("x"), integers("perm", 0, -1)), "not a permutation"},
		{call("Transpose", names("x"), integers("perm", maximum, minimum)), "not a permutation"},
		{call("Transpose", names("x"), integers("perm", 0)), "not a permutation"},
		{call("Squeeze", names("x", "zero")), "not a vector of integers"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints")), node("Squeeze", names("x", "k"), names("y"))), "list of axes is ambiguous"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 1)), node("Squeeze", names("x", "k"), names("y"))), "does not have dimension 1"},
		{call("Unsqueeze", names("x", "huge")), "is outside"},
		{hostile(node("Shape", names("x"), names("k")), node("ConstantOfShape", names("wide"), names("l"))), "more than"},
		{call("ConstantOfShape", names("huge")), "outside 0"},
		{call("ConstantOfShape", names("zero")), "not a vector of integers"},
		{call("ConstantOfShape", names("i"), value(stored("", graph.Zeros(graph.Float32, 2)))), "not one element"},
		{call("Expand", names("x", "huge")), "do not broadcast"},
		{call("Expand", names("s", "huge")), "outside 0"},
		{call("Concat", names("x", "v"), integer("axis", 0)), "differ outside axis"},
		{call("Concat", names("x", "x")), `attribute "axis" is missing`},
		{call("Concat", names("x", "x"), integer("axis", 2)), "axis 2 is outside"},
		{call("Concat", names("x", ""), integer("axis", 0)), "an operand is missing"},
		{call("Concat", names("s", "s"), integer("axis", 0)), "outside a tensor of 0 axes"},
		{call("Slice", names("x", "i", "i")), "3 starts for a tensor of 2 axes"},
		{call("Slice", names("x", "huge", "i")), "1 starts, 3 ends"},
		{call("Slice", names("x", "huge", "huge", "huge")), "is outside"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0)), node("Slice", names("x", "k", "k", "k", "k"), names("y"))), "a step is 0"},
		{call("Pad", names("x", "i")), "3 pads for 2 axes"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0, -1, 0, 0)), node("Pad", names("x", "k"), names("y"))), "are negative or too large"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0, maximum, 0, maximum)), node("Pad", names("x", "k"), names("y"))), "are negative or too large"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 1<<27, 0, 0, 0)), node("Pad", names("x", "k"), names("y"))), "more than"},
		{hostile(node("Constant", nil, names("k"), integers("value_ints", 0, 0, 0, 0)), node("Pad", names("x", "k", "zero"), names("y"))), "is not a single float32"},
		{call("Pad", names("x", "i"), &onnxpb.AttributeProto{Name: new("mode"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte("wrap")}), `mode "wrap" is not supported`},
		{call("Gather", names("x", "i")), "the index 2 is outside an axis of dimension 2"},
		{call("Gather", names("x", "x")), "not an integer"},
		{call("Gather", names("s", "i")), "outside a tensor of 0 axes"},
		{call("GatherElements", names("x", "i")), "the index has shape"},
		{call("MatMul", names("s", "x")), "a scalar is not a matrix"},
		{call("MatMul", names("x", "x")), "inner dimensions"},
		{call("MatMul", names("x", "i")), "element types"},
		{call("MatMul", names("coin", "coin")), "no rule for bool"},
		{call("Gemm", names("x", "v")), "not matrices"},
		{call("Gemm", names("x", "x", "v"), integer("transA", 1)), "does not broadcast to"},
		{call("ReduceSum", names("coin")), "no rule for bool"},
		{call("ReduceSum", names("x", "huge")), "is outside"},
		{call("ReduceMax", names("x"), integers("axes", 0)), `the attributes ["axes"] are not supported`},
		{call("Softmax", names("s")), "outside a tensor of 0 axes"},
		{call("Softmax", names("i")), "no rule for int64"},
		{call("CumSum", names("x", "i")), "operand 1 is not a single int64"},
		{call("CumSum", names("x", "huge")), "is outside"},
		{call("Range", names("zero", "zero", "zero")), "the step is 0"},
		{call("Range", names("s", "s", "zero")), "element types"},
		{call("Constant", nil), "one attribute, not 0"},
		{call("Constant", nil, integer("sparse_value", 1)), `the attributes ["sparse_value"] are not supported`},
		{call("Constant", nil, value(nil)), "element type UNDEFINED"},
	}
}

func scanFaults() []hostileCase {
	row := graph.Zeros(graph.Float32, 3)
	declare := func(names ...string) []*onnxpb.ValueInfoProto {
		var out []*onnxpb.ValueInfoProto
		for _, name := range names {
			out = append(out, declaration(name, row))
		}
		return out
	}
	inner := func(in, out []string, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
		return scanModel(&onnxpb.GraphProto{Input: declare(in...), Output: declare(out...), Node: nodes})
	}
	// Nested Scans, each over the rows of x.
	deep := &onnxpb.GraphProto{Input: declare("a0", "b0"), Output: declare("a0")}
	for i := range 10 {
		a := string(rune('b'+i)) + "a"
		deep = &onnxpb.GraphProto{Input: declare(a, a+"0"), Output: declare(a + "1"), Node: []*onnxpb.NodeProto{
			node("Scan", names(a, "x"), names(a+"1"), body(deep), integer("num_scan_inputs", 1)),
		}}
	}
	return []hostileCase{
		{scanModel(nil, integers("scan_input_directions", 1)), `attribute "scan_input_directions" is supported only if all 0`},
		{scanModel(nil, integers("scan_output_axes", 0, 1)), `attribute "scan_output_axes" is supported only if all 0`},
		{scanModel(nil, integers("scan_input_axes", 0), integers("scan_output_directions", 0)), ""},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Attribute = g.Node[0].Attribute[:1] }), `"num_scan_inputs" is missing`},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Attribute = g.Node[0].Attribute[1:] }), "no body"},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Attribute[1].I = new(int64(3)) }), "3 of 2 operands"},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Attribute[1].I = new(int64(2)) }), "the first dimensions"},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Input[0] = "" }), "an operand is missing"},
		{altered(scanModel(nil), func(_ *onnxpb.ModelProto, g *onnxpb.GraphProto) { g.Node[0].Output = g.Node[0].Output[:1] }), "it has 2 results, the node names 1"},
		{inner(names("a"), names("a")), "the body has 1 inputs and 1 outputs"},
		{inner(names("a", "b"), nil), "the body has 2 inputs and 0 outputs"},
		{inner(names("a", "a"), names("a", "a")), `body input "a": the value "a" is defined twice`},
		{inner(names("a", "x"), names("a", "x")), `the value "x" is defined twice`},
		{inner(names("a", "b"), names("a", "c")), `step 0: body output "c": the value "c" is not defined`},
		{inner(names("a", "b"), names("x", "b")), "float32[2 3] is carried in place of float32[3]"},
		{inner(names("a", "b"), names("total", "b")), `the value "total" is not defined`},
		{inner(names("a", "b"), names("c", "b"), node("Shape", names("a"), names("c"))), "it is int64, the model declares float32"},
		{hostile(
			node("Scan", names("none"), names("y"), body(&onnxpb.GraphProto{Input: declare("b"), Output: declare("b")}), integer("num_scan_inputs", 1))),
			"a Scan without steps"},
		{scanModel(deep), "nested more than 8 deep"},
	}
}

// TestHostile runs models that are wrong in every way for which there is a check.
func TestHostile(t *testing.T) {
	for _, part := range [][]hostileCase{structureCases(), operandCases(), scanFaults()} {
		for _, c := range part {
			inputs := map[string]graph.Tensor{}
			for _, in := range c.model.GetGraph().GetInput() {
				if t, ok := hostileInputs[in.GetName()]; ok {
					inputs[in.GetName()] = t
				}
			}
			_, err := reference.Evaluate(c.model, inputs)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		}
	}
}

// TestInputs feeds inputs that do not match the model's declarations.
func TestInputs(t *testing.T) {
	model := foreign(17, map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 2)}, names("y"), node("Neg", names("x"), names("y")))
	for _, c := range []struct {
		inputs map[string]graph.Tensor
		want   string
	}{
		{nil, `evaluate graph "foreign": input "x": it is not given`},
		{map[string]graph.Tensor{"x": {}}, "for it is empty"},
		{map[string]graph.Tensor{"x": {DType: graph.Float32, Shape: graph.Shape{2}}}, "0 elements, the shape 2"},
		{map[string]graph.Tensor{"x": {DType: graph.Float32, Shape: graph.Shape{-1}}}, "outside 0"},
		{map[string]graph.Tensor{"x": graph.Zeros(graph.Int32, 2)}, "it is int32, the model declares float32"},
		{map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 3)}, "the model wants 2 on axis 0"},
		{map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 2), "y": graph.Zeros(graph.Float32)}, "no such input"},
	} {
		if _, err := reference.Evaluate(model, c.inputs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}
