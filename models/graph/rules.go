package graph

import "fmt"

// Type and shape rules that elementwise operators share.

// numeric keeps type and shape of its first operand, which must be a number.
func numeric(in []*Node) (DType, Shape, error) {
	if d := in[0].dtype; !d.IsFloat() && !d.IsInteger() {
		return 0, nil, fmt.Errorf("%v is not a number type", d)
	}
	return in[0].dtype, in[0].shape, nil
}

// floating keeps type and shape of its operand, which must be floating-point.
func floating(in []*Node) (DType, Shape, error) {
	if d := in[0].dtype; !d.IsFloat() {
		return 0, nil, fmt.Errorf("%v is not floating-point", d)
	}
	return in[0].dtype, in[0].shape, nil
}

// arithmetic broadcasts numbers of one type.
func arithmetic(in []*Node) (DType, Shape, error) {
	if _, _, err := numeric(in); err != nil {
		return 0, nil, err
	}
	if err := sameType(in); err != nil {
		return 0, nil, err
	}
	shape, err := broadcast(in[0].shape, in[1].shape)
	return in[0].dtype, shape, err
}

// ordering is arithmetic with a Bool result.
func ordering(in []*Node) (DType, Shape, error) {
	_, shape, err := arithmetic(in)
	return Bool, shape, err
}

func sameType(in []*Node) error {
	for _, n := range in[1:] {
		if n.dtype != in[0].dtype {
			return fmt.Errorf("element types %v and %v differ", in[0].dtype, n.dtype)
		}
	}
	return nil
}
