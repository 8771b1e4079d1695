package modelserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/repository"
	"neuralwl/models"
	"neuralwl/models/pretrained"
	"neuralwl/sampler"
)

// tiny are small networks by architecture.
var tiny = map[string]models.Hyperparameters{
	models.Autoencoder:    {Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3, EnergyWeight: 20},
	models.Made:           {Decoder: 8, Floor: 1e-3},
	models.Conv:           {Width: 4, Depth: 1, Kernel: 3, Floor: 1e-3},
	models.Microcanonical: {Width: 8, Window: 3, Floor: 1e-3},
	models.RBM:            {Hidden: 8, GibbsSteps: 2},
}

// tinyBundle returns a network of an architecture for 4x4 and three colours, in versions by factors.
func tinyBundle(t testing.TB, architecture string, factor float32) *exporter.Bundle {
	t.Helper()
	b := bundletest.New(t, architecture, models.System{Q: 3, Sides: []int{4, 4}}, tiny[architecture])
	bundletest.Scale(t, b, map[string]float32{"decoder.output": 20 * factor, "output.weight": 20 * factor, "context.weight": factor, "attraction.budget": factor, "coupling": 20 * factor})
	return b
}

// place is a server of models that listens, and its clients.
type place struct {
	t        testing.TB
	folder   *repository.Folder
	networks *repository.Repository
	server   *Server
	handler  http.Handler
	url      string
	http     *http.Client
	rpc      oippb.GRPCInferenceServiceClient
	notes    func() string // what changes were noted
}

// open opens a place, which is closed when the test ends and leaves nothing behind.
func open(t testing.TB, change func(*Options), intercept func(context.Context, inference.Evaluation) error) *place {
	t.Helper()
	onnxtest.NoLeaks(t)
	p := &place{t: t}
	var err error
	if p.folder, err = repository.OpenFolder(disk.OS, filepath.Join(t.TempDir(), "networks"), 0); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	o := Options{Library: func() error {
		_, err := inference.Open("")
		return err
	}, Version: "test", Rows: 64, Delay: time.Millisecond, Requests: 100, Memory: 64 << 20, Threads: 2, Log: log}
	if change != nil {
		change(&o)
	}
	p.networks = repository.Open(p.folder, repository.Options{Runtime: inference.Runtime{Provider: inference.CPU, Intercept: intercept}, Concurrency: o.Threads, Log: log})
	o.Networks = p.networks
	p.server = New(o)
	var mutex sync.Mutex
	var notes bytes.Buffer
	p.notes = func() string {
		mutex.Lock()
		defer mutex.Unlock()
		return notes.String()
	}
	mux := http.NewServeMux()
	for _, r := range p.server.Routes(func(_ context.Context, details map[string]any) {
		mutex.Lock()
		defer mutex.Unlock()
		fmt.Fprintln(&notes, details)
	}) {
		mux.Handle(r.Pattern, http.MaxBytesHandler(r.Handler, r.Most))
	}
	p.handler = mux
	s := httptest.NewUnstartedServer(mux)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	p.url = s.URL
	p.http = &http.Client{Transport: &http.Transport{DisableCompression: true}}
	two := &http.Transport{Protocols: &http.Protocols{}}
	two.Protocols.SetUnencryptedHTTP2(true)
	p.rpc = oippb.NewGRPCInferenceServiceClient(&http.Client{Transport: two}, s.URL, connect.WithGRPC())
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		two.CloseIdleConnections()
		s.Close()
		p.server.Close()
		if left, requests := p.server.budget.left, p.server.requests.Load(); left != o.Memory || requests != 0 || len(p.server.batcher.queues) > 0 {
			t.Errorf("%d bytes of %d, %d requests and %d queues are left", left, o.Memory, requests, len(p.server.batcher.queues))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.networks.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// add adds the next version of a network.
func (p *place) add(b *exporter.Bundle, name string) {
	p.t.Helper()
	folder, err := b.Save(disk.OS, p.t.TempDir())
	if err == nil {
		_, err = p.folder.Add(context.Background(), os.DirFS(folder), name)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// addPretrained adds one of the networks that come with the program.
func (p *place) addPretrained(name string) {
	p.t.Helper()
	files, err := pretrained.Open(name)
	if err == nil {
		_, err = p.folder.Add(context.Background(), files, name)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// load loads a network by gRPC.
func (p *place) load(name string) {
	p.t.Helper()
	if _, err := p.rpc.RepositoryModelLoad(context.Background(), &oippb.RepositoryModelLoadRequest{ModelName: name}); err != nil {
		p.t.Fatal(err)
	}
}

// acquire returns a handle to what is served, which the test releases.
func (p *place) acquire(name string) *repository.Handle {
	p.t.Helper()
	h, err := p.networks.Acquire(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

// ask sends a request over REST and returns status, headers and body.
func (p *place) ask(method, path string, body []byte, headers ...string) (int, http.Header, []byte) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := p.http.Do(r)
	if err != nil {
		p.t.Error(err)
		return 0, nil, nil
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		p.t.Error(err)
	}
	return a.StatusCode, a.Header, text
}

// moves returns random inputs of a network for propose.
func moves(h *repository.Handle, m int, seed uint64) repository.ProposeInputs {
	source := rand.NewPCG(seed, 2)
	system, random := h.Card().System.System(), rand.New(source)
	n := system.Sites()
	in := repository.ProposeInputs{Start: make([]int32, m), Uniform: make([]float32, m*h.Card().UniformsOf())}
	sampler.Uniforms(in.Uniform, source)
	for w := range m {
		if h.KeepsSites() || h.Card().TakesState() {
			in.Start[w] = int32(w % 2 * random.IntN(n))
			for range n {
				in.State = append(in.State, int32(random.IntN(system.Q)))
			}
		}
		if h.Card().TakesShift() {
			in.Shift = append(in.Shift, float32(random.IntN(2*n+1)-n))
		}
		if h.Card().TakesEnergy() {
			in.Energy = append(in.Energy, float32(-random.IntN(2*n+1)))
		}
	}
	return in
}

// reversed returns the inputs for ln q of proposals.
func reversed(h *repository.Handle, in repository.ProposeInputs, proposal []int32) repository.LogProbInputs {
	e := repository.LogProbInputs{State: proposal, Start: in.Start, Shift: in.Shift, Energy: in.Energy}
	if h.Card().TakesCondition() {
		e.Condition = in.State
	}
	return e
}

// tensors are the inputs of a request.
func tensors(m int, integers map[string][]int32, floats map[string][]float32) (all []oip.Tensor) {
	shape := func(length int) []int64 {
		if length == m {
			return []int64{int64(m)}
		}
		return []int64{int64(m), int64(length / m)}
	}
	for name, x := range integers {
		if x != nil {
			all = append(all, oip.Tensor{Name: name, Datatype: oip.INT32, Shape: shape(len(x)), Int32: x})
		}
	}
	for name, x := range floats {
		if x != nil {
			all = append(all, oip.Tensor{Name: name, Datatype: oip.FP32, Shape: shape(len(x)), Float32: x})
		}
	}
	return all
}

func proposeTensors(in repository.ProposeInputs) []oip.Tensor {
	return tensors(len(in.Start), map[string][]int32{models.State: in.State, models.Start: in.Start},
		map[string][]float32{models.Shift: in.Shift, models.Energy: in.Energy, models.Uniform: in.Uniform})
}

func logProbTensors(in repository.LogProbInputs) []oip.Tensor {
	return tensors(len(in.Start), map[string][]int32{models.Condition: in.Condition, models.State: in.State, models.Start: in.Start},
		map[string][]float32{models.Shift: in.Shift, models.Energy: in.Energy})
}

func raw(t oip.Tensor) []byte {
	data, err := binary.Append(nil, binary.LittleEndian, t.Int32)
	if err == nil {
		data, err = binary.Append(data, binary.LittleEndian, t.Float32)
	}
	if err != nil {
		panic(err)
	}
	return data
}

type object = map[string]any

// restBody is a request over REST in JSON, or with binary tensors.
func restBody(in []oip.Tensor, binary bool) (body []byte, headers []string) {
	var inputs []object
	for _, t := range in {
		o := object{"name": t.Name, "shape": t.Shape, "datatype": t.Datatype}
		switch {
		case binary:
			o["parameters"] = object{"binary_data_size": len(raw(t))}
		case t.Datatype == oip.INT32:
			o["data"] = t.Int32
		default:
			o["data"] = t.Float32
		}
		inputs = append(inputs, o)
	}
	text, err := json.Marshal(object{"id": "7", "inputs": inputs, "parameters": object{"binary_data_output": binary}})
	if err != nil {
		panic(err)
	}
	if !binary {
		return text, nil
	}
	headers = []string{oip.HeaderLength, strconv.Itoa(len(text))}
	for _, t := range in {
		text = append(text, raw(t)...)
	}
	return text, headers
}

// rpcRequest is a request over gRPC, with raw contents or others.
func rpcRequest(model string, in []oip.Tensor, asRaw bool) *oippb.ModelInferRequest {
	m := &oippb.ModelInferRequest{ModelName: model, Id: "7"}
	for _, t := range in {
		i := &oippb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape}
		if asRaw {
			m.RawInputContents = append(m.RawInputContents, raw(t))
		} else {
			i.Contents = &oippb.InferTensorContents{IntContents: t.Int32, Fp32Contents: t.Float32}
		}
		m.Inputs = append(m.Inputs, i)
	}
	return m
}

// result is what came of an inference.
type result struct {
	model, version, id string
	proposal           []int32
	logQ               []float32
}

// restResult reads an answer over REST.
func restResult(header http.Header, body []byte) (r result, err error) {
	var rest []byte
	if length := header.Get(oip.HeaderLength); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil {
			return r, err
		}
		body, rest = body[:n], body[n:]
	}
	var a struct {
		Model   string `json:"model_name"`
		Version string `json:"model_version"`
		ID      string
		Outputs []struct {
			Name       string
			Parameters struct {
				Size int `json:"binary_data_size"`
			}
			Data json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return r, err
	}
	r.model, r.version, r.id = a.Model, a.Version, a.ID
	for _, o := range a.Outputs {
		var to any = &r.proposal
		if o.Name == models.LogQ {
			to = &r.logQ
		}
		if o.Data != nil {
			err = json.Unmarshal(o.Data, to)
		} else {
			err = r.set(o.Name, rest[:o.Parameters.Size])
			rest = rest[o.Parameters.Size:]
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *result) set(name string, data []byte) error {
	if name == models.LogQ {
		r.logQ = make([]float32, len(data)/4)
		_, err := binary.Decode(data, binary.LittleEndian, r.logQ)
		return err
	}
	r.proposal = make([]int32, len(data)/4)
	_, err := binary.Decode(data, binary.LittleEndian, r.proposal)
	return err
}

// rpcResult reads an answer over gRPC.
func rpcResult(a *oippb.ModelInferResponse) (r result, err error) {
	r.model, r.version, r.id = a.GetModelName(), a.GetModelVersion(), a.GetId()
	for i, o := range a.GetOutputs() {
		if err = r.set(o.GetName(), a.GetRawOutputContents()[i]); err != nil {
			break
		}
	}
	return r, err
}

// infer sends a request in one of the ways that there are.
func (p *place) infer(way, model string, in []oip.Tensor) (result, error) {
	switch way {
	case "grpc", "grpc contents":
		a, err := p.rpc.ModelInfer(context.Background(), rpcRequest(model, in, way == "grpc"))
		if err != nil {
			return result{}, err
		}
		return rpcResult(a)
	}
	body, headers := restBody(in, way == "binary")
	status, header, text := p.ask(http.MethodPost, "/v2/models/"+model+"/infer", body, headers...)
	if status != http.StatusOK {
		return result{}, fmt.Errorf("%d: %s", status, text)
	}
	return restResult(header, text)
}

// ways are those of infer.
var ways = []string{"json", "binary", "grpc", "grpc contents"}
