package exporter

import (
	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
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

// Tensor is an input or output of a model: -1 stands for a dimension that the file leaves open.
type Tensor struct {
	Name  string
	Type  string // as ONNX calls it, such as FLOAT or INT32
	Shape []int64
}

// Inputs are those of a model that are no weights, and Outputs all it has, in the file's order.
func Inputs(model *onnxpb.ModelProto) []Tensor {
	return tensors(WithoutWeightInputs(model).GetGraph().GetInput())
}

// Outputs lists the outputs of a model, as Inputs does.
func Outputs(model *onnxpb.ModelProto) []Tensor { return tensors(model.GetGraph().GetOutput()) }

func tensors(values []*onnxpb.ValueInfoProto) []Tensor {
	all := make([]Tensor, len(values))
	for i, v := range values {
		t := v.GetType().GetTensorType()
		all[i] = Tensor{Name: v.GetName(), Type: onnxpb.TensorProto_DataType(t.GetElemType()).String()}
		for _, d := range t.GetShape().GetDim() {
			size, fixed := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
			if !fixed {
				all[i].Shape = append(all[i].Shape, -1)
				continue
			}
			all[i].Shape = append(all[i].Shape, size.DimValue)
		}
	}
	return all
}
