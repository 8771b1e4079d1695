package onnxtest

import (
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/models/graph"
)

// toValue returns a runtime value over the memory of t.
func toValue(t graph.Tensor) (ort.Value, error) {
	switch t.DType {
	case graph.Float32:
		return newValue(t.Float32s(), t.Shape)
	case graph.Float64:
		return newValue(t.Float64s(), t.Shape)
	case graph.Int32:
		return newValue(t.Int32s(), t.Shape)
	case graph.Int64:
		return newValue(t.Int64s(), t.Shape)
	case graph.Bool:
		return newValue(t.Bools(), t.Shape)
	}
	return nil, fmt.Errorf("nothing is given for it")
}

func newValue[T ort.TensorData](data []T, shape graph.Shape) (ort.Value, error) {
	if len(shape) == 0 {
		return ort.NewScalar(data[0])
	}
	dims := make(ort.Shape, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	return ort.NewTensor(dims, data)
}

// fromValue copies a result, whose own memory is released after the run.
func fromValue(v ort.Value) (graph.Tensor, error) {
	shape := make([]int, 0, 4)
	for _, d := range v.GetShape() {
		shape = append(shape, int(d))
	}
	switch v := v.(type) {
	case *ort.Tensor[float32]:
		return graph.Float32s(slices.Clone(v.GetData()), shape...), nil
	case *ort.Tensor[float64]:
		return graph.Float64s(slices.Clone(v.GetData()), shape...), nil
	case *ort.Tensor[int32]:
		return graph.Int32s(slices.Clone(v.GetData()), shape...), nil
	case *ort.Tensor[int64]:
		return graph.Int64s(slices.Clone(v.GetData()), shape...), nil
	case *ort.Tensor[bool]:
		return graph.Bools(slices.Clone(v.GetData()), shape...), nil
	case *ort.Scalar[float32]:
		return graph.Float32s([]float32{v.GetData()}), nil
	case *ort.Scalar[float64]:
		return graph.Float64s([]float64{v.GetData()}), nil
	case *ort.Scalar[int32]:
		return graph.Int32s([]int32{v.GetData()}), nil
	case *ort.Scalar[int64]:
		return graph.Int64s([]int64{v.GetData()}), nil
	case *ort.Scalar[bool]:
		return graph.Bools([]bool{v.GetData()}), nil
	}
	return graph.Tensor{}, fmt.Errorf("unexpected value %T", v)
}

func elementType(d ort.TensorElementDataType) graph.DType {
	switch d {
	case ort.TensorElementDataTypeFloat:
		return graph.Float32
	case ort.TensorElementDataTypeDouble:
		return graph.Float64
	case ort.TensorElementDataTypeInt32:
		return graph.Int32
	case ort.TensorElementDataTypeInt64:
		return graph.Int64
	case ort.TensorElementDataTypeBool:
		return graph.Bool
	}
	return 0
}
