package graph

import "fmt"

// DType is the element type of a tensor. The zero value is not a type; it marks the result
// of a failed operation.
type DType uint8

// The element types that the operators of this package understand.
const (
	Float32 DType = iota + 1
	Float64
	Int32
	Int64
	Bool
)

// String returns the type's name as Go spells it.
func (d DType) String() string {
	switch d {
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// IsFloat reports whether d is a floating-point type, the only kind that
// carries gradients.
func (d DType) IsFloat() bool { return d == Float32 || d == Float64 }

// IsInteger reports whether d is an integer type, the kind that may index.
func (d DType) IsInteger() bool { return d == Int32 || d == Int64 }
