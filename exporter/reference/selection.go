package reference

import (
	"errors"
	"fmt"
	"slices"
)

// slice reads along some axes from a start to before an end, in steps of either sign.
// Positions outside the tensor are clamped to its bounds.
func slice(c *call) (tensor, error) {
	x, starts, ends := c.in[0], c.list(1), c.list(2)
	axes, steps := c.list(3), c.list(4)
	if len(starts) > x.rank() {
		return tensor{}, fmt.Errorf("%d starts for a tensor of %d axes", len(starts), x.rank())
	}
	if c.optional(3).absent() {
		for a := range starts {
			axes = append(axes, a)
		}
	}
	if c.optional(4).absent() {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return tensor{}, fmt.Errorf("%d starts, %d ends, %d axes and %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	if _, err := axesOf(axes, x.rank()); err != nil {
		return tensor{}, err
	}
	v := view{shape: slices.Clone(x.shape), strides: strides(x.shape)}
	for i, axis := range axes {
		a, _ := axisOf(axis, x.rank())
		if steps[i] == 0 {
			return tensor{}, errors.New("a step is 0")
		}
		first, count := sliced(starts[i], ends[i], steps[i], x.shape[a])
		v.offset += first * v.strides[a]
		v.shape[a] = count
		v.strides[a] *= steps[i]
	}
	return c.pick(x, v.shape, v.at)
}

// sliced returns the first position of a slice of an axis and their number.
func sliced(start, end, step, dim int) (first, count int) {
	if start < 0 {
		start += dim
	}
	if end < 0 {
		end += dim
	}
	if step > 0 {
		start, end = min(max(start, 0), dim), min(max(end, 0), dim)
		if start < end {
			count = (end-start-1)/step + 1
		}
		return start, count
	}
	// Backwards, the last end is the position before the first element.
	start, end = min(max(start, 0), dim-1), min(max(end, -1), dim-1)
	if start > end {
		count = (end-start+1)/step + 1
	}
	return start, count
}

// pad surrounds a tensor with copies of a value.
func pad(c *call) (tensor, error) {
	c.only("mode", "constant")
	x, pads, axes := c.in[0], c.list(1), c.list(3)
	if c.optional(3).absent() {
		for a := range x.shape {
			axes = append(axes, a)
		}
	}
	if _, err := axesOf(axes, x.rank()); err != nil {
		return tensor{}, err
	}
	if len(pads) != 2*len(axes) {
		return tensor{}, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
	}
	shape := slices.Clone(x.shape)
	to := view{shape: x.shape}
	before := make([]int, x.rank())
	for i, axis := range axes {
		a, _ := axisOf(axis, x.rank())
		front, back := pads[i], pads[len(axes)+i]
		if min(front, back) < 0 || max(front, back) > c.elements {
			return tensor{}, fmt.Errorf("the pads %v are negative or too large", pads)
		}
		before[a] = front
		shape[a] += front + back
	}
	value := c.optional(2)
	if value.absent() {
		value = tensor{x.dtype, nil, zeros(x.dtype, 1)}
	}
	if value.dtype != x.dtype || value.data.len() != 1 {
		return tensor{}, fmt.Errorf("the value %v%v is not a single %v", value.dtype, value.shape, x.dtype)
	}
	out, err := c.pick(value, shape, func(int) int { return 0 })
	if err != nil {
		return tensor{}, err
	}
	to.strides = strides(shape)
	for a, n := range before {
		to.offset += n * to.strides[a]
	}
	x.data.place(out.data, to.at)
	return out, nil
}

// places returns an index as positions on an axis of that dimension.
func places(index tensor, dim int) ([]int, error) {
	data, ok := index.data.(vector[int64])
	if !ok {
		return nil, fmt.Errorf("the index is %v, not an integer", index.dtype)
	}
	out := make([]int, len(data))
	for i, v := range data {
		if v < -int64(dim) || v >= int64(dim) {
			return nil, fmt.Errorf("the index %d is outside an axis of dimension %d", v, dim)
		}
		if out[i] = int(v); v < 0 {
			out[i] += dim
		}
	}
	return out, nil
}

// gather picks along an axis, which the axes of the index replace.
func gather(c *call) (tensor, error) {
	x, index := c.in[0], c.in[1]
	axis, err := axisOf(c.integer("axis", 0), x.rank())
	if err != nil {
		return tensor{}, err
	}
	chosen, err := places(index, x.shape[axis])
	if err != nil {
		return tensor{}, err
	}
	// Two views of the result's elements: one on x without the axis, one on the index
	// alone.
	own, none := strides(x.shape), make([]int, x.rank())
	shape := slices.Concat(x.shape[:axis], index.shape, x.shape[axis+1:])
	row := view{shape, slices.Concat(own[:axis], make([]int, index.rank()), own[axis+1:]), 0}
	which := view{shape, slices.Concat(none[:axis], strides(index.shape), none[axis+1:]), 0}
	return c.pick(x, shape, func(i int) int { return row.at(i) + chosen[which.at(i)]*own[axis] })
}

// gatherElements picks along an axis, separately for each element of the index.
func gatherElements(c *call) (tensor, error) {
	x, index := c.in[0], c.in[1]
	axis, err := axisOf(c.integer("axis", 0), x.rank())
	if err != nil {
		return tensor{}, err
	}
	if index.rank() != x.rank() {
		return tensor{}, fmt.Errorf("the index has shape %v for a tensor of shape %v", index.shape, x.shape)
	}
	for a, d := range index.shape {
		if a != axis && d > x.shape[a] {
			return tensor{}, fmt.Errorf("the index has shape %v for a tensor of shape %v", index.shape, x.shape)
		}
	}
	chosen, err := places(index, x.shape[axis])
	if err != nil {
		return tensor{}, err
	}
	row := view{shape: index.shape, strides: strides(x.shape)}
	step := row.strides[axis]
	row.strides[axis] = 0
	return c.pick(x, index.shape, func(i int) int { return row.at(i) + chosen[i]*step })
}
