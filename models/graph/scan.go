package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Body builds one step of a Scan on its own graph g. It is given this step's carried values
// and slices of the scanned inputs. It returns the carried values for the next step, of the
// same types and shapes, and the values that the step emits. It may use any node of the
// enclosing graphs.
type Body func(g *Graph, carry, slice []*Node) (next, emitted []*Node)

// Scan runs body once for each index of the first axis of the scanned inputs, which has the
// same static dimension T >= 1 in all of them. It returns the carried values after the last
// step, and the emitted values stacked along a new first axis of dimension T.
//
// Operators applied inside the body only to outer nodes are computed once, outside the
// loop. Gradients cannot differentiate a Scan.
func (g *Graph) Scan(carry, scanned []*Node, body Body) (final, stacked []*Node) {
	in := slices.Concat(carry, scanned)
	inner := &Graph{
		name:      g.unique("body"),
		float:     g.float,
		parent:    g,
		depth:     g.depth + 1,
		constants: map[string]*Node{},
	}
	bad := g.reject("Scan", in)
	if bad == nil {
		if err := scannable(scanned); err != nil {
			bad = g.fail("Scan", in, "%w", err)
		}
	}
	if bad != nil {
		// Run the body anyway, to learn how many results it would have.
		none := slices.Repeat([]*Node{bad}, len(in))
		_, emitted := body(inner, none[:len(carry)], none[len(carry):])
		return none[:len(carry)], slices.Repeat([]*Node{bad}, len(emitted))
	}

	bodyCarry := inner.bodyInputs("carry", carry, 0)
	bodySlice := inner.bodyInputs("slice", scanned, 1)
	next, emitted := body(inner, bodyCarry, bodySlice)
	if err := inner.checkBody(bodyCarry, next, emitted); err != nil {
		bad = g.fail("Scan", in, "%w", err)
		return slices.Repeat([]*Node{bad}, len(carry)), slices.Repeat([]*Node{bad}, len(emitted))
	}

	c := &Call{Inputs: in, op: operator{
		name: "Scan",
		attributes: []Attribute{
			{"body", inner},
			{"num_scan_inputs", int64(len(scanned))},
		},
	}}
	for _, n := range next {
		inner.publish(n)
		final = append(final, g.result(c, n.dtype, n.shape))
	}
	for _, n := range emitted {
		inner.publish(n)
		shape := append(Shape{scanned[0].shape[0]}, n.shape...)
		stacked = append(stacked, g.result(c, n.dtype, shape))
	}
	inner.closed = true
	c.captures = inner.Program().Captures
	return final, stacked
}

// scannable checks that the first axes of the scanned inputs agree.
func scannable(scanned []*Node) error {
	if len(scanned) == 0 {
		return errors.New("no scanned inputs")
	}
	steps := scanned[0].Dim(0)
	for _, n := range scanned {
		if n.Dim(0) != steps || steps < 1 {
			return fmt.Errorf("the first axes of the scanned inputs must have one static dimension, %v differs", n)
		}
	}
	return nil
}

// bodyInputs declares a body's inputs for outer nodes, without their first drop axes.
func (g *Graph) bodyInputs(prefix string, outer []*Node, drop int) []*Node {
	in := make([]*Node, len(outer))
	for i, n := range outer {
		in[i] = &Node{graph: g, name: g.unique(prefix), dtype: n.dtype, shape: n.shape[drop:]}
	}
	g.inputs = append(g.inputs, in...)
	return in
}

// checkBody checks the values that a body returned.
func (g *Graph) checkBody(carry, next, emitted []*Node) error {
	if len(next) != len(carry) {
		return fmt.Errorf("the body returns %d carried values, want %d", len(next), len(carry))
	}
	if len(next)+len(emitted) == 0 {
		return errors.New("the body returns no values")
	}
	for _, n := range slices.Concat(next, emitted) {
		if n == nil || n.failed() || !g.encloses(n) {
			return fmt.Errorf("the body returns %v, which is not visible in it", n)
		}
	}
	for i, n := range next {
		if n.dtype != carry[i].dtype || !n.shape.Equal(carry[i].shape) {
			return fmt.Errorf("the body carries %v to the next step in place of %v", n, carry[i])
		}
	}
	return nil
}
