package reference

import (
	"fmt"
	"maps"
	"slices"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// call is one application of an operator. Faults of attributes and of operands that give
// sizes or axes are sticky: err keeps the first.
type call struct {
	*evaluator
	scope *scope
	op    string
	in    []tensor // an omitted optional operand is absent

	attributes map[string]*onnxpb.AttributeProto // those not read yet
	err        error
}

// prepare collects a node's operands and attributes.
func (e *evaluator) prepare(node *onnxpb.NodeProto, s *scope) (*call, error) {
	c := &call{evaluator: e, scope: s, op: node.GetOpType(), attributes: map[string]*onnxpb.AttributeProto{}}
	if !standard(node.GetDomain()) {
		return nil, fmt.Errorf("operators of the domain %q are not supported", node.GetDomain())
	}
	for _, a := range node.GetAttribute() {
		if _, twice := c.attributes[a.GetName()]; twice {
			return nil, fmt.Errorf("attribute %q is given twice", a.GetName())
		}
		c.attributes[a.GetName()] = a
	}
	work := 1
	for _, name := range node.GetInput() {
		var t tensor
		if name != "" {
			var err error
			if t, err = s.lookup(name); err != nil {
				return nil, err
			}
			work += t.data.len() * effort(t.rank())
		}
		c.in = append(c.in, t)
	}
	return c, e.charge(work)
}

// apply computes the results.
func (c *call) apply() ([]tensor, error) {
	results, err := c.results()
	if c.err != nil {
		err = c.err // anything after the first fault is irrelevant
	}
	if err == nil && len(c.attributes) > 0 {
		// Checked afterwards, since only the operator knows its attributes.
		err = fmt.Errorf("the attributes %q are not supported", slices.Sorted(maps.Keys(c.attributes)))
	}
	return results, err
}

func (c *call) results() ([]tensor, error) {
	if c.op == "Scan" {
		return c.scan()
	}
	op, ok := operators[c.op]
	if !ok {
		return nil, fmt.Errorf("the operator is not supported")
	}
	if len(c.in) < op.required || len(c.in) > op.most {
		return nil, fmt.Errorf("%d operands, it takes %d to %d", len(c.in), op.required, op.most)
	}
	for i, t := range c.in {
		if i < op.required && t.absent() {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
	}
	result, err := op.apply(c)
	return []tensor{result}, err
}

func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// optional returns an operand that may be missing.
func (c *call) optional(i int) tensor {
	if i < len(c.in) {
		return c.in[i]
	}
	return tensor{}
}

// list returns an operand that is a vector of integers, or nil if it is absent.
func (c *call) list(i int) []int {
	t := c.optional(i)
	if t.absent() {
		return nil
	}
	data, ok := t.data.(vector[int64])
	if !ok || t.rank() != 1 {
		c.fail("operand %d is %v%v, not a vector of integers", i, t.dtype, t.shape)
		return nil
	}
	return integers(data)
}

// scalar returns the single element of an operand of type T.
func scalar[T element](c *call, i int) T {
	data, ok := c.optional(i).data.(vector[T])
	if !ok || len(data) != 1 {
		c.fail("operand %d is not a single %T", i, *new(T))
		return *new(T)
	}
	return data[0]
}

// attribute returns the attribute of that name and kind, or nil.
func (c *call) attribute(name string, kind onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	a, ok := c.attributes[name]
	if !ok {
		return nil
	}
	delete(c.attributes, name)
	if a.GetType() != kind {
		c.fail("attribute %q is of kind %v, not %v", name, a.GetType(), kind)
		return nil
	}
	return a
}

// integer returns an attribute, or its default if it is absent.
func (c *call) integer(name string, absent int) int {
	if a := c.attribute(name, onnxpb.AttributeProto_INT); a != nil {
		return int(a.GetI())
	}
	return absent
}

// required returns a mandatory attribute.
func (c *call) required(name string) int {
	if c.attributes[name] == nil {
		c.fail("attribute %q is missing", name)
	}
	return c.integer(name, 0)
}

func (c *call) flag(name string, absent int) bool { return c.integer(name, absent) != 0 }

func (c *call) float(name string, absent float32) float64 {
	if a := c.attribute(name, onnxpb.AttributeProto_FLOAT); a != nil {
		return float64(a.GetF())
	}
	return float64(absent)
}

// integers returns an attribute, or nil if it is absent.
func (c *call) integers(name string) []int {
	if a := c.attribute(name, onnxpb.AttributeProto_INTS); a != nil {
		return integers(a.GetInts())
	}
	return nil
}

// only fails unless a string has its default value, the one case supported.
func (c *call) only(name, value string) {
	if a := c.attribute(name, onnxpb.AttributeProto_STRING); a != nil && string(a.GetS()) != value {
		c.fail("%s %q is not supported, only %q", name, a.GetS(), value)
	}
}

// sameType checks that operands have one element type.
func sameType(operands ...tensor) error {
	for _, t := range operands {
		if t.dtype != operands[0].dtype {
			return fmt.Errorf("the operands have element types %v and %v", operands[0].dtype, t.dtype)
		}
	}
	return nil
}

// unfit is the error for an operand of a type that the operator has no rule for.
func unfit(dtype graph.DType) (tensor, error) {
	return tensor{}, fmt.Errorf("the operator has no rule for %v", dtype)
}
