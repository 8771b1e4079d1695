package graph_test

import (
	"slices"
	"testing"

	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// nested builds a recurrence over rows with a recurrence inside: the running sum of x w_yx
// over the places x of each row y, and its value at the end of every row.
func nested() *graph.Graph {
	g := graph.New("nested")
	x := g.Input("x", graph.Float32, m, 2)
	w := g.Param("w", 2, 6, 2)
	final, rows := g.Scan([]*graph.Node{x.Mul(x.Scalar(0))}, []*graph.Node{w},
		func(row *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			final, places := row.Scan(carry, slice, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
				sum := carry[0].Add(x.Mul(slice[0]))
				return []*graph.Node{sum}, []*graph.Node{sum}
			})
			return final, append(final, places...)
		})
	g.Output("final", final[0])
	g.Output("rows", rows[0])
	g.Output("places", rows[1])
	return g
}

// TestForGPU checks that results are identical to the last bit with several slices per
// step, up to no loop at all.
func TestForGPU(t *testing.T) {
	x := graph.Float32s([]float32{1, -2, 3, 0.5, 7, -1}, 3, 2)
	recurrent := map[string]graph.Tensor{
		"w": graph.Float32s([]float32{1, 2, -1, 0, 0, 1, 1, 1, 2, 0, 1, -1}, 3, 2, 2),
		"v": graph.Float32s([]float32{1, 0, 1, 2}, 2, 2), "u": graph.Float32s([]float32{1, -1}, 2),
	}
	places := make([]float32, 24)
	for i := range places {
		places[i] = float32(i%7) / 3
	}
	for name, c := range map[string]struct {
		build   func() *graph.Graph
		weights map[string]graph.Tensor
		scans   map[int]int // by width
	}{
		"recurrence": {recurrence, recurrent, map[int]int{1: 1, 2: 1, 3: 0, 8: 0}},
		"nested":     {nested, map[string]graph.Tensor{"w": graph.Float32s(places, 2, 6, 2)}, map[int]int{1: 2, 2: 2, 4: 2, 6: 1}},
	} {
		want := onnxtest.Run(t, encode(t, c.build(), c.weights), map[string]graph.Tensor{"x": x})
		for width, scans := range c.scans {
			g, err := graph.ForGPU(c.build(), width)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if have := countScans(g); have != scans {
				t.Errorf("%s: %d loops are left with %d slices per step, want %d", name, have, width, scans)
			}
			got := onnxtest.Run(t, encode(t, g, c.weights), map[string]graph.Tensor{"x": x})
			for output, tensor := range want {
				if !got[output].Shape.Equal(tensor.Shape) {
					t.Fatalf("%s: output %s is %v, want %v", name, output, got[output], tensor)
				}
				for i, v := range tensor.Float32s() {
					if got[output].Float32s()[i] != v {
						t.Fatalf("%s: output %s differs at %d with %d slices per step: %v, want %v", name, output, i, width, got[output].Float32s()[i], v)
					}
				}
			}
		}
	}
}

// TestForGPUPad pads integers in front and behind, without a Pad.
func TestForGPUPad(t *testing.T) {
	g := graph.New("padded")
	x := g.Input("x", graph.Int32, 2, m)
	g.Output("y", x.Pad(0, 1, 2, -5))
	g, err := graph.ForGPU(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Program().Calls {
		if c.Op() == "Pad" {
			t.Error("there is still a Pad")
		}
	}
	out := onnxtest.Run(t, encode(t, g, nil), map[string]graph.Tensor{"x": graph.Int32s([]int32{1, 2, 3, 4, 5, 6}, 2, 3)})
	want := []int32{-5, -5, -5, 1, 2, 3, 4, 5, 6, -5, -5, -5, -5, -5, -5}
	if got := out["y"].Int32s(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func countScans(g *graph.Graph) (n int) {
	for _, c := range g.Program().Calls {
		for _, a := range c.Attributes() {
			if body, ok := a.Value.(*graph.Graph); ok {
				n += 1 + countScans(body)
			}
		}
	}
	return n
}

// TestForGPUFault checks that a graph's error is passed on.
func TestForGPUFault(t *testing.T) {
	g := graph.New("faulty")
	g.Output("y", g.Input("x", graph.Float32, m, 2).MatMul(g.Param("w", 3, 1)))
	if _, err := graph.ForGPU(g, 2); err == nil {
		t.Error("no error for a faulty graph")
	}
}
