package graph

import (
	"errors"
	"fmt"
)

// MatMul returns the matrix product over the last two axes of n and m; the leading axes
// broadcast. As in numpy, an operand with a single axis is a row vector on the left and a
// column vector on the right.
func (n *Node) MatMul(m *Node) *Node {
	if m != nil && m.Rank() == 1 {
		return n.MatMul(m.Unsqueeze(1)).Squeeze(-1)
	}
	if n.Rank() == 1 {
		return n.Unsqueeze(0).MatMul(m).Squeeze(-2)
	}
	return apply(operator{
		name: "MatMul",
		infer: func(in []*Node) (DType, Shape, error) {
			a, b := in[0].shape, in[1].shape
			if len(a) == 0 || len(b) == 0 {
				return 0, nil, errors.New("a scalar is not a matrix")
			}
			if _, _, err := numeric(in); err != nil {
				return 0, nil, err
			}
			if err := sameType(in); err != nil {
				return 0, nil, err
			}
			rows, inner := a[len(a)-2], a[len(a)-1]
			if b[len(b)-2] != inner {
				return 0, nil, fmt.Errorf("inner dimensions %s and %s differ",
					dimString(inner), dimString(b[len(b)-2]))
			}
			lead, err := broadcast(a[:len(a)-2], b[:len(b)-2])
			return in[0].dtype, append(lead, rows, b[len(b)-1]), err
		},
		grad: func(in []*Node, _, dy *Node, i int) *Node {
			a, b := in[0], in[1]
			switch {
			case i == 0 && b.Rank() == 2 && dy.Rank() > 2:
				// One tall product here as well: with a transposed operand a runtime does
				// not notice that the batch can be merged.
				return dy.rows().MatMul(b.transposeLast()).reshapeTo(a.shape)
			case i == 0:
				return dy.MatMul(b.transposeLast())
			case b.Rank() == 2 && a.Rank() > 2:
				// One tall product instead of a batch of them and their sum.
				return a.rows().transposeLast().MatMul(dy.rows())
			}
			return a.transposeLast().MatMul(dy)
		},
	}, n, m)
}

// rows joins all axes but the last.
func (n *Node) rows() *Node {
	last := n.Dim(-1)
	if last >= 0 {
		return n.Reshape(-1, last)
	}
	lead, err := product(n.shape[:n.Rank()-1])
	if err != nil {
		return n.graph.fail("MatMul gradient", []*Node{n}, "%w", err)
	}
	return n.reshapeTo(Shape{lead, last})
}

// transposeLast swaps the last two axes.
func (n *Node) transposeLast() *Node {
	perm := make([]int, n.Rank())
	for i := range perm {
		perm[i] = i
	}
	last := len(perm) - 1
	perm[last-1], perm[last] = last, last-1
	return n.Transpose(perm...)
}
