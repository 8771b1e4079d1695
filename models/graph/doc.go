// Package graph builds typed tensor programs over the standard ONNX operators, infers their
// shapes as they are built and differentiates them.
//
// A Graph is written by calling methods on its nodes,
//
//	g := graph.New("dense")
//	x := g.Input("x", graph.Float32, graph.Dynamic, 16)
//	w := g.Param("w", 16, 32)
//	b := g.Param("b", 32)
//	g.Output("y", x.MatMul(w).Add(b).SiLU())
//	if err := g.Err(); err != nil { ... }
//
// Each method is one ONNX operator, or a short composition of them, with exactly the ONNX
// meaning: numpy broadcasting, negative axes counted from the end, no implicit conversion
// between element types.
//
// Errors are sticky, as in bufio.Writer: the first operation that does not fit its operands
// is remembered with their names, types and shapes, everything built on it is ignored, and
// Graph.Err reports it.
//
// One dimension may be left open until run time: the batch M, written Dynamic. Multiples of
// it produced by flattening are tracked as well, see Shape.
//
// Gradients appends the reverse-mode derivative of a scalar to the same graph, so that a
// training step is one more program for the same runtime.
//
// The package knows neither the ONNX file format nor any runtime; package exporter turns a
// Graph into a file through Graph.Program.
package graph
