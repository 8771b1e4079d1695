package exporter_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/onnxtest"
	"neuralwl/models/graph"
)

// TestWeightsRoundTrip writes and reads every element type.
func TestWeightsRoundTrip(t *testing.T) {
	_, data := mustEncode(t, dense(), denseWeights())
	model, err := exporter.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := exporter.Weights(model)
	if err != nil {
		t.Fatal(err)
	}
	want := denseWeights()
	delete(want, "other")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	double := graph.New("double", graph.WithFloat(graph.Float64))
	double.Output("y", double.Param("p", 2).Add(double.Param("scalar")))
	want = map[string]graph.Tensor{
		"p": graph.Float64s([]float64{math.Pi, -0x1p-1074}, 2), "scalar": graph.Float64s([]float64{2}),
	}
	model, _ = mustEncode(t, double, want)
	if got, err = exporter.Weights(model); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

// weightModel returns a model with one weight, stored as given.
func weightModel(p *onnxpb.TensorProto) *onnxpb.ModelProto {
	p.Name = proto.String("w")
	return &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{
		Name:        proto.String("foreign"),
		Input:       []*onnxpb.ValueInfoProto{{Name: proto.String("w")}},
		Initializer: []*onnxpb.TensorProto{p, {Name: proto.String("constant")}},
	}}
}

func dataType(d onnxpb.TensorProto_DataType) *int32 { return proto.Int32(int32(d)) }

// TestForeignWeights reads the forms in which other programs store tensors.
func TestForeignWeights(t *testing.T) {
	dims := []int64{2, 1}
	for _, c := range []struct {
		stored *onnxpb.TensorProto
		want   graph.Tensor
	}{
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_FLOAT), FloatData: []float32{1, 2}}, graph.Float32s([]float32{1, 2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_DOUBLE), DoubleData: []float64{1, 2}}, graph.Float64s([]float64{1, 2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_INT32), Int32Data: []int32{1, -2}}, graph.Int32s([]int32{1, -2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_INT64), Int64Data: []int64{1, -2}}, graph.Int64s([]int64{1, -2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_BOOL), Int32Data: []int32{1, 0}}, graph.Bools([]bool{true, false}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_FLOAT), RawData: []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}}, graph.Float32s([]float32{1, -2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_INT64), RawData: []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, graph.Int64s([]int64{1, -1}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_INT32), RawData: []byte{1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}}, graph.Int32s([]int32{1, -2}, 2, 1)},
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_BOOL), RawData: []byte{0, 1}}, graph.Bools([]bool{false, true}, 2, 1)},
	} {
		c.stored.Dims = dims
		got, err := exporter.Weights(weightModel(c.stored))
		if want := map[string]graph.Tensor{"w": c.want}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v (%v), want %v", got, err, want)
		}
	}
}

func TestForeignWeightErrors(t *testing.T) {
	float := dataType(onnxpb.TensorProto_FLOAT)
	for _, c := range []struct {
		stored *onnxpb.TensorProto
		want   string
	}{
		{&onnxpb.TensorProto{DataType: dataType(onnxpb.TensorProto_FLOAT16)}, "element type FLOAT16 is not supported"},
		{&onnxpb.TensorProto{DataType: float, Dims: []int64{-1}}, "the shape [-1] is not possible"},
		{&onnxpb.TensorProto{DataType: float, Dims: []int64{1 << 40, 1 << 40}}, "is not possible"},
		{&onnxpb.TensorProto{DataType: float, Dims: []int64{2, 0}}, "the shape [2 0] is not possible"},
		{&onnxpb.TensorProto{DataType: float, Dims: []int64{3}, FloatData: []float32{1}}, "1 elements for the shape [3]"},
		{&onnxpb.TensorProto{DataType: float, Dims: []int64{3}, RawData: []byte{1, 2}}, "2 bytes for the shape [3], which takes 12"},
		{&onnxpb.TensorProto{DataType: float, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}, "are in another file"},
	} {
		_, err := exporter.Weights(weightModel(c.stored))
		if err == nil || !strings.Contains(err.Error(), `weights of model "foreign": weight "w": `) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}

func TestUnmarshalErrors(t *testing.T) {
	if _, err := exporter.Unmarshal([]byte("no protobuf")); err == nil || !strings.Contains(err.Error(), "unmarshal ONNX model") {
		t.Errorf("garbage: %v", err)
	}
	if _, err := exporter.Unmarshal(nil); err == nil || !strings.Contains(err.Error(), "no graph") {
		t.Errorf("empty file: %v", err)
	}
}

// TestSetWeights replaces weights and checks that the runtime uses them.
func TestSetWeights(t *testing.T) {
	model, _ := mustEncode(t, dense(), denseWeights())
	weights := denseWeights()
	weights["w"] = graph.Zeros(graph.Float32, 2, 3)
	weights["b"] = graph.Float32s([]float32{7, 7, 7}, 3)
	if err := exporter.SetWeights(model, weights); err != nil {
		t.Fatal(err)
	}
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	if _, direct := mustEncode(t, dense(), weights); !bytes.Equal(data, direct) {
		t.Error("setting weights and encoding with them give different files")
	}
	out := onnxtest.Run(t, data, map[string]graph.Tensor{"x": graph.Float32s([]float32{1, 2}, 1, 2)}, "y")
	for _, y := range out["y"].Float32s() {
		if math.Abs(float64(y)-1./3) > 1e-6 {
			t.Errorf("got %v, want thirds", out["y"].Float32s())
			break
		}
	}
}

// TestSetWeightsErrors checks that every fault is reported and nothing changes.
func TestSetWeightsErrors(t *testing.T) {
	model, before := mustEncode(t, dense(), denseWeights())
	err := exporter.SetWeights(model, map[string]graph.Tensor{
		"w": graph.Zeros(graph.Float64, 2, 3),
		"r": graph.Float32s(append(make([]float32, 11), float32(math.NaN())), 4, 3),
	})
	for _, want := range []string{
		`set weights of model "dense"`,
		`weight "w": it is float64[2 3], the model has float32[2 3]`,
		`weight "b": it is missing`,
		`weight "r": not all its elements are finite`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error %v", want, err)
		}
	}
	after, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(after, before) {
		t.Error("the model has changed")
	}
}

// TestUnknownFieldsSurvive checks that fields unknown to this program survive a change of
// weights.
func TestUnknownFieldsSurvive(t *testing.T) {
	_, data := mustEncode(t, dense(), denseWeights())
	const trainingInfo = 20 // of the official ModelProto
	foreign := protowire.AppendTag(nil, trainingInfo, protowire.BytesType)
	foreign = protowire.AppendBytes(foreign, []byte("kept"))
	model, err := exporter.Unmarshal(append(data, foreign...))
	if err != nil {
		t.Fatal(err)
	}
	if err := exporter.SetWeights(model, denseWeights()); err != nil {
		t.Fatal(err)
	}
	out, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out, foreign) {
		t.Error("the field is lost")
	}
}
