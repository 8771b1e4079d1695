package exporter

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
)

// WithoutWeightInputs is a copy of a model whose weights are constants, no inputs: servers of
// models ask for all inputs that a file declares, or offer those with a value to their clients.
func WithoutWeightInputs(model *onnxpb.ModelProto) *onnxpb.ModelProto {
	model = proto.Clone(model).(*onnxpb.ModelProto)
	constant := map[string]bool{}
	for _, w := range weightProtos(model) {
		constant[w.GetName()] = true
	}
	g := model.GetGraph()
	inputs := g.Input
	g.Input = nil
	for _, v := range inputs {
		if !constant[v.GetName()] {
			g.Input = append(g.Input, v)
		}
	}
	return model
}

// Tensor is an input or output of a bundle's network as the contract has it.
type Tensor struct {
	Name  string
	Type  string // INT32, or FLOAT for single precision, as ONNX calls them
	Width int    // N for a tensor [M,N], 0 for one [M]
}

// Shape is that for a number of rows M, -1 for any.
func (t Tensor) Shape(rows int) []int64 {
	if t.Width == 0 {
		return []int64{int64(rows)}
	}
	return []int64{int64(rows), int64(t.Width)}
}

// Inputs lists the inputs of propose.onnx or log_prob.onnx that are no weights, in the file's order.
func (b *Bundle) Inputs(model *onnxpb.ModelProto) []Tensor {
	return b.tensors(WithoutWeightInputs(model).GetGraph().GetInput())
}

// Outputs lists the outputs of propose.onnx or log_prob.onnx that the contract has.
func (b *Bundle) Outputs(model *onnxpb.ModelProto) []Tensor {
	return slices.DeleteFunc(b.tensors(model.GetGraph().GetOutput()), func(t Tensor) bool {
		return t.Name != models.Proposal && t.Name != models.LogQ
	})
}

// tensors takes from a file what the contract leaves to it: a file may leave dimensions open.
func (b *Bundle) tensors(values []*onnxpb.ValueInfoProto) []Tensor {
	all := make([]Tensor, len(values))
	for i, v := range values {
		all[i] = Tensor{Name: v.GetName(), Type: onnxpb.TensorProto_DataType(v.GetType().GetTensorType().GetElemType()).String()}
		switch v.GetName() {
		case models.State, models.Condition, models.Proposal:
			all[i].Width = b.Card.System.System().Sites()
		case models.Uniform:
			all[i].Width = b.Card.UniformsOf()
		}
	}
	return all
}
