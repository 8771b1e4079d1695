package graph

import "fmt"

// Add returns n + m.
func (n *Node) Add(m *Node) *Node {
	return apply(operator{
		name:  "Add",
		infer: arithmetic,
		grad:  func(_ []*Node, _, dy *Node, _ int) *Node { return dy },
	}, n, m)
}

// Sub returns n - m.
func (n *Node) Sub(m *Node) *Node {
	return apply(operator{
		name:  "Sub",
		infer: arithmetic,
		grad: func(_ []*Node, _, dy *Node, i int) *Node {
			if i == 0 {
				return dy
			}
			return dy.Neg()
		},
	}, n, m)
}

// Mul returns the elementwise product n·m.
func (n *Node) Mul(m *Node) *Node {
	return apply(operator{
		name:  "Mul",
		infer: arithmetic,
		grad:  func(in []*Node, _, dy *Node, i int) *Node { return dy.times(in[1-i]) },
	}, n, m)
}

// Div returns n / m, truncated towards zero for integers.
func (n *Node) Div(m *Node) *Node {
	return apply(operator{
		name:  "Div",
		infer: arithmetic,
		grad: func(in []*Node, y, dy *Node, i int) *Node {
			if i == 0 {
				return dy.Div(in[1])
			}
			return dy.times(y).Div(in[1]).Neg()
		},
	}, n, m)
}

// Min returns the smaller of n and m, element by element. Where they are equal the gradient
// goes to n.
func (n *Node) Min(m *Node) *Node {
	return apply(operator{
		name:  "Min",
		infer: arithmetic,
		grad: func(in []*Node, _, dy *Node, i int) *Node {
			return dy.route(in[1].GreaterOrEqual(in[0]), i == 0)
		},
	}, n, m)
}

// Max returns the larger of n and m, element by element. Where they are equal the gradient
// goes to n.
func (n *Node) Max(m *Node) *Node {
	return apply(operator{
		name:  "Max",
		infer: arithmetic,
		grad: func(in []*Node, _, dy *Node, i int) *Node {
			return dy.route(in[0].GreaterOrEqual(in[1]), i == 0)
		},
	}, n, m)
}

// times returns dy·factor.
func (dy *Node) times(factor *Node) *Node { return dy.beside(factor).Mul(factor) }

// route keeps dy where the condition equals side and is zero elsewhere.
func (dy *Node) route(condition *Node, side bool) *Node {
	dy = dy.beside(condition)
	if side {
		return Where(condition, dy, dy.Scalar(0))
	}
	return Where(condition, dy.Scalar(0), dy)
}

// beside returns dy, or the tensor that dy repeats if broadcasting against m repeats it
// anyway: the gradient of a sum need not be written out in full.
func (dy *Node) beside(m *Node) *Node {
	if dy.call == nil || dy.call.op.name != "Expand" {
		return dy
	}
	narrow := dy.call.Inputs[0]
	if shape, err := broadcast(narrow.shape, m.shape); err != nil || !shape.Equal(dy.shape) {
		return dy
	}
	return narrow
}

// Clip limits n to the interval [low, high]. The gradient passes inside it,
// bounds included.
func (n *Node) Clip(low, high float64) *Node {
	return apply(operator{
		name: "Clip",
		infer: func(in []*Node) (DType, Shape, error) {
			if low > high {
				return 0, nil, fmt.Errorf("the interval [%g, %g] is empty", low, high)
			}
			return numeric(in)
		},
		grad: func(in []*Node, y, dy *Node, _ int) *Node { return dy.route(in[0].Equal(y), true) },
	}, n, n.Scalar(low), n.Scalar(high))
}

// Neg returns -n.
func (n *Node) Neg() *Node {
	return apply(operator{
		name:  "Neg",
		infer: numeric,
		grad:  func(_ []*Node, _, dy *Node, _ int) *Node { return dy.Neg() },
	}, n)
}

// Exp returns e to the power n.
func (n *Node) Exp() *Node {
	return apply(operator{
		name:  "Exp",
		infer: floating,
		grad:  func(_ []*Node, y, dy *Node, _ int) *Node { return dy.times(y) },
	}, n)
}

// Log returns the natural logarithm of n.
func (n *Node) Log() *Node {
	return apply(operator{
		name:  "Log",
		infer: floating,
		grad:  func(in []*Node, _, dy *Node, _ int) *Node { return dy.Div(in[0]) },
	}, n)
}

// Sqrt returns the square root of n.
func (n *Node) Sqrt() *Node {
	return apply(operator{
		name:  "Sqrt",
		infer: floating,
		grad: func(_ []*Node, y, dy *Node, _ int) *Node {
			return dy.Div(y.Mul(y.Scalar(2)))
		},
	}, n)
}

// Sin returns the sine of n, in radians.
func (n *Node) Sin() *Node {
	return apply(operator{
		name:  "Sin",
		infer: floating,
		grad:  func(in []*Node, _, dy *Node, _ int) *Node { return dy.times(in[0].Cos()) },
	}, n)
}

// Cos returns the cosine of n, in radians.
func (n *Node) Cos() *Node {
	return apply(operator{
		name:  "Cos",
		infer: floating,
		grad:  func(in []*Node, _, dy *Node, _ int) *Node { return dy.times(in[0].Sin()).Neg() },
	}, n)
}

// Atan returns the arc tangent of n, between -pi/2 and pi/2.
func (n *Node) Atan() *Node {
	return apply(operator{
		name:  "Atan",
		infer: floating,
		grad: func(in []*Node, _, dy *Node, _ int) *Node {
			return dy.Div(in[0].Mul(in[0]).Add(in[0].Scalar(1)))
		},
	}, n)
}

// Floor returns the largest whole number that is at most n. Its derivative is 0, also at the jumps.
func (n *Node) Floor() *Node {
	return apply(operator{
		name:  "Floor",
		infer: floating,
		grad:  func([]*Node, *Node, *Node, int) *Node { return nil },
	}, n)
}

// Tanh returns the hyperbolic tangent of n.
func (n *Node) Tanh() *Node {
	return apply(operator{
		name:  "Tanh",
		infer: floating,
		grad: func(_ []*Node, y, dy *Node, _ int) *Node {
			return dy.times(y.Scalar(1).Sub(y.Mul(y)))
		},
	}, n)
}

// Sigmoid returns 1/(1+exp(-n)).
func (n *Node) Sigmoid() *Node {
	return apply(operator{
		name:  "Sigmoid",
		infer: floating,
		grad: func(_ []*Node, y, dy *Node, _ int) *Node {
			return dy.times(y.Mul(y.Scalar(1).Sub(y)))
		},
	}, n)
}

// Relu returns max(n, 0); its derivative at 0 is 0.
func (n *Node) Relu() *Node {
	return apply(operator{
		name:  "Relu",
		infer: floating,
		grad: func(in []*Node, _, dy *Node, _ int) *Node {
			return dy.route(in[0].Scalar(0).Less(in[0]), true)
		},
	}, n)
}

// SiLU returns n·sigmoid(n), composed of Sigmoid and Mul.
func (n *Node) SiLU() *Node {
	s := n.Sigmoid()
	if n.dtype == Float64 {
		// ONNX Runtime (1.27) fuses x·Sigmoid(x) for every type, but has the fused kernel
		// only for float32 and refuses to load other graphs.
		s = n.Scalar(1).Div(n.Neg().Exp().Add(n.Scalar(1)))
	}
	return apply(operator{
		name:  "Mul",
		infer: arithmetic,
		grad: func(in []*Node, y, dy *Node, i int) *Node {
			if i == 1 {
				return nil
			}
			// Both paths to n at once, which saves two operators: (x·s)' = s + x·s·(1-s) =
			// s + y·(1-s).
			s := in[1]
			return dy.times(s.Add(y.Mul(s.Scalar(1).Sub(s))))
		},
	}, n, s)
}

// Cast converts to another element type: floating point to integer by truncation towards
// zero, non-zero to true. Only casts between floating-point types carry a gradient. A cast
// to n's own type returns n.
func (n *Node) Cast(to DType) *Node {
	if n.dtype == to {
		return n
	}
	return apply(operator{
		name:       "Cast",
		attributes: []Attribute{{"to", to}},
		infer: func(in []*Node) (DType, Shape, error) {
			if to < Float32 || to > Bool {
				return 0, nil, fmt.Errorf("no element type %v", to)
			}
			return to, in[0].shape, nil
		},
		grad: func(in []*Node, _, dy *Node, _ int) *Node { return dy.Cast(in[0].dtype) },
	}, n)
}

// Where returns a where the condition, a Bool, is true and b elsewhere.
func Where(condition, a, b *Node) *Node {
	return apply(operator{
		name: "Where",
		infer: func(in []*Node) (DType, Shape, error) {
			if in[0].dtype != Bool {
				return 0, nil, fmt.Errorf("the condition is %v, not bool", in[0].dtype)
			}
			if err := sameType(in[1:]); err != nil {
				return 0, nil, err
			}
			shape, err := broadcast(in[0].shape, in[1].shape, in[2].shape)
			return in[1].dtype, shape, err
		},
		grad: func(in []*Node, _, dy *Node, i int) *Node { return dy.route(in[0], i == 1) },
	}, condition, a, b)
}
