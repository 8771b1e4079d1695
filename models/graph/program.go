package graph

import "slices"

// Program is the part of a finished graph that its outputs need, in executable order: what
// an exporter writes.
type Program struct {
	Name      string
	Inputs    []*Node // all declared inputs: they are the graph's interface
	Params    []*Node // weights in use, in the order of declaration
	Constants []*Node // in the order of first use
	Calls     []*Call
	Outputs   []*Node
	Captures  []*Node // nodes of enclosing graphs used by the body of a Scan
}

// Program returns the live part of the graph. It omits weights that no output depends on,
// but keeps all declared inputs.
func (g *Graph) Program() Program {
	live := g.live()
	p := Program{Name: g.name, Inputs: g.inputs, Outputs: g.outputs}
	for _, n := range g.params {
		if live[n] {
			p.Params = append(p.Params, n)
		}
	}
	seen := map[*Node]bool{}
	read := func(nodes []*Node) {
		for _, n := range nodes {
			switch {
			case seen[n]:
			case n.graph != g:
				p.Captures = append(p.Captures, n)
			case n.value.DType != 0:
				p.Constants = append(p.Constants, n)
			}
			seen[n] = true
		}
	}
	for _, c := range g.calls {
		if !c.needed(live) {
			continue
		}
		p.Calls = append(p.Calls, c)
		read(c.Inputs)
		read(c.captures)
	}
	return p
}

// live returns the nodes that the outputs depend on, including those of enclosing graphs.
func (g *Graph) live() map[*Node]bool {
	live := map[*Node]bool{}
	for _, n := range g.outputs {
		live[n] = true
	}
	for i := len(g.calls) - 1; i >= 0; i-- {
		c := g.calls[i]
		if !c.needed(live) {
			continue
		}
		for _, n := range c.Inputs {
			live[n] = true
		}
		for _, n := range c.captures {
			live[n] = true
		}
	}
	return live
}

// needed reports whether any result of c is live.
func (c *Call) needed(live map[*Node]bool) bool {
	for _, n := range c.Outputs {
		if live[n] {
			return true
		}
	}
	return false
}

// Sizes are the bytes of the weights of a graph, and those of all values that it computes for each
// walker, a Scan's body once.
func (g *Graph) Sizes() (weights, values int64) {
	size := func(n *Node) int64 {
		bytes := int64(4)
		for _, d := range n.shape {
			if d > 0 {
				bytes *= int64(d)
			}
		}
		return bytes
	}
	for _, n := range g.params {
		weights += size(n)
	}
	for _, c := range g.calls {
		for _, n := range c.Outputs {
			if slices.Contains(n.shape, Dynamic) {
				values += size(n)
			}
		}
	}
	return weights, values
}
