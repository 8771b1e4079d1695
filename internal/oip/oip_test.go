package oip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/internal/oip/oippb"
)

func float32s(x ...float32) []byte {
	raw, _ := binary.Append(nil, binary.LittleEndian, x)
	return raw
}

// TestDecodeRequest reads what tritonclient 2.73 sends, and what the protocol allows besides.
func TestDecodeRequest(t *testing.T) {
	yes, no := true, false
	// A binary request, as caught on the wire.
	text := `{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}`
	for _, c := range []struct {
		body   string
		length int
		want   Request
	}{
		{text + string(float32s(0.5, -1)), len(text), Request{Inputs: []Tensor{{Name: "a", Datatype: FP32, Shape: []int64{1, 2}, Float32: []float32{0.5, -1}}}, Binary: true}},
		{
			`{"id":"7","parameters":{"timeout":5,"priority":1,"own":"x"},"inputs":[{"name":"a","shape":[2,2],"datatype":"INT32","data":[[1, 2],[ -3,4 ] ]},{"name":"b","shape":[2],"datatype":"FP32","data":[1e-3,2]}],` +
				`"outputs":[{"name":"o","parameters":{"binary_data":false}},{"name":"p","parameters":{"binary_data":true,"classification":0}},{"name":"q"}],"more":1}`, -1,
			Request{ID: "7", Timeout: 5, Inputs: []Tensor{
				{Name: "a", Datatype: INT32, Shape: []int64{2, 2}, Int32: []int32{1, 2, -3, 4}}, {Name: "b", Datatype: FP32, Shape: []int64{2}, Float32: []float32{1e-3, 2}},
			}, Outputs: []Output{{"o", &no}, {"p", &yes}, {"q", nil}}},
		},
		{`{"inputs":[{"name":"a","shape":[2,2],"datatype":"INT32","data":[1,2,3,4]}]}`, -1, Request{Inputs: []Tensor{{Name: "a", Datatype: INT32, Shape: []int64{2, 2}, Int32: []int32{1, 2, 3, 4}}}}},
		{`{"inputs":[{"name":"a","shape":[0,3],"datatype":"FP32","data":[]}]}`, -1, Request{Inputs: []Tensor{{Name: "a", Datatype: FP32, Shape: []int64{0, 3}, Float32: []float32{}}}}},
		{`{"inputs":[{"name":"a","shape":[2,0],"datatype":"FP32","data":[[],[]]}]}`, -1, Request{Inputs: []Tensor{{Name: "a", Datatype: FP32, Shape: []int64{2, 0}, Float32: []float32{}}}}},
	} {
		got, err := DecodeRequest([]byte(c.body), c.length)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.body, got, err, c.want)
		}
	}
}

// TestDecodeFaults refuses what a request must not be, and says which input it is about.
func TestDecodeFaults(t *testing.T) {
	input := func(shape, datatype, rest string) string {
		return `{"inputs":[{"name":"a","shape":` + shape + `,"datatype":"` + datatype + `"` + rest + `}]}`
	}
	for _, c := range []struct {
		body   string
		length int
		want   string
	}{
		{`{`, -1, "not the JSON"}, {`[]`, -1, "not the JSON"}, {`{}x`, -1, "not the JSON"}, {`{}`, 3, "Inference-Header-Content-Length is 3"}, {`{}xy`, 2, "2 bytes are left"},
		{input("[1]", "FP64", `,"data":[1]`), -1, `input "a": datatype "FP64"; INT32 and FP32`},
		{input("[1]", "INT32", ""), -1, "neither data nor"}, {input("[2]", "INT32", `,"data":[1]`), -1, "1 elements of an array, shape [2] needs 2"},
		{input("[1]", "INT32", `,"data":[1,2]`), -1, "more elements"}, {input("[1]", "INT32", `,"data":1`), -1, "an array is right"},
		{input("[2,2]", "INT32", `,"data":[[1,2,3],[4]]`), -1, "more elements"}, {input("[2,2]", "INT32", `,"data":[[1,2],3]`), -1, "an array is right"},
		{input("[4]", "INT32", `,"data":[[1,2],[3,4]]`), -1, "a number is right"},
		{input("[1]", "INT32", `,"data":[1.5]`), -1, "1.5 is no INT32"}, {input("[1]", "INT32", `,"data":[2147483648]`), -1, "is no INT32"},
		{input("[1]", "FP32", `,"data":[1e39]`), -1, "is no FP32"}, {input("[1]", "FP32", `,"data":["1"]`), -1, "a number is right"}, {input("[1]", "FP32", `,"data":[null]`), -1, "a number is right"},
		{input("[-1]", "FP32", `,"data":[]`), -1, "negative"}, {input("[4294967296,4294967296]", "FP32", `,"data":[]`), -1, "more than"},
		{input("[1,1,1,1,1,1,1,1,1]", "FP32", `,"data":[1]`), -1, "9 dimensions"}, {input("[1.5]", "FP32", `,"data":[1]`), -1, "not the JSON"},
		{input("[1]", "FP32", `,"parameters":{"binary_data_size":4}`), -1, "is missing"},
		{input("[1]", "FP32", `,"parameters":{"binary_data_size":4},"data":[1]`), -1, "leave one out"},
		{input("[1]", "FP32", `,"parameters":{"shared_memory_region":"x"}`), -1, "shared memory"},
		{`{"inputs":[{"name":"a","shape":[0],"datatype":"FP32","data":[]},{"name":"a","shape":[0],"datatype":"FP32","data":[]}]}`, -1, "there twice"},
		{input("[0]", "FP32", `,"data":[]},{"name":"","shape":[0],"datatype":"FP32","data":[]`), -1, "no name"},
		{`{"outputs":[{"name":"o"},{"name":"o"}]}`, -1, "asked for twice"}, {`{"outputs":[{"name":"o","parameters":{"classification":3}}]}`, -1, "classification"},
		{`{"parameters":{"sequence_id":7}}`, -1, "sequence_id"},
	} {
		if _, err := DecodeRequest([]byte(c.body), c.length); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
	text := input("[1]", "FP32", `,"parameters":{"binary_data_size":4}`)
	for raw, want := range map[string]string{"123": "3 bytes are left", "12345": "1 bytes are left"} {
		if _, err := DecodeRequest([]byte(text+raw), len(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	if _, err := DecodeRequest([]byte(strings.Replace(text, ":4", ":8", 1)+"12345678"), len(text)); err == nil || !strings.Contains(err.Error(), "8 bytes, shape [1]") {
		t.Error(err)
	}
}

// TestEncodeResponse writes outputs in the form asked for, every float with the digits that make it
// the same when it is read.
func TestEncodeResponse(t *testing.T) {
	a := &Response{Model: "m", Version: "3", ID: "7", Outputs: []Tensor{
		{Name: "i", Datatype: INT32, Shape: []int64{2}, Int32: []int32{-1, 2}}, {Name: "f", Datatype: FP32, Shape: []int64{2}, Float32: []float32{0.1, -1e-30}},
	}}
	body, length, err := EncodeResponse(a, &Request{})
	want := `{"model_name":"m","model_version":"3","id":"7","outputs":[{"name":"i","datatype":"INT32","shape":[2],"data":[-1,2]},{"name":"f","datatype":"FP32","shape":[2],"data":[0.1,-1e-30]}]}`
	if err != nil || length != -1 || string(body) != want {
		t.Errorf("%s, %d, %v", body, length, err)
	}
	no := false
	body, length, err = EncodeResponse(a, &Request{Binary: true, Outputs: []Output{{"f", nil}, {"i", &no}}})
	text := `{"model_name":"m","model_version":"3","id":"7","outputs":[{"name":"i","datatype":"INT32","shape":[2],"data":[-1,2]},{"name":"f","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}`
	if err != nil || length != len(text) || string(body) != text+string(float32s(0.1, -1e-30)) {
		t.Errorf("%q, %d, %v", body, length, err)
	}
	a.Outputs = []Tensor{{Name: "f", Datatype: FP32, Shape: []int64{1}, Float32: []float32{float32(math.Inf(-1))}}}
	if _, _, err := EncodeResponse(a, &Request{}); err == nil || !strings.Contains(err.Error(), `output "f": element 0 is -Inf`) {
		t.Error(err)
	}
}

func message() *oippb.ModelInferRequest {
	return &oippb.ModelInferRequest{Id: "7", Inputs: []*oippb.ModelInferRequest_InferInputTensor{
		{Name: "a", Datatype: INT32, Shape: []int64{1, 2}, Contents: &oippb.InferTensorContents{IntContents: []int32{1, 2}}},
		{Name: "b", Datatype: FP32, Shape: []int64{1}, Contents: &oippb.InferTensorContents{Fp32Contents: []float32{0.5}}},
	}, Outputs: []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "o"}}}
}

// TestProto reads messages with elements of both forms, and writes answers.
func TestProto(t *testing.T) {
	want := &Request{ID: "7", Binary: true, Outputs: []Output{{Name: "o"}}, Inputs: []Tensor{
		{Name: "a", Datatype: INT32, Shape: []int64{1, 2}, Int32: []int32{1, 2}}, {Name: "b", Datatype: FP32, Shape: []int64{1}, Float32: []float32{0.5}},
	}}
	m := message()
	if got, err := FromProto(m); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	m.Inputs[0].Contents, m.Inputs[1].Contents = nil, nil
	m.RawInputContents = [][]byte{{1, 0, 0, 0, 2, 0, 0, 0}, float32s(0.5)}
	m.Parameters = map[string]*oippb.InferParameter{"timeout": {ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: 5}}}
	want.Timeout = 5
	if got, err := FromProto(m); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	a := (&Response{Model: "m", Version: "3", ID: "7", Outputs: want.Inputs}).Proto()
	if a.GetModelVersion() != "3" || len(a.GetOutputs()) != 2 || a.GetOutputs()[1].GetDatatype() != FP32 || !slices.EqualFunc(a.GetRawOutputContents(), m.GetRawInputContents(), bytes.Equal) {
		t.Errorf("%v", a)
	}
	text := &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_StringParam{StringParam: "x"}}
	for _, c := range []struct {
		change func(m *oippb.ModelInferRequest)
		want   string
	}{
		{func(m *oippb.ModelInferRequest) { m.RawInputContents = [][]byte{{}} }, "1 tensors, there are 2 inputs"},
		{func(m *oippb.ModelInferRequest) { m.RawInputContents = [][]byte{make([]byte, 8), make([]byte, 4)} }, `input "a": it has contents beside`},
		{func(m *oippb.ModelInferRequest) {
			m.Inputs = m.Inputs[:1]
			m.Inputs[0].Contents, m.RawInputContents = nil, [][]byte{{1}}
		}, "1 bytes, shape"},
		{func(m *oippb.ModelInferRequest) { m.Inputs[0].Contents = nil }, "contents has 0 elements of INT32"},
		{func(m *oippb.ModelInferRequest) { m.Inputs[0].Contents.Fp32Contents = []float32{1} }, "and 1 others"},
		{func(m *oippb.ModelInferRequest) { m.Inputs[0].Datatype = "BYTES" }, `datatype "BYTES"`},
		{func(m *oippb.ModelInferRequest) { m.Inputs[1].Name = "a" }, "there twice"},
		{func(m *oippb.ModelInferRequest) {
			m.Inputs[0].Parameters = map[string]*oippb.InferParameter{"shared_memory_region": text}
		}, "shared memory"},
		{func(m *oippb.ModelInferRequest) {
			m.Parameters = map[string]*oippb.InferParameter{"sequence_id": text}
		}, "sequence_id"},
	} {
		m := message()
		c.change(m)
		if _, err := FromProto(m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", m, err, c.want)
		}
	}
}

// TestDescriptions turns each description into its message and back: no field is lost.
func TestDescriptions(t *testing.T) {
	var policy VersionPolicy
	policy.Specific.Versions = []int64{3}
	for _, c := range []struct {
		description any
		message     proto.Message
		want        string
	}{
		{Server{"nwl", "v1", []string{"x"}}, &oippb.ServerMetadataResponse{}, `name:"nwl" version:"v1" extensions:"x"`},
		{Model{"m", []string{"3"}, "p", []Value{{"a", FP32, []int64{-1, 2}}}, []Value{{"b", INT32, []int64{-1}}}}, &oippb.ModelMetadataResponse{},
			`name:"m" versions:"3" platform:"p" inputs:{name:"a" datatype:"FP32" shape:-1 shape:2} outputs:{name:"b" datatype:"INT32" shape:-1}`},
		{Config{"m", "p", "b", policy, 128, []ConfigValue{{"a", "TYPE_FP32", []int64{2}}}, nil, DynamicBatching{[]int{128}, 500}}, &oippb.ModelConfig{},
			`name:"m" platform:"p" backend:"b" version_policy:{specific:{versions:3}} max_batch_size:128 input:{name:"a" data_type:TYPE_FP32 dims:2} dynamic_batching:{preferred_batch_size:128 max_queue_delay_microseconds:500}`},
		{Statistics{[]ModelStatistics{{Name: "m", Version: "3", LastInference: 1, InferenceCount: 2, ExecutionCount: 3, Inference: InferenceTimes{Queue: Duration{4, 5}}, Batches: []BatchDuration{{6, Duration{7, 8}}}}}}, &oippb.ModelStatisticsResponse{},
			`model_stats:{name:"m" version:"3" last_inference:1 inference_count:2 execution_count:3 inference_stats:{success:{} fail:{} queue:{count:4 ns:5} compute_input:{} compute_infer:{} compute_output:{}} batch_stats:{batch_size:6 compute_infer:{count:7 ns:8}}}`},
		{Entry{"m", "3", "READY", "r"}, &oippb.RepositoryIndexResponse_ModelIndex{}, `name:"m" version:"3" state:"READY" reason:"r"`},
	} {
		if err := ToProto(c.description, c.message); err != nil {
			t.Errorf("%+v: %v", c.description, err)
		}
		if got := strings.ReplaceAll(fmt.Sprint(c.message), "  ", " "); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// FuzzDecodeRequest reads anything: what is accepted has the elements that its shapes say, and is
// the same request when it is written and read again.
func FuzzDecodeRequest(f *testing.F) {
	text := `{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}`
	f.Add([]byte(text+string(float32s(0.5, -1))), len(text))
	f.Add([]byte(`{"id":"7","inputs":[{"name":"a","shape":[2,2],"datatype":"INT32","data":[[1,2],[-3,4]]},{"name":"b","shape":[2],"datatype":"FP32","data":[1e-3,2]}],"outputs":[{"name":"o","parameters":{"binary_data":false}}]}`), -1)
	f.Add([]byte(`{"inputs":[{"name":"a","shape":[],"datatype":"INT32","data":[1]}]}`), -1)
	f.Add([]byte(`{"inputs":[{"shape":[1e9,0],"datatype":"INT32","data":[[],[]],"parameters":{"binary_data_size":-1}}]}`), 9)
	f.Fuzz(func(t *testing.T, body []byte, length int) {
		r, err := DecodeRequest(body, length)
		if err != nil {
			return
		}
		again, err := DecodeRequest(written(t, r))
		if err != nil || !reflect.DeepEqual(normal(again), normal(r)) {
			t.Fatalf("%+v was written and read as %+v, %v", r, again, err)
		}
		answer := &Response{Outputs: r.Inputs}
		if _, _, err := EncodeResponse(answer, &Request{Binary: true}); err != nil {
			t.Fatal(err)
		}
		checkElements(t, r)
	})
}

// FuzzFromProto reads any message: what is accepted has the elements that its shapes say.
func FuzzFromProto(f *testing.F) {
	m := message()
	data, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	m.Inputs[0].Contents, m.Inputs[1].Contents = nil, nil
	m.RawInputContents = [][]byte{{1, 0, 0, 0, 2, 0, 0, 0}, float32s(0.5)}
	if data, err = proto.Marshal(m); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &oippb.ModelInferRequest{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		r, err := FromProto(m)
		if err != nil {
			return
		}
		checkElements(t, r)
		a := (&Response{Outputs: r.Inputs}).Proto()
		for i, raw := range a.GetRawOutputContents() {
			if len(m.GetRawInputContents()) > 0 && !bytes.Equal(raw, m.GetRawInputContents()[i]) {
				t.Fatalf("%v was read and written as %v", m.GetRawInputContents()[i], raw)
			}
		}
	})
}

func checkElements(t *testing.T, r *Request) {
	t.Helper()
	for _, in := range r.Inputs {
		n, err := in.elements()
		if err != nil || len(in.Int32)+len(in.Float32) != n {
			t.Fatalf("%+v has not the elements of its shape: %v", in, err)
		}
	}
}

// written writes a request with all tensors binary.
func written(t *testing.T, r *Request) ([]byte, int) {
	t.Helper()
	type parameters map[string]any
	var inputs, outputs []parameters
	var raw []byte
	for _, in := range r.Inputs {
		inputs = append(inputs, parameters{"name": in.Name, "shape": in.Shape, "datatype": in.Datatype, "parameters": parameters{"binary_data_size": in.size()}})
		raw = in.appendRaw(raw)
	}
	for _, out := range r.Outputs {
		outputs = append(outputs, parameters{"name": out.Name, "parameters": parameters{"binary_data": out.Binary}})
	}
	text, err := json.Marshal(parameters{"id": r.ID, "inputs": inputs, "outputs": outputs, "parameters": parameters{"binary_data_output": r.Binary, "timeout": r.Timeout}})
	if err != nil {
		t.Fatal(err)
	}
	return append(text, raw...), len(text)
}

// normal is a request in a form that can be compared, also with NaN among its elements.
func normal(r *Request) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%q %d %t\n", r.ID, r.Timeout, r.Binary)
	for _, in := range r.Inputs {
		fmt.Fprintf(&text, "%q %s %v %x\n", in.Name, in.Datatype, append([]int64{}, in.Shape...), in.appendRaw(nil))
	}
	for _, out := range r.Outputs {
		fmt.Fprintf(&text, "%q %t\n", out.Name, out.Binary != nil && *out.Binary)
	}
	return text.String()
}
