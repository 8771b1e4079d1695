package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// batch is the value of the Dynamic dimension in tests.
const batch = 3

// m abbreviates the dynamic dimension in shapes.
const m = graph.Dynamic

// gradientCase is a function of some inputs whose gradient is to be checked.
type gradientCase struct {
	name   string
	shapes []graph.Shape
	// low and high bound the random inputs; both zero means -2 to 2.
	low, high float64
	build     func(g *graph.Graph, x []*graph.Node) *graph.Node
	// pure has package reference evaluate the graph: ONNX Runtime (1.27) has Cos and Atan only in
	// single precision, in which differences are useless.
	pure bool
}

// inPureGo marks a case as pure.
func inPureGo(c gradientCase) gradientCase {
	c.pure = true
	return c
}

func shapes(s ...graph.Shape) []graph.Shape { return s }

// unary makes a case from a function of one input with a dynamic batch.
func unary(name string, low, high float64, f func(x *graph.Node) *graph.Node) gradientCase {
	return gradientCase{
		name: name, shapes: shapes(graph.Shape{m, 4}), low: low, high: high,
		build: func(_ *graph.Graph, x []*graph.Node) *graph.Node { return f(x[0]) },
	}
}

// binary makes cases from a function of two inputs, broadcast in every way.
func binary(name string, low, high float64, f func(a, b *graph.Node) *graph.Node) []gradientCase {
	var cases []gradientCase
	for _, s := range [][]graph.Shape{
		{{2, 3}, {2, 3}},
		{{m, 3}, {m, 3}},
		{{m, 3}, {3}},
		{{}, {m, 2}},
		{{m, 1, 2}, {4, 1}},
		{{1, 3}, {m, 1}},
		{{2, 1, 3}, {1, m, 1}},
	} {
		cases = append(cases, gradientCase{
			name: fmt.Sprintf("%s %v %v", name, s[0], s[1]), shapes: s, low: low, high: high,
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node { return f(x[0], x[1]) },
		})
	}
	return cases
}

func gradientCases() []gradientCase {
	cases := []gradientCase{
		unary("Neg", 0, 0, (*graph.Node).Neg),
		unary("Exp", 0, 0, (*graph.Node).Exp),
		unary("Log", 0.5, 3, (*graph.Node).Log),
		unary("Sqrt", 0.5, 3, (*graph.Node).Sqrt),
		unary("Tanh", 0, 0, (*graph.Node).Tanh),
		inPureGo(unary("Sin", 0, 0, (*graph.Node).Sin)),
		inPureGo(unary("Cos", 0, 0, (*graph.Node).Cos)),
		inPureGo(unary("Atan", 0, 0, (*graph.Node).Atan)),
		unary("Floor", 0, 0, func(x *graph.Node) *graph.Node { return x.Sub(x.Floor()).Mul(x) }),
		unary("Sigmoid", 0, 0, (*graph.Node).Sigmoid),
		unary("Relu", 0, 0, (*graph.Node).Relu),
		unary("SiLU", 0, 0, (*graph.Node).SiLU),
		unary("Clip", 0, 0, func(x *graph.Node) *graph.Node { return x.Clip(-1, 0.5) }),
		unary("Softmax", 0, 0, func(x *graph.Node) *graph.Node { return x.Softmax(-1) }),
		unary("Softmax batch axis", 0, 0, func(x *graph.Node) *graph.Node { return x.Softmax(0) }),
		unary("LogSoftmax", 0, 0, func(x *graph.Node) *graph.Node { return x.LogSoftmax(1) }),
		unary("Cast", 0, 0, func(x *graph.Node) *graph.Node { return x.Cast(graph.Float64).Mul(x) }),
		unary("reused", 0, 0, func(x *graph.Node) *graph.Node { return x.Mul(x).Add(x).Exp().Mul(x) }),
		unary("itself", 0, 0, func(x *graph.Node) *graph.Node { return x }),
		unary("ReduceSum all", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Mul(x).ReduceSum(graph.DropDims)
		}),
		unary("ReduceSum batch", 0, 0, func(x *graph.Node) *graph.Node {
			return x.ReduceSum(graph.DropDims, 0)
		}),
		unary("ReduceSum keep", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Mul(x.ReduceSum(graph.KeepDims, -1))
		}),
		unary("ReduceMax", 0, 0, func(x *graph.Node) *graph.Node {
			return x.ReduceMax(graph.DropDims, 1).Exp()
		}),
		unary("ReduceMax keep all", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Sub(x.ReduceMax(graph.KeepDims))
		}),
		unary("Reshape", 0, 0, func(x *graph.Node) *graph.Node { return x.Reshape(0, 2, -1).Exp() }),
		unary("Reshape flat", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Reshape(-1).Exp().Reshape(-1, 2, 2).ReduceSum(graph.KeepDims, 2)
		}),
		unary("Transpose", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Reshape(0, 2, 2).Transpose(2, 0, 1).Exp()
		}),
		unary("Unsqueeze Squeeze", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Unsqueeze(0, -1).Exp().Squeeze(0).Tanh().Squeeze(-1)
		}),
		unary("Expand", 0, 0, func(x *graph.Node) *graph.Node {
			return x.Unsqueeze(1).Expand(m, 3, 4).Exp()
		}),
		unary("Expand to batch", 0, 0, func(x *graph.Node) *graph.Node {
			return x.ReduceSum(graph.DropDims, 0).Expand(m, 4).Mul(x)
		}),
		unary("two dynamic axes", 0, 0, func(x *graph.Node) *graph.Node {
			outer := x.Unsqueeze(0).Sub(x.Unsqueeze(1)) // [M M 4]
			return outer.Mul(outer).ReduceSum(graph.DropDims, 2).Exp().ReduceSum(graph.DropDims, 0)
		}),
		unary("Reshape with two dynamic axes", 0, 0, func(x *graph.Node) *graph.Node {
			outer := x.Unsqueeze(0).Mul(x.Unsqueeze(1)).Reshape(0, 0, 2, -1) // [M M 2 2]
			return outer.Reshape(0, 0, 4).Exp().ReduceSum(graph.DropDims, 0)
		}),
		unary("Slice", 0, 0, func(x *graph.Node) *graph.Node { return x.Slice(1, 1, -1).Exp() }),
		unary("Pad", 0, 0, func(x *graph.Node) *graph.Node { return x.Pad(-1, 1, 2, 0.5).Exp() }),
		unary("PadPeriodic", 0, 0, func(x *graph.Node) *graph.Node { return x.PadPeriodic(1, 2, 1).Exp() }),
	}
	for _, mode := range []graph.CumSumMode{{}, {Exclusive: true}, {Reverse: true}, {Exclusive: true, Reverse: true}} {
		cases = append(cases, unary(fmt.Sprintf("CumSum %+v", mode), 0, 0, func(x *graph.Node) *graph.Node {
			return x.CumSum(-1, mode).Exp()
		}))
	}
	cases = append(cases, binary("Add", 0, 0, (*graph.Node).Add)...)
	cases = append(cases, binary("Sub", 0, 0, (*graph.Node).Sub)...)
	cases = append(cases, binary("Mul", 0, 0, (*graph.Node).Mul)...)
	cases = append(cases, binary("Div", 0.5, 2, (*graph.Node).Div)...)
	cases = append(cases, binary("Min", 0, 0, (*graph.Node).Min)...)
	cases = append(cases, binary("Max", 0, 0, (*graph.Node).Max)...)
	cases = append(cases, binary("Where", 0, 0, func(a, b *graph.Node) *graph.Node {
		return graph.Where(a.Less(b.Scalar(0.3)), a.Exp(), b)
	})...)
	for _, s := range [][]graph.Shape{
		{{2, 3}, {3, 4}},
		{{m, 3}, {3, 4}},
		{{m, 2, 3}, {3, 4}},
		{{m, 2, 3}, {m, 3, 4}},
		{{2, 3}, {m, 3, 4}},
		{{2, 1, 2, 3}, {m, 3, 2}},
		{{2, 3, 4}, {4, m}},
		{{3}, {3, 2}},
		{{m, 2, 3}, {3}},
		{{3}, {3}},
	} {
		cases = append(cases, gradientCase{
			name: fmt.Sprintf("MatMul %v %v", s[0], s[1]), shapes: s,
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node { return x[0].MatMul(x[1]) },
		})
	}
	cases = append(cases,
		gradientCase{
			name: "MatMul broadcast batch", shapes: shapes(graph.Shape{m, 3}, graph.Shape{m, 3, 2}),
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node {
				return x[0].MatMul(x[1]).Exp().ReduceSum(graph.DropDims, 0)
			},
		},
		gradientCase{
			name: "sum of a product with a column", shapes: shapes(graph.Shape{m, 4}, graph.Shape{m, 1}),
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node {
				return x[0].Mul(x[1]).ReduceSum(graph.DropDims, 1)
			},
		},
		gradientCase{
			name: "Concat", shapes: shapes(graph.Shape{m, 2}, graph.Shape{m, 3}, graph.Shape{m, 1}),
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node {
				return graph.Concat(-1, x[0], x[1], x[2], x[0]).Exp()
			},
		},
		gradientCase{
			name: "Gather rows", shapes: shapes(graph.Shape{4, 3}, graph.Shape{m, 5}),
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node {
				index := x[1].Clip(-1.9, 1.9).Cast(graph.Int32) // [M 5], values -1, 0, 1
				return x[0].Gather(0, index).Exp().Add(x[1].Unsqueeze(-1))
			},
		},
		gradientCase{
			name: "Gather inner", shapes: shapes(graph.Shape{m, 4, 2}),
			build: func(g *graph.Graph, x []*graph.Node) *graph.Node {
				index := g.Constant(graph.Int64s([]int64{3, -1, 0, 1, 0, 0}, 2, 3))
				return x[0].Gather(1, index).Exp()
			},
		},
		gradientCase{
			name: "Gather each twice", shapes: shapes(graph.Shape{m, 3, 2}),
			build: func(g *graph.Graph, x []*graph.Node) *graph.Node {
				index := g.Constant(graph.Int32s([]int32{2, -3, 1, 1, 0, -1}, 2, 3))
				return x[0].Gather(1, index).Exp()
			},
		},
		gradientCase{
			name: "Gather a permutation", shapes: shapes(graph.Shape{m, 3, 2}),
			build: func(g *graph.Graph, x []*graph.Node) *graph.Node {
				return x[0].Gather(1, g.Constant(graph.Int64s([]int64{2, 0, 1}, 3))).Exp()
			},
		},
		gradientCase{
			name: "Gather scalar", shapes: shapes(graph.Shape{m, 4}),
			build: func(g *graph.Graph, x []*graph.Node) *graph.Node {
				return x[0].Gather(1, g.Scalar(graph.Int64, 2)).Exp()
			},
		},
		gradientCase{
			name: "network", shapes: shapes(graph.Shape{m, 4}, graph.Shape{4, 5}, graph.Shape{5}, graph.Shape{5, 3}),
			build: func(_ *graph.Graph, x []*graph.Node) *graph.Node {
				h := x[0].MatMul(x[1]).Add(x[2]).SiLU()
				colour := x[0].Slice(1, 0, 1).Squeeze(1).Cast(graph.Int32).OneHot(3, graph.Float64)
				return h.MatMul(x[3]).LogSoftmax(-1).Mul(colour).ReduceSum(graph.DropDims, 1)
			},
		},
	)
	return cases
}

// TestGradients compares every gradient rule with central differences of the
// same graph evaluated in double precision.
func TestGradients(t *testing.T) {
	for i, c := range gradientCases() {
		t.Run(c.name, func(t *testing.T) { checkGradient(t, c, uint64(i)) })
	}
}

func checkGradient(t *testing.T, c gradientCase, seed uint64) {
	g := graph.New("gradient", graph.WithFloat(graph.Float64))
	wrt := make([]*graph.Node, len(c.shapes))
	names := make([]string, len(c.shapes))
	for i, s := range c.shapes {
		names[i] = fmt.Sprintf("x%d", i)
		wrt[i] = g.Input(names[i], graph.Float64, s...)
	}
	y := c.build(g, wrt)
	// A different weight for every element distinguishes a permuted gradient from the right
	// one.
	flat := y.Reshape(-1)
	place := flat.Scalar(1).Expand(flat.Shape()...).CumSum(0, graph.CumSumMode{})
	loss := flat.Div(place).ReduceSum(graph.DropDims)
	grads, err := graph.Gradients(loss, wrt)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("loss", loss)
	for i, d := range grads {
		if !d.Shape().Equal(c.shapes[i]) {
			t.Fatalf("gradient %d has shape %v, want %v", i, d.Shape(), c.shapes[i])
		}
		g.Output("d"+names[i], d)
	}
	model, err := exporter.Encode(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(inputs map[string]graph.Tensor) map[string]graph.Tensor {
		out, err := reference.Evaluate(model, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !c.pure {
		session := onnxtest.Load(t, encode(t, g, nil), names)
		run = func(inputs map[string]graph.Tensor) map[string]graph.Tensor { return session.Run(t, inputs) }
	}

	low, high := c.low, c.high
	if low == 0 && high == 0 {
		low, high = -2, 2
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	var x []float64
	for _, s := range c.shapes {
		for range runtimeShape(s).Elements() {
			x = append(x, low+(high-low)*rng.Float64())
		}
	}
	feed := func(x []float64) map[string]graph.Tensor {
		inputs := map[string]graph.Tensor{}
		for i, s := range c.shapes {
			s = runtimeShape(s)
			inputs[names[i]] = graph.Float64s(slices.Clone(x[:s.Elements()]), s...)
			x = x[s.Elements():]
		}
		return inputs
	}
	value := func(x []float64) float64 { return run(feed(x))["loss"].Float64s()[0] }
	want := fd.Gradient(nil, value, x, &fd.Settings{Formula: fd.Central})
	out := run(feed(x))
	var got []float64
	for i, s := range c.shapes {
		d := out["d"+names[i]]
		if !d.Shape.Equal(runtimeShape(s)) {
			t.Fatalf("gradient %d has shape %v at run time, want %v", i, d.Shape, runtimeShape(s))
		}
		got = append(got, d.Float64s()...)
	}
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i := range want {
		if diff := math.Abs(got[i] - want[i]); !(diff <= 1e-6*scale) {
			t.Errorf("derivative %d: got %.10g, by finite differences %.10g", i, got[i], want[i])
		}
	}
}

// runtimeShape replaces multiples of M by their value.
func runtimeShape(s graph.Shape) graph.Shape {
	s = slices.Clone(s)
	for i, d := range s {
		if d < 0 {
			s[i] = -d * batch
		}
	}
	return s
}

// encode returns the graph's file.
func encode(t testing.TB, g *graph.Graph, weights map[string]graph.Tensor) []byte {
	t.Helper()
	model, err := exporter.Encode(g, weights)
	if err != nil {
		t.Fatal(err)
	}
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGradientOfCast passes through single precision, where finite differences are useless:
// the derivative of 3x is exactly 3.
func TestGradientOfCast(t *testing.T) {
	g := graph.New("cast", graph.WithFloat(graph.Float64))
	x := g.Input("x", g.Float(), m)
	y := x.Cast(graph.Float32)
	grads, err := graph.Gradients(y.Mul(y.Scalar(3)).ReduceSum(graph.KeepDims), []*graph.Node{x})
	if err != nil {
		t.Fatal(err)
	}
	g.Output("dx", grads[0])
	got := onnxtest.Run(t, encode(t, g, nil), map[string]graph.Tensor{"x": graph.Float64s([]float64{1, 2}, 2)})["dx"]
	if !slices.Equal(got.Float64s(), []float64{3, 3}) {
		t.Errorf("got %v, want float64 [3 3]", got)
	}
}

// TestGradientsSkip counts operators: the derivative by a weight alone costs one more
// matrix product, and nothing is computed for the input, for the constant factor or for a
// branch without weights.
func TestGradientsSkip(t *testing.T) {
	g := graph.New("skip")
	x := g.Input("x", graph.Float32, m, 4)
	w := g.Param("w", 4, 3)
	y := x.Tanh().MatMul(w).Mul(x.Scalar(2))
	loss := y.Add(x.MatMul(g.Constant(graph.Zeros(graph.Float32, 4, 3))).Exp()).ReduceSum(graph.DropDims)
	grads, err := graph.Gradients(loss, []*graph.Node{w})
	if err != nil {
		t.Fatal(err)
	}
	g.Output("dw", grads[0])
	var ops []string
	for _, c := range g.Program().Calls {
		ops = append(ops, c.Op())
	}
	// The loss itself is not an output. Shape, Concat and Expand spread its derivative over
	// the batch, whose size is known only at run time.
	want := []string{"Tanh", "Unsqueeze", "Shape", "Concat", "Expand", "Mul", "Transpose", "MatMul"}
	if !slices.Equal(ops, want) {
		t.Errorf("the gradient takes %v, want %v", ops, want)
	}
}

func TestGradientErrors(t *testing.T) {
	g := graph.New("errors")
	x := g.Input("x", graph.Float32, m, 2)
	idle := g.Param("idle", 2)
	w := g.Param("w", 2)
	loss := x.Mul(w).ReduceSum(graph.DropDims)
	state := g.Input("state", graph.Int32, m, 2)

	check := func(what, want string, loss *graph.Node, wrt ...*graph.Node) {
		t.Helper()
		if _, err := graph.Gradients(loss, wrt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", what, err, want)
		}
	}
	check("unused weight", "idle float32[2] does not influence", loss, w, idle)
	check("loss that is no scalar", "must be one floating-point number", x.Mul(w), w)
	check("integer wrt", "state int32[M 2] is not a floating-point node", loss, state)
	hard := x.Cast(graph.Int32).Cast(graph.Float32).ReduceSum(graph.DropDims)
	check("integer path", "x float32[M 2] does not influence", hard, x)
	final, _ := g.Scan([]*graph.Node{x}, []*graph.Node{g.Param("rows", 3, 2)},
		func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			return []*graph.Node{carry[0].Mul(slice[0]).Mul(w)}, nil
		})
	through := final[0].ReduceSum(graph.DropDims)
	check("through Scan", "Scan(x float32[M 2], rows float32[3 2]) has no derivative", through, x)
	check("into the body of a Scan", "Scan(x float32[M 2], rows float32[3 2]) has no derivative", through, w)
	if err := g.Err(); err != nil {
		t.Error(err)
	}
	// A Scan elsewhere in the graph does not prevent a gradient.
	if _, err := graph.Gradients(through.Add(loss).Sub(through.Cast(graph.Float32)), []*graph.Node{idle}); err == nil {
		t.Error("no error for an unused weight")
	}
}
