package graph

import (
	"fmt"
	"math"
	"slices"
)

// Tensor is a concrete value: a constant, or the contents of a weight. Its elements are in
// row-major order; constructors and accessors share them instead of copying. The zero
// Tensor is empty.
type Tensor struct {
	DType DType
	Shape Shape
	data  any // []float32, []float64, []int32, []int64 or []bool, according to DType
}

// Float32s returns a tensor over data. Like the other constructors it panics if the number
// of elements does not match the (static) shape.
func Float32s(data []float32, shape ...int) Tensor { return newTensor(Float32, data, shape) }

// Float64s returns a tensor over data.
func Float64s(data []float64, shape ...int) Tensor { return newTensor(Float64, data, shape) }

// Int32s returns a tensor over data.
func Int32s(data []int32, shape ...int) Tensor { return newTensor(Int32, data, shape) }

// Int64s returns a tensor over data.
func Int64s(data []int64, shape ...int) Tensor { return newTensor(Int64, data, shape) }

// Bools returns a tensor over data.
func Bools(data []bool, shape ...int) Tensor { return newTensor(Bool, data, shape) }

func newTensor[T any](dtype DType, data []T, shape Shape) Tensor {
	if n := shape.Elements(); n != len(data) {
		panic(fmt.Sprintf("graph: %d elements for a tensor of shape %v", len(data), shape))
	}
	return Tensor{DType: dtype, Shape: append(Shape{}, shape...), data: data}
}

// Zeros returns a tensor of zeros, or of false.
func Zeros(dtype DType, shape ...int) Tensor { return filled(dtype, 0, shape...) }

// filled returns a tensor with v, converted to dtype, in every place.
func filled(dtype DType, v float64, shape ...int) Tensor {
	n := Shape(shape).Elements()
	switch dtype {
	case Float32:
		return Float32s(slices.Repeat([]float32{float32(v)}, n), shape...)
	case Float64:
		return Float64s(slices.Repeat([]float64{v}, n), shape...)
	case Int32:
		return Int32s(slices.Repeat([]int32{int32(v)}, n), shape...)
	case Int64:
		return Int64s(slices.Repeat([]int64{int64(v)}, n), shape...)
	case Bool:
		return Bools(slices.Repeat([]bool{v != 0}, n), shape...)
	}
	panic("graph: tensor of " + dtype.String())
}

// Float32s returns the elements of a Float32 tensor and nil for any other.
func (t Tensor) Float32s() []float32 { return elements[float32](t) }

// Float64s returns the elements of a Float64 tensor and nil for any other.
func (t Tensor) Float64s() []float64 { return elements[float64](t) }

// Int32s returns the elements of an Int32 tensor and nil for any other.
func (t Tensor) Int32s() []int32 { return elements[int32](t) }

// Int64s returns the elements of an Int64 tensor and nil for any other.
func (t Tensor) Int64s() []int64 { return elements[int64](t) }

// Bools returns the elements of a Bool tensor and nil for any other.
func (t Tensor) Bools() []bool { return elements[bool](t) }

func elements[T any](t Tensor) []T {
	data, _ := t.data.([]T)
	return data
}

// Finite reports whether no element is infinite or NaN.
func (t Tensor) Finite() bool {
	switch data := t.data.(type) {
	case []float32:
		return !slices.ContainsFunc(data, func(v float32) bool {
			return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
		})
	case []float64:
		return !slices.ContainsFunc(data, func(v float64) bool {
			return math.IsNaN(v) || math.IsInf(v, 0)
		})
	}
	return true
}

// String returns type and shape, without the elements.
func (t Tensor) String() string { return t.DType.String() + t.Shape.String() }
