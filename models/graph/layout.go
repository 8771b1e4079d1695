package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Reshape returns the same elements in another shape. A dimension 0 copies that of n at the
// same place. One dimension may be -1: it is inferred, and only it and copied dimensions
// can depend on the batch.
func (n *Node) Reshape(dims ...int) *Node {
	return apply(operator{
		name: "Reshape",
		infer: func(in []*Node) (DType, Shape, error) {
			shape, err := reshaped(in[0].shape, dims)
			return in[0].dtype, shape, err
		},
		grad: func(in []*Node, _, dy *Node, _ int) *Node { return dy.reshapeTo(in[0].shape) },
	}, n, n.graph.int64s(dims...))
}

// reshaped applies the ONNX rules for 0 and -1 to a shape.
func reshaped(from Shape, dims []int) (Shape, error) {
	to := Shape(slices.Clone(dims))
	infer := -1
	for i, d := range dims {
		switch {
		case d == 0 && i < len(from):
			to[i] = from[i]
		case d == -1 && infer < 0:
			infer = i
			to[i] = 1
		case d == -1:
			return nil, errors.New("more than one dimension is -1")
		case d < 1:
			return nil, fmt.Errorf("dimension %d of the new shape is %d", i, d)
		}
	}
	if infer >= 0 {
		d, err := from.volume().over(to.volume())
		if err != nil {
			return nil, fmt.Errorf("to %v: %w", dims, err)
		}
		to[infer] = d
	}
	if from.volume() != to.volume() {
		return nil, fmt.Errorf("%v does not hold the elements of %v", to, from)
	}
	return to, nil
}

// reshapeTo is Reshape to an inferred shape, several dimensions of which may depend on the
// batch.
func (n *Node) reshapeTo(shape Shape) *Node {
	dims := slices.Clone(shape)
	dynamic := 0
	for i, d := range shape {
		if d < 0 {
			dims[i] = -1
			dynamic++
		}
	}
	if dynamic <= 1 {
		return n.Reshape(dims...)
	}
	return apply(operator{
		name: "Reshape",
		infer: func(in []*Node) (DType, Shape, error) {
			return in[0].dtype, shape, nil
		},
		grad: func(in []*Node, _, dy *Node, _ int) *Node { return dy.reshapeTo(in[0].shape) },
	}, n, n.graph.shapeOf(shape))
}

// Transpose returns n with axis perm[i] of n at place i. Undoing a Transpose returns that
// Transpose's operand.
func (n *Node) Transpose(perm ...int) *Node {
	if original := n.untransposed(perm); original != nil {
		return original
	}
	wide := make([]int64, len(perm))
	inverse := make([]int, len(perm))
	for i, p := range perm {
		wide[i] = int64(p)
		if p >= 0 && p < len(perm) {
			inverse[p] = i
		}
	}
	return apply(operator{
		name:       "Transpose",
		attributes: []Attribute{{"perm", wide}},
		infer: func(in []*Node) (DType, Shape, error) {
			axes, err := positiveAxes(perm, in[0].Rank())
			if err != nil {
				return 0, nil, err
			}
			if len(axes) != in[0].Rank() || slices.Min(perm) < 0 {
				return 0, nil, fmt.Errorf("%v is not a permutation of the %d axes", perm, in[0].Rank())
			}
			shape := make(Shape, len(perm))
			for i, p := range perm {
				shape[i] = in[0].shape[p]
			}
			return in[0].dtype, shape, nil
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node { return dy.Transpose(inverse...) },
	}, n)
}

// untransposed returns the operand of the Transpose that made n if perm undoes it,
// else nil.
func (n *Node) untransposed(perm []int) *Node {
	if n.call == nil || n.call.op.name != "Transpose" {
		return nil
	}
	made := n.call.op.attributes[0].Value.([]int64)
	for i, p := range perm {
		if p < 0 || p >= len(made) || made[p] != int64(i) {
			return nil
		}
	}
	if len(perm) != len(made) {
		return nil
	}
	return n.call.Inputs[0]
}

// Unsqueeze inserts axes of dimension 1 at the given places of the result.
func (n *Node) Unsqueeze(axes ...int) *Node {
	return apply(operator{
		name: "Unsqueeze",
		infer: func(in []*Node) (DType, Shape, error) {
			at, err := positiveAxes(axes, in[0].Rank()+len(axes))
			if err != nil {
				return 0, nil, err
			}
			shape := slices.Clone(in[0].shape)
			for _, a := range at {
				shape = slices.Insert(shape, a, 1)
			}
			return in[0].dtype, shape, nil
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node { return dy.Squeeze(axes...) },
	}, n, n.graph.int64s(axes...))
}

// Squeeze removes the given axes, whose dimension must be 1. With no axes it returns n: to
// a runtime an empty list would mean all such axes.
func (n *Node) Squeeze(axes ...int) *Node {
	if len(axes) == 0 {
		return n
	}
	return apply(operator{
		name: "Squeeze",
		infer: func(in []*Node) (DType, Shape, error) {
			at, err := positiveAxes(axes, in[0].Rank())
			if err != nil {
				return 0, nil, err
			}
			for _, a := range at {
				if d := in[0].shape[a]; d != 1 {
					return 0, nil, fmt.Errorf("axis %d has dimension %s, not 1", a, dimString(d))
				}
			}
			return in[0].dtype, reduced(in[0].shape, at, DropDims), nil
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node { return dy.Unsqueeze(axes...) },
	}, n, n.graph.int64s(axes...))
}

// Expand broadcasts n to the given shape, which may contain Dynamic: the way to give a
// weight or a constant the dimension of the batch. It returns n if n already has that
// shape.
func (n *Node) Expand(dims ...int) *Node {
	if n.shape.Equal(dims) && !n.failed() {
		return n
	}
	// A dimension that n already has may be given as 1, which avoids computing the batch
	// size at run time.
	target := Shape(slices.Clone(dims))
	for i := range target {
		at := len(n.shape) - len(target) + i
		if at >= 0 && target[i] == n.shape[at] {
			target[i] = 1
		}
	}
	return apply(operator{
		name: "Expand",
		infer: func(in []*Node) (DType, Shape, error) {
			if slices.Contains(dims, 0) {
				return 0, nil, fmt.Errorf("the shape %v has no elements", dims)
			}
			shape, err := broadcast(in[0].shape, dims)
			return in[0].dtype, shape, err
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node { return dy },
	}, n, n.graph.shapeOf(target))
}
