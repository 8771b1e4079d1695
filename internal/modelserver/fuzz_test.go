package modelserver

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
	"neuralwl/models"
)

// FuzzREST sends inferences over REST: none is answered by other than the statuses of the protocol,
// and a refusal says why.
func FuzzREST(f *testing.F) {
	p := open(f, func(o *Options) { o.Memory = 1 << 20; o.Delay = 0 }, nil)
	p.add(tinyBundle(f, models.Made, 1), "net")
	p.load("net")
	h := p.acquire("net")
	in := proposeTensors(moves(h, 1, 1))
	h.Release()
	for _, binary := range []bool{true, false} {
		body, headers := restBody(in, binary)
		f.Add("net.propose", append(headers, "", "")[1], "", "gzip", body)
		f.Add("net.log_prob", append(headers, "", "")[1], "gzip", "", body)
	}
	f.Add("net.propose", "-1", "deflate", "x", []byte(`{"inputs":[{"name":"start","shape":[0],"datatype":"INT32","data":[]}]}`))
	f.Fuzz(func(t *testing.T, model, length, encoding, accepted string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.URL.Path = "/v2/models/" + model + "/infer"
		r.Header.Set(oip.HeaderLength, length)
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Accept-Encoding", accepted)
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 307, 400, 404, 405, 413, 415, 504}, w.Code) {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		var refused struct{ Error string }
		if w.Header().Get("Content-Type") == "application/json" && w.Code != 200 && (json.Unmarshal(w.Body.Bytes(), &refused) != nil || refused.Error == "") {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	})
}

// FuzzRPC sends messages of gRPC with any prefix: the answer is one of gRPC, and never that the
// server failed.
func FuzzRPC(f *testing.F) {
	p := open(f, func(o *Options) { o.Memory = 1 << 20; o.Delay = 0 }, nil)
	p.add(tinyBundle(f, models.Made, 1), "net")
	p.load("net")
	h := p.acquire("net")
	in := proposeTensors(moves(h, 1, 1))
	h.Release()
	for _, asRaw := range []bool{true, false} {
		data, err := proto.Marshal(rpcRequest("net.propose", in, asRaw))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("ModelInfer", "", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...))
		f.Add("ModelInfer", "gzip", append(binary.BigEndian.AppendUint32([]byte{1}, uint32(len(data)+1)), data...))
	}
	data, err := proto.Marshal(&oippb.ModelMetadataRequest{Name: "net.propose"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ModelMetadata", "", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...))
	f.Add("RepositoryIndex", "", []byte{0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, method, encoding string, body []byte) {
		if method == "RepositoryModelLoad" || method == "RepositoryModelUnload" {
			return // the others would have nothing to ask
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.ProtoMajor, r.ProtoMinor = 2, 0
		r.URL.Path = "/" + oippb.GRPCInferenceServiceName + "/" + method
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Grpc-Encoding", encoding)
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, r)
		switch status := w.Result().Trailer.Get("Grpc-Status"); {
		case w.Code == 404 || w.Code == 307: // of a method that there is not
		case w.Code != 200 || status == "" || status == "13" || status == "2":
			t.Fatalf("%d, gRPC %q: %v", w.Code, status, w.Result().Trailer)
		}
	})
}
