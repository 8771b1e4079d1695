package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/internal/api"
	"neuralwl/internal/audit"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/token"
	"neuralwl/models"
)

// withHeader sends requests with a header more.
type withHeader struct {
	http.RoundTripper
	name, value string
}

func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.value != "" {
		r.Header.Set(w.name, w.value)
	}
	return w.RoundTripper.RoundTrip(r)
}

// rpc is a client of gRPC over HTTP/2 without TLS, with a header. Its connections stay open beyond
// the end of the test, as those of other programs do.
func (h *house) rpc(name, value string) oippb.GRPCInferenceServiceClient {
	return oippb.NewGRPCInferenceServiceClient(h.http2(name, value), h.url, connect.WithGRPC())
}

func (h *house) http2(name, value string) *http.Client {
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: withHeader{transport, name, value}}
}

// rpcCode is the code of an error of gRPC.
func rpcCode(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

// addNet adds a small network to the repository.
func (h *house) addNet(name string) {
	h.t.Helper()
	b := bundletest.New(h.t, models.Made, models.System{Q: 3, Sides: []int{4, 4}}, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	folder, err := b.Save(disk.OS, h.t.TempDir())
	if err == nil {
		_, err = h.daemon.Repository().Add(h.t.Context(), os.DirFS(folder), name)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// TestModels serves a network on the daemon's port by both protocols, counts the requests by
// route and status, has changes on record, and does not delete what is served.
func TestModels(t *testing.T) {
	onnxtest.Open(t)
	h := open(t, 0, nil)
	h.addNet("net")
	client := h.rpc("", "")
	if status, text, header := h.read("POST", "/v2/repository/models/net.propose/load", ""); status != 200 || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s %v", status, text, header)
	}
	request := `{"inputs":[{"name":"start","shape":[1],"datatype":"INT32","data":[0]},{"name":"uniform","shape":[1,16],"datatype":"FP32","data":[` + strings.Repeat("0.5,", 15) + `0.5]}]}`
	meta, err := client.ModelMetadata(t.Context(), &oippb.ModelMetadataRequest{Name: "net.propose"})
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(meta.GetInputs(), func(v *oippb.ModelMetadataResponse_TensorMetadata) bool { return v.GetName() == models.State }) {
		request = strings.Replace(request, `"inputs":[`, `"inputs":[{"name":"state","shape":[1,16],"datatype":"INT32","data":[`+strings.Repeat("0,", 15)+`0]},`, 1)
	}
	status, text, _ := h.read("POST", "/v2/models/net.propose/infer", request)
	var answer struct {
		Outputs []struct{ Data []float32 }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Outputs) != 2 {
		t.Fatalf("%d %s", status, text)
	}
	proposal := make([]int32, 16)
	for i, x := range answer.Outputs[0].Data {
		proposal[i] = int32(x)
	}
	m := &oippb.ModelInferRequest{ModelName: "net.log_prob", Inputs: []*oippb.ModelInferRequest_InferInputTensor{
		{Name: models.State, Datatype: "INT32", Shape: []int64{1, 16}, Contents: &oippb.InferTensorContents{IntContents: proposal}},
		{Name: models.Start, Datatype: "INT32", Shape: []int64{1}, Contents: &oippb.InferTensorContents{IntContents: []int32{0}}},
	}}
	if a, err := client.ModelInfer(t.Context(), m); err != nil || len(a.GetRawOutputContents()[0]) != 4 {
		t.Errorf("%v, %v", a, err)
	}
	m.Inputs = nil
	if _, err := client.ModelInfer(t.Context(), m); rpcCode(err) != connect.CodeInvalidArgument {
		t.Error(err)
	}
	var refused *api.Problem
	if err := h.client.RemoveNetwork(t.Context(), "net", "1"); !errors.As(err, &refused) || refused.Status != 409 {
		t.Errorf("a network that is served is deleted: %v", err)
	}
	if _, err := client.RepositoryModelUnload(t.Context(), &oippb.RepositoryModelUnloadRequest{ModelName: "net.log_prob"}); err != nil {
		t.Error(err)
	}
	if _, err := client.RepositoryModelLoad(t.Context(), &oippb.RepositoryModelLoadRequest{ModelName: "none"}); rpcCode(err) != connect.CodeNotFound {
		t.Error(err)
	}
	if err := h.client.RemoveNetwork(t.Context(), "net", "1"); err != nil {
		t.Error(err)
	}
	_, scraped, _ := h.get("/metrics")
	for _, want := range []string{
		`{code="200",method="POST",route="POST /v2/models/{model}/infer"} 1`, `{code="200",method="POST",route="POST /inference.GRPCInferenceService/ModelInfer"} 1`,
		`{code="400",method="POST",route="POST /inference.GRPCInferenceService/ModelInfer"} 1`, `{code="404",method="POST",route="POST /inference.GRPCInferenceService/RepositoryModelLoad"} 1`,
	} {
		if !strings.Contains(scraped, "nwl_http_requests_total"+want) {
			t.Errorf("no %s in the metrics:\n%s", want, scraped)
		}
	}
	record, err := os.ReadFile(filepath.Join(h.folder, audit.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"what":"load-network","details":{"network":"net/1"},"status":200`, `"what":"unload-network","details":{"network":"net/1"},"status":200`,
		`"what":"load-network","details":{"network":"none/latest"},"status":404`,
	} {
		if !strings.Contains(string(record), want) {
			t.Errorf("%s is missing in the audit:\n%s", want, record)
		}
	}
	began := time.Now()
	h.close() // with connections open
	if took := time.Since(began); took > shutdownTime {
		t.Errorf("the server took %v to end", took)
	}
}

// TestModelsGuard asks with tokens of both roles and none, by names and origins that are not the
// daemon's, for what there is not, and with bodies of other kinds. All refusals have the form of the
// protocol.
func TestModelsGuard(t *testing.T) {
	list := token.List{}
	bearer := map[string]string{"": ""}
	for name, role := range map[string]token.Role{"alice": token.Operate, "eve": token.Read} {
		secret, e, err := token.New(name, role)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
		bearer[name] = "Bearer " + secret
	}
	h := open(t, 0, func(o *Options) { o.Secrets = func() (Secrets, error) { return Secrets{Tokens: list}, nil } })
	for _, c := range []struct {
		method, path, body, who string
		headers                 []string
		status                  int
	}{
		{"GET", "/v2/health/live", "", "", nil, 200}, {"GET", "/v2/health/ready", "", "", nil, 200}, {"GET", "/v2", "", "", nil, 401}, {"GET", "/v2/none", "", "", nil, 401},
		{"GET", "/v2", "", "eve", nil, 200}, {"POST", "/v2/repository/index", "", "eve", nil, 200}, {"POST", "/v2/models/net.propose/infer", "{}", "", nil, 401},
		{"POST", "/v2/models/net.propose/infer", "{}", "eve", nil, 404}, {"POST", "/v2/repository/models/net/load", "{}", "eve", nil, 403},
		{"POST", "/v2/repository/models/net/load", "{}", "alice", nil, 404}, {"POST", "/v2/repository/models/net/unload", "", "alice", nil, 404},
		{"GET", "/v2/none", "", "eve", nil, 404}, {"GET", "/v2/models/net.propose/infer", "", "eve", nil, 405}, {"POST", "/v2/models/net.propose/infer/", "{}", "alice", nil, 404},
		{"POST", "/v2/models/a%2Fb.propose/infer", "{}", "eve", nil, 404},
		{"POST", "/v2/models/net.propose/infer", "{}", "eve", []string{"Content-Type: application/x-www-form-urlencoded"}, 415},
		{"POST", "/v2/models/net.propose/infer", "{}", "eve", []string{"Content-Type: application/octet-stream"}, 404},
		{"POST", "/v2/models/net.propose/infer", strings.Repeat("x", 3<<20), "eve", nil, 413}, {"POST", "/v2/repository/index", strings.Repeat(" ", 2<<20), "eve", nil, 413},
		{"POST", "/v2/repository/index", "{}", "eve", []string{"Origin: http://evil.example"}, 403},
		{"POST", "/api/v1/runs", "{}", "eve", []string{"Content-Type: application/octet-stream"}, 403}, {"POST", "/api/v1/runs", "{}", "alice", []string{"Content-Type: application/octet-stream"}, 415},
	} {
		headers := c.headers
		if c.who != "" {
			headers = append(headers, "Authorization: "+bearer[c.who])
		}
		status, text, _ := h.read(c.method, c.path, c.body, headers...)
		if status != c.status || status >= 400 && strings.HasPrefix(text, `{"error":"`) != strings.HasPrefix(c.path, "/v2") {
			t.Errorf("%s %s by %q: %d, want %d: %.200s", c.method, c.path, c.who, status, c.status, text)
		}
	}
	for _, c := range []struct {
		who               string
		infer, load, live connect.Code
	}{
		{"", connect.CodeUnauthenticated, connect.CodeUnauthenticated, connect.CodeUnauthenticated},
		{"eve", connect.CodeNotFound, connect.CodePermissionDenied, 0}, {"alice", connect.CodeNotFound, connect.CodeNotFound, 0},
	} {
		client := h.rpc("Authorization", bearer[c.who])
		_, infer := client.ModelInfer(t.Context(), &oippb.ModelInferRequest{ModelName: "net.propose"})
		_, load := client.RepositoryModelLoad(t.Context(), &oippb.RepositoryModelLoadRequest{ModelName: "net"})
		_, live := client.ServerLive(t.Context(), &oippb.ServerLiveRequest{})
		if rpcCode(infer) != c.infer || rpcCode(load) != c.load || rpcCode(live) != c.live {
			t.Errorf("%q: %v, %v, %v", c.who, infer, load, live)
		}
	}
	// A method that there is not, and a message that is too large.
	none := connect.NewClient[oippb.ServerLiveRequest, oippb.ServerLiveResponse](h.http2("Authorization", bearer["alice"]), h.url+rpcPrefix+"ModelStreamInfer", connect.WithGRPC())
	if _, err := none.CallUnary(t.Context(), connect.NewRequest(&oippb.ServerLiveRequest{})); rpcCode(err) != connect.CodeUnimplemented {
		t.Error(err)
	}
	if _, err := h.rpc("Authorization", bearer["eve"]).ModelInfer(t.Context(), &oippb.ModelInferRequest{ModelName: strings.Repeat("x", 3<<20)}); rpcCode(err) != connect.CodeResourceExhausted {
		t.Error(err)
	}
	if status, text, _ := h.read("POST", rpcPrefix+"ModelInfer", "{}", "Authorization: "+bearer["eve"]); status != 415 || !strings.HasPrefix(text, `{"error":"`) {
		t.Errorf("JSON for gRPC: %d %s", status, text)
	}
}

// TestModelsElsewhere refuses names that are not the daemon's where there are no tokens.
func TestModelsElsewhere(t *testing.T) {
	h := open(t, 0, nil)
	if status, text, _ := h.get("/v2", "Host: evil.example"); status != 421 || !strings.HasPrefix(text, `{"error":"`) {
		t.Errorf("%d %s", status, text)
	}
	if _, err := h.rpc("Sec-Fetch-Site", "cross-site").ServerLive(t.Context(), &oippb.ServerLiveRequest{}); rpcCode(err) != connect.CodePermissionDenied {
		t.Error(err)
	}
}
