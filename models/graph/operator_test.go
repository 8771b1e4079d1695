package graph_test

import (
	"fmt"
	"math"
	"testing"

	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// operand is an input of an operator under test: its declared shape and the values fed,
// with M = batch. Float64 operands take the float type under test.
type operand struct {
	shape graph.Shape
	value graph.Tensor
}

func f64(shape graph.Shape, v ...float64) operand {
	return operand{shape, graph.Float64s(v, runtimeShape(shape)...)}
}

func i32(shape graph.Shape, v ...int32) operand {
	return operand{shape, graph.Int32s(v, runtimeShape(shape)...)}
}

func i64(shape graph.Shape, v ...int64) operand {
	return operand{shape, graph.Int64s(v, runtimeShape(shape)...)}
}

func bools(shape graph.Shape, v ...bool) operand {
	return operand{shape, graph.Bools(v, runtimeShape(shape)...)}
}

// as converts a Float64 tensor to another float type.
func as(dtype graph.DType, t graph.Tensor) graph.Tensor {
	if t.DType != graph.Float64 || dtype == graph.Float64 {
		return t
	}
	v := make([]float32, len(t.Float64s()))
	for i, x := range t.Float64s() {
		v[i] = float32(x)
	}
	return graph.Float32s(v, t.Shape...)
}

// forwardCase is an operator, its operands and its result.
type forwardCase struct {
	name  string
	in    []operand
	build func(x []*graph.Node) *graph.Node
	want  operand
}

func one(f func(x *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0]) }
}

func two(f func(a, b *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0], x[1]) }
}

// unaryForward returns operators on one number and their definitions.
func unaryForward() []forwardCase {
	var cases []forwardCase
	for _, c := range []struct {
		name  string
		op    func(*graph.Node) *graph.Node
		value func(float64) float64
	}{
		{"Neg", (*graph.Node).Neg, func(x float64) float64 { return -x }},
		{"Exp", (*graph.Node).Exp, math.Exp},
		{"Tanh", (*graph.Node).Tanh, math.Tanh},
		{"Sin", (*graph.Node).Sin, math.Sin},
		{"Cos", (*graph.Node).Cos, math.Cos},
		{"Atan", (*graph.Node).Atan, math.Atan},
		{"Floor", (*graph.Node).Floor, math.Floor},
		{"Sigmoid", (*graph.Node).Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"Relu", (*graph.Node).Relu, func(x float64) float64 { return max(x, 0) }},
		{"SiLU", (*graph.Node).SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
		{"Log", func(x *graph.Node) *graph.Node { return x.Mul(x).Log() }, func(x float64) float64 { return math.Log(x * x) }},
		{"Sqrt", func(x *graph.Node) *graph.Node { return x.Mul(x).Sqrt() }, math.Abs},
		{"Clip", func(x *graph.Node) *graph.Node { return x.Clip(-0.5, 1.25) }, func(x float64) float64 { return min(max(x, -0.5), 1.25) }},
	} {
		x := []float64{-2.5, -0.5, -0.125, 0.25, 1.5, 3}
		want := make([]float64, len(x))
		for i, v := range x {
			want[i] = c.value(v)
		}
		cases = append(cases, forwardCase{c.name, []operand{f64(graph.Shape{m, 2}, x...)}, one(c.op), f64(graph.Shape{m, 2}, want...)})
	}
	return cases
}

// binaryForward returns operators on two numbers and their definitions, as an outer product
// of a [M 1] and a [2] operand.
func binaryForward() []forwardCase {
	var cases []forwardCase
	for _, c := range []struct {
		name  string
		op    func(a, b *graph.Node) *graph.Node
		value func(a, b float64) float64
	}{
		{"Add", (*graph.Node).Add, func(a, b float64) float64 { return a + b }},
		{"Sub", (*graph.Node).Sub, func(a, b float64) float64 { return a - b }},
		{"Mul", (*graph.Node).Mul, func(a, b float64) float64 { return a * b }},
		{"Div", (*graph.Node).Div, func(a, b float64) float64 { return a / b }},
		{"Min", (*graph.Node).Min, math.Min},
		{"Max", (*graph.Node).Max, math.Max},
	} {
		a, b := []float64{-6, 2, 9}, []float64{2, -3}
		var want []float64
		for _, x := range a {
			for _, y := range b {
				want = append(want, c.value(x, y))
			}
		}
		cases = append(cases,
			forwardCase{c.name, []operand{f64(graph.Shape{m, 1}, a...), f64(graph.Shape{2}, b...)}, two(c.op), f64(graph.Shape{m, 2}, want...)},
			forwardCase{c.name + " integers", []operand{i32(graph.Shape{m, 1}, -6, 2, 9), i32(graph.Shape{2}, 2, -3)}, two(c.op), func() operand {
				v := make([]int32, len(want))
				for i, w := range want {
					v[i] = int32(w)
				}
				return i32(graph.Shape{m, 2}, v...)
			}()},
		)
	}
	return cases
}

func comparisonForward() []forwardCase {
	row := graph.Shape{m, 2}
	ints, limit := i32(row, -1, 0, 1, 2, 3, 2), i32(graph.Shape{2}, 1, 2)
	floats, level := f64(row, -1, 0, 1, 2, 3, 2), f64(graph.Shape{}, 1)
	return []forwardCase{
		{"Equal", []operand{ints, limit}, two((*graph.Node).Equal), bools(row, false, false, true, true, false, true)},
		{"Less", []operand{ints, limit}, two((*graph.Node).Less), bools(row, true, true, false, false, false, false)},
		{"GreaterOrEqual", []operand{ints, limit}, two((*graph.Node).GreaterOrEqual), bools(row, false, false, true, true, true, true)},
		{"Equal floats", []operand{floats, level}, two((*graph.Node).Equal), bools(row, false, false, true, false, false, false)},
		{"Less floats", []operand{floats, level}, two((*graph.Node).Less), bools(row, true, true, false, false, false, false)},
		{"GreaterOrEqual floats", []operand{floats, level}, two((*graph.Node).GreaterOrEqual), bools(row, false, false, true, true, true, true)},
		{"Where", []operand{bools(graph.Shape{m, 1}, true, false, true), floats, level}, func(x []*graph.Node) *graph.Node {
			return graph.Where(x[0], x[1], x[2])
		}, f64(row, -1, 0, 1, 1, 3, 2)},
		{"Where integers", []operand{bools(graph.Shape{m, 1}, true, false, true), ints}, func(x []*graph.Node) *graph.Node {
			return graph.Where(x[0], x[1], x[1].Neg())
		}, i32(row, -1, 0, -1, -2, 3, 2)},
		{"Cast to int32", []operand{f64(row, -1.5, 0.5, 1.5, 2, 3.75, -2)}, one(func(x *graph.Node) *graph.Node { return x.Cast(graph.Int32) }), i32(row, -1, 0, 1, 2, 3, -2)},
		{"Cast to int64", []operand{ints}, one(func(x *graph.Node) *graph.Node { return x.Cast(graph.Int64) }), i64(row, -1, 0, 1, 2, 3, 2)},
		{"Cast to bool", []operand{ints}, one(func(x *graph.Node) *graph.Node { return x.Cast(graph.Bool) }), bools(row, true, false, true, true, true, true)},
		{"OneHot", []operand{ints}, one(func(x *graph.Node) *graph.Node { return x.OneHot(3, graph.Int32) }), i32(graph.Shape{m, 2, 3},
			0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1)},
		{"OneHot int64", []operand{i64(graph.Shape{m}, 0, 1, 5)}, one(func(x *graph.Node) *graph.Node { return x.OneHot(2, graph.Int64) }), i64(graph.Shape{m, 2},
			1, 0, 0, 1, 0, 0)},
	}
}

func reductionForward() []forwardCase {
	x := f64(graph.Shape{m, 4}, 1, 2, 3, 4, 0, -1, 5, 2, 7, 7, -3, 1)
	ints := i32(graph.Shape{m, 4}, 1, 2, 3, 4, 0, -1, 5, 2, 7, 7, -3, 1)
	sum := func(keep bool, axes ...int) func([]*graph.Node) *graph.Node {
		return one(func(x *graph.Node) *graph.Node { return x.ReduceSum(keep, axes...) })
	}
	largest := func(keep bool, axes ...int) func([]*graph.Node) *graph.Node {
		return one(func(x *graph.Node) *graph.Node { return x.ReduceMax(keep, axes...) })
	}
	running := func(axis int, mode graph.CumSumMode) func([]*graph.Node) *graph.Node {
		return one(func(x *graph.Node) *graph.Node { return x.CumSum(axis, mode) })
	}
	const l2, l3 = 0.69314718055994530942, 1.0986122886681098 // ln 2, ln 3
	logs := f64(graph.Shape{m, 2}, 0, l3, l2, l2, 1000, 1000)
	return []forwardCase{
		{"ReduceSum", []operand{x}, sum(graph.DropDims, 1), f64(graph.Shape{m}, 10, 6, 12)},
		{"ReduceSum keep", []operand{x}, sum(graph.KeepDims, -1), f64(graph.Shape{m, 1}, 10, 6, 12)},
		{"ReduceSum batch", []operand{x}, sum(graph.DropDims, 0), f64(graph.Shape{4}, 8, 8, 5, 7)},
		{"ReduceSum all", []operand{x}, sum(graph.DropDims), f64(graph.Shape{}, 28)},
		{"ReduceSum scalar", []operand{f64(graph.Shape{}, 3)}, sum(graph.DropDims), f64(graph.Shape{}, 3)},
		{"ReduceSum integers", []operand{ints}, sum(graph.KeepDims), i32(graph.Shape{1, 1}, 28)},
		{"ReduceMax", []operand{x}, largest(graph.DropDims, 1), f64(graph.Shape{m}, 4, 5, 7)},
		{"ReduceMax all", []operand{x}, largest(graph.KeepDims), f64(graph.Shape{1, 1}, 7)},
		{"ReduceMax integers", []operand{ints}, largest(graph.DropDims, 0), i32(graph.Shape{4}, 7, 7, 5, 4)},
		{"CumSum", []operand{x}, running(1, graph.CumSumMode{}), f64(graph.Shape{m, 4}, 1, 3, 6, 10, 0, -1, 4, 6, 7, 14, 11, 12)},
		{"CumSum exclusive", []operand{x}, running(-1, graph.CumSumMode{Exclusive: true}), f64(graph.Shape{m, 4}, 0, 1, 3, 6, 0, 0, -1, 4, 0, 7, 14, 11)},
		{"CumSum reverse batch", []operand{x}, running(0, graph.CumSumMode{Reverse: true}), f64(graph.Shape{m, 4}, 8, 8, 5, 7, 7, 6, 2, 3, 7, 7, -3, 1)},
		{"CumSum integers", []operand{ints}, running(1, graph.CumSumMode{Exclusive: true, Reverse: true}), i32(graph.Shape{m, 4}, 9, 7, 4, 0, 6, 7, 2, 0, 5, -2, 1, 0)},
		{"Softmax", []operand{logs}, one(func(x *graph.Node) *graph.Node { return x.Softmax(1) }), f64(graph.Shape{m, 2}, 0.25, 0.75, 0.5, 0.5, 0.5, 0.5)},
		{"LogSoftmax", []operand{logs}, one(func(x *graph.Node) *graph.Node { return x.LogSoftmax(-1) }), f64(graph.Shape{m, 2}, -2*l2, l3-2*l2, -l2, -l2, -l2, -l2)},
	}
}

func layoutForward() []forwardCase {
	x := f64(graph.Shape{m, 4}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	ints := i32(graph.Shape{m, 2}, 1, 2, 3, 4, 5, 6)
	build := func(f func(x *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node { return one(f) }
	return []forwardCase{
		{"Reshape", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.Reshape(0, 2, -1) }), f64(graph.Shape{m, 2, 2}, x.value.Float64s()...)},
		{"Reshape multiple of M", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.Reshape(-1, 2) }), f64(graph.Shape{-2, 2}, x.value.Float64s()...)},
		{"Transpose", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.Reshape(0, 2, 2).Transpose(2, 0, 1) }), f64(graph.Shape{2, m, 2},
			1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12)},
		{"Unsqueeze", []operand{ints}, build(func(x *graph.Node) *graph.Node { return x.Unsqueeze(-1, 0) }), i32(graph.Shape{1, m, 2, 1}, 1, 2, 3, 4, 5, 6)},
		{"Squeeze", []operand{f64(graph.Shape{1, m, 1}, 1, 2, 3)}, build(func(x *graph.Node) *graph.Node { return x.Squeeze(0, -1) }), f64(graph.Shape{m}, 1, 2, 3)},
		{"Expand", []operand{f64(graph.Shape{m, 1}, 1, 2, 3)}, build(func(x *graph.Node) *graph.Node { return x.Expand(m, 2) }), f64(graph.Shape{m, 2}, 1, 1, 2, 2, 3, 3)},
		{"Expand to batch", []operand{x, f64(graph.Shape{2}, 5, 6)}, func(x []*graph.Node) *graph.Node { return x[1].Expand(m, 2) }, f64(graph.Shape{m, 2}, 5, 6, 5, 6, 5, 6)},
		{"Expand to multiple of batch", []operand{x, f64(graph.Shape{1}, 5)}, func(x []*graph.Node) *graph.Node { return x[1].Expand(-2) }, f64(graph.Shape{-2}, 5, 5, 5, 5, 5, 5)},
		{"Concat", []operand{ints, i32(graph.Shape{m, 1}, -1, -2, -3)}, two(func(a, b *graph.Node) *graph.Node { return graph.Concat(1, b, a) }), i32(graph.Shape{m, 3}, -1, 1, 2, -2, 3, 4, -3, 5, 6)},
		{"Slice", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.Slice(1, 1, -1) }), f64(graph.Shape{m, 2}, 2, 3, 6, 7, 10, 11)},
		{"Slice beyond", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.Slice(-1, -3, 100) }), f64(graph.Shape{m, 3}, 2, 3, 4, 6, 7, 8, 10, 11, 12)},
		{"Pad", []operand{ints}, build(func(x *graph.Node) *graph.Node { return x.Pad(1, 1, 2, -1) }), i32(graph.Shape{m, 5}, -1, 1, 2, -1, -1, -1, 3, 4, -1, -1, -1, 5, 6, -1, -1)},
		{"Pad floats", []operand{f64(graph.Shape{m, 1}, 1, 2, 3)}, build(func(x *graph.Node) *graph.Node { return x.Pad(-1, 0, 1, 0.5) }), f64(graph.Shape{m, 2}, 1, 0.5, 2, 0.5, 3, 0.5)},
		{"PadPeriodic", []operand{x}, build(func(x *graph.Node) *graph.Node { return x.PadPeriodic(1, 1, 2) }), f64(graph.Shape{m, 7},
			4, 1, 2, 3, 4, 1, 2, 8, 5, 6, 7, 8, 5, 6, 12, 9, 10, 11, 12, 9, 10)},
		{"Gather rows", []operand{i32(graph.Shape{m, 2}, 0, 1, 2, -1, 1, 1), f64(graph.Shape{3, 2}, 1, 2, 3, 4, 5, 6)}, two(func(i, x *graph.Node) *graph.Node { return x.Gather(0, i) }), f64(graph.Shape{m, 2, 2},
			1, 2, 3, 4, 5, 6, 5, 6, 3, 4, 3, 4)},
		{"Gather columns", []operand{x, i64(graph.Shape{2}, 3, 0)}, two(func(x, i *graph.Node) *graph.Node { return x.Gather(1, i) }), f64(graph.Shape{m, 2}, 4, 1, 8, 5, 12, 9)},
		{"MatMul", []operand{x, f64(graph.Shape{4, 2}, 1, 0, 0, 1, 1, 0, 0, -1)}, two((*graph.Node).MatMul), f64(graph.Shape{m, 2}, 4, -2, 12, -2, 20, -2)},
		{"MatMul batch", []operand{f64(graph.Shape{m, 1, 2}, 1, 2, 3, 4, 5, 6), f64(graph.Shape{2, 2, 1}, 1, 1, 1, -1)}, two(func(a, b *graph.Node) *graph.Node {
			return a.Unsqueeze(1).MatMul(b)
		}), f64(graph.Shape{m, 2, 1, 1}, 3, -1, 7, -1, 11, -1)},
		{"dense Relu", []operand{x, f64(graph.Shape{4, 2}, 1, 0, 0, 1, 1, 0, 0, -1), f64(graph.Shape{2}, 1, 1)}, func(x []*graph.Node) *graph.Node {
			return x[0].MatMul(x[1]).Add(x[2]).Relu()
		}, f64(graph.Shape{m, 2}, 5, 0, 13, 0, 21, 0)},
		{"dense Tanh", []operand{x, f64(graph.Shape{4, 1}, 1, 0, 0, -0.5), f64(graph.Shape{1}, 1)}, func(x []*graph.Node) *graph.Node {
			return x[0].MatMul(x[1]).Add(x[2]).Tanh()
		}, f64(graph.Shape{m, 1}, 0, math.Tanh(2), math.Tanh(4))},
		{"dense Sigmoid", []operand{x, f64(graph.Shape{4, 1}, 1, 0, 0, -0.5), f64(graph.Shape{1}, 0)}, func(x []*graph.Node) *graph.Node {
			return x[0].MatMul(x[1]).Add(x[2]).Sigmoid()
		}, f64(graph.Shape{m, 1}, 1/(1+math.E), 1/(1+math.Exp(-1)), 1/(1+math.Exp(-3)))},
		{"MatMul vectors", []operand{f64(graph.Shape{2}, 1, 2), f64(graph.Shape{2}, 3, 4)}, two((*graph.Node).MatMul), f64(graph.Shape{}, 11)},
		{"MatMul vector on the left", []operand{f64(graph.Shape{2}, 1, 2), f64(graph.Shape{m, 2, 2}, 1, 0, 0, 1, 1, 1, 1, 1, 2, 0, 0, 3)}, two((*graph.Node).MatMul), f64(graph.Shape{m, 2}, 1, 2, 3, 3, 2, 6)},
	}
}

// singleOnly are the operators that ONNX Runtime (1.27) has in single precision alone.
var singleOnly = map[string]bool{"Cos": true, "Atan": true}

// TestOperators runs every operator in both float types that the runtime has and compares it with its definition
// or values worked out by hand, and run-time shapes with inferred ones.
func TestOperators(t *testing.T) {
	var cases []forwardCase
	for _, part := range [][]forwardCase{unaryForward(), binaryForward(), comparisonForward(), reductionForward(), layoutForward()} {
		cases = append(cases, part...)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkForward(t, c, graph.Float32)
			if !singleOnly[c.name] {
				checkForward(t, c, graph.Float64)
			}
		})
	}
}

func checkForward(t *testing.T, c forwardCase, dtype graph.DType) {
	t.Helper()
	g := graph.New("forward")
	inputs := map[string]graph.Tensor{}
	var x []*graph.Node
	for i, in := range c.in {
		name := fmt.Sprintf("x%d", i)
		inputs[name] = as(dtype, in.value)
		x = append(x, g.Input(name, inputs[name].DType, in.shape...))
	}
	y := c.build(x)
	g.Output("y", y)
	want := as(dtype, c.want.value)
	if y.DType() != want.DType || !y.Shape().Equal(c.want.shape) {
		t.Errorf("inferred %v, want %v%v (%v)", y, want.DType, c.want.shape, g.Err())
		return
	}
	got := onnxtest.Run(t, encode(t, g, nil), inputs)["y"]
	if got.DType != want.DType || !got.Shape.Equal(want.Shape) {
		t.Errorf("the runtime returned %v, want %v", got, want)
		return
	}
	a, b := numbers(got), numbers(want)
	tolerance := 1e-6
	if dtype == graph.Float64 {
		tolerance = 1e-14
	}
	for i := range b {
		if math.Abs(a[i]-b[i]) > tolerance*max(1, math.Abs(b[i])) {
			t.Errorf("%v: got %v, want %v", dtype, a, b)
			return
		}
	}
}

// numbers returns the elements of a tensor of any type as float64.
func numbers(t graph.Tensor) []float64 {
	var out []float64
	for _, v := range t.Float32s() {
		out = append(out, float64(v))
	}
	out = append(out, t.Float64s()...)
	for _, v := range t.Int32s() {
		out = append(out, float64(v))
	}
	for _, v := range t.Int64s() {
		out = append(out, float64(v))
	}
	for _, v := range t.Bools() {
		if v {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	return out
}
