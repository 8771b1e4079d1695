package graph_test

import (
	"fmt"

	"neuralwl/models/graph"
)

// A dense layer and the derivative of its squared error by the weight.
func Example() {
	g := graph.New("dense")
	x := g.Input("x", graph.Float32, graph.Dynamic, 16)
	target := g.Input("target", graph.Float32, graph.Dynamic, 4)
	w := g.Param("w", 16, 4)
	b := g.Param("b", 4)
	y := x.MatMul(w).Add(b).Tanh()
	fmt.Println(y)

	miss := y.Sub(target)
	loss := miss.Mul(miss).ReduceSum(graph.KeepDims)
	gradients, err := graph.Gradients(loss, []*graph.Node{w, b})
	if err != nil {
		fmt.Println(err)
		return
	}
	g.Output("y", y)
	g.Output("dw", gradients[0])
	g.Output("db", gradients[1])
	for _, n := range g.Program().Outputs {
		fmt.Println(n)
	}
	// Output:
	// Tanh_0 float32[M 4]
	// y float32[M 4]
	// dw float32[16 4]
	// db float32[4]
}

// The first mistake is remembered with everything needed to find it.
func ExampleGraph_Err() {
	g := graph.New("dense")
	x := g.Input("x", graph.Float32, graph.Dynamic, 16)
	w := g.Param("w", 12, 4)
	g.Output("y", x.MatMul(w).SiLU())
	fmt.Println(g.Err())
	// Output:
	// graph "dense": MatMul(x float32[M 16], w float32[12 4]): inner dimensions 16 and 12 differ
}

// A running product over the rows of w, for every element of the batch.
func ExampleGraph_Scan() {
	g := graph.New("product")
	x := g.Input("x", graph.Float32, graph.Dynamic, 3)
	w := g.Param("w", 10, 3)
	final, path := g.Scan([]*graph.Node{x}, []*graph.Node{w},
		func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			h := carry[0].Mul(slice[0])
			return []*graph.Node{h}, []*graph.Node{h}
		})
	fmt.Println(final[0].Shape(), path[0].Shape())
	// Output:
	// [M 3] [10 M 3]
}
