package graph_test

import (
	"slices"
	"strings"
	"testing"

	"neuralwl/models/graph"
)

// TestErrors makes every kind of mistake and checks that the message has operation,
// operands, shapes and reason.
func TestErrors(t *testing.T) {
	type nodes struct{ x, w, v, state, flag *graph.Node }
	for _, c := range []struct {
		want  string
		build func(g *graph.Graph, n nodes)
	}{
		{`graph "faulty": Add(x float32[M 4], w float32[4 3]): dimensions M and 4 do not broadcast`,
			func(_ *graph.Graph, n nodes) { n.x.Add(n.w) }},
		{"Mul(x float32[M 4], state int32[M 4]): element types float32 and int32 differ",
			func(_ *graph.Graph, n nodes) { n.x.Mul(n.state) }},
		{"Add(flag bool[M], flag bool[M]): bool is not a number type", func(_ *graph.Graph, n nodes) { n.flag.Add(n.flag) }},
		{"Neg(flag bool[M]): bool is not a number type", func(_ *graph.Graph, n nodes) { n.flag.Neg() }},
		{"Exp(state int32[M 4]): int32 is not floating-point", func(_ *graph.Graph, n nodes) { n.state.Exp() }},
		{"Add(x float32[M 4], <nil>): operand 1 is nil", func(_ *graph.Graph, n nodes) { n.x.Add(nil) }},
		{"MatMul(x float32[M 4], <nil>): operand 1 is nil", func(_ *graph.Graph, n nodes) { n.x.MatMul(nil) }},
		{"MatMul(x float32[M 4], x float32[M 4]): inner dimensions 4 and M differ", func(_ *graph.Graph, n nodes) { n.x.MatMul(n.x) }},
		{"a scalar is not a matrix", func(_ *graph.Graph, n nodes) { n.x.MatMul(n.x.Scalar(1)) }},
		{"the interval [1, -1] is empty", func(_ *graph.Graph, n nodes) { n.x.Clip(1, -1) }},
		{"no element type DType(9)", func(_ *graph.Graph, n nodes) { n.x.Cast(9) }},
		{"Where(x float32[M 4], x float32[M 4], x float32[M 4]): the condition is float32",
			func(_ *graph.Graph, n nodes) { graph.Where(n.x, n.x, n.x) }},
		{"Where(flag bool[M], x float32[M 4], state int32[M 4]): element types float32 and int32 differ",
			func(_ *graph.Graph, n nodes) { graph.Where(n.flag, n.x, n.state) }},
		{"Equal(x float32[M 4], state int32[M 4]): element types", func(_ *graph.Graph, n nodes) { n.x.Equal(n.state) }},
		{"ReduceSum(x float32[M 4], const_0 int64[0]): axis 2 is outside a tensor of 2 axes",
			func(_ *graph.Graph, n nodes) { n.x.ReduceSum(graph.DropDims, 2) }},
		{"axis 1 is given twice", func(_ *graph.Graph, n nodes) { n.x.ReduceMax(graph.KeepDims, 1, -1) }},
		{"axis -3 is outside", func(_ *graph.Graph, n nodes) { n.x.CumSum(-3, graph.CumSumMode{}) }},
		{"axis 2 is outside", func(_ *graph.Graph, n nodes) { n.x.Softmax(2) }},
		{"Reshape(w float32[4 3], const_0 int64[1]): [11] does not hold the elements of [4 3]",
			func(_ *graph.Graph, n nodes) { n.w.Reshape(11) }},
		{"more than one dimension is -1", func(_ *graph.Graph, n nodes) { n.w.Reshape(-1, -1) }},
		{"dimension 1 of the new shape is -2", func(_ *graph.Graph, n nodes) { n.w.Reshape(6, -2) }},
		{"to [-1 5]: the inferred dimension is not a whole multiple", func(_ *graph.Graph, n nodes) { n.w.Reshape(-1, 5) }},
		{"[12] does not hold the elements of [M 4]", func(_ *graph.Graph, n nodes) { n.x.Reshape(12) }},
		{"axis 0 is given twice", func(_ *graph.Graph, n nodes) { n.x.Unsqueeze(0).Transpose(0, 1, 0) }},
		{"[1] is not a permutation", func(_ *graph.Graph, n nodes) { n.x.Transpose(1) }},
		{"axis 4 is outside a tensor of 3 axes", func(_ *graph.Graph, n nodes) { n.x.Unsqueeze(4) }},
		{"axis 0 has dimension M, not 1", func(_ *graph.Graph, n nodes) { n.x.Squeeze(0) }},
		{"dimensions 4 and 3 do not broadcast", func(_ *graph.Graph, n nodes) { n.x.Expand(graph.Dynamic, 3) }},
		{"has no elements", func(_ *graph.Graph, n nodes) { n.v.Expand(0, 3) }},
		{"Concat(x float32[M 4], w float32[4 3]): w float32[4 3] differs from x float32[M 4] outside axis 1",
			func(_ *graph.Graph, n nodes) { graph.Concat(1, n.x, n.w) }},
		{"cannot be joined along axis 0", func(_ *graph.Graph, n nodes) { graph.Concat(0, n.x, n.x) }},
		{"Slice(x float32[M 4]", func(_ *graph.Graph, n nodes) { n.x.Slice(0, 0, 1) }},
		{"no elements between 2 and 2 on axis 1", func(_ *graph.Graph, n nodes) { n.x.Slice(1, 2, 2) }},
		{"the pads -1 and 0 must not be negative", func(_ *graph.Graph, n nodes) { n.x.Pad(1, -1, 0, 0) }},
		{"axis 0 is dynamic", func(_ *graph.Graph, n nodes) { n.x.Pad(0, 1, 0, 0) }},
		{"the pads 5 and 0 must lie between 0 and the dimension", func(_ *graph.Graph, n nodes) { n.x.PadPeriodic(1, 5, 0) }},
		{"Gather(w float32[4 3], x float32[M 4]): the index is float32", func(_ *graph.Graph, n nodes) { n.w.Gather(0, n.x) }},
		{"axis 0 is dynamic", func(_ *graph.Graph, n nodes) { n.x.Gather(0, n.state) }},
		{"OneHot(x float32[M 4]): needs an integer operand and a positive depth, got 2", func(_ *graph.Graph, n nodes) { n.x.OneHot(2, graph.Float32) }},
		{"Param(w float32[2]): the name \"w\" is taken", func(g *graph.Graph, _ nodes) { g.Param("w", 2) }},
		{"dimensions must be positive", func(g *graph.Graph, _ nodes) { g.Param("b", graph.Dynamic) }},
		{"dimensions must be positive or Dynamic", func(g *graph.Graph, _ nodes) { g.Input("b", graph.Bool, 0) }},
		{"no such element type", func(g *graph.Graph, _ nodes) { g.Input("b", 0, 1) }},
		{"the name is empty", func(g *graph.Graph, _ nodes) { g.Input("", graph.Bool) }},
		{"Output(x float32[M 4]): the name \"w\" is taken", func(g *graph.Graph, n nodes) { g.Output("w", n.x) }},
		{"Output(<nil>): \"y\" is nil", func(g *graph.Graph, _ nodes) { g.Output("y", nil) }},
		{"belongs to another graph", func(g *graph.Graph, n nodes) { n.x.Add(graph.New("other").Input("y", graph.Float32, 4)) }},
		{"belongs to another graph", func(g *graph.Graph, _ nodes) { g.Output("y", graph.New("other").Param("y", 4)) }},
		{"belongs to another graph", func(g *graph.Graph, _ nodes) { g.Output("y", graph.New("other").Param("y", 4).Exp().Reshape(5)) }},
		{"the tensor is empty", func(g *graph.Graph, _ nodes) { g.Constant(graph.Tensor{}) }},
	} {
		g := graph.New("faulty")
		n := nodes{
			x: g.Input("x", graph.Float32, m, 4), w: g.Param("w", 4, 3), v: g.Param("v", 3),
			state: g.Input("state", graph.Int32, m, 4), flag: g.Input("flag", graph.Bool, m),
		}
		c.build(g, n)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

// TestGraphErrors makes mistakes with a graph as a whole.
func TestGraphErrors(t *testing.T) {
	if err := graph.New("whole", graph.WithFloat(graph.Int32)).Err(); err == nil || !strings.Contains(err.Error(), "weights cannot be int32") {
		t.Errorf("integer weights: %v", err)
	}
	g := graph.New("static")
	g.Param("w", 1).Expand(m)
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "no input has a Dynamic dimension") {
		t.Errorf("batch of a graph without one: %v", err)
	}
}

// TestFirstErrorWins builds on a failed node: nothing panics, and the first mistake is the
// one reported.
func TestFirstErrorWins(t *testing.T) {
	g := graph.New("sticky")
	x, w := g.Input("x", graph.Float32, m, 4), g.Param("w", 4, 3)
	bad := x.Add(w)
	first := g.Err()
	if first == nil {
		t.Fatal("no error")
	}
	y := bad.MatMul(w).SiLU().Softmax(-1).CumSum(1, graph.CumSumMode{}).Slice(1, 0, 1).Pad(1, 1, 1, 0).
		PadPeriodic(1, 1, 1).ReduceMax(graph.KeepDims, 3).Reshape(-1, 7).Transpose(1, 0).Unsqueeze(9).Squeeze(2).
		Expand(3, 4).Gather(0, bad).Clip(0, 1).OneHot(3, graph.Float32).Mul(bad.Scalar(2))
	g.Output("y", graph.Concat(0, y, graph.Where(y, x, w)))
	x.MatMul(x)
	if got := g.Err(); got != first {
		t.Errorf("got %v, want the first error, %v", got, first)
	}
	if _, err := graph.Gradients(y, []*graph.Node{w}); err != first {
		t.Errorf("Gradients returned %v, want %v", err, first)
	}
}

// TestProgram checks the exported parts: no dead operators, weights or constants, all
// inputs, shared constants once, operands before their use.
func TestProgram(t *testing.T) {
	g := graph.New("program")
	x := g.Input("x", graph.Float32, m, 2)
	g.Input("unused", graph.Int32, m)
	w := g.Param("w", 2)
	idle := g.Param("idle", 2)
	x.Mul(idle).Exp()
	y := x.Mul(w).Add(x.Scalar(2)).Mul(x.Scalar(2))
	g.Output("y", y)
	g.Output("again", y)
	g.Output("x_again", x)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	p := g.Program()
	names := func(nodes []*graph.Node) string {
		var s []string
		for _, n := range nodes {
			s = append(s, n.Name())
		}
		return strings.Join(s, " ")
	}
	var ops []string
	for _, c := range p.Calls {
		ops = append(ops, c.Op())
	}
	if want := []string{"Mul", "Add", "Mul", "Identity", "Identity"}; !slices.Equal(ops, want) {
		t.Errorf("operators %v, want %v", ops, want)
	}
	for _, c := range []struct{ what, got, want string }{
		{"inputs", names(p.Inputs), "x unused"},
		{"weights", names(p.Params), "w"},
		{"constants", names(p.Constants), "const_0"},
		{"outputs", names(p.Outputs), "y again x_again"},
		{"captures", names(p.Captures), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestShapeString(t *testing.T) {
	if got, want := (graph.Shape{m, 3, -10}).String(), "[M 3 10M]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (graph.Shape{}).Elements(); got != 1 {
		t.Errorf("a scalar has %d elements", got)
	}
}

// TestNames checks that automatic names avoid chosen ones.
func TestNames(t *testing.T) {
	g := graph.New("names")
	x := g.Input("Exp_1", graph.Float32, m)
	seen := map[string]bool{}
	for range 3 {
		x = x.Exp()
		if seen[x.Name()] || x.Name() == "Exp_1" {
			t.Errorf("the name %s is used twice", x.Name())
		}
		seen[x.Name()] = true
	}
}

// TestSqueezeNothing checks that an empty list of axes does not mean all of dimension 1.
func TestSqueezeNothing(t *testing.T) {
	g := graph.New("g")
	x := g.Input("x", graph.Float32, 1, graph.Dynamic)
	if y := x.Squeeze(); y != x {
		t.Errorf("squeezed %v to %v", x, y)
	}
}

// TestTransposeUndone checks that a Transpose that undoes another returns its operand, and
// that any other is kept.
func TestTransposeUndone(t *testing.T) {
	g := graph.New("transpose")
	x := g.Input("x", graph.Float32, 2, 3, 4)
	turned := x.Transpose(1, 2, 0)
	if back := turned.Transpose(2, 0, 1); back != x {
		t.Errorf("undoing gives %v, not %v", back, x)
	}
	if twice := turned.Transpose(1, 2, 0); twice == x || !twice.Shape().Equal(graph.Shape{4, 2, 3}) {
		t.Errorf("turning twice gives %v", twice)
	}
	if turned.Transpose(2, 0); g.Err() == nil {
		t.Error("a permutation of two of three axes was taken")
	}
}
