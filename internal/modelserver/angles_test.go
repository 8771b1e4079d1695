package modelserver

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/bundletest"
	"neuralwl/internal/oip"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

// TestAngles asks both models of networks of angles in all ways: every answer is that of the network in this
// process, bit by bit.
func TestAngles(t *testing.T) {
	s := models.System{Model: models.XY, Sides: []int{4, 2}}
	n := s.Sites()
	p := open(t, nil, nil)
	for name, half := range map[string]bool{"flow": false, "half": true} {
		h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}, Half: half}
		p.add(bundletest.New(t, models.Flow, s, h), name)
		p.load(name + ".propose")
		served := p.acquire(name)
		r := rand.New(rand.NewPCG(1, 2))
		const m = 70
		random := func(width int) []float32 {
			x := make([]float32, m*width)
			for i := range x {
				x[i] = r.Float32()
			}
			return x
		}
		in := repository.AngleInputs{Beta: random(1), Uniform: random(n)}
		tensors := []oip.Tensor{
			{Name: models.Beta, Datatype: oip.FP32, Shape: []int64{m}, Float32: in.Beta},
			{Name: models.Uniform, Datatype: oip.FP32, Shape: []int64{m, int64(n)}, Float32: in.Uniform},
		}
		if half {
			in.State = random(n)
			tensors = append(tensors, oip.Tensor{Name: models.State, Datatype: oip.FP32, Shape: []int64{m, int64(n)}, Float32: in.State})
		}
		proposal, logQ, err := served.ProposeAngles(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		of := []oip.Tensor{
			{Name: models.State, Datatype: oip.FP32, Shape: []int64{m, int64(n)}, Float32: proposal},
			{Name: models.Beta, Datatype: oip.FP32, Shape: []int64{m}, Float32: in.Beta},
		}
		for _, way := range ways {
			if way != "json" {
				got, err := p.infer(way, name+".propose", tensors)
				angles := make([]float32, len(got.proposal))
				for i, bits := range got.proposal {
					angles[i] = math.Float32frombits(uint32(bits))
				}
				if err != nil || !slices.Equal(angles, proposal) || !slices.Equal(got.logQ, logQ) {
					t.Errorf("%s by %s: %+v, %v", name, way, got, err)
				}
			}
			if got, err := p.infer(way, name+".log_prob", of); err != nil || !slices.Equal(got.logQ, logQ) {
				t.Errorf("%s, ln q by %s: %+v, %v", name, way, got, err)
			}
		}
		body, headers := restBody(tensors, false)
		status, _, text := p.ask(http.MethodPost, "/v2/models/"+name+".propose/infer", body, headers...)
		var answer struct {
			Outputs []struct {
				Name, Datatype string
				Shape          []int
				Data           []float32
			}
		}
		if err := json.Unmarshal(text, &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%d: %s (%v)", status, text, err)
		}
		if o := answer.Outputs[0]; o.Name != models.Proposal || o.Datatype != oip.FP32 || !slices.Equal(o.Shape, []int{m, n}) || !slices.Equal(o.Data, proposal) {
			t.Errorf("%s by json: %+v", name, o)
		}
		in.Beta[1] = -1
		if _, err := p.infer("grpc", name+".propose", tensors); err == nil || !strings.Contains(err.Error(), `input "beta": row 1 is -1`) {
			t.Errorf("a negative temperature: %v", err)
		}
		served.Release()
	}
	status, _, text := p.ask(http.MethodGet, "/v2/models/half.propose", nil)
	want := `"inputs":[{"name":"state","datatype":"FP32","shape":[-1,8]},{"name":"beta","datatype":"FP32","shape":[-1]},{"name":"uniform","datatype":"FP32","shape":[-1,8]}]`
	if status != http.StatusOK || !strings.Contains(string(text), want) {
		t.Errorf("%d: %s", status, text)
	}
}
