package graph

import (
	"errors"
	"fmt"
)

// Gradients appends the derivatives of a scalar loss by the nodes wrt to the
// graph and returns them in the same order, each with the shape of its node.
// It works backwards from the loss (reverse mode; Griewank and Walther,
// Evaluating Derivatives, 2008, chapter 3) and visits only what lies between
// the loss and some wrt. Integers and booleans carry no derivative.
//
// A node that does not influence the loss is an error that names it, and so is
// a path through Scan, which has no derivative here.
func Gradients(loss *Node, wrt []*Node) ([]*Node, error) {
	g := loss.graph
	if err := g.Err(); err != nil {
		return nil, err
	}
	if !loss.dtype.IsFloat() || loss.shape.volume() != (volume{factor: 1}) {
		return nil, fmt.Errorf("gradients of %v: the loss must be one floating-point number", loss)
	}
	depends := map[*Node]bool{}
	for _, n := range wrt {
		if n == nil || n.graph != g || !n.dtype.IsFloat() {
			return nil, fmt.Errorf("gradients of %v: %v is not a floating-point node of that graph", loss, n)
		}
		depends[n] = true
	}
	for _, c := range g.calls {
		if influenced(c, depends) {
			for _, out := range c.Outputs {
				depends[out] = out.dtype.IsFloat()
			}
		}
	}

	seed := g.Constant(filled(loss.dtype, 1, loss.shape...))
	grads := map[*Node]*Node{loss: seed}
	// This loop appends calls that are not part of the loss.
	calls := g.calls
	for i := len(calls) - 1; i >= 0; i-- {
		if err := backward(calls[i], depends, grads); err != nil {
			return nil, fmt.Errorf("gradients of %v: %w", loss, err)
		}
	}

	out := make([]*Node, len(wrt))
	var errs []error
	for i, n := range wrt {
		if out[i] = grads[n]; out[i] == nil {
			errs = append(errs, fmt.Errorf("gradients of %v: %v does not influence it", loss, n))
		}
	}
	return out, errors.Join(append(errs, g.Err())...)
}

// influenced reports whether an operand of c, or what the body of a Scan reads,
// depends on some wrt.
func influenced(c *Call, depends map[*Node]bool) bool {
	for _, in := range c.Inputs {
		if depends[in] {
			return true
		}
	}
	for _, in := range c.captures {
		if depends[in] {
			return true
		}
	}
	return false
}

// backward adds the derivatives by the operands of c to grads, given those by
// its results.
func backward(c *Call, depends map[*Node]bool, grads map[*Node]*Node) error {
	for _, y := range c.Outputs {
		dy := grads[y]
		if dy == nil || !depends[y] {
			continue
		}
		if c.op.grad == nil {
			return fmt.Errorf("%s has no derivative", describe(c.op.name, c.Inputs))
		}
		for i, in := range c.Inputs {
			if !depends[in] {
				continue
			}
			d := c.op.grad(c.Inputs, y, dy, i)
			if d == nil {
				continue
			}
			d = d.sumTo(in.shape)
			if have := grads[in]; have != nil {
				d = have.Add(d)
			}
			grads[in] = d
		}
	}
	return nil
}

// sumTo undoes broadcasting: it sums n over the axes along which a tensor of
// the given shape was repeated.
func (n *Node) sumTo(shape Shape) *Node {
	if n.failed() {
		return n
	}
	lead := n.Rank() - len(shape)
	var axes []int
	inner := false
	for i, d := range n.shape {
		if i < lead {
			axes = append(axes, i)
		} else if d != shape[i-lead] {
			axes = append(axes, i)
			inner = true
		}
	}
	switch {
	case len(axes) == 0:
		return n
	case !inner:
		return n.ReduceSum(DropDims, axes...)
	case lead == 0:
		return n.ReduceSum(KeepDims, axes...)
	}
	return n.ReduceSum(DropDims, axes...).reshapeTo(shape)
}
