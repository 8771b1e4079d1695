package reference

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/models/graph"
)

// tensor is a value: elements in row-major order, immutable once complete, so that values
// may share them.
type tensor struct {
	dtype graph.DType // as the file declares it
	shape []int
	data  elements // vector[float64], vector[int64] or vector[bool], according to dtype
}

func (t tensor) rank() int { return len(t.shape) }

// absent reports whether t stands for an optional operand that was left out.
func (t tensor) absent() bool { return t.data == nil }

type element interface{ float64 | int64 | bool }

type number interface{ float64 | int64 }

// elements is a vector moved without regard to its element type. Methods that take another
// vector need one of the same type.
type elements interface {
	len() int
	// pick returns n elements, the i-th copied from from(i).
	pick(n int, from func(i int) int) elements
	// place copies the i-th element to to(i) of another vector.
	place(dst elements, to func(i int) int)
	// join returns the elements followed by those of another vector.
	join(more elements) elements
	// part returns the elements from, ..., to-1.
	part(from, to int) elements
}

type vector[T element] []T

func (v vector[T]) len() int { return len(v) }

func (v vector[T]) pick(n int, from func(i int) int) elements {
	out := make(vector[T], n)
	for i := range out {
		out[i] = v[from(i)]
	}
	return out
}

func (v vector[T]) place(dst elements, to func(i int) int) {
	out := dst.(vector[T])
	for i, x := range v {
		out[to(i)] = x
	}
}

func (v vector[T]) join(more elements) elements { return slices.Concat(v, more.(vector[T])) }

func (v vector[T]) part(from, to int) elements { return v[from:to:to] }

// zeros returns n zero elements in the representation of dtype.
func zeros(dtype graph.DType, n int) elements {
	switch {
	case dtype.IsFloat():
		return make(vector[float64], n)
	case dtype.IsInteger():
		return make(vector[int64], n)
	}
	return make(vector[bool], n)
}

// check returns the number of elements of a shape, or an error if it exceeds the limits.
func (e *evaluator) check(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("a tensor of %d axes has more than %d", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 || d > e.elements {
			return 0, fmt.Errorf("a tensor of shape %v has a dimension outside 0, ..., %d", shape, e.elements)
		}
		// No overflow: both factors are below a limit far smaller than the root of MaxInt.
		if n *= d; n > e.elements {
			return 0, fmt.Errorf("a tensor of shape %v has more than %d elements", shape, e.elements)
		}
	}
	return n, nil
}

// claim accounts for a tensor of that shape before it is allocated, and returns its number
// of elements.
func (e *evaluator) claim(shape []int) (int, error) {
	n, err := e.check(shape)
	if err != nil {
		return 0, err
	}
	if e.held += n; e.held > e.elements {
		return 0, fmt.Errorf("with a tensor of shape %v there are more than %d elements in memory; use a smaller batch", shape, e.elements)
	}
	return n, e.charge(n * effort(len(shape)))
}

// effort is the cost of locating one element among that many axes.
func effort(rank int) int { return 1 + rank }

// charge accounts for n operations.
func (e *evaluator) charge(n int) error {
	if e.work += n; e.work > e.limits.work {
		return fmt.Errorf("the evaluation takes more than %d operations; use a smaller batch", e.limits.work)
	}
	return nil
}

// checkInt32 reports an int32 tensor with an element outside of that type, for which the
// runtime's result would be arithmetically wrong.
func (t tensor) checkInt32() error {
	if t.dtype != graph.Int32 {
		return nil
	}
	for _, v := range t.data.(vector[int64]) {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return fmt.Errorf("the result %d does not fit int32", v)
		}
	}
	return nil
}

// export returns a copy of t that users of the package may change.
func (t tensor) export() graph.Tensor {
	switch data := t.data.(type) {
	case vector[float64]:
		return graph.Float64s(slices.Clone(data), t.shape...)
	case vector[bool]:
		return graph.Bools(slices.Clone(data), t.shape...)
	case vector[int64]:
		if t.dtype == graph.Int64 {
			return graph.Int64s(slices.Clone(data), t.shape...)
		}
		narrow := make([]int32, len(data))
		for i, v := range data {
			narrow[i] = int32(v)
		}
		return graph.Int32s(narrow, t.shape...)
	}
	return graph.Tensor{}
}
