package reference_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/models/graph"
)

// operand is an input of a graph under test. Float64 stands for the float type of the test.
type operand struct {
	dtype graph.DType
	shape []int
}

func f(shape ...int) operand     { return operand{graph.Float64, shape} }
func i32(shape ...int) operand   { return operand{graph.Int32, shape} }
func i64(shape ...int) operand   { return operand{graph.Int64, shape} }
func coins(shape ...int) operand { return operand{graph.Bool, shape} }

type graphCase struct {
	name  string
	in    []operand
	build func(x []*graph.Node) *graph.Node
}

func one(name string, in operand, op func(x *graph.Node) *graph.Node) graphCase {
	return graphCase{name, []operand{in}, func(x []*graph.Node) *graph.Node { return op(x[0]) }}
}

func two(name string, a, b operand, op func(a, b *graph.Node) *graph.Node) graphCase {
	return graphCase{name, []operand{a, b}, func(x []*graph.Node) *graph.Node { return op(x[0], x[1]) }}
}

// graphCases returns all operators that a graph can hold.
func graphCases() []graphCase {
	type node = graph.Node
	square := func(x *node) *node { return x.Mul(x) }
	cases := []graphCase{
		one("Neg", f(m, 4), (*node).Neg), one("Neg int32", i32(m, 4), (*node).Neg), one("Neg int64", i64(4), (*node).Neg),
		one("Exp", f(m, 4), (*node).Exp), one("Tanh", f(m, 4), (*node).Tanh), one("Sigmoid", f(m, 4), (*node).Sigmoid),
		one("Sin", f(m, 4), (*node).Sin), one("Cos", f(m, 4), (*node).Cos), one("Atan", f(m, 4), (*node).Atan), one("Floor", f(m, 4), (*node).Floor),
		one("Relu", f(m, 4), (*node).Relu), one("SiLU", f(m, 4), (*node).SiLU),
		one("Log", f(m, 4), func(x *node) *node { return square(x).Log() }),
		one("Sqrt", f(m, 4), func(x *node) *node { return square(x).Sqrt() }),
		one("Clip", f(m, 4), func(x *node) *node { return x.Clip(-0.5, 1) }),
		one("Clip int32", i32(m, 4), func(x *node) *node { return x.Clip(-2, 1) }),
		one("OneHot", i32(m, 2), func(x *node) *node { return x.OneHot(3, graph.Int64) }),
		{"Where", []operand{coins(m, 1), f(4), f(2, 1, 1)}, func(x []*node) *node { return graph.Where(x[0], x[1], x[2]) }},
		one("Where constant", f(m, 2), func(x *node) *node {
			return graph.Where(x.Graph().Constant(graph.Bools([]bool{true, false}, 2)), x, x.Neg())
		}),

		one("Reshape", f(m, 4), func(x *node) *node { return x.Reshape(0, 2, -1) }),
		one("Reshape to multiple", f(m, 4), func(x *node) *node { return x.Reshape(-1, 2) }),
		one("Transpose", f(m, 2, 4), func(x *node) *node { return x.Transpose(2, 0, 1) }),
		one("Transpose bool", coins(m, 2), func(x *node) *node { return x.Transpose(1, 0) }),
		one("Unsqueeze", i32(m, 2), func(x *node) *node { return x.Unsqueeze(-1, 0) }),
		one("Squeeze", f(1, m, 1), func(x *node) *node { return x.Squeeze(0, -1) }),
		one("Expand", f(m, 1), func(x *node) *node { return x.Expand(2, m, 4) }),
		two("Expand to batch", i64(m, 4), f(2), func(_, x *node) *node { return x.Expand(m, 2) }),
		two("Expand to multiple", f(m, 4), f(1), func(_, x *node) *node { return x.Expand(-2) }),
		two("Concat", i32(m, 2), i32(m, 1), func(a, b *node) *node { return graph.Concat(-1, b, a, b) }),
		two("Concat bool", coins(2, m), coins(1, m), func(a, b *node) *node { return graph.Concat(0, a, b) }),
		one("Slice", f(m, 4), func(x *node) *node { return x.Slice(1, 1, -1) }),
		one("Pad", f(m, 2), func(x *node) *node { return x.Pad(1, 1, 2, -1.5) }),
		one("Pad int32", i32(m, 2, 2), func(x *node) *node { return x.Pad(1, 0, 2, 7) }),
		one("PadPeriodic", f(m, 4), func(x *node) *node { return x.PadPeriodic(1, 1, 2) }),
		two("Gather rows", i32(m, 2), f(5, 3), func(i, x *node) *node { return x.Gather(0, i) }),
		two("Gather columns", i64(2, 2), f(m, 5, 3), func(i, x *node) *node { return x.Gather(1, i) }),
		two("Gather one", i64(), f(m, 5), func(i, x *node) *node { return x.Gather(-1, i) }),

		two("MatMul", f(m, 4), f(4, 2), (*node).MatMul),
		two("MatMul int32", i32(m, 4), i32(4, 2), (*node).MatMul),
		two("MatMul stack", f(2, m, 4), f(4, 3), (*node).MatMul),
		two("MatMul broadcast", f(m, 1, 2, 4), f(5, 4, 3), (*node).MatMul),
		two("MatMul vectors", f(4), f(4), (*node).MatMul),

		one("Softmax", f(m, 4), func(x *node) *node { return x.Softmax(-1) }),
		one("Softmax inner", f(m, 4, 2), func(x *node) *node { return x.Softmax(1) }),
		one("LogSoftmax", f(m, 4, 2), func(x *node) *node { return x.LogSoftmax(0) }),
	}
	for _, b := range []struct {
		name string
		op   func(a, b *node) *node
	}{
		{"Add", (*node).Add}, {"Sub", (*node).Sub}, {"Mul", (*node).Mul}, {"Min", (*node).Min}, {"Max", (*node).Max},
		{"Equal", (*node).Equal}, {"Less", (*node).Less}, {"GreaterOrEqual", (*node).GreaterOrEqual},
	} {
		cases = append(cases,
			two(b.name, f(m, 1, 4), f(2, 1), b.op), two(b.name+" scalar", f(m, 4), f(), b.op),
			two(b.name+" int32", i32(m, 4), i32(m, 4), b.op), two(b.name+" int64", i64(4), i64(m, 4), b.op))
	}
	for _, d := range []operand{f(m, 4), i32(m, 4), i64(4)} {
		cases = append(cases, two("Div "+d.dtype.String(), d, operand{d.dtype, []int{4}}, func(a, b *node) *node {
			return a.Div(b.Mul(b).Add(b.Scalar(1)))
		}))
	}
	for _, reduction := range []struct {
		name string
		op   func(x *node, keep bool, axes ...int) *node
	}{{"ReduceSum", (*node).ReduceSum}, {"ReduceMax", (*node).ReduceMax}} {
		for _, d := range []graph.DType{graph.Float64, graph.Int32, graph.Int64} {
			for _, axes := range [][]int{nil, {0}, {1}, {-1, 0}} {
				for _, keep := range []bool{graph.DropDims, graph.KeepDims} {
					cases = append(cases, one(fmt.Sprintf("%s %v %v %v", reduction.name, d, axes, keep), operand{d, []int{m, 3, 2}},
						func(x *node) *node { return reduction.op(x, keep, axes...) }))
				}
			}
		}
	}
	for axis := range 3 {
		for _, mode := range []graph.CumSumMode{{}, {Exclusive: true}, {Reverse: true}, {Exclusive: true, Reverse: true}} {
			for _, d := range []graph.DType{graph.Float64, graph.Int32} {
				cases = append(cases, one(fmt.Sprintf("CumSum %v %d %+v", d, axis, mode), operand{d, []int{m, 3, 2}},
					func(x *node) *node { return x.CumSum(axis, mode) }))
			}
		}
	}
	types := []graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool}
	for _, from := range types[1:] {
		for _, to := range types {
			cases = append(cases, one(fmt.Sprintf("Cast %v to %v", from, to), operand{from, []int{m, 4}},
				func(x *node) *node { return x.Cast(to) }))
		}
	}
	return append(cases, scanCases()...)
}

// scanCases returns recurrences: carried and scanned values, captured ones, an outer value
// among the results, a body within a body, and no carried value at all.
func scanCases() []graphCase {
	type list = []*graph.Node
	return []graphCase{
		{"Scan", []operand{f(m, 2), f(4, 2, 2), f(2), i32(4, m)}, func(x list) *graph.Node {
			final, out := x[0].Graph().Scan(list{x[0]}, list{x[1], x[3]}, func(_ *graph.Graph, carry, slice list) (next, emitted list) {
				h := carry[0].MatMul(slice[0]).Add(x[2]).Tanh()
				return list{h}, list{h.Mul(slice[1].Unsqueeze(1).Cast(h.DType())), x[2].Exp()}
			})
			return graph.Concat(0, out[0], final[0].Unsqueeze(0)).Add(out[1].Gather(0, x[0].Graph().Scalar(graph.Int64, -1)))
		}},
		{"Scan nested", []operand{f(m, 2), f(4, 3, 2)}, func(x list) *graph.Node {
			final, _ := x[0].Graph().Scan(list{x[0]}, list{x[1]}, func(g *graph.Graph, carry, slice list) (next, emitted list) {
				inner, _ := g.Scan(list{carry[0]}, list{slice[0]}, func(_ *graph.Graph, c, s list) (next, emitted list) {
					return list{c[0].Mul(s[0]).Add(x[0]).Sigmoid()}, nil
				})
				return inner, nil
			})
			return final[0]
		}},
		{"Scan without carry", []operand{f(4, 2), coins(2)}, func(x list) *graph.Node {
			_, out := x[0].Graph().Scan(nil, list{x[0]}, func(_ *graph.Graph, _, slice list) (next, emitted list) {
				return nil, list{graph.Where(x[1], slice[0], slice[0].Neg()), slice[0]}
			})
			return out[0].Add(out[1])
		}},
	}
}

// TestOperators compares every operator of models/graph, in both float types, and those of
// foreignCases with ONNX Runtime, and checks that no supported operator is left out.
func TestOperators(t *testing.T) {
	covered := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range graphCases() {
		t.Run(c.name, func(t *testing.T) {
			for float, tolerance := range map[graph.DType]float64{graph.Float32: single, graph.Float64: 1e-13} {
				if float == graph.Float64 && (c.name == "Cos" || c.name == "Atan") {
					continue // ONNX Runtime (1.27) has them in single precision alone
				}
				g := graph.New("forward")
				inputs := map[string]graph.Tensor{}
				var x []*graph.Node
				for i, in := range c.in {
					dtype, name := in.dtype, fmt.Sprintf("x%d", i)
					if dtype == graph.Float64 {
						dtype = float
					}
					x = append(x, g.Input(name, dtype, in.shape...))
					inputs[name] = random(r, dtype, slices.Clone(in.shape)...)
				}
				g.Output("y", c.build(x))
				model, err := exporter.Encode(g, nil)
				if err != nil {
					t.Fatal(err)
				}
				used(model.Graph, covered)
				compare(t, model, inputs, tolerance)
			}
		})
	}
	for _, c := range foreignCases(r) {
		t.Run("foreign "+c.name, func(t *testing.T) {
			used(c.model.Graph, covered)
			compare(t, c.model, c.inputs, single)
		})
	}
	for _, op := range reference.Operators() {
		if !covered[op] {
			t.Errorf("no test has the operator %s", op)
		}
	}
}

// TestDoublePrecision feeds float64 numbers to a float32 model and checks that the result
// keeps their precision.
func TestDoublePrecision(t *testing.T) {
	g := graph.New("third")
	x := g.Input("x", graph.Float32)
	g.Output("y", x.Div(x.Scalar(3)))
	model, err := exporter.Encode(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reference.Evaluate(model, map[string]graph.Tensor{"x": graph.Float64s([]float64{1e-300})})
	if err != nil || got["y"].Float64s()[0] != 1e-300/3 {
		t.Errorf("got %v (%v)", got["y"].Float64s(), err)
	}
}
