package graph_test

import (
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// recurrence builds h <- (h·w_t)V + u for h of shape [M 2], with the matrices w_t scanned,
// V and u captured, and h and its row sums emitted.
func recurrence() *graph.Graph {
	g := graph.New("recurrence")
	x := g.Input("x", graph.Float32, m, 2)
	w := g.Param("w", 3, 2, 2)
	v := g.Param("v", 2, 2)
	u := g.Param("u", 2)
	final, stacked := g.Scan([]*graph.Node{x}, []*graph.Node{w},
		func(g *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			h := carry[0].MatMul(slice[0]).MatMul(v).Add(u)
			return []*graph.Node{h}, []*graph.Node{h, h.ReduceSum(graph.DropDims, -1)}
		})
	g.Output("final", final[0])
	g.Output("path", stacked[0])
	g.Output("sums", stacked[1])
	return g
}

// recur is the same recurrence for one row, in plain Go.
func recur(h, w, v, u []float32) (path []float32) {
	product := func(h, w []float32) []float32 {
		return []float32{h[0]*w[0] + h[1]*w[2], h[0]*w[1] + h[1]*w[3]}
	}
	for t := range len(w) / 4 {
		h = product(product(h, w[4*t:]), v)
		h = []float32{h[0] + u[0], h[1] + u[1]}
		path = append(path, h...)
	}
	return path
}

// TestScan runs a recurrence with its own weights and with weights given at run
// time, for several batch sizes.
func TestScan(t *testing.T) {
	w := []float32{1, 2, -1, 0, 0, 1, 1, 1, 2, 0, 1, -1}
	v := []float32{1, 0, 1, 2}
	u := []float32{1, -1}
	data := encode(t, recurrence(), map[string]graph.Tensor{
		"w": graph.Float32s(w, 3, 2, 2), "v": graph.Float32s(v, 2, 2), "u": graph.Float32s(u, 2),
	})
	other := []float32{0, 1, -1, 1}
	for _, rows := range []int{1, 2, 5} {
		x := make([]float32, 2*rows)
		for i := range x {
			x[i] = float32(i%5 - 2)
		}
		in := map[string]graph.Tensor{"x": graph.Float32s(x, rows, 2)}
		checkRecurrence(t, onnxtest.Run(t, data, in), x, w, v, u)
		in["v"] = graph.Float32s(other, 2, 2) // captured by the body
		checkRecurrence(t, onnxtest.Run(t, data, in), x, w, other, u)
		reversed := slices.Clone(w)
		slices.Reverse(reversed)
		in["w"] = graph.Float32s(reversed, 3, 2, 2) // scanned by it
		checkRecurrence(t, onnxtest.Run(t, data, in), x, reversed, other, u)
	}
}

func checkRecurrence(t *testing.T, out map[string]graph.Tensor, x, w, v, u []float32) {
	t.Helper()
	rows, steps := len(x)/2, len(w)/4
	path, sums := out["path"], out["sums"]
	if !path.Shape.Equal(graph.Shape{steps, rows, 2}) || !sums.Shape.Equal(graph.Shape{steps, rows}) {
		t.Fatalf("stacked outputs %v and %v", path, sums)
	}
	for r := range rows {
		want := recur(x[2*r:2*r+2], w, v, u)
		for step := range steps {
			h := want[2*step : 2*step+2]
			if got := path.Float32s()[(step*rows+r)*2:][:2]; !slices.Equal(got, h) {
				t.Errorf("row %d, step %d: got %v, want %v", r, step, got, h)
			}
			if got := sums.Float32s()[step*rows+r]; got != h[0]+h[1] {
				t.Errorf("row %d, step %d: got the sum %v, want %v", r, step, got, h[0]+h[1])
			}
		}
		if got := out["final"].Float32s()[2*r:][:2]; !slices.Equal(got, want[2*steps-2:]) {
			t.Errorf("row %d: got %v after the last step, want %v", r, got, want[2*steps-2:])
		}
	}
}

// TestScanPassesThrough lets a body return values that it did not compute: its own inputs,
// outer nodes, constants, and one node twice.
func TestScanPassesThrough(t *testing.T) {
	g := graph.New("through")
	x := g.Input("x", graph.Int32, m)
	rows := g.Input("rows", graph.Int32, 2, m)
	final, stacked := g.Scan([]*graph.Node{x, x}, []*graph.Node{rows},
		func(g *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			sum := carry[0].Add(slice[0])
			return []*graph.Node{sum, carry[1]}, []*graph.Node{sum, slice[0], x, g.Scalar(graph.Int64, 7)}
		})
	for i, n := range append(final, stacked...) {
		g.Output(string(rune('a'+i)), n)
	}
	out := onnxtest.Run(t, encode(t, g, nil), map[string]graph.Tensor{
		"x": graph.Int32s([]int32{1, 2, 3}, 3), "rows": graph.Int32s([]int32{10, 20, 30, 100, 200, 300}, 2, 3),
	})
	for name, want := range map[string][]int32{
		"a": {111, 222, 333}, "b": {1, 2, 3},
		"c": {11, 22, 33, 111, 222, 333}, "d": {10, 20, 30, 100, 200, 300}, "e": {1, 2, 3, 1, 2, 3},
	} {
		if got := out[name].Int32s(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got := out["f"].Int64s(); !slices.Equal(got, []int64{7, 7}) {
		t.Errorf("f: got %v, want [7 7]", got)
	}
}

// TestScanExpands gives a constant in the body the batch dimension, whose size the body
// must get from the root.
func TestScanExpands(t *testing.T) {
	g := graph.New("expands")
	g.Input("x", graph.Float32, m, 5)
	_, stacked := g.Scan(nil, []*graph.Node{g.Param("w", 2, 1)},
		func(g *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
			return nil, []*graph.Node{slice[0].Expand(m).Add(g.Scalar(graph.Float32, 1).Expand(m))}
		})
	g.Output("y", stacked[0])
	out := onnxtest.Run(t, encode(t, g, map[string]graph.Tensor{"w": graph.Float32s([]float32{1, 2}, 2, 1)}),
		map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 3, 5)})
	if got := out["y"]; !got.Shape.Equal(graph.Shape{2, 3}) || !slices.Equal(got.Float32s(), []float32{2, 2, 2, 3, 3, 3}) {
		t.Errorf("got %v %v", got, got.Float32s())
	}
}

// TestNestedScan sums products over two loops; the inner body reads the outer body and a
// weight of the root, and declares a weight.
func TestNestedScan(t *testing.T) {
	g := graph.New("nested")
	x := g.Input("x", graph.Float32, m)
	a, b, scale := g.Param("a", 2), g.Param("b", 3), g.Param("scale")
	final, _ := g.Scan([]*graph.Node{x}, []*graph.Node{a},
		func(g *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			outer := slice[0]
			final, _ := g.Scan(carry, []*graph.Node{b},
				func(g *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
					shift := g.Param("shift")
					step := outer.Mul(slice[0]).Mul(scale).Add(shift)
					return []*graph.Node{carry[0].Add(step)}, nil
				})
			return final, nil
		})
	g.Output("y", final[0])
	out := onnxtest.Run(t, encode(t, g, map[string]graph.Tensor{
		"a": graph.Float32s([]float32{1, 2}, 2), "b": graph.Float32s([]float32{1, 2, 4}, 3),
		"scale": graph.Float32s([]float32{10}), "shift": graph.Float32s([]float32{0.5}),
	}), map[string]graph.Tensor{"x": graph.Float32s([]float32{0, 1000}, 2)})
	// Σ_a Σ_b (10ab + 0.5) = 10·3·7 + 6·0.5
	if got := out["y"].Float32s(); !slices.Equal(got, []float32{213, 1213}) {
		t.Errorf("got %v, want [213 1213]", got)
	}
}

// TestScanHoists checks that work on outer nodes leaves the loop.
func TestScanHoists(t *testing.T) {
	g := graph.New("hoist")
	x := g.Input("x", graph.Float32, m)
	w := g.Param("w", 2)
	final, _ := g.Scan([]*graph.Node{x}, []*graph.Node{w},
		func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			return []*graph.Node{carry[0].Mul(slice[0]).Add(x.Exp())}, nil
		})
	g.Output("y", final[0])
	var ops []string
	for _, c := range g.Program().Calls {
		ops = append(ops, c.Op())
	}
	if want := []string{"Exp", "Scan"}; !slices.Equal(ops, want) {
		t.Errorf("the root runs %v, want %v", ops, want)
	}
}

func TestScanErrors(t *testing.T) {
	keep := func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		return carry, slice
	}
	for _, c := range []struct {
		want  string
		build func(g *graph.Graph, x, rows *graph.Node)
	}{
		{"no scanned inputs", func(g *graph.Graph, x, _ *graph.Node) {
			g.Scan([]*graph.Node{x}, nil, keep)
		}},
		{"x float32[M 2] differs", func(g *graph.Graph, x, rows *graph.Node) {
			g.Scan(nil, []*graph.Node{rows, x}, keep)
		}},
		{"operand 1 is nil", func(g *graph.Graph, x, _ *graph.Node) {
			final, stacked := g.Scan([]*graph.Node{x}, []*graph.Node{nil}, keep)
			g.Output("final", final[0])
			g.Output("stacked", stacked[0])
		}},
		{"returns 0 carried values, want 1", func(g *graph.Graph, x, rows *graph.Node) {
			g.Scan([]*graph.Node{x}, []*graph.Node{rows}, func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				return nil, slice
			})
		}},
		{"carries slice_0 float32[2] to the next step in place of carry_0 float32[M 2]", func(g *graph.Graph, x, rows *graph.Node) {
			g.Scan([]*graph.Node{x}, []*graph.Node{rows}, func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				return slice, nil
			})
		}},
		{"Add(carry_0 float32[M 2], rows float32[3 2])", func(g *graph.Graph, x, rows *graph.Node) {
			_, stacked := g.Scan([]*graph.Node{x}, []*graph.Node{rows}, func(_ *graph.Graph, carry, _ []*graph.Node) (next, emitted []*graph.Node) {
				return carry, []*graph.Node{carry[0].Add(rows)}
			})
			g.Output("stacked", stacked[0].Exp())
		}},
		{"the body returns no values", func(g *graph.Graph, _, rows *graph.Node) {
			g.Scan(nil, []*graph.Node{rows}, func(*graph.Graph, []*graph.Node, []*graph.Node) (next, emitted []*graph.Node) {
				return nil, nil
			})
		}},
		{"the body of that Scan is complete", func(g *graph.Graph, _, rows *graph.Node) {
			var leaked *graph.Node
			g.Scan(nil, []*graph.Node{rows}, func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				leaked = slice[0]
				return nil, slice
			})
			leaked.Exp()
		}},
		{"belongs to another graph", func(g *graph.Graph, _, rows *graph.Node) {
			var leaked *graph.Node
			g.Scan(nil, []*graph.Node{rows}, func(_ *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				leaked = slice[0]
				return nil, slice
			})
			g.Output("leaked", leaked)
		}},
		{"gets its inputs from the Scan", func(g *graph.Graph, _, rows *graph.Node) {
			g.Scan(nil, []*graph.Node{rows}, func(g *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				return nil, []*graph.Node{slice[0].Add(g.Input("y", graph.Float32, 2))}
			})
		}},
		{"the body of a Scan returns its outputs", func(g *graph.Graph, _, rows *graph.Node) {
			g.Scan(nil, []*graph.Node{rows}, func(g *graph.Graph, _, slice []*graph.Node) (next, emitted []*graph.Node) {
				g.Output("y", slice[0])
				return nil, slice
			})
		}},
	} {
		g := graph.New("scan")
		c.build(g, g.Input("x", graph.Float32, m, 2), g.Input("rows", graph.Float32, 3, 2))
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}
