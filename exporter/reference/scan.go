package reference

import (
	"errors"
	"fmt"
	"slices"

	"neuralwl/exporter/onnxpb"
)

// scan runs the body once for each index of the first axis of the scanned operands. It
// returns the carried values after the last step and the emitted values, stacked along a
// new first axis.
func (c *call) scan() ([]tensor, error) {
	attribute := c.attribute("body", onnxpb.AttributeProto_GRAPH)
	scanned := c.required("num_scan_inputs")
	for _, name := range []string{"scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"} {
		if slices.ContainsFunc(c.integers(name), func(v int) bool { return v != 0 }) {
			return nil, fmt.Errorf("attribute %q is supported only if all 0", name)
		}
	}
	body := attribute.GetG()
	switch {
	case c.err != nil:
		return nil, c.err
	case body == nil:
		return nil, errors.New("it has no body")
	case scanned < 1 || scanned > len(c.in):
		return nil, fmt.Errorf("%d of %d operands are scanned", scanned, len(c.in))
	case c.scope.depth >= maxDepth:
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	state := len(c.in) - scanned
	if len(body.GetInput()) != len(c.in) || len(body.GetOutput()) < state {
		return nil, fmt.Errorf("the body has %d inputs and %d outputs for %d carried and %d scanned operands",
			len(body.GetInput()), len(body.GetOutput()), state, scanned)
	}
	steps, err := c.steps(c.in[state:])
	if err != nil {
		return nil, err
	}
	constants := newScope(c.scope)
	if err := c.initialise(body, constants, nil); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}

	carry := slices.Clone(c.in[:state])
	emitted := make([][]tensor, len(body.GetOutput())-state)
	before := c.held
	kept := before
	for i := range steps {
		out, err := c.step(body, constants, carry, i)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		// Of the step's values only its results are kept.
		carry = out[:state]
		for k, t := range out[state:] {
			emitted[k] = append(emitted[k], t)
			kept += t.data.len()
		}
		c.held = kept
		for _, t := range carry {
			c.held += t.data.len()
		}
	}
	for k := range emitted {
		stacked, err := c.stack(emitted[k])
		if err != nil {
			return nil, fmt.Errorf("emitted output %d: %w", k, err)
		}
		carry = append(carry, stacked)
	}
	c.held = before
	for _, t := range carry {
		c.held += t.data.len()
	}
	return carry, nil
}

// steps returns the common first dimension of the scanned operands.
func (c *call) steps(scanned []tensor) (int, error) {
	for _, t := range c.in {
		if t.absent() {
			return 0, errors.New("an operand is missing")
		}
	}
	for _, t := range scanned {
		if t.rank() == 0 || t.shape[0] != scanned[0].shape[0] {
			return 0, errors.New("the first dimensions of the scanned operands differ")
		}
	}
	if scanned[0].shape[0] == 0 {
		return 0, errors.New("a Scan without steps is not supported: the shape of its results is unknown")
	}
	return scanned[0].shape[0], nil
}

// step runs the body once and returns its outputs.
func (c *call) step(body *onnxpb.GraphProto, constants *scope, carry []tensor, i int) ([]tensor, error) {
	if err := c.charge(1); err != nil {
		return nil, err
	}
	s := &scope{outer: constants, depth: constants.depth, values: map[string]tensor{}}
	for k, declared := range body.GetInput() {
		var t tensor
		if k < len(carry) {
			t = carry[k]
		} else {
			t = c.in[k]
			size := t.data.len() / t.shape[0]
			t.shape, t.data = t.shape[1:], t.data.part(i*size, (i+1)*size)
		}
		err := t.hasType(declared)
		if err == nil {
			err = s.define(declared.GetName(), t)
		}
		if err != nil {
			return nil, fmt.Errorf("body input %q: %w", declared.GetName(), err)
		}
	}
	if err := c.run(body, s); err != nil {
		return nil, err
	}
	var out []tensor
	for k, declared := range body.GetOutput() {
		t, err := s.lookup(declared.GetName())
		if err == nil {
			err = t.hasType(declared)
		}
		if err == nil && k < len(carry) && (t.dtype != carry[k].dtype || !slices.Equal(t.shape, carry[k].shape)) {
			err = fmt.Errorf("%v%v is carried in place of %v%v", t.dtype, t.shape, carry[k].dtype, carry[k].shape)
		}
		if err != nil {
			return nil, fmt.Errorf("body output %q: %w", declared.GetName(), err)
		}
		out = append(out, t)
	}
	return out, nil
}

// stack joins tensors of one shape along a new first axis.
func (e *evaluator) stack(parts []tensor) (tensor, error) {
	for i, t := range parts {
		parts[i].shape = slices.Concat([]int{1}, t.shape)
	}
	return e.join(0, parts)
}
