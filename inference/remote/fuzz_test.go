package remote

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/internal/oip/oippb"
	"neuralwl/models"
)

// FuzzAnswer reads whatever a server may answer: it is right in every respect, or an error.
func FuzzAnswer(f *testing.F) {
	const rows, sites = 2, 3
	n := &network{
		server: &Server{o: Options{Version: "1"}}, name: "a.propose",
		outputs: []exporter.Tensor{{Name: models.Proposal, Type: "INT32", Width: sites}, {Name: models.LogQ, Type: "FLOAT"}},
	}
	right := &oippb.ModelInferResponse{
		ModelName: "a.propose", ModelVersion: "1",
		Outputs: []*oippb.ModelInferResponse_InferOutputTensor{
			{Name: models.LogQ, Datatype: "FP32", Shape: []int64{rows + 1}},
			{Name: models.Proposal, Datatype: "INT32", Shape: []int64{rows + 1, sites}},
		},
		RawOutputContents: [][]byte{make([]byte, 4*(rows+1)), make([]byte, 4*(rows+1)*sites)},
	}
	seed := func(r *oippb.ModelInferResponse) {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	seed(right)
	listed := proto.Clone(right).(*oippb.ModelInferResponse)
	listed.RawOutputContents = nil
	listed.Outputs[0].Contents = &oippb.InferTensorContents{Fp32Contents: make([]float32, rows+1)}
	listed.Outputs[1].Contents = &oippb.InferTensorContents{IntContents: make([]int32, (rows+1)*sites)}
	seed(listed)
	listed.Outputs[1].Shape = []int64{-1, -1}
	seed(listed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r oippb.ModelInferResponse
		if proto.Unmarshal(data, &r) != nil {
			return
		}
		proposal, logQ := make([]int32, rows*sites), make([]float32, rows)
		sample, err := n.read(&r, rows, values{models.Proposal: proposal, models.LogQ: logQ})
		if err != nil {
			return
		}
		if len(sample[models.Proposal].([]int32)) != sites || len(sample[models.LogQ].([]float32)) != 1 || len(r.GetOutputs()) < 2 {
			t.Errorf("%v was read as %v", &r, sample)
		}
	})
}
