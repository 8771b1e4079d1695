package exporter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// Unmarshal reads the bytes of an ONNX file. Ambiguous names in its graph are an error.
func Unmarshal(data []byte) (*onnxpb.ModelProto, error) {
	model := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, model); err != nil {
		return nil, fmt.Errorf("unmarshal ONNX model: %w", err)
	}
	if model.Graph == nil {
		return nil, errors.New("unmarshal ONNX model: it has no graph")
	}
	err := errors.Join(unique("initialisers", model.Graph.Initializer),
		unique("inputs", model.Graph.Input), unique("outputs", model.Graph.Output))
	if err != nil {
		return nil, fmt.Errorf("unmarshal ONNX model: %w", err)
	}
	return model, nil
}

// unique returns an error if two of the values have the same name.
func unique[V interface{ GetName() string }](kind string, values []V) error {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v.GetName()] {
			return fmt.Errorf("two %s have the name %q", kind, v.GetName())
		}
		seen[v.GetName()] = true
	}
	return nil
}

// Weights returns the weights of a model by name: the initialisers that are also graph
// inputs. It reports every weight that cannot be read.
func Weights(model *onnxpb.ModelProto) (map[string]graph.Tensor, error) {
	weights := map[string]graph.Tensor{}
	var faults []error
	for _, p := range weightProtos(model) {
		t, err := decodeTensor(p)
		if err != nil {
			faults = append(faults, fmt.Errorf("weight %q: %w", p.GetName(), err))
			continue
		}
		weights[p.GetName()] = t
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("weights of model %q: %w", model.GetGraph().GetName(), errors.Join(faults...))
	}
	return weights, nil
}

// SetWeights replaces all weights of a model. As for Encode, there may be more weights than
// the model has. It reports every weight that is missing, differs from the model's in type
// or shape, or is not finite; the model is then unchanged.
func SetWeights(model *onnxpb.ModelProto, weights map[string]graph.Tensor) error {
	protos := weightProtos(model)
	var faults []error
	for _, p := range protos {
		if err := checkReplacement(p, weights); err != nil {
			faults = append(faults, fmt.Errorf("weight %q: %w", p.GetName(), err))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("set weights of model %q: %w", model.GetGraph().GetName(), errors.Join(faults...))
	}
	for _, p := range protos {
		name := p.GetName()
		proto.Reset(p)
		proto.Merge(p, encodeTensor(name, weights[name]))
	}
	return nil
}

// weightProtos returns the initialisers that are also graph inputs.
func weightProtos(model *onnxpb.ModelProto) []*onnxpb.TensorProto {
	input := map[string]bool{}
	for _, in := range model.GetGraph().GetInput() {
		input[in.GetName()] = true
	}
	var protos []*onnxpb.TensorProto
	for _, p := range model.GetGraph().GetInitializer() {
		if input[p.GetName()] {
			protos = append(protos, p)
		}
	}
	return protos
}

func checkReplacement(p *onnxpb.TensorProto, weights map[string]graph.Tensor) error {
	t, ok := weights[p.GetName()]
	if !ok {
		return errors.New("it is missing")
	}
	dtype, shape, err := tensorType(p)
	if err != nil {
		return err
	}
	return checkWeight(t, dtype, shape)
}

// checkWeight checks a tensor against the weight it is meant for.
func checkWeight(t graph.Tensor, dtype graph.DType, shape graph.Shape) error {
	switch {
	case t.DType != dtype || !t.Shape.Equal(shape):
		return fmt.Errorf("it is %v, the model has %v%v", t, dtype, shape)
	case !t.Finite():
		return errors.New("not all its elements are finite")
	}
	return nil
}

// tensorType returns element type and shape of a stored tensor, which must have
// elements.
func tensorType(p *onnxpb.TensorProto) (graph.DType, graph.Shape, error) {
	var dtype graph.DType
	for d, code := range elementTypes {
		if int32(code) == p.GetDataType() {
			dtype = d
		}
	}
	if dtype == 0 {
		return 0, nil, fmt.Errorf("element type %v is not supported",
			onnxpb.TensorProto_DataType(p.GetDataType()))
	}
	shape := make(graph.Shape, len(p.Dims))
	count := int64(1)
	for i, d := range p.Dims {
		if d < 1 || count > math.MaxInt32/d {
			return 0, nil, fmt.Errorf("the shape %v is not possible", p.Dims)
		}
		shape[i] = int(d)
		count *= d
	}
	return dtype, shape, nil
}

// decodeTensor reads a tensor stored as bytes or as a list.
func decodeTensor(p *onnxpb.TensorProto) (graph.Tensor, error) {
	dtype, shape, err := tensorType(p)
	if err != nil {
		return graph.Tensor{}, err
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return graph.Tensor{}, errors.New("its contents are in another file")
	}
	switch dtype {
	case graph.Float32:
		return decodeAs(graph.Float32s, p, p.GetFloatData(), shape)
	case graph.Float64:
		return decodeAs(graph.Float64s, p, p.GetDoubleData(), shape)
	case graph.Int32:
		return decodeAs(graph.Int32s, p, p.GetInt32Data(), shape)
	case graph.Int64:
		return decodeAs(graph.Int64s, p, p.GetInt64Data(), shape)
	}
	bools := make([]bool, len(p.GetInt32Data()))
	for i, v := range p.GetInt32Data() {
		bools[i] = v != 0
	}
	return decodeAs(graph.Bools, p, bools, shape)
}

// decodeAs builds a tensor from the stored bytes or, if there are none, from the listed
// elements.
func decodeAs[T any](construct func([]T, ...int) graph.Tensor,
	p *onnxpb.TensorProto, listed []T, shape graph.Shape) (graph.Tensor, error) {
	count := shape.Elements()
	if p.RawData == nil {
		if len(listed) != count {
			return graph.Tensor{}, fmt.Errorf("%d elements for the shape %v", len(listed), shape)
		}
		return construct(slices.Clone(listed), shape...), nil
	}
	// Check before allocating anything of the size that the file claims.
	var element T
	if want := count * binary.Size(element); len(p.RawData) != want {
		return graph.Tensor{}, fmt.Errorf("%d bytes for the shape %v, which takes %d", len(p.RawData), shape, want)
	}
	elements := make([]T, count)
	if _, err := binary.Decode(p.RawData, binary.LittleEndian, elements); err != nil {
		return graph.Tensor{}, err
	}
	return construct(elements, shape...), nil
}
