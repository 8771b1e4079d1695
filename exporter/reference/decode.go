package reference

import (
	"encoding/binary"
	"errors"
	"fmt"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// elementType returns the type with that code in the file.
func elementType(code int) (graph.DType, error) {
	switch code {
	case int(onnxpb.TensorProto_FLOAT):
		return graph.Float32, nil
	case int(onnxpb.TensorProto_DOUBLE):
		return graph.Float64, nil
	case int(onnxpb.TensorProto_INT32):
		return graph.Int32, nil
	case int(onnxpb.TensorProto_INT64):
		return graph.Int64, nil
	case int(onnxpb.TensorProto_BOOL):
		return graph.Bool, nil
	}
	return 0, fmt.Errorf("element type %v is not supported", onnxpb.TensorProto_DataType(code))
}

// decode reads a tensor stored in the file, as bytes or as a list.
func (e *evaluator) decode(p *onnxpb.TensorProto) (tensor, error) {
	dtype, err := elementType(int(p.GetDataType()))
	if err != nil {
		return tensor{}, err
	}
	if p.GetDataLocation() != onnxpb.TensorProto_DEFAULT {
		return tensor{}, errors.New("its contents are in another file")
	}
	shape := integers(p.GetDims())
	n, err := e.claim(shape)
	if err != nil {
		return tensor{}, err
	}
	raw := p.GetRawData()
	var data elements
	switch dtype {
	case graph.Float32:
		data, err = widen(n, raw, p.GetFloatData(), func(v float32) float64 { return float64(v) })
	case graph.Float64:
		data, err = widen(n, raw, p.GetDoubleData(), func(v float64) float64 { return v })
	case graph.Int32:
		data, err = widen(n, raw, p.GetInt32Data(), func(v int32) int64 { return int64(v) })
	case graph.Int64:
		data, err = widen(n, raw, p.GetInt64Data(), func(v int64) int64 { return v })
	case graph.Bool: // one byte each as bytes, one int32 each in the list
		if raw != nil {
			data, err = widen(n, raw, nil, func(v uint8) bool { return v != 0 })
		} else {
			data, err = widen(n, nil, p.GetInt32Data(), func(v int32) bool { return v != 0 })
		}
	}
	return tensor{dtype, shape, data}, err
}

// widened converts a tensor of the caller to one of the evaluation.
func (e *evaluator) widened(t graph.Tensor) (tensor, error) {
	n, err := e.claim(t.Shape)
	if err != nil {
		return tensor{}, err
	}
	var data elements
	switch t.DType {
	case graph.Float32:
		data, err = widen(n, nil, t.Float32s(), func(v float32) float64 { return float64(v) })
	case graph.Float64:
		data, err = widen(n, nil, t.Float64s(), func(v float64) float64 { return v })
	case graph.Int32:
		data, err = widen(n, nil, t.Int32s(), func(v int32) int64 { return int64(v) })
	case graph.Int64:
		data, err = widen(n, nil, t.Int64s(), func(v int64) int64 { return v })
	case graph.Bool:
		data, err = widen(n, nil, t.Bools(), func(v bool) bool { return v })
	default:
		return tensor{}, errors.New("the tensor given for it is empty")
	}
	return tensor{t.DType, t.Shape, data}, err
}

// widen converts n elements, stored as little-endian bytes or else listed.
func widen[S any, T element](n int, raw []byte, listed []S, convert func(S) T) (elements, error) {
	if raw != nil {
		var s S
		// Check before allocating anything of the size that the file claims.
		if want := n * binary.Size(s); len(raw) != want {
			return nil, fmt.Errorf("%d bytes for %d elements, which take %d", len(raw), n, want)
		}
		listed = make([]S, n)
		if _, err := binary.Decode(raw, binary.LittleEndian, listed); err != nil {
			return nil, err
		}
	}
	if len(listed) != n {
		return nil, fmt.Errorf("the list has %d elements, the shape %d", len(listed), n)
	}
	out := make(vector[T], n)
	for i, v := range listed {
		out[i] = convert(v)
	}
	return out, nil
}

func integers(wide []int64) []int {
	out := make([]int, len(wide))
	for i, v := range wide {
		out[i] = int(v)
	}
	return out
}

// declaredType returns the element type that the file declares for a value, if it declares
// a supported one.
func declaredType(v *onnxpb.ValueInfoProto) (graph.DType, bool) {
	dtype, err := elementType(int(v.GetType().GetTensorType().GetElemType()))
	return dtype, err == nil
}

// hasType checks a value against the element type declared for it.
func (t tensor) hasType(v *onnxpb.ValueInfoProto) error {
	declared := v.GetType().GetTensorType()
	if declared == nil {
		return nil
	}
	dtype, err := elementType(int(declared.GetElemType()))
	if err == nil && dtype != t.dtype {
		err = fmt.Errorf("it is %v, the model declares %v", t.dtype, dtype)
	}
	return err
}

// conforms checks a value against the type and shape declared for it. The first value with
// a named dimension fixes the size of that dimension for the others.
func (e *evaluator) conforms(t tensor, v *onnxpb.ValueInfoProto) error {
	if err := t.hasType(v); err != nil {
		return err
	}
	shape := v.GetType().GetTensorType().GetShape()
	if shape == nil {
		return nil
	}
	if len(shape.GetDim()) != t.rank() {
		return fmt.Errorf("it has shape %v, the model declares %d axes", t.shape, len(shape.GetDim()))
	}
	for i, d := range shape.GetDim() {
		want := t.shape[i]
		switch declared := d.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			want = int(declared.DimValue)
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			if known, ok := e.symbols[declared.DimParam]; ok {
				want = known
			} else if declared.DimParam != "" {
				e.symbols[declared.DimParam] = want
			}
		}
		if want != t.shape[i] {
			return fmt.Errorf("it has shape %v, the model wants %d on axis %d", t.shape, want, i)
		}
	}
	return nil
}
