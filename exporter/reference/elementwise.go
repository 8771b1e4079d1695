package reference

import (
	"errors"
	"fmt"
	"math"

	"neuralwl/models/graph"
)

// each applies f to every element and returns a tensor of type dtype.
func each[A, B element](c *call, dtype graph.DType, x tensor, f func(A) B) (tensor, error) {
	n, err := c.claim(x.shape)
	if err != nil {
		return tensor{}, err
	}
	out := make(vector[B], n)
	for i, v := range x.data.(vector[A]) {
		out[i] = f(v)
	}
	return tensor{dtype, x.shape, out}, nil
}

// zip applies f to the elements of two tensors that broadcast against each other.
func zip[A, B element](c *call, dtype graph.DType, x, y tensor, f func(x, y A) B) (tensor, error) {
	shape, err := broadcast(x.shape, y.shape)
	if err != nil {
		return tensor{}, err
	}
	n, err := c.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	xs, ys := x.data.(vector[A]), y.data.(vector[A])
	xAt, yAt := spread(x.shape, shape), spread(y.shape, shape)
	out := make(vector[B], n)
	for i := range out {
		out[i] = f(xs[xAt.at(i)], ys[yAt.at(i)])
	}
	return tensor{dtype, shape, out}, nil
}

// unary applies f to floating-point numbers and g, if given, to integers.
func unary(f func(float64) float64, g func(int64) int64) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		x := c.in[0]
		switch {
		case x.dtype.IsFloat():
			return each(c, x.dtype, x, f)
		case x.dtype.IsInteger() && g != nil:
			return each(c, x.dtype, x, g)
		}
		return unfit(x.dtype)
	}
}

// arithmetic combines two or more numbers of one type.
func arithmetic(f func(x, y float64) float64, g func(x, y int64) int64) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		x := c.in[0]
		if err := sameType(c.in...); err != nil {
			return tensor{}, err
		}
		if x.dtype == graph.Bool {
			return unfit(x.dtype)
		}
		for _, y := range c.in[1:] {
			var err error
			if x.dtype.IsFloat() {
				x, err = zip(c, x.dtype, x, y, f)
			} else {
				x, err = zip(c, x.dtype, x, y, g)
			}
			if err != nil {
				return tensor{}, err
			}
		}
		return x, nil
	}
}

// compare is arithmetic on two numbers with a bool result.
func compare(f func(x, y float64) bool, g func(x, y int64) bool) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		x, y := c.in[0], c.in[1]
		if err := sameType(x, y); err != nil {
			return tensor{}, err
		}
		switch {
		case x.dtype.IsFloat():
			return zip(c, graph.Bool, x, y, f)
		case x.dtype.IsInteger():
			return zip(c, graph.Bool, x, y, g)
		}
		return unfit(x.dtype)
	}
}

func logic(f func(x, y bool) bool) func(*call) (tensor, error) {
	return func(c *call) (tensor, error) {
		for _, x := range c.in {
			if x.dtype != graph.Bool {
				return unfit(x.dtype)
			}
		}
		return zip(c, graph.Bool, c.in[0], c.in[1], f)
	}
}

func not(c *call) (tensor, error) {
	if x := c.in[0]; x.dtype != graph.Bool {
		return unfit(x.dtype)
	}
	return each(c, graph.Bool, c.in[0], func(x bool) bool { return !x })
}

func equal(c *call) (tensor, error) {
	if err := sameType(c.in...); err != nil {
		return tensor{}, err
	}
	if c.in[0].dtype == graph.Bool {
		return logic(func(x, y bool) bool { return x == y })(c)
	}
	return compare(func(x, y float64) bool { return x == y }, func(x, y int64) bool { return x == y })(c)
}

func divide(c *call) (tensor, error) {
	if data, ok := c.in[1].data.(vector[int64]); ok {
		for _, v := range data {
			if v == 0 {
				return tensor{}, errors.New("an integer is divided by zero")
			}
		}
	}
	return arithmetic(
		func(x, y float64) float64 { return x / y },
		func(x, y int64) int64 { return x / y })(c)
}

// power has the type of its base. An integer's power is exact and defined here only for
// integer exponents from 0 on.
func power(c *call) (tensor, error) {
	base, exponent := c.in[0], c.in[1]
	var err error
	switch {
	case base.dtype.IsFloat() && exponent.dtype.IsInteger():
		if exponent, err = each(c, base.dtype, exponent, func(v int64) float64 { return float64(v) }); err != nil {
			return tensor{}, err
		}
		fallthrough
	case base.dtype.IsFloat() && exponent.dtype.IsFloat():
		return zip(c, base.dtype, base, exponent, math.Pow)
	case base.dtype.IsInteger() && exponent.dtype.IsInteger():
		negative := false
		result, err := zip(c, base.dtype, base, exponent, func(x, y int64) int64 {
			negative = negative || y < 0
			z := int64(1)
			for ; y > 0; y >>= 1 {
				if y&1 == 1 {
					z *= x
				}
				x *= x
			}
			return z
		})
		if err == nil && negative {
			err = errors.New("an integer is raised to a negative power")
		}
		return result, err
	}
	return tensor{}, fmt.Errorf("no rule for %v to the power %v", base.dtype, exponent.dtype)
}

// clip takes the maximum with the lower bound, then the minimum with the upper one: an
// empty interval gives the upper bound everywhere.
func clip(c *call) (tensor, error) {
	x := c.in[0]
	for i, f := range []func(c *call) (tensor, error){
		arithmetic(larger[float64], larger[int64]), arithmetic(smaller[float64], smaller[int64]),
	} {
		bound := c.optional(i + 1)
		if bound.absent() {
			continue
		}
		if bound.data.len() != 1 {
			return tensor{}, fmt.Errorf("the bound of shape %v is not a single number", bound.shape)
		}
		bound.shape = nil // whatever the bound's axes, the result has the shape of x
		var err error
		if x, err = f(&call{evaluator: c.evaluator, in: []tensor{x, bound}}); err != nil {
			return tensor{}, err
		}
	}
	return x, nil
}

func where(c *call) (tensor, error) {
	condition, x, y := c.in[0], c.in[1], c.in[2]
	if condition.dtype != graph.Bool {
		return tensor{}, fmt.Errorf("the condition is %v, not bool", condition.dtype)
	}
	if err := sameType(x, y); err != nil {
		return tensor{}, err
	}
	shape, err := broadcast(condition.shape, x.shape, y.shape)
	if err != nil {
		return tensor{}, err
	}
	chosen := condition.data.(vector[bool])
	chosenAt, xAt, yAt := spread(condition.shape, shape), spread(x.shape, shape), spread(y.shape, shape)
	both := tensor{x.dtype, nil, x.data.join(y.data)}
	return c.pick(both, shape, func(i int) int {
		if chosen[chosenAt.at(i)] {
			return xAt.at(i)
		}
		return x.data.len() + yAt.at(i)
	})
}
