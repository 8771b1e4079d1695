package graph

import (
	"fmt"
	"slices"
	"strings"
)

// Node is one value of a Graph: an input, a weight, a constant or the result of an
// operator. Its methods append operators to the graph and return their result. They never
// return nil; see the package comment on errors.
type Node struct {
	graph  *Graph
	name   string
	dtype  DType // 0 after a failed operation
	shape  Shape
	call   *Call  // the operator that computes it, nil for leaves
	value  Tensor // constants only
	output bool   // its name is that of a graph output
}

// Name returns the name of the value, unique in its graph and in every graph
// nested in the same root.
func (n *Node) Name() string { return n.name }

// DType returns the element type.
func (n *Node) DType() DType { return n.dtype }

// Shape returns a copy of the inferred shape.
func (n *Node) Shape() Shape { return slices.Clone(n.shape) }

// Rank returns the number of axes.
func (n *Node) Rank() int { return len(n.shape) }

// Dim returns one dimension, counted from the end for a negative axis, or 0 for an axis the
// node does not have.
func (n *Node) Dim(axis int) int {
	a, err := positiveAxis(axis, len(n.shape))
	if err != nil {
		return 0
	}
	return n.shape[a]
}

// Value returns the contents of a constant, and the zero Tensor for any other kind of node.
func (n *Node) Value() Tensor { return n.value }

// Scalar returns the constant v as a scalar of n's element type.
func (n *Node) Scalar(v float64) *Node { return n.graph.Scalar(n.dtype, v) }

// String prints name, element type and shape, as error messages do.
func (n *Node) String() string {
	if n == nil {
		return "<nil>"
	}
	return n.name + " " + n.dtype.String() + n.shape.String()
}

func (n *Node) failed() bool { return n.dtype == 0 }

// Call is one application of an ONNX operator.
type Call struct {
	Inputs  []*Node
	Outputs []*Node

	op       operator
	captures []*Node // what the body of a Scan reads from enclosing graphs
}

// Op returns the operator's type as ONNX names it.
func (c *Call) Op() string { return c.op.name }

// Attributes returns the operator's attributes in a fixed order.
func (c *Call) Attributes() []Attribute { return c.op.attributes }

// Attribute is one compile-time setting of an operator. Value is an int64,
// an []int64, a DType or, for the body of a Scan, a *Graph.
type Attribute struct {
	Name  string
	Value any
}

// operator defines an operator: its name, its result and its derivative.
type operator struct {
	name       string
	attributes []Attribute

	// infer checks the operands and returns type and shape of the result.
	infer func(in []*Node) (DType, Shape, error)

	// grad returns the derivative of the loss by in[i], given the operator's result y and
	// the derivative dy of the loss by y. It is called only for floating-point operands
	// that need it. The caller sums over axes along which in[i] was broadcast. A nil result
	// contributes nothing; a nil rule means that the operator has no derivative.
	grad func(in []*Node, y, dy *Node, i int) *Node
}

// apply appends op to the innermost graph among its operands. Inside a Scan body, this
// lifts an operator on outer values out of the loop.
func apply(op operator, in ...*Node) *Node {
	g := innermost(in)
	if bad := g.reject(op.name, in); bad != nil {
		return bad
	}
	dtype, shape, err := op.infer(in)
	if err != nil {
		return g.fail(op.name, in, "%w", err)
	}
	c := &Call{Inputs: in, op: op}
	return g.result(c, dtype, shape)
}

// reject returns the failed result of an operation whose operands are not visible in g, or
// nil if they are.
func (g *Graph) reject(op string, in []*Node) *Node {
	for i, n := range in {
		switch {
		case n == nil:
			return g.fail(op, in, "operand %d is nil", i)
		case !g.encloses(n):
			return g.fail(op, in, "%s belongs to another graph", n.name)
		case n.failed():
			return &Node{graph: g, name: n.name}
		}
	}
	if g.closed {
		return g.fail(op, in, "the body of that Scan is complete")
	}
	return nil
}

// innermost returns the most deeply nested graph that an operand belongs to.
func innermost(in []*Node) *Graph {
	var g *Graph
	for _, n := range in {
		if n != nil && (g == nil || n.graph.depth > g.depth) {
			g = n.graph
		}
	}
	if g == nil {
		panic("graph: operator without operands")
	}
	return g
}

// describe prints an operation and its operands for an error message.
func describe(op string, in []*Node) string {
	operands := make([]string, len(in))
	for i, n := range in {
		operands[i] = n.String()
	}
	return fmt.Sprintf("%s(%s)", op, strings.Join(operands, ", "))
}

// Graph returns the graph that the node belongs to.
func (n *Node) Graph() *Graph { return n.graph }
