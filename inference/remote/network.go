package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/oip/oippb"
)

// network is one of the two networks on the server.
type network struct {
	server  *Server
	name    string // of the model on the server
	inputs  []exporter.Tensor
	outputs []exporter.Tensor
}

func newNetwork(s *Server, name string, b *exporter.Bundle, model *onnxpb.ModelProto) *network {
	return &network{server: s, name: name, inputs: b.Inputs(model), outputs: b.Outputs(model)}
}

// datatypes are the protocol's names of element types; the contract has no others.
var datatypes = map[string]string{"FLOAT": "FP32", "INT32": "INT32"}

// check compares what the server says of the model with the bundle. Some servers say nothing.
func (n *network) check(m *oippb.ModelMetadataResponse) error {
	var faults []error
	for _, side := range []struct {
		kind string
		want []exporter.Tensor
		have []*oippb.ModelMetadataResponse_TensorMetadata
	}{{"input", n.inputs, m.GetInputs()}, {"output", n.outputs, m.GetOutputs()}} {
		if len(side.have) == 0 {
			continue
		}
		for _, t := range side.want {
			i := slices.IndexFunc(side.have, func(h *oippb.ModelMetadataResponse_TensorMetadata) bool { return h.GetName() == t.Name })
			if i < 0 {
				faults = append(faults, fmt.Errorf("it has no %s %q, which the bundle has", side.kind, t.Name))
				continue
			}
			if h := side.have[i]; h.GetDatatype() != datatypes[t.Type] || !fits(h.GetShape(), t.Shape(-1)) {
				faults = append(faults, fmt.Errorf("its %s %q is %s%v, that of the bundle %s%v", side.kind, t.Name, h.GetDatatype(), h.GetShape(), datatypes[t.Type], t.Shape(-1)))
			}
		}
	}
	return errors.Join(faults...)
}

// fits compares two shapes, in which -1 stands for any number.
func fits(a, b []int64) bool {
	return slices.EqualFunc(a, b, func(x, y int64) bool { return x == y || x == -1 || y == -1 })
}

// values are tensors by name: []int32 or []float32 with the rows one after another.
type values map[string]any

// evaluate sends rows and one more, the canary's, and reads the outputs: into out the rows, which it
// returns for the canary.
func (n *network) evaluate(ctx context.Context, rows int, in, canary, out values, retries int) (values, error) {
	fault := func(err error) error { return fmt.Errorf("model server %s: %s: %w", n.server.o.URL, n.name, err) }
	r := &oippb.ModelInferRequest{ModelName: n.name, ModelVersion: n.server.o.Version}
	for _, t := range n.inputs {
		raw, err := appendRaw(nil, in[t.Name], canary[t.Name])
		if err != nil {
			return nil, fault(fmt.Errorf("input %q: %w", t.Name, err))
		}
		r.Inputs = append(r.Inputs, &oippb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: datatypes[t.Type], Shape: t.Shape(rows + 1)})
		r.RawInputContents = append(r.RawInputContents, raw)
	}
	for _, t := range n.outputs {
		r.Outputs = append(r.Outputs, &oippb.ModelInferRequest_InferRequestedOutputTensor{Name: t.Name})
	}
	answer, err := n.server.infer(ctx, r, retries)
	if err != nil {
		return nil, fault(err)
	}
	sample, err := n.read(answer, rows, out)
	if err != nil {
		return nil, fault(fmt.Errorf("its answer is wrong: %w", err))
	}
	return sample, nil
}

// appendRaw appends tensors as the protocol has them.
func appendRaw(raw []byte, tensors ...any) (_ []byte, err error) {
	for _, t := range tensors {
		if t == nil {
			return nil, errors.New("there is no value for it")
		}
		if raw, err = binary.Append(raw, binary.LittleEndian, t); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// read reads the outputs of an answer: those of the rows into out, and those of the canary.
func (n *network) read(answer *oippb.ModelInferResponse, rows int, out values) (values, error) {
	if name := answer.GetModelName(); name != "" && name != n.name {
		return nil, fmt.Errorf("it is of the model %q", name)
	}
	if v := answer.GetModelVersion(); v != "" && v != n.server.o.Version {
		return nil, fmt.Errorf("it is of version %s, asked for was %s; a server that does not take the version of a request cannot be used", v, n.server.o.Version)
	}
	outputs, raw := answer.GetOutputs(), answer.GetRawOutputContents()
	if len(raw) > 0 && len(raw) != len(outputs) {
		return nil, fmt.Errorf("it has %d outputs and the contents of %d", len(outputs), len(raw))
	}
	sample := values{}
	for _, t := range n.outputs {
		i := slices.IndexFunc(outputs, func(o *oippb.ModelInferResponse_InferOutputTensor) bool { return o.GetName() == t.Name })
		if i < 0 {
			return nil, fmt.Errorf("it has no output %q", t.Name)
		}
		o, want := outputs[i], t.Shape(rows+1)
		if o.GetDatatype() != datatypes[t.Type] || !fits(o.GetShape(), want) {
			return nil, fmt.Errorf("its output %q is %s%v, right is %s%v", t.Name, o.GetDatatype(), o.GetShape(), datatypes[t.Type], want)
		}
		var data []byte
		var err error
		if len(raw) > 0 {
			data = raw[i]
		} else if data, err = listed(o); err != nil {
			return nil, fmt.Errorf("output %q: %w", t.Name, err)
		}
		width := max(1, t.Width)
		if len(data) != 4*(rows+1)*width {
			return nil, fmt.Errorf("its output %q has %d bytes, right are %d", t.Name, len(data), 4*(rows+1)*width)
		}
		if t.Type == "INT32" {
			last := make([]int32, width)
			sample[t.Name] = last
			err = decode(data, out[t.Name], last)
		} else {
			last := make([]float32, width)
			sample[t.Name] = last
			err = decode(data, out[t.Name], last)
		}
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", t.Name, err)
		}
	}
	return sample, nil
}

// listed is the contents of a tensor that lists its elements one by one, as raw bytes.
func listed(o *oippb.ModelInferResponse_InferOutputTensor) ([]byte, error) {
	if o.GetDatatype() == "INT32" {
		return binary.Append(nil, binary.LittleEndian, o.GetContents().GetIntContents())
	}
	return binary.Append(nil, binary.LittleEndian, o.GetContents().GetFp32Contents())
}

// decode fills slices with raw bytes, one after another.
func decode(data []byte, into ...any) error {
	for _, x := range into {
		if x == nil {
			continue // no rows
		}
		n, err := binary.Decode(data, binary.LittleEndian, x)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
