package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Graph is a tensor program under construction. It is not safe for concurrent use; a
// finished graph may be read by any number of goroutines.
type Graph struct {
	name    string
	float   DType
	parent  *Graph // the enclosing graph of a Scan body, nil for a root
	depth   int
	closed  bool // a Scan body that has been built
	inputs  []*Node
	params  []*Node
	calls   []*Call // in the order of construction, hence operands first
	outputs []*Node

	constants map[string]*Node // small constants already in this graph

	// Held by the root for all graphs nested in it.
	err    error
	names  map[string]bool
	serial map[string]int
	batch  *Node            // M as an int64[1]
	shapes map[string]*Node // run-time shapes by their String
}

// Option sets a property of a new Graph.
type Option func(*Graph)

// WithFloat sets the element type of weights, Float32 by default. Float64 is for checking
// gradients in double precision.
func WithFloat(dtype DType) Option { return func(g *Graph) { g.float = dtype } }

// New returns an empty graph. Its name appears in the exported file and in error messages.
func New(name string, options ...Option) *Graph {
	g := &Graph{
		name:      name,
		float:     Float32,
		constants: map[string]*Node{},
		names:     map[string]bool{},
		serial:    map[string]int{},
		shapes:    map[string]*Node{},
	}
	for _, option := range options {
		option(g)
	}
	if !g.float.IsFloat() {
		g.fail("New", nil, "weights cannot be %v", g.float)
	}
	return g
}

// Name returns the name given to New.
func (g *Graph) Name() string { return g.name }

// Float returns the element type of weights.
func (g *Graph) Float() DType { return g.float }

// Err returns the first error that occurred while building the graph or any graph nested in
// it.
func (g *Graph) Err() error { return g.root().err }

// Input declares a value fed at run time. Dimensions are positive or Dynamic.
func (g *Graph) Input(name string, dtype DType, shape ...int) *Node {
	n := &Node{graph: g, name: name, dtype: dtype, shape: slices.Clone(shape)}
	switch {
	case g.parent != nil:
		return g.fail("Input", []*Node{n}, "the body of a Scan gets its inputs from the Scan")
	case dtype < Float32 || dtype > Bool:
		return g.fail("Input", []*Node{n}, "no such element type")
	case slices.ContainsFunc(shape, func(d int) bool { return d < Dynamic || d == 0 }):
		return g.fail("Input", []*Node{n}, "dimensions must be positive or Dynamic")
	}
	if err := g.claim(name); err != nil {
		return g.fail("Input", []*Node{n}, "%w", err)
	}
	g.inputs = append(g.inputs, n)
	return n
}

// Param declares a weight of the graph's float type and a static shape. It is exported with
// its contents and may be overridden at run time by feeding a tensor of the same name.
// Declared inside a Scan body it belongs to the root, since it has the same value in all
// steps.
func (g *Graph) Param(name string, shape ...int) *Node {
	g = g.root()
	n := &Node{graph: g, name: name, dtype: g.float, shape: slices.Clone(shape)}
	if slices.ContainsFunc(shape, func(d int) bool { return d < 1 }) {
		return g.fail("Param", []*Node{n}, "dimensions must be positive")
	}
	if err := g.claim(name); err != nil {
		return g.fail("Param", []*Node{n}, "%w", err)
	}
	g.params = append(g.params, n)
	return n
}

// Output makes n a result of the graph under that name.
func (g *Graph) Output(name string, n *Node) {
	in := []*Node{n}
	switch {
	case g.parent != nil:
		g.fail("Output", in, "the body of a Scan returns its outputs")
	case n == nil:
		g.fail("Output", in, "%q is nil", name)
	case n.graph != g:
		g.fail("Output", in, "%q belongs to another graph", name)
	case n.failed():
	default:
		if err := g.claim(name); err != nil {
			g.fail("Output", in, "%w", err)
			return
		}
		n = g.publish(n)
		n.name = name
	}
}

// publish adds an output of the graph. A file identifies an output with the value of that
// name, which must not be a leaf or already an output; those are copied. publish returns
// the node to be named.
func (g *Graph) publish(n *Node) *Node {
	if n.call == nil || n.output || n.graph != g {
		n = g.result(&Call{Inputs: []*Node{n}, op: operator{name: "Identity"}}, n.dtype, n.shape)
	}
	n.output = true
	g.outputs = append(g.outputs, n)
	return n
}

// result appends c and the node that it computes.
func (g *Graph) result(c *Call, dtype DType, shape Shape) *Node {
	n := &Node{graph: g, name: g.unique(c.op.name), dtype: dtype, shape: shape, call: c}
	c.Outputs = append(c.Outputs, n)
	if len(c.Outputs) == 1 {
		g.calls = append(g.calls, c)
	}
	return n
}

func (g *Graph) root() *Graph {
	for g.parent != nil {
		g = g.parent
	}
	return g
}

// encloses reports whether n is visible from g.
func (g *Graph) encloses(n *Node) bool {
	for ; g != nil; g = g.parent {
		if n.graph == g {
			return true
		}
	}
	return false
}

// claim takes a name chosen by the caller, which must be new.
func (g *Graph) claim(name string) error {
	names := g.root().names
	switch {
	case name == "":
		return errors.New("the name is empty")
	case names[name]:
		return fmt.Errorf("the name %q is taken", name)
	}
	names[name] = true
	return nil
}

// unique returns a new name made of the prefix and a number.
func (g *Graph) unique(prefix string) string {
	root := g.root()
	for {
		name := fmt.Sprintf("%s_%d", prefix, root.serial[prefix])
		root.serial[prefix]++
		if !root.names[name] {
			root.names[name] = true
			return name
		}
	}
}

// fail records an error unless there is one already, and returns a node that poisons
// whatever is built on it.
func (g *Graph) fail(op string, in []*Node, format string, args ...any) *Node {
	if root := g.root(); root.err == nil {
		reason := fmt.Errorf(format, args...)
		root.err = fmt.Errorf("graph %q: %s: %w", g.name, describe(op, in), reason)
	}
	return &Node{graph: g, name: "failed " + op}
}
