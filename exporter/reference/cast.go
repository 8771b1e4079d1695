package reference

import (
	"fmt"
	"math"

	"neuralwl/models/graph"
)

// cast truncates floating point to integer and turns anything non-zero into true. Between
// the floating-point types, and between the integers, only the declared type changes.
func cast(c *call) (tensor, error) {
	x := c.in[0]
	c.flag("saturate", 1) // matters only for the 8-bit floating-point types
	to, err := elementType(c.required("to"))
	if c.err != nil || err != nil {
		return tensor{}, err
	}
	if x.dtype == graph.Bool && to != graph.Bool {
		if x, err = each(c, graph.Int64, x, func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		}); err != nil {
			return tensor{}, err
		}
	}
	switch {
	case to == x.dtype, to.IsFloat() && x.dtype.IsFloat(), to.IsInteger() && x.dtype.IsInteger():
		return tensor{to, x.shape, x.data}, nil
	case to == graph.Bool && x.dtype.IsFloat():
		return each(c, to, x, func(v float64) bool { return v != 0 })
	case to == graph.Bool:
		return each(c, to, x, func(v int64) bool { return v != 0 })
	case to.IsFloat():
		return each(c, to, x, func(v int64) float64 { return float64(v) })
	}
	for _, v := range x.data.(vector[float64]) {
		if !(v >= math.MinInt64 && v < -math.MinInt64) {
			return tensor{}, fmt.Errorf("%g does not fit %v", v, to)
		}
	}
	return each(c, to, x, func(v float64) int64 { return int64(v) })
}
