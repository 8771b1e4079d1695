package reference

import (
	"errors"
	"fmt"
	"slices"
)

// matMul multiplies over the last axis of the first operand and the last but one of the
// second; the axes before those broadcast. A vector is a row on the left and a column on
// the right.
func matMul(c *call) (tensor, error) {
	x, y := c.in[0], c.in[1]
	if x.rank() == 0 || y.rank() == 0 {
		return tensor{}, errors.New("a scalar is not a matrix")
	}
	row, column := x.rank() == 1, y.rank() == 1
	if row {
		x.shape = []int{1, x.shape[0]}
	}
	if column {
		y.shape = []int{y.shape[0], 1}
	}
	result, err := c.product(x, y)
	if err != nil {
		return tensor{}, err
	}
	shape := result.shape[:result.rank()-2]
	if !row {
		shape = append(shape, x.shape[x.rank()-2])
	}
	if !column {
		shape = append(shape, y.shape[y.rank()-1])
	}
	result.shape = shape
	return result, nil
}

// product multiplies matrices or stacks of them.
func (e *evaluator) product(x, y tensor) (tensor, error) {
	if err := sameType(x, y); err != nil {
		return tensor{}, err
	}
	switch x.data.(type) {
	case vector[float64]:
		return product[float64](e, x, y)
	case vector[int64]:
		return product[int64](e, x, y)
	}
	return unfit(x.dtype)
}

func product[T number](e *evaluator, x, y tensor) (tensor, error) {
	xLead, yLead := x.shape[:x.rank()-2], y.shape[:y.rank()-2]
	rows, inner, columns := x.shape[x.rank()-2], x.shape[x.rank()-1], y.shape[y.rank()-1]
	if inner != y.shape[y.rank()-2] {
		return tensor{}, fmt.Errorf("the inner dimensions of %v and %v differ", x.shape, y.shape)
	}
	lead, err := broadcast(xLead, yLead)
	if err != nil {
		return tensor{}, err
	}
	shape := slices.Concat(lead, []int{rows, columns})
	n, err := e.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	if err := e.charge(n * inner); err != nil {
		return tensor{}, err
	}
	xs, ys, out := x.data.(vector[T]), y.data.(vector[T]), make(vector[T], n)
	xAt, yAt := spread(xLead, lead), spread(yLead, lead)
	for i := 0; i*rows*columns < n; i++ {
		a, b, z := xs[xAt.at(i)*rows*inner:], ys[yAt.at(i)*inner*columns:], out[i*rows*columns:]
		for r := range rows {
			line := z[r*columns : (r+1)*columns]
			for k := range inner {
				v := a[r*inner+k]
				for j := range line {
					line[j] += v * b[k*columns+j]
				}
			}
		}
	}
	return tensor{x.dtype, shape, out}, nil
}

// gemm returns alpha A B + beta C, with A and B transposed on request and C, which is
// optional, broadcast to the product.
func gemm(c *call) (tensor, error) {
	x, y, bias := c.in[0], c.in[1], c.optional(2)
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	if x.rank() != 2 || y.rank() != 2 {
		return tensor{}, fmt.Errorf("the operands of shape %v and %v are not matrices", x.shape, y.shape)
	}
	if !x.dtype.IsFloat() {
		return unfit(x.dtype)
	}
	var err error
	if c.flag("transA", 0) {
		x, err = c.transpose(x, []int{1, 0})
	}
	if c.flag("transB", 0) && err == nil {
		y, err = c.transpose(y, []int{1, 0})
	}
	if err != nil {
		return tensor{}, err
	}
	result, err := c.product(x, y)
	if err != nil {
		return tensor{}, err
	}
	if bias.absent() {
		bias = tensor{x.dtype, nil, zeros(x.dtype, 1)}
	}
	if err := sameType(x, bias); err != nil {
		return tensor{}, err
	}
	if shape, err := broadcast(bias.shape, result.shape); err != nil || !slices.Equal(shape, result.shape) {
		return tensor{}, fmt.Errorf("operand 2 of shape %v does not broadcast to %v", bias.shape, result.shape)
	}
	return zip(c, result.dtype, result, bias, func(p, b float64) float64 { return alpha*p + beta*b })
}
