package graph

import "slices"

// ForGPU returns an equivalent graph laid out for a GPU. Inputs, outputs and weights keep
// their names.
//
// On a GPU, a loop step costs much more than its operators. Therefore each step of an
// innermost Scan takes several consecutive slices: the largest divisor of their number that
// is at most width. A Scan left with one step disappears. Scanned and stacked tensors are
// split and joined outside the loop. ONNX Runtime has no CUDA kernel for Pad of integers;
// Concat replaces it.
func ForGPU(g *Graph, width int) (*Graph, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	to := New(g.name, WithFloat(g.float))
	r := replay{width: width, nodes: map[*Node]*Node{}}
	for _, n := range g.inputs {
		r.nodes[n] = to.Input(n.name, n.dtype, n.shape...)
	}
	for _, n := range g.params {
		r.nodes[n] = to.Param(n.name, n.shape...)
	}
	r.calls(to, g)
	for _, n := range g.outputs {
		to.Output(n.name, r.nodes[n])
	}
	return to, to.Err()
}

// replay rebuilds a graph, node by node.
type replay struct {
	width int
	nodes map[*Node]*Node // keyed by the node of the old graph
}

// calls repeats the live operators of a graph in another one.
func (r replay) calls(to, from *Graph) {
	p := from.Program()
	for _, n := range p.Constants {
		r.nodes[n] = to.Constant(n.value)
	}
	for _, c := range p.Calls {
		in := make([]*Node, len(c.Inputs))
		for i, n := range c.Inputs {
			in[i] = r.nodes[n]
		}
		switch {
		case c.op.name == "Scan":
			r.scan(to, c, in)
		case c.op.infer == nil: // the Identity that gave an output its name
			r.nodes[c.Outputs[0]] = in[0]
		case c.op.name == "Pad" && in[0].dtype.IsInteger():
			r.nodes[c.Outputs[0]] = concatForPad(in[0], in[1].value.Int64s(), in[2])
		default:
			r.nodes[c.Outputs[0]] = apply(c.op, in...)
		}
	}
}

// concatForPad pads x with value, a scalar. pads holds the counts in front along every
// axis, then those behind.
func concatForPad(x *Node, pads []int64, value *Node) *Node {
	rank := x.Rank()
	for axis := range rank {
		around := func(count int64) []*Node {
			if count == 0 {
				return nil
			}
			shape := x.Shape()
			shape[axis] = int(count)
			return []*Node{value.Expand(shape...)}
		}
		if parts := slices.Concat(around(pads[axis]), []*Node{x}, around(pads[rank+axis])); len(parts) > 1 {
			x = Concat(axis, parts...)
		}
	}
	return x
}

// scan repeats a Scan with operands in.
func (r replay) scan(to *Graph, c *Call, in []*Node) {
	inner := c.op.attributes[0].Value.(*Graph)
	scans := int(c.op.attributes[1].Value.(int64))
	carry, scanned := in[:len(in)-scans], in[len(in)-scans:]
	steps := scanned[0].Dim(0)
	k := 1
	if !slices.ContainsFunc(inner.calls, func(c *Call) bool { return c.op.name == "Scan" }) {
		for k = min(max(r.width, 1), steps); steps%k > 0; k-- {
		}
	}
	// Slice j of a step is slice number step*k + j overall.
	var parts []*Node
	for _, x := range scanned {
		if k == 1 {
			parts = append(parts, x)
			continue
		}
		x = x.reshapeTo(append(Shape{steps / k, k}, x.shape[1:]...))
		for j := range k {
			parts = append(parts, x.Gather(1, x.graph.Scalar(Int32, float64(j))))
		}
	}
	body := func(g *Graph, carry, slice []*Node) (next, emitted []*Node) {
		results := make([][]*Node, k) // of each slice, in the order of emission
		for j := range k {
			for i, n := range inner.inputs {
				if i < len(carry) {
					r.nodes[n] = carry[i]
				} else {
					r.nodes[n] = slice[(i-len(carry))*k+j]
				}
			}
			r.calls(g, inner)
			next = nil
			for i, n := range inner.outputs {
				if i < len(carry) {
					next = append(next, r.nodes[n])
				} else {
					results[j] = append(results[j], r.nodes[n])
				}
			}
			carry = next
		}
		for i := range results[0] {
			for j := range k {
				emitted = append(emitted, results[j][i])
			}
		}
		return next, emitted
	}
	if k < steps {
		carry, parts = to.Scan(carry, parts, body)
	} else {
		for i, x := range parts {
			parts[i] = x.Squeeze(0)
		}
		carry, parts = body(to, carry, parts)
		for i, x := range parts {
			parts[i] = x.Unsqueeze(0)
		}
	}
	for i, n := range c.Outputs {
		if i < len(carry) {
			r.nodes[n] = carry[i]
			continue
		}
		of := parts[(i-len(carry))*k:][:k]
		if k == 1 {
			r.nodes[n] = of[0]
			continue
		}
		for j, x := range of {
			of[j] = x.Unsqueeze(1)
		}
		x := Concat(1, of...)
		r.nodes[n] = x.reshapeTo(append(Shape{steps}, x.shape[2:]...))
	}
}
