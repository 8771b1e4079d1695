package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Concat joins tensors of one type along an axis of static dimension; all other
// dimensions agree.
func Concat(axis int, nodes ...*Node) *Node {
	return apply(operator{
		name:       "Concat",
		attributes: []Attribute{{"axis", int64(axis)}},
		infer: func(in []*Node) (DType, Shape, error) {
			if err := sameType(in); err != nil {
				return 0, nil, err
			}
			shape := slices.Clone(in[0].shape)
			a, err := positiveAxis(axis, len(shape))
			if err != nil {
				return 0, nil, err
			}
			shape[a] = 0
			for _, n := range in {
				rest := slices.Clone(n.shape)
				if len(rest) != len(shape) || rest[a] < 0 {
					return 0, nil, fmt.Errorf("%v cannot be joined along axis %d", n, a)
				}
				joined := shape[a] + rest[a]
				if rest[a] = shape[a]; !rest.Equal(shape) {
					return 0, nil, fmt.Errorf("%v differs from %v outside axis %d", n, in[0], a)
				}
				shape[a] = joined
			}
			return in[0].dtype, shape, nil
		},
		grad: func(in []*Node, _, dy *Node, i int) *Node {
			start := 0
			for _, n := range in[:i] {
				start += n.Dim(axis)
			}
			return dy.Slice(axis, start, start+in[i].Dim(axis))
		},
	}, nodes...)
}

// Slice returns the elements start, ..., end-1 along an axis of static dimension. As in
// Python, negative positions count from the end and positions outside the tensor are
// clamped to its bounds.
func (n *Node) Slice(axis, start, end int) *Node {
	dim := n.Dim(axis)
	inside := func(p int) int {
		if p < 0 {
			p += dim
		}
		return min(max(p, 0), max(dim, 0))
	}
	first, last := inside(start), inside(end)
	return apply(operator{
		name: "Slice",
		infer: func(in []*Node) (DType, Shape, error) {
			a, err := positiveAxis(axis, in[0].Rank())
			switch {
			case err != nil:
				return 0, nil, err
			case dim < 0:
				return 0, nil, fmt.Errorf("axis %d is dynamic", a)
			case first >= last:
				return 0, nil, fmt.Errorf("no elements between %d and %d on axis %d", start, end, a)
			}
			shape := slices.Clone(in[0].shape)
			shape[a] = last - first
			return in[0].dtype, shape, nil
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node {
			return dy.Pad(axis, first, dim-last, 0)
		},
	}, n, n.graph.int64s(first), n.graph.int64s(last), n.graph.int64s(axis))
}

// Pad adds before and after copies of value in front of and behind the elements along an
// axis.
func (n *Node) Pad(axis, before, after int, value float64) *Node {
	if before == 0 && after == 0 {
		return n
	}
	pads := make([]int, 2*n.Rank())
	a, axisErr := positiveAxis(axis, n.Rank())
	if axisErr == nil {
		pads[a], pads[n.Rank()+a] = before, after
	}
	dim := n.Dim(axis)
	return apply(operator{
		name: "Pad",
		infer: func(in []*Node) (DType, Shape, error) {
			switch {
			case axisErr != nil:
				return 0, nil, axisErr
			case before < 0 || after < 0:
				return 0, nil, fmt.Errorf("the pads %d and %d must not be negative", before, after)
			case dim < 0:
				return 0, nil, fmt.Errorf("axis %d is dynamic", a)
			}
			shape := slices.Clone(in[0].shape)
			shape[a] += before + after
			return in[0].dtype, shape, nil
		},
		grad: func(_ []*Node, _, dy *Node, _ int) *Node {
			return dy.Slice(axis, before, before+dim)
		},
	}, n, n.graph.int64s(pads...), n.Scalar(value))
}

// PadPeriodic extends an axis periodically, as on a torus: before elements in front and
// after behind, each at most the dimension.
func (n *Node) PadPeriodic(axis, before, after int) *Node {
	dim := n.Dim(axis)
	if !n.failed() && (min(before, after) < 0 || max(before, after) > dim) {
		return n.graph.fail("PadPeriodic", []*Node{n},
			"the pads %d and %d must lie between 0 and the dimension of axis %d", before, after, axis)
	}
	parts := []*Node{n}
	if before > 0 {
		parts = slices.Insert(parts, 0, n.Slice(axis, dim-before, dim))
	}
	if after > 0 {
		parts = append(parts, n.Slice(axis, 0, after))
	}
	if len(parts) == 1 {
		return n
	}
	return Concat(axis, parts...)
}

// Gather picks elements along an axis, which the axes of index replace. As in ONNX,
// negative indices count from the end. Each element gets the sum of the gradients of the
// places it was copied to.
func (n *Node) Gather(axis int, index *Node) *Node {
	a, axisErr := positiveAxis(axis, n.Rank())
	return apply(operator{
		name:       "Gather",
		attributes: []Attribute{{"axis", int64(axis)}},
		infer: func(in []*Node) (DType, Shape, error) {
			x, index := in[0], in[1]
			switch {
			case axisErr != nil:
				return 0, nil, axisErr
			case !index.dtype.IsInteger():
				return 0, nil, fmt.Errorf("the index is %v, not an integer", index.dtype)
			case x.shape[a] < 0:
				return 0, nil, fmt.Errorf("axis %d is dynamic", a)
			}
			return x.dtype, slices.Concat(x.shape[:a], index.shape, x.shape[a+1:]), nil
		},
		grad: func(in []*Node, _, dy *Node, _ int) *Node { return dy.gatherGradient(in[0], in[1], a) },
	}, n, index)
}

// gatherGradient adds dy back to the elements of x that index picked. In general it multiplies by the
// 0/1 matrix of "element d went to place p" rather than scattering, because additions of a
// scatter have no fixed order on parallel hardware.
func (dy *Node) gatherGradient(x, index *Node, axis int) *Node {
	outer, err1 := product(x.shape[:axis])
	places, err2 := product(index.shape)
	inner, err3 := product(x.shape[axis+1:])
	if err := errors.Join(err1, err2, err3); err != nil {
		return dy.graph.fail("Gather gradient", []*Node{x, index}, "%w", err)
	}
	dim := x.shape[axis]
	if from := picked(index, dim); from != nil {
		// Each element was copied equally often, to known places: these are gathered in turn.
		moved := dy.reshapeTo(slices.Concat(x.shape[:axis], Shape{places}, x.shape[axis+1:]))
		return moved.Gather(axis, x.graph.Constant(Int64s(from, dim, places/dim))).ReduceSum(DropDims, axis+1)
	}
	index = index.reshapeTo(Shape{1, places})
	index = Where(index.Less(index.Scalar(0)), index.Add(index.Scalar(float64(dim))), index)
	went := x.graph.arange(index.dtype, dim).Unsqueeze(1).Equal(index).Cast(dy.dtype)
	moved := dy.reshapeTo(Shape{outer, places, inner})
	if axis == 0 {
		moved = dy.reshapeTo(Shape{places, inner})
	}
	return went.MatMul(moved).reshapeTo(x.shape)
}

// picked lists for each of dim elements in turn the places that it went to by a constant index; nil
// unless all went to equally many.
func picked(index *Node, dim int) []int64 {
	went := make([][]int64, dim)
	all := index.value.Int64s()
	for _, v := range index.value.Int32s() {
		all = append(all, int64(v))
	}
	for place, v := range all {
		if v < 0 {
			v += int64(dim)
		}
		if v < 0 || v >= int64(dim) {
			return nil
		}
		went[v] = append(went[v], int64(place))
	}
	if len(all) == 0 || slices.ContainsFunc(went, func(p []int64) bool { return len(p)*dim != len(all) }) {
		return nil
	}
	return slices.Concat(went...)
}

// product returns the product of dimensions as one dimension.
func product(dims Shape) (int, error) { return dims.volume().over(volume{factor: 1}) }

// OneHot appends an axis with 1 of type dtype at the place given by the integer n and 0
// elsewhere; a value outside 0, ..., depth-1 gives only zeros. It is composed of Equal and
// Cast, because the ONNX operator of that name wraps negative values around and lacks some
// of the types.
func (n *Node) OneHot(depth int, dtype DType) *Node {
	if !n.failed() && (!n.dtype.IsInteger() || depth < 1) {
		return n.graph.fail("OneHot", []*Node{n}, "needs an integer operand and a positive depth, got %d", depth)
	}
	if n.failed() {
		return n
	}
	return n.Unsqueeze(-1).Equal(n.graph.arange(n.dtype, depth)).Cast(dtype)
}

// arange returns the integer constants 0, ..., n-1.
func (g *Graph) arange(dtype DType, n int) *Node {
	if dtype == Int64 {
		v := make([]int64, n)
		for i := range v {
			v[i] = int64(i)
		}
		return g.Constant(Int64s(v, n))
	}
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return g.Constant(Int32s(v, n))
}
