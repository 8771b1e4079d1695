package graph

import "slices"

// Whether a reduction keeps the axes it summed over as dimensions of 1.
const (
	DropDims = false
	KeepDims = true
)

// ReduceSum returns the sum over the given axes, or over all of them if none is given.
func (n *Node) ReduceSum(keepDims bool, axes ...int) *Node {
	return n.reduce(operator{
		name: "ReduceSum",
		grad: func(in []*Node, _, dy *Node, _ int) *Node { return dy.Expand(in[0].shape...) },
	}, keepDims, axes)
}

// ReduceMax returns the maximum over the given axes, or over all of them if none is given.
// Equal maxima share the gradient evenly.
func (n *Node) ReduceMax(keepDims bool, axes ...int) *Node {
	return n.reduce(operator{
		name: "ReduceMax",
		grad: func(in []*Node, y, dy *Node, _ int) *Node {
			hit := in[0].Equal(y).Cast(dy.dtype)
			all, _ := reducedAxes(axes, in[0].Rank())
			return hit.Mul(dy.Div(hit.ReduceSum(KeepDims, all...)))
		},
	}, keepDims, axes)
}

// reduce applies a reduction and supplies its operands, attribute and shape rule. The
// gradient rule of op receives y and dy with the reduced axes kept.
func (n *Node) reduce(op operator, keepDims bool, axes []int) *Node {
	all, axesErr := reducedAxes(axes, n.Rank())
	keep := int64(0)
	if keepDims {
		keep = 1
	}
	op.attributes = []Attribute{{"keepdims", keep}}
	op.infer = func(in []*Node) (DType, Shape, error) {
		if axesErr != nil {
			return 0, nil, axesErr
		}
		dtype, shape, err := numeric(in)
		return dtype, reduced(shape, all, keepDims), err
	}
	rule := op.grad
	op.grad = func(in []*Node, y, dy *Node, i int) *Node {
		if !keepDims && len(all) > 0 {
			y, dy = y.Unsqueeze(all...), dy.Unsqueeze(all...)
		}
		return rule(in, y, dy, i)
	}
	return apply(op, n, n.graph.int64s(all...))
}

// reducedAxes sorts the axes of a reduction; none means all.
func reducedAxes(axes []int, rank int) ([]int, error) {
	if len(axes) > 0 {
		return positiveAxes(axes, rank)
	}
	all := make([]int, rank)
	for i := range all {
		all[i] = i
	}
	return all, nil
}

func reduced(shape Shape, axes []int, keepDims bool) Shape {
	var out Shape
	for i, d := range shape {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keepDims:
			out = append(out, 1)
		}
	}
	return out
}

// CumSumMode modifies CumSum. The zero value sums from the front and includes
// the element itself.
type CumSumMode struct {
	Exclusive bool // the element itself is left out
	Reverse   bool // sums from the back
}

// CumSum returns the running sum along an axis.
func (n *Node) CumSum(axis int, mode CumSumMode) *Node {
	bit := func(on bool) int64 {
		if on {
			return 1
		}
		return 0
	}
	a, axisErr := positiveAxis(axis, n.Rank())
	return apply(operator{
		name: "CumSum",
		attributes: []Attribute{
			{"exclusive", bit(mode.Exclusive)},
			{"reverse", bit(mode.Reverse)},
		},
		infer: func(in []*Node) (DType, Shape, error) {
			if axisErr != nil {
				return 0, nil, axisErr
			}
			return numeric(in)
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node {
			return dy.CumSum(axis, CumSumMode{Exclusive: mode.Exclusive, Reverse: !mode.Reverse})
		},
	}, n, n.graph.Scalar(Int64, float64(a)))
}

// Softmax returns exp(n) normalised to sum 1 along an axis.
func (n *Node) Softmax(axis int) *Node {
	return n.normalise(axis, operator{
		name: "Softmax",
		grad: func(_ []*Node, y, dy *Node, _ int) *Node {
			mean := dy.Mul(y).ReduceSum(KeepDims, axis)
			return dy.Sub(mean).Mul(y)
		},
	})
}

// LogSoftmax returns the logarithm of Softmax without its loss of precision.
func (n *Node) LogSoftmax(axis int) *Node {
	return n.normalise(axis, operator{
		name: "LogSoftmax",
		grad: func(_ []*Node, y, dy *Node, _ int) *Node {
			return dy.Sub(y.Exp().Mul(dy.ReduceSum(KeepDims, axis)))
		},
	})
}

func (n *Node) normalise(axis int, op operator) *Node {
	op.attributes = []Attribute{{"axis", int64(axis)}}
	op.infer = func(in []*Node) (DType, Shape, error) {
		if _, err := positiveAxis(axis, in[0].Rank()); err != nil {
			return 0, nil, err
		}
		return floating(in)
	}
	return apply(op, n)
}
