package graph

import (
	"fmt"
	"slices"
)

// shareLimit is the number of elements up to which equal constants become one node: enough
// for scalars, axes and shapes, which are what repeats.
const shareLimit = 32

// Constant adds a fixed value. It belongs to the graph it is called on; within a Scan body,
// use the body's own graph.
func (g *Graph) Constant(t Tensor) *Node {
	if t.DType == 0 {
		return g.fail("Constant", nil, "the tensor is empty")
	}
	if t.Shape.Elements() > shareLimit {
		return g.newConstant(t)
	}
	key := fmt.Sprintf("%v %v", t, t.data)
	if n, ok := g.constants[key]; ok {
		return n
	}
	n := g.newConstant(t)
	g.constants[key] = n
	return n
}

func (g *Graph) newConstant(t Tensor) *Node {
	return &Node{graph: g, name: g.unique("const"), dtype: t.DType, shape: slices.Clone(t.Shape), value: t}
}

// Scalar adds the constant v, converted to dtype, as a tensor without axes.
func (g *Graph) Scalar(dtype DType, v float64) *Node {
	if dtype == 0 {
		return &Node{graph: g, name: "failed Scalar"}
	}
	return g.Constant(filled(dtype, v))
}

// int64s adds a vector in the form in which operators take axes, sizes and pads.
func (g *Graph) int64s(v ...int) *Node {
	data := make([]int64, len(v))
	for i, x := range v {
		data[i] = int64(x)
	}
	return g.Constant(Int64s(data, len(v)))
}

// shapeOf returns s as a run-time int64 vector in the root graph: a constant if s is
// static, else assembled from the batch size of some input.
func (g *Graph) shapeOf(s Shape) *Node {
	root := g.root()
	if s.Static() {
		return root.int64s(s...)
	}
	if n, ok := root.shapes[s.String()]; ok {
		return n
	}
	parts := make([]*Node, len(s))
	for i, d := range s {
		switch {
		case d >= 0:
			parts[i] = root.int64s(d)
		case d == Dynamic:
			parts[i] = root.batchSize()
		default:
			parts[i] = root.batchSize().Mul(root.int64s(-d))
		}
	}
	n := Concat(0, parts...)
	root.shapes[s.String()] = n
	return n
}

// batchSize returns M as an int64[1], read from the first input that has it.
func (g *Graph) batchSize() *Node {
	if g.batch != nil {
		return g.batch
	}
	for _, in := range g.inputs {
		if axis := slices.Index(in.shape, Dynamic); axis >= 0 {
			g.batch = apply(operator{
				name:       "Shape",
				attributes: []Attribute{{"start", int64(axis)}, {"end", int64(axis + 1)}},
				infer:      func([]*Node) (DType, Shape, error) { return Int64, Shape{1}, nil },
			}, in)
			return g.batch
		}
	}
	return g.fail("Shape", nil, "no input has a Dynamic dimension to read the batch size from")
}
