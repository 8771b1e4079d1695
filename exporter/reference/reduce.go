package reference

import (
	"errors"
	"math"
	"slices"
)

// fold is a reduction: its initial value and how it adds an element.
type fold[T number] struct {
	start T
	add   func(sum, x T) T
}

// reduce applies f to floating-point numbers and g to integers.
func reduce(f fold[float64], g fold[int64]) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		x := c.in[0]
		over, err := c.reducedAxes(x.rank())
		if err != nil {
			return tensor{}, err
		}
		// keeps is the shape with the reduced axes kept, drops the one without them.
		keeps, drops := slices.Clone(x.shape), []int(nil)
		for a, d := range x.shape {
			if over[a] {
				keeps[a] = 1
			} else {
				drops = append(drops, d)
			}
		}
		var result tensor
		switch {
		case x.dtype.IsFloat():
			result, err = f.over(c, x, keeps)
		case x.dtype.IsInteger():
			result, err = g.over(c, x, keeps)
		default:
			return unfit(x.dtype)
		}
		if !c.flag("keepdims", 1) {
			result.shape = drops
		}
		return result, err
	}
}

// over reduces x to a shape that broadcasts to its own.
func (f fold[T]) over(c *call, x tensor, shape []int) (tensor, error) {
	n, err := c.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	out := slices.Repeat(vector[T]{f.start}, n)
	at := spread(shape, x.shape)
	for i, v := range x.data.(vector[T]) {
		place := at.at(i)
		out[place] = f.add(out[place], v)
	}
	return tensor{x.dtype, shape, out}, nil
}

// reducedAxes marks the axes that a reduction runs over. They are an operand, or an
// attribute in older versions of all reductions except ReduceSum.
func (c *call) reducedAxes(rank int) ([]bool, error) {
	var axes []int
	noop := false
	if c.op == "ReduceSum" || c.opset >= 18 {
		axes, noop = c.list(1), c.flag("noop_with_empty_axes", 0)
	} else if axes = c.integers("axes"); len(c.in) > 1 {
		return nil, errors.New("before version 18 the axes are an attribute")
	}
	over, err := axesOf(axes, rank)
	if len(axes) == 0 && !noop {
		over = slices.Repeat([]bool{true}, rank)
	}
	return over, err
}

var sum = reduce(fold[float64]{0, plus[float64]}, fold[int64]{0, plus[int64]})

func mean(c *call) (tensor, error) {
	total, err := sum(c)
	if err != nil || total.data.len() == 0 {
		return total, err
	}
	terms := int64(c.in[0].data.len() / total.data.len())
	switch {
	case total.dtype.IsFloat():
		return each(c, total.dtype, total, func(v float64) float64 { return v / float64(terms) })
	case terms == 0:
		return tensor{}, errors.New("the mean of no integers is undefined")
	}
	return each(c, total.dtype, total, func(v int64) int64 { return v / terms })
}

// lines calls f with the first position of every line along an axis.
func lines(shape []int, axis int, f func(start int)) {
	others := view{shape: slices.Clone(shape), strides: strides(shape)}
	others.shape[axis] = 1
	if slices.Contains(shape, 0) {
		return
	}
	n := 1
	for _, d := range others.shape {
		n *= d
	}
	for i := range n {
		f(others.at(i))
	}
}

func cumSum(c *call) (tensor, error) {
	x := c.in[0]
	axis, err := axisOf(int(scalar[int64](c, 1)), x.rank())
	if err != nil || c.err != nil {
		return tensor{}, err
	}
	exclusive, reverse := c.flag("exclusive", 0), c.flag("reverse", 0)
	switch x.data.(type) {
	case vector[float64]:
		return running[float64](c, x, axis, exclusive, reverse)
	case vector[int64]:
		return running[int64](c, x, axis, exclusive, reverse)
	}
	return unfit(x.dtype)
}

func running[T number](c *call, x tensor, axis int, exclusive, reverse bool) (tensor, error) {
	n, err := c.claim(x.shape)
	if err != nil {
		return tensor{}, err
	}
	in, out := x.data.(vector[T]), make(vector[T], n)
	length, step := x.shape[axis], strides(x.shape)[axis]
	lines(x.shape, axis, func(place int) {
		step := step
		if reverse {
			place, step = place+(length-1)*step, -step
		}
		var sum T
		for range length {
			if out[place] = sum; !exclusive {
				out[place] += in[place]
			}
			sum += in[place]
			place += step
		}
	})
	return tensor{x.dtype, x.shape, out}, nil
}

// normalise replaces each element by f of it, the largest element of its line and the sum
// of exp(element - largest).
func normalise(f func(x, largest, sum float64) float64) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		x := c.in[0]
		axis, err := axisOf(c.integer("axis", -1), x.rank())
		if err != nil {
			return tensor{}, err
		}
		in, ok := x.data.(vector[float64])
		if !ok {
			return unfit(x.dtype)
		}
		n, err := c.claim(x.shape)
		if err != nil {
			return tensor{}, err
		}
		out := make(vector[float64], n)
		length, step := x.shape[axis], strides(x.shape)[axis]
		lines(x.shape, axis, func(start int) {
			largest, sum := math.Inf(-1), 0.0
			for i := range length {
				largest = max(largest, in[start+i*step])
			}
			for i := range length {
				sum += math.Exp(in[start+i*step] - largest)
			}
			for i := range length {
				out[start+i*step] = f(in[start+i*step], largest, sum)
			}
		})
		return tensor{x.dtype, x.shape, out}, nil
	}
}

func softmax(x, largest, sum float64) float64 { return math.Exp(x-largest) / sum }

func logSoftmax(x, largest, sum float64) float64 { return x - largest - math.Log(sum) }
