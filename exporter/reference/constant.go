package reference

import (
	"errors"
	"fmt"
	"math"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// constant returns the value of the one attribute that holds it.
func constant(c *call) (tensor, error) {
	if len(c.attributes) != 1 {
		return tensor{}, fmt.Errorf("a constant has one attribute, not %d", len(c.attributes))
	}
	if a := c.attribute("value", onnxpb.AttributeProto_TENSOR); a != nil {
		return c.decode(a.GetT())
	}
	if a := c.attribute("value_float", onnxpb.AttributeProto_FLOAT); a != nil {
		return tensor{graph.Float32, nil, vector[float64]{float64(a.GetF())}}, nil
	}
	if a := c.attribute("value_int", onnxpb.AttributeProto_INT); a != nil {
		return tensor{graph.Int64, nil, vector[int64]{a.GetI()}}, nil
	}
	if a := c.attribute("value_floats", onnxpb.AttributeProto_FLOATS); a != nil {
		data, err := widen(len(a.GetFloats()), nil, a.GetFloats(), func(v float32) float64 { return float64(v) })
		return tensor{graph.Float32, []int{len(a.GetFloats())}, data}, err
	}
	if a := c.attribute("value_ints", onnxpb.AttributeProto_INTS); a != nil {
		return tensor{graph.Int64, []int{len(a.GetInts())}, vector[int64](a.GetInts())}, nil
	}
	return tensor{}, nil // the attribute is reported as unsupported
}

// constantOfShape repeats a value, by default the float32 zero.
func constantOfShape(c *call) (tensor, error) {
	value := tensor{graph.Float32, nil, zeros(graph.Float32, 1)}
	if a := c.attribute("value", onnxpb.AttributeProto_TENSOR); a != nil {
		var err error
		if value, err = c.decode(a.GetT()); err != nil {
			return tensor{}, err
		}
	}
	if value.data.len() != 1 {
		return tensor{}, fmt.Errorf("the value has shape %v, not one element", value.shape)
	}
	shape := c.list(0)
	if c.err != nil {
		return tensor{}, c.err
	}
	return c.pick(value, shape, func(int) int { return 0 })
}

// arange is start, start+delta, ... before limit.
func arange(c *call) (tensor, error) {
	if err := sameType(c.in...); err != nil {
		return tensor{}, err
	}
	dtype := c.in[0].dtype
	switch {
	case dtype.IsFloat():
		start, limit, delta := scalar[float64](c, 0), scalar[float64](c, 1), scalar[float64](c, 2)
		// Written so that NaN fails as well.
		n := math.Ceil((limit - start) / delta)
		if delta == 0 || !(n <= maxElements) {
			return tensor{}, fmt.Errorf("from %g to %g in steps of %g is not possible", start, limit, delta)
		}
		return sequence(c, dtype, int(max(n, 0)), start, delta)
	case dtype.IsInteger():
		start, limit, delta := scalar[int64](c, 0), scalar[int64](c, 1), scalar[int64](c, 2)
		// Differences of int64 numbers are uint64 numbers.
		distance, step := uint64(limit)-uint64(start), uint64(delta)
		if delta < 0 {
			distance, step = -distance, -step
		}
		n := uint64(0)
		switch {
		case delta == 0:
			return tensor{}, errors.New("the step is 0")
		case delta > 0 && limit > start, delta < 0 && limit < start:
			n = (distance-1)/step + 1
		}
		if n > maxElements {
			return tensor{}, fmt.Errorf("from %d to %d in steps of %d is not possible", start, limit, delta)
		}
		return sequence(c, dtype, int(n), start, delta)
	}
	return unfit(dtype)
}

func sequence[T number](c *call, dtype graph.DType, n int, start, delta T) (tensor, error) {
	shape := []int{n}
	if _, err := c.claim(shape); err != nil {
		return tensor{}, err
	}
	out := make(vector[T], n)
	for i := range out {
		out[i] = start + T(i)*delta
	}
	return tensor{dtype, shape, out}, nil
}
