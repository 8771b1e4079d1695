// Package exporter writes tensor graphs as ONNX files and reads their weights back: alone (Encode,
// Marshal), or as a Bundle, a network with all that a run must know of it. On disk a bundle is a folder
// with card.json and an ONNX file for each of its graphs:
//
//	b, err := exporter.NewUntrained("mine", models.Made, system, hyperparameters, random)
//	folder, err := b.Save(disk.OS, "models") // models/mine/1, then 2, and so on
//	b, err = exporter.Load("models/mine")    // the highest version, its digests checked
//
// A Bundle belongs to its caller and is not safe for concurrent changes; SetWeights and Transfer change
// it. What Load accepts agrees with its card and the contract of package models, but whether draws
// follow the stated probabilities is for internal/honest to say. The package runs no network.
package exporter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

const (
	// OpsetVersion is the version of the ONNX operators in the files written: the oldest in
	// which all reductions take their axes as an input, so that as many runtimes as
	// possible can read the files.
	OpsetVersion = 18

	// irVersion is the version of the file format itself.
	irVersion = 9

	producer = "neuralwl"
)

// Encode returns the ONNX model of a finished graph. The weights in use become initialisers
// that are also graph inputs: the file is complete by itself, and a run may feed a tensor
// of the same name instead. The batch dimension is named M.
//
// There may be more weights than the graph needs, since several graphs share one set. Every
// weight that is missing, misshapen or not finite is reported.
func Encode(g *graph.Graph, weights map[string]graph.Tensor) (*onnxpb.ModelProto, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	p := g.Program()
	if len(p.Outputs) == 0 {
		return nil, fmt.Errorf("encode graph %q: it has no outputs", g.Name())
	}
	encoded := encodeGraph(p)
	var faults []error
	for _, n := range p.Params {
		t, ok := weights[n.Name()]
		if !ok {
			faults = append(faults, fmt.Errorf("weight %v is missing", n))
			continue
		}
		if err := checkWeight(t, n.DType(), n.Shape()); err != nil {
			faults = append(faults, fmt.Errorf("weight %q: %w", n.Name(), err))
			continue
		}
		encoded.Input = append(encoded.Input, encodeValueInfo(n))
		encoded.Initializer = append(encoded.Initializer, encodeTensor(n.Name(), t))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("encode graph %q: %w", g.Name(), errors.Join(faults...))
	}
	return &onnxpb.ModelProto{
		IrVersion:    proto.Int64(irVersion),
		ProducerName: proto.String(producer),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(OpsetVersion)}},
		Graph:        encoded,
	}, nil
}

// Marshal returns the bytes of an ONNX file. They are the same for equal models.
func Marshal(model *onnxpb.ModelProto) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("marshal ONNX model: %w", err)
	}
	return data, nil
}

func encodeGraph(p graph.Program) *onnxpb.GraphProto {
	g := &onnxpb.GraphProto{Name: proto.String(p.Name)}
	for _, n := range p.Inputs {
		g.Input = append(g.Input, encodeValueInfo(n))
	}
	for _, n := range p.Outputs {
		g.Output = append(g.Output, encodeValueInfo(n))
	}
	for _, n := range p.Constants {
		g.Initializer = append(g.Initializer, encodeTensor(n.Name(), n.Value()))
	}
	for _, c := range p.Calls {
		g.Node = append(g.Node, encodeCall(c))
	}
	return g
}

func encodeCall(c *graph.Call) *onnxpb.NodeProto {
	node := &onnxpb.NodeProto{
		// An operator is named after its first result, whose name is unique.
		Name:   proto.String(c.Outputs[0].Name()),
		OpType: proto.String(c.Op()),
	}
	for _, n := range c.Inputs {
		node.Input = append(node.Input, n.Name())
	}
	for _, n := range c.Outputs {
		node.Output = append(node.Output, n.Name())
	}
	for _, a := range c.Attributes() {
		node.Attribute = append(node.Attribute, encodeAttribute(a))
	}
	return node
}

func encodeAttribute(a graph.Attribute) *onnxpb.AttributeProto {
	p := &onnxpb.AttributeProto{Name: proto.String(a.Name)}
	switch v := a.Value.(type) {
	case int64:
		p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), &v
	case []int64:
		p.Type, p.Ints = onnxpb.AttributeProto_INTS.Enum(), slices.Clone(v)
	case graph.DType:
		p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(int64(elementType(v)))
	case *graph.Graph:
		p.Type, p.G = onnxpb.AttributeProto_GRAPH.Enum(), encodeGraph(v.Program())
	default:
		panic(fmt.Sprintf("exporter: attribute %s of type %T", a.Name, a.Value))
	}
	return p
}

func encodeValueInfo(n *graph.Node) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range n.Shape() {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if d >= 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		} else {
			// To ONNX, multiples of the batch are separate dimensions.
			name := graph.Shape{d}.String()
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: name[1 : len(name)-1]}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(n.Name()),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(elementType(n.DType()))),
			Shape:    shape,
		}}},
	}
}

// encodeTensor writes a tensor in the file's most compact form: little-endian bytes.
func encodeTensor(name string, t graph.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{
		Name:     proto.String(name),
		DataType: proto.Int32(int32(elementType(t.DType))),
	}
	for _, d := range t.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	switch t.DType {
	case graph.Float32:
		p.RawData = rawBytes(t.Float32s())
	case graph.Float64:
		p.RawData = rawBytes(t.Float64s())
	case graph.Int32:
		p.RawData = rawBytes(t.Int32s())
	case graph.Int64:
		p.RawData = rawBytes(t.Int64s())
	case graph.Bool:
		p.RawData = rawBytes(t.Bools())
	}
	return p
}

func rawBytes[T any](elements []T) []byte {
	// Non-nil even without elements: the field determines how the tensor is stored.
	raw, err := binary.Append([]byte{}, binary.LittleEndian, elements)
	if err != nil {
		panic("exporter: " + err.Error()) // T is always a number type
	}
	return raw
}

// elementTypes pairs the element types of a graph with those of the file.
var elementTypes = map[graph.DType]onnxpb.TensorProto_DataType{
	graph.Float32: onnxpb.TensorProto_FLOAT,
	graph.Float64: onnxpb.TensorProto_DOUBLE,
	graph.Int32:   onnxpb.TensorProto_INT32,
	graph.Int64:   onnxpb.TensorProto_INT64,
	graph.Bool:    onnxpb.TensorProto_BOOL,
}

// elementType returns the code of an element type in the file.
func elementType(d graph.DType) onnxpb.TensorProto_DataType { return elementTypes[d] }
