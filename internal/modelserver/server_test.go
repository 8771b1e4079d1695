package modelserver

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

// TestInfer asks both models of networks of all architectures in all ways: every answer is that of
// the network in this process, bit by bit.
func TestInfer(t *testing.T) {
	p := open(t, nil, nil)
	for architecture := range tiny {
		p.add(tinyBundle(t, architecture, 1), architecture)
		p.load(architecture + ".propose")
		h := p.acquire(architecture)
		for _, m := range []int{1, 3, 130} {
			in := moves(h, m, 1)
			proposal, logQ, err := h.Propose(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			back := reversed(h, in, proposal)
			evaluated, err := h.LogProb(t.Context(), back)
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range ways {
				got, err := p.infer(way, architecture+".propose", proposeTensors(in))
				if err != nil || got.model != architecture+".propose" || got.version != "1" || got.id != "7" || !slices.Equal(got.proposal, proposal) || !slices.Equal(got.logQ, logQ) {
					t.Errorf("%s, %d rows by %s: %+v, %v", architecture, m, way, got, err)
				}
				got, err = p.infer(way, architecture+".log_prob", logProbTensors(back))
				if err != nil || !slices.Equal(got.logQ, evaluated) || got.proposal != nil {
					t.Errorf("%s, ln q of %d rows by %s: %+v, %v", architecture, m, way, got, err)
				}
			}
		}
		h.Release()
	}
	empty := []oip.Tensor{
		{Name: models.State, Datatype: oip.INT32, Shape: []int64{0, 16}}, {Name: models.Start, Datatype: oip.INT32, Shape: []int64{0}},
		{Name: models.Energy, Datatype: oip.FP32, Shape: []int64{0}}, {Name: models.Uniform, Datatype: oip.FP32, Shape: []int64{0, 16}},
	}
	for _, way := range ways[1:] {
		if got, err := p.infer(way, models.Microcanonical+".propose", empty); err != nil || got.version != "1" || len(got.proposal)+len(got.logQ) > 0 {
			t.Errorf("no rows by %s: %+v, %v", way, got, err)
		}
	}
}

// TestForms asks for single outputs, in other forms, compressed and by an explicit version.
func TestForms(t *testing.T) {
	p := open(t, nil, nil)
	p.add(tinyBundle(t, models.Microcanonical, 1), "net")
	p.load("net")
	h := p.acquire("net")
	defer h.Release()
	in := moves(h, 5, 1)
	proposal, logQ, err := h.Propose(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	body, headers := restBody(proposeTensors(in), true)
	compressed := func(w io.WriteCloser, buffer *bytes.Buffer) []byte {
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buffer.Bytes()
	}
	var zipped, deflated bytes.Buffer
	for encoding, data := range map[string][]byte{
		"gzip": compressed(gzip.NewWriter(&zipped), &zipped), "deflate": compressed(zlib.NewWriter(&deflated), &deflated), "identity": body,
	} {
		status, header, text := p.ask(http.MethodPost, "/v2/models/net.propose/versions/1/infer", data, append(headers, "Content-Encoding", encoding, "Accept-Encoding", encoding)...)
		if encoding != "identity" && header.Get("Content-Encoding") != encoding {
			t.Errorf("%s: the answer is encoded by %q", encoding, header.Get("Content-Encoding"))
		}
		reader, err := inflate(header.Get("Content-Encoding"), bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
		got, err := restResult(header, text)
		if status != 200 || err != nil || !slices.Equal(got.proposal, proposal) || !slices.Equal(got.logQ, logQ) {
			t.Errorf("%s: %d %s, %v", encoding, status, text, err)
		}
	}
	text, _ := restBody(proposeTensors(in), false)
	text = bytes.Replace(text, []byte(`"inputs"`), []byte(`"outputs":[{"name":"log_q","parameters":{"binary_data":true}}],"inputs"`), 1)
	status, header, answer := p.ask(http.MethodPost, "/v2/models/net.propose/infer", text)
	if got, err := restResult(header, answer); status != 200 || err != nil || got.proposal != nil || !slices.Equal(got.logQ, logQ) || header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("ln q alone: %d %s, %v", status, answer, err)
	}
	m := rpcRequest("net.propose", proposeTensors(in), true)
	m.ModelVersion, m.Outputs = "1", []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "proposal"}}
	a, err := p.rpc.ModelInfer(t.Context(), m)
	if err != nil || len(a.GetOutputs()) != 1 || !slices.Equal(a.GetOutputs()[0].GetShape(), []int64{5, 16}) {
		t.Errorf("proposals alone: %v, %v", a, err)
	}
	zipping := oippb.NewGRPCInferenceServiceClient(&http.Client{Transport: h2(t)}, p.url, connect.WithGRPC(), connect.WithSendGzip())
	a, err = zipping.ModelInfer(t.Context(), rpcRequest("net.propose", proposeTensors(in), true))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rpcResult(a); err != nil || !slices.Equal(got.proposal, proposal) {
		t.Errorf("compressed: %+v, %v", got, err)
	}
}

func h2(t *testing.T) *http.Transport {
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// code is that of an error of gRPC.
func code(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

// TestFaults sends what a model does not take: the answer says what is wrong, over REST and gRPC.
func TestFaults(t *testing.T) {
	p := open(t, nil, nil)
	p.add(tinyBundle(t, models.Microcanonical, 1), "net")
	p.load("net")
	h := p.acquire("net")
	defer h.Release()
	good := func() []oip.Tensor { return proposeTensors(moves(h, 2, 1)) }
	find := func(in []oip.Tensor, name string) *oip.Tensor {
		return &in[slices.IndexFunc(in, func(t oip.Tensor) bool { return t.Name == name })]
	}
	for _, c := range []struct {
		model  string
		change func(in []oip.Tensor) []oip.Tensor
		status int
		code   connect.Code
		want   []string
	}{
		{"none.propose", nil, 404, connect.CodeNotFound, []string{"none", "not loaded"}}, {"net.propose.x", nil, 404, connect.CodeNotFound, []string{"NAME.propose and NAME.log_prob"}},
		{"net", nil, 404, connect.CodeNotFound, []string{`no model "net"`}}, {"NET.propose", nil, 404, connect.CodeNotFound, []string{"NET"}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor { return nil }, 400, connect.CodeInvalidArgument, []string{`input "state" is missing: INT32, shape [-1 16]`, `input "uniform" is missing`}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor {
			return append(in, oip.Tensor{Name: "shift", Datatype: oip.FP32, Shape: []int64{2}, Float32: []float32{1, 2}})
		}, 400, connect.CodeInvalidArgument, []string{`"shift": the model does not take it; its inputs are state, start, energy, uniform`}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor {
			*find(in, "start") = oip.Tensor{Name: "start", Datatype: oip.FP32, Shape: []int64{2}, Float32: []float32{1, 2}}
			return in
		}, 400, connect.CodeInvalidArgument, []string{`"start": datatype FP32, the model takes INT32`}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor {
			*find(in, "start") = oip.Tensor{Name: "start", Datatype: oip.INT32, Shape: []int64{2, 1}, Int32: []int32{1, 2}}
			return in
		}, 400, connect.CodeInvalidArgument, []string{`"start": shape [2 1], the model takes [-1]`}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor {
			*find(in, "start") = oip.Tensor{Name: "start", Datatype: oip.INT32, Shape: []int64{3}, Int32: []int32{1, 2, 3}}
			return in
		}, 400, connect.CodeInvalidArgument, []string{"rows, others have"}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor { find(in, "uniform").Float32[17] = 1; return in }, 400, connect.CodeInvalidArgument, []string{`input "uniform": row 1 has 1 in column 1`}},
		{"net.propose", func(in []oip.Tensor) []oip.Tensor { find(in, "state").Int32[0] = 3; return in }, 400, connect.CodeInvalidArgument, []string{"colour 3"}},
	} {
		in := good()
		if c.change != nil {
			in = c.change(in)
		}
		body, headers := restBody(in, true)
		status, _, text := p.ask(http.MethodPost, "/v2/models/"+c.model+"/infer", body, headers...)
		var refused struct{ Error string }
		if err := json.Unmarshal(text, &refused); err != nil || status != c.status {
			t.Errorf("%s: %d %s, want %d", c.model, status, text, c.status)
		}
		_, err := p.rpc.ModelInfer(t.Context(), rpcRequest(c.model, in, true))
		if code(err) != c.code {
			t.Errorf("%s: %v, want %v", c.model, err, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(refused.Error, want) || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: %q and %v, want %q", c.model, refused.Error, err, want)
			}
		}
	}
	for _, version := range []string{"2", "0", "x", "01"} {
		if status, _, text := p.ask(http.MethodGet, "/v2/models/net.propose/versions/"+version, nil); status != 404 {
			t.Errorf("version %s: %d %s", version, status, text)
		}
	}
	body, headers := restBody(good(), true)
	for _, c := range []struct {
		body    []byte
		headers []string
		status  int
	}{
		{body, nil, 400}, {body, []string{oip.HeaderLength, "-1"}, 400}, {body, []string{oip.HeaderLength, "x"}, 400}, {body, []string{oip.HeaderLength, "99999"}, 400},
		{body, append(slices.Clone(headers), "Content-Encoding", "gzip"), 400}, {body, append(slices.Clone(headers), "Content-Encoding", "br"), 415},
		{nil, nil, 400}, {[]byte("null"), nil, 400},
	} {
		if status, _, text := p.ask(http.MethodPost, "/v2/models/net.propose/infer", c.body, c.headers...); status != c.status || !bytes.HasPrefix(text, []byte(`{"error":`)) {
			t.Errorf("%v: %d %s, want %d", c.headers, status, text, c.status)
		}
	}
	with := rpcRequest("net.propose", good(), true)
	with.Outputs = []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "energy"}}
	if _, err := p.rpc.ModelInfer(t.Context(), with); code(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), `output "energy": there is none; the outputs are proposal, log_q`) {
		t.Error(err)
	}
	s, err := p.rpc.ModelStatistics(t.Context(), &oippb.ModelStatisticsRequest{Name: "net.propose"})
	if err != nil || s.GetModelStats()[0].GetInferenceStats().GetFail().GetCount() < 10 || s.GetModelStats()[0].GetInferenceCount() != 0 {
		t.Errorf("%v, %v", s, err)
	}
}

// TestVerbs lists, loads and unloads by REST and gRPC, and describes server and models.
func TestVerbs(t *testing.T) {
	p := open(t, nil, nil)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.add(tinyBundle(t, models.Made, 2), "net")
	post := func(path, body string) (int, string) {
		status, _, text := p.ask(http.MethodPost, "/v2/repository/"+path, []byte(body))
		return status, string(text)
	}
	get := func(path string, want ...string) {
		t.Helper()
		status, _, text := p.ask(http.MethodGet, path, nil)
		for _, w := range want {
			if status != 200 || !strings.Contains(string(text), w) {
				t.Errorf("%s: %d %s, want %s", path, status, text, w)
			}
		}
	}
	get("/v2", `{"name":"nwl","version":"test","extensions":["binary_tensor_data","model_repository"`)
	get("/v2/health/live", `{"live":true}`)
	get("/v2/health/ready", `{"ready":true}`)
	states := func(version string) (models string) {
		_, text := post("index", "")
		var all []oip.Entry
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err, text)
		}
		for _, e := range all {
			if e.Version == version {
				models += e.Name + " " + e.State + ","
			}
		}
		return models
	}
	loaded := "net.propose READY,net.log_prob READY,"
	unloaded := strings.ReplaceAll(loaded, "READY", "UNAVAILABLE")
	if states("1") != unloaded || states("2") != unloaded {
		t.Errorf("%s, %s", states("1"), states("2"))
	}
	if status, _, text := p.ask(http.MethodGet, "/v2/models/net.propose", nil); status != 404 {
		t.Errorf("metadata before loading: %d %s", status, text)
	}
	ready := func(version string) bool {
		r, err := p.rpc.ModelReady(t.Context(), &oippb.ModelReadyRequest{Name: "net.propose", Version: version})
		if err != nil {
			t.Fatal(err)
		}
		status, _, _ := p.ask(http.MethodGet, strings.TrimSuffix("/v2/models/net.propose/versions/"+version, "/versions/")+"/ready", nil)
		if (status == 200) != r.GetReady() {
			t.Errorf("version %q: ready %v and %d", version, r.GetReady(), status)
		}
		return r.GetReady()
	}
	if ready("") {
		t.Error("it is ready before loading")
	}
	for body, want := range map[string]string{
		`{"parameters":{"config":"{}","file:2/propose.onnx":"AAAA"}}`: "nwl networks add", `{"parameters":{"config":"{\"max_batch_size\":4}"}}`: "only version_policy",
		`{"parameters":{"config":"{\"version_policy\":{\"specific\":{\"versions\":[1,2]}}}"}}`: "one version", `{"parameters":{"config":"{"}}`: "only version_policy", `[`: "not the JSON",
	} {
		if status, text := post("models/net.propose/load", body); status != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %s", body, status, text, want)
		}
	}
	if status, text := post("models/other.propose/load", "{}"); status != 404 || !strings.Contains(text, "no such network") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := post("models/net.propose/load", "{}"); status != 200 || states("2") != loaded || states("1") != unloaded || !ready("") || !ready("2") || ready("1") {
		t.Errorf("%d %s: %s, %s", status, text, states("1"), states("2"))
	}
	get("/v2/models/net.propose", `{"name":"net.propose","versions":["2"],"platform":"onnxruntime_onnx"`, `"inputs":[{"name":"state","datatype":"INT32","shape":[-1,16]},{"name":"start","datatype":"INT32","shape":[-1]},`, `"outputs":[{"name":"proposal","datatype":"INT32","shape":[-1,16]},{"name":"log_q","datatype":"FP32","shape":[-1]}]`)
	get("/v2/models/net.log_prob/versions/2/config", `"max_batch_size":64`, `"max_queue_delay_microseconds":1000`, `{"name":"start","data_type":"TYPE_INT32","dims":[]}`)
	get("/v2/models/net.log_prob/stats", `"inference_count":0`, `"batch_stats":[]`)
	get("/v2/models/stats", `"model_stats":[]`)
	policy := `{"version_policy":{"specific":{"versions":[1]}}}`
	_, err := p.rpc.RepositoryModelLoad(t.Context(), &oippb.RepositoryModelLoadRequest{ModelName: "net.log_prob", Parameters: map[string]*oippb.ModelRepositoryParameter{
		"config": {ParameterChoice: &oippb.ModelRepositoryParameter_StringParam{StringParam: policy}},
	}})
	if err != nil || states("1") != loaded || states("2") != unloaded {
		t.Errorf("%v: %s, %s", err, states("1"), states("2"))
	}
	index, err := p.rpc.RepositoryIndex(t.Context(), &oippb.RepositoryIndexRequest{Ready: true})
	if err != nil || len(index.GetModels()) != 2 || index.GetModels()[0].GetVersion() != "1" {
		t.Errorf("%v, %v", index, err)
	}
	if status, text := post("models/net.propose/unload", `{"parameters":{"unload_dependents":false}}`); status != 200 || states("1") != unloaded {
		t.Errorf("%d %s", status, text)
	}
	if _, err := p.rpc.RepositoryModelUnload(t.Context(), &oippb.RepositoryModelUnloadRequest{ModelName: "net"}); code(err) != connect.CodeNotFound {
		t.Error(err)
	}
	for _, want := range []string{"map[network:net/2]", "map[network:net/1]", "map[network:other]"} {
		if !strings.Contains(p.notes(), want) {
			t.Errorf("no %s in %s", want, p.notes())
		}
	}
	described, err := p.rpc.ServerMetadata(t.Context(), &oippb.ServerMetadataRequest{})
	if err != nil || described.GetName() != "nwl" {
		t.Errorf("%v, %v", described, err)
	}
}

// TestPreload serves networks from the start. The server is not ready while one cannot be.
func TestPreload(t *testing.T) {
	p := open(t, nil, nil)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.server.Preload([]string{"net"})
	p.server.wait.Wait()
	if r, err := p.rpc.ServerReady(t.Context(), &oippb.ServerReadyRequest{}); err != nil || !r.GetReady() || !p.server.modelReady("net.propose", "1") {
		t.Errorf("%v, %v", r, err)
	}
	p.server.Preload([]string{"net/1", "none"})
	p.server.wait.Wait()
	if status, _, text := p.ask(http.MethodGet, "/v2/health/ready", nil); status != 503 {
		t.Errorf("%d %s", status, text)
	}
}

// TestExchange loads versions in turn while clients go on: every answer is that of the version it names.
func TestExchange(t *testing.T) {
	p := open(t, nil, nil)
	in := map[string][]oip.Tensor{}
	want := map[string][2]result{}
	for v, factor := range []float32{1, 2} {
		p.add(tinyBundle(t, models.Microcanonical, factor), "net")
		p.load("net")
		h := p.acquire("net")
		for seed := range 8 {
			name := fmt.Sprint(seed)
			moved := moves(h, 1+seed, uint64(seed))
			in[name] = proposeTensors(moved)
			proposal, logQ, err := h.Propose(t.Context(), moved)
			if err != nil {
				t.Fatal(err)
			}
			both := want[name]
			both[v] = result{proposal: proposal, logQ: logQ}
			want[name] = both
		}
		h.Release()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var mutex sync.Mutex
	seen := map[string]int{}
	for seed := range 8 {
		wait.Go(func() {
			name := fmt.Sprint(seed)
			for i := 0; ctx.Err() == nil; i++ {
				got, err := p.infer(ways[i%len(ways)], "net.propose", in[name])
				if err != nil {
					t.Error(err)
					return
				}
				right := want[name][got.version[0]-'1']
				if !slices.Equal(got.proposal, right.proposal) || !slices.Equal(got.logQ, right.logQ) {
					t.Errorf("an answer is not that of version %s", got.version)
				}
				mutex.Lock()
				seen[got.version]++
				mutex.Unlock()
			}
		})
	}
	for i := range 6 {
		if _, err := p.networks.Load(t.Context(), repository.Ref{Name: "net", Version: 1 + i%2}.String()); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wait.Wait()
	if seen["1"] == 0 || seen["2"] == 0 {
		t.Errorf("answers by version: %v", seen)
	}
}

// TestFailure has an evaluation fail: its requests learn that, and the next ones succeed.
func TestFailure(t *testing.T) {
	g := &gate{}
	p := open(t, nil, g.intercept)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.load("net")
	h := p.acquire("net")
	defer h.Release()
	in := proposeTensors(moves(h, 2, 1))
	g.fail(errors.New("out of memory"))
	for _, way := range []string{"binary", "grpc"} {
		if _, err := p.infer(way, "net.propose", in); err == nil || !strings.Contains(err.Error(), "out of memory") || way == "grpc" && code(err) != connect.CodeInternal {
			t.Errorf("%s: %v", way, err)
		}
	}
	g.fail(nil)
	if _, err := p.infer("grpc", "net.propose", in); err != nil {
		t.Error(err)
	}
}
