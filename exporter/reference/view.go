package reference

import (
	"fmt"
	"slices"
)

// view reads a vector as a tensor of some shape. Everything that repeats, moves or selects
// elements is a view with its own strides.
type view struct {
	shape   []int
	strides []int // distance in the vector between neighbours along each axis
	offset  int
}

// at returns the position in the vector of the i-th element in row-major order.
func (v view) at(i int) int {
	place := v.offset
	for a := len(v.shape) - 1; a >= 0; a-- {
		place += i % v.shape[a] * v.strides[a]
		i /= v.shape[a]
	}
	return place
}

// strides returns the distances between neighbours in row-major order.
func strides(shape []int) []int {
	out := make([]int, len(shape))
	step := 1
	for a := len(shape) - 1; a >= 0; a-- {
		out[a] = step
		step *= shape[a]
	}
	return out
}

// spread reads a tensor of shape from as one of shape to, to which it broadcasts.
func spread(from, to []int) view {
	own := strides(from)
	for a, d := range from {
		if d == 1 {
			own[a] = 0
		}
	}
	return view{to, slices.Concat(make([]int, len(to)-len(from)), own), 0}
}

// broadcast returns the numpy-style common shape.
func broadcast(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := slices.Repeat([]int{1}, rank)
	for _, s := range shapes {
		for i, d := range s {
			have := &out[rank-len(s)+i]
			switch {
			case d == *have || d == 1:
			case *have == 1:
				*have = d
			default:
				return nil, fmt.Errorf("the shapes %v do not broadcast", shapes)
			}
		}
	}
	return out, nil
}

// axisOf returns an axis counted from the front.
func axisOf(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d axes", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// axesOf marks the named axes.
func axesOf(axes []int, rank int) ([]bool, error) {
	marked := make([]bool, rank)
	for _, axis := range axes {
		a, err := axisOf(axis, rank)
		if err != nil {
			return nil, err
		}
		if marked[a] {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		marked[a] = true
	}
	return marked, nil
}

// pick returns the tensor of that shape whose i-th element is that of x at from(i).
func (e *evaluator) pick(x tensor, shape []int, from func(i int) int) (tensor, error) {
	n, err := e.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	return tensor{x.dtype, shape, x.data.pick(n, from)}, nil
}

// reshape returns the elements of x in another shape.
func (e *evaluator) reshape(x tensor, shape []int) (tensor, error) {
	n, err := e.check(shape)
	if err != nil {
		return tensor{}, err
	}
	if n != x.data.len() {
		return tensor{}, fmt.Errorf("the shape %v does not hold the elements of %v", shape, x.shape)
	}
	return tensor{x.dtype, shape, x.data}, nil
}
