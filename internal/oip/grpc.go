package oip

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"neuralwl/internal/oip/oippb"
)

// FromProto reads a request. Its tensors share memory with the message where that is possible.
func FromProto(m *oippb.ModelInferRequest) (*Request, error) {
	r := &Request{ID: m.GetId(), Binary: true}
	if p := m.GetParameters()["timeout"]; p != nil {
		r.Timeout = p.GetInt64Param()
	}
	if p := m.GetParameters()["sequence_id"]; p != nil && (p.GetInt64Param() != 0 || p.GetUint64Param() != 0 || p.GetStringParam() != "") {
		return nil, errSequence
	}
	raw := m.GetRawInputContents()
	if len(raw) > 0 && len(raw) != len(m.GetInputs()) {
		return nil, fmt.Errorf("raw_input_contents has %d tensors, there are %d inputs", len(raw), len(m.GetInputs()))
	}
	for i, in := range m.GetInputs() {
		t := Tensor{Name: in.GetName(), Datatype: in.GetDatatype(), Shape: in.GetShape()}
		var err error
		switch {
		case in.GetParameters()["shared_memory_region"] != nil:
			err = errSharedMemory
		case len(raw) > 0 && in.GetContents() != nil:
			err = errors.New("it has contents beside raw_input_contents; leave one out")
		case len(raw) > 0:
			err = t.setRaw(raw[i])
		default:
			err = t.setContents(in.GetContents())
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.GetName(), err)
		}
		r.Inputs = append(r.Inputs, t)
	}
	for _, out := range m.GetOutputs() {
		if out.GetParameters()["shared_memory_region"] != nil {
			return nil, fmt.Errorf("output %q: %w", out.GetName(), errSharedMemory)
		}
		if out.GetParameters()["classification"].GetInt64Param() != 0 {
			return nil, fmt.Errorf("output %q: %w", out.GetName(), errClasses)
		}
		r.Outputs = append(r.Outputs, Output{Name: out.GetName()})
	}
	return r, r.distinct()
}

// setContents takes the elements from a message.
func (t *Tensor) setContents(c *oippb.InferTensorContents) error {
	n, err := t.elements()
	if err != nil {
		return err
	}
	t.Int32, t.Float32 = c.GetIntContents(), c.GetFp32Contents()
	right, wrong := len(t.Int32), len(t.Float32)
	if t.Datatype == FP32 {
		right, wrong = wrong, right
	}
	if wrong > 0 || right != n {
		return fmt.Errorf("contents has %d elements of %s and %d others, shape %v has %d", right, t.Datatype, wrong, t.Shape, n)
	}
	return nil
}

// Proto writes an answer.
func (a *Response) Proto() *oippb.ModelInferResponse {
	m := &oippb.ModelInferResponse{ModelName: a.Model, ModelVersion: a.Version, Id: a.ID}
	for i := range a.Outputs {
		t := &a.Outputs[i]
		m.Outputs = append(m.Outputs, &oippb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape})
		m.RawOutputContents = append(m.RawOutputContents, t.appendRaw(make([]byte, 0, t.size())))
	}
	return m
}

// ToProto fills a message with one of the descriptions of this package, whose JSON has the
// message's names.
func ToProto(description any, m proto.Message) error {
	text, err := json.Marshal(description)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, m)
}
