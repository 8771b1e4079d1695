package graph

// Equal returns n == m as Bool.
func (n *Node) Equal(m *Node) *Node {
	return apply(operator{
		name: "Equal",
		infer: func(in []*Node) (DType, Shape, error) {
			if err := sameType(in); err != nil {
				return 0, nil, err
			}
			shape, err := broadcast(in[0].shape, in[1].shape)
			return Bool, shape, err
		},
	}, n, m)
}

// Less returns n < m as Bool.
func (n *Node) Less(m *Node) *Node {
	return apply(operator{name: "Less", infer: ordering}, n, m)
}

// GreaterOrEqual returns n >= m as Bool.
func (n *Node) GreaterOrEqual(m *Node) *Node {
	return apply(operator{name: "GreaterOrEqual", infer: ordering}, n, m)
}
