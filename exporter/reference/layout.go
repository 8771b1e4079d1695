package reference

import (
	"errors"
	"fmt"
	"slices"

	"neuralwl/models/graph"
)

// reshape applies the rules for the dimensions 0, which is copied, and -1, which is
// inferred.
func reshape(c *call) (tensor, error) {
	x, shape := c.in[0], slices.Clone(c.list(1))
	allowZero := c.flag("allowzero", 0)
	infer, rest := -1, 1
	for i, d := range shape {
		switch {
		case d == -1 && infer >= 0:
			return tensor{}, fmt.Errorf("the shape %v has two dimensions to infer", shape)
		case d == -1:
			infer = i
			continue
		case d == 0 && !allowZero:
			if i >= x.rank() {
				return tensor{}, fmt.Errorf("the shape %v copies an axis that %v does not have", shape, x.shape)
			}
			shape[i] = x.shape[i]
		}
		// No overflow is possible, since every factor is checked.
		if rest *= shape[i]; shape[i] < 0 || shape[i] > c.elements || rest > c.elements {
			return tensor{}, fmt.Errorf("the shape %v is not possible", shape)
		}
	}
	if infer >= 0 {
		if rest == 0 {
			return tensor{}, fmt.Errorf("the dimension -1 of the shape %v cannot be inferred", shape)
		}
		shape[infer] = x.data.len() / rest
	}
	return c.reshape(x, shape)
}

// flatten returns a matrix of the axes before the given one and the rest.
func flatten(c *call) (tensor, error) {
	x, axis := c.in[0], c.integer("axis", 1)
	if axis < -x.rank() || axis > x.rank() {
		return tensor{}, fmt.Errorf("axis %d is outside a tensor of %d axes", axis, x.rank())
	}
	if axis < 0 {
		axis += x.rank()
	}
	rows, err := c.check(x.shape[:axis])
	if err != nil {
		return tensor{}, err
	}
	columns, err := c.check(x.shape[axis:])
	if err != nil {
		return tensor{}, err
	}
	return c.reshape(x, []int{rows, columns})
}

func squeeze(c *call) (tensor, error) {
	x := c.in[0]
	drop, err := axesOf(c.list(1), x.rank())
	if err != nil {
		return tensor{}, err
	}
	all := c.optional(1).absent()
	if !all && len(drop) > 0 && !slices.Contains(drop, true) {
		// Some programs mean no axis, ONNX Runtime all axes of dimension 1.
		return tensor{}, errors.New("an empty list of axes is ambiguous")
	}
	var shape []int
	for a, d := range x.shape {
		switch {
		case drop[a] && d != 1:
			return tensor{}, fmt.Errorf("axis %d of %v does not have dimension 1", a, x.shape)
		case drop[a], all && d == 1:
		default:
			shape = append(shape, d)
		}
	}
	return c.reshape(x, shape)
}

func unsqueeze(c *call) (tensor, error) {
	x, axes := c.in[0], c.list(1)
	rank := x.rank() + len(axes)
	if rank > maxRank {
		return tensor{}, fmt.Errorf("a tensor of %d axes has more than %d", rank, maxRank)
	}
	added, err := axesOf(axes, rank)
	if err != nil {
		return tensor{}, err
	}
	shape, rest := make([]int, rank), x.shape
	for a := range shape {
		if added[a] {
			shape[a] = 1
		} else {
			shape[a], rest = rest[0], rest[1:]
		}
	}
	return c.reshape(x, shape)
}

func transpose(c *call) (tensor, error) {
	x, perm := c.in[0], c.integers("perm")
	if perm == nil {
		for a := range x.shape {
			perm = append(perm, x.rank()-1-a)
		}
	}
	return c.transpose(x, perm)
}

// transpose returns x with axis perm[a] at place a.
func (e *evaluator) transpose(x tensor, perm []int) (tensor, error) {
	_, err := axesOf(perm, x.rank())
	if err != nil || len(perm) != x.rank() || len(perm) > 0 && slices.Min(perm) < 0 {
		return tensor{}, fmt.Errorf("%v is not a permutation of %d axes", perm, x.rank())
	}
	own := strides(x.shape)
	v := view{shape: make([]int, len(perm)), strides: make([]int, len(perm))}
	for a, p := range perm {
		v.shape[a], v.strides[a] = x.shape[p], own[p]
	}
	return e.pick(x, v.shape, v.at)
}

func expand(c *call) (tensor, error) {
	x := c.in[0]
	shape, err := broadcast(x.shape, c.list(1))
	if err != nil {
		return tensor{}, err
	}
	return c.pick(x, shape, spread(x.shape, shape).at)
}

// shapeOf returns the dimensions from start to before end, both clamped.
func shapeOf(c *call) (tensor, error) {
	x := c.in[0]
	inside := func(a int) int {
		if a < 0 {
			a += x.rank()
		}
		return min(max(a, 0), x.rank())
	}
	start, end := inside(c.integer("start", 0)), inside(c.integer("end", x.rank()))
	out := vector[int64]{}
	for _, d := range x.shape[start:max(start, end)] {
		out = append(out, int64(d))
	}
	return tensor{graph.Int64, []int{len(out)}, out}, nil
}

func concat(c *call) (tensor, error) { return c.join(c.required("axis"), c.in) }

// join concatenates tensors along an axis.
func (e *evaluator) join(axis int, parts []tensor) (tensor, error) {
	shape := slices.Clone(parts[0].shape)
	axis, err := axisOf(axis, len(shape))
	if err != nil {
		return tensor{}, err
	}
	shape[axis] = 0
	for _, part := range parts {
		if part.absent() {
			return tensor{}, errors.New("an operand is missing")
		}
		rest := slices.Clone(part.shape)
		if len(rest) == len(shape) {
			rest[axis] = shape[axis]
		}
		if !slices.Equal(rest, shape) {
			return tensor{}, fmt.Errorf("the shapes %v and %v differ outside axis %d", parts[0].shape, part.shape, axis)
		}
		shape[axis] += part.shape[axis]
	}
	if err := sameType(parts...); err != nil {
		return tensor{}, err
	}
	n, err := e.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	out := zeros(parts[0].dtype, n)
	to := view{strides: strides(shape)}
	for _, part := range parts {
		to.shape = part.shape
		part.data.place(out, to.at)
		to.offset += part.shape[axis] * to.strides[axis]
	}
	return tensor{parts[0].dtype, shape, out}, nil
}
