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
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/oip"

	"connectrpc.com/connect"
)

// Route is an address of the server.
type Route struct {
	Pattern string // of http.ServeMux
	Handler http.Handler
	Change  string // what it changes, for the record; empty for nothing
	Most    int64  // bytes of a body
	RPC     bool   // it speaks gRPC, else JSON
}

// mostSmall is the number of bytes of requests without tensors.
const mostSmall = 1 << 20

// Changes, as they are recorded.
const (
	loadChange   = "load-network"
	unloadChange = "unload-network"
)

// Note writes down what a change is about.
type Note func(ctx context.Context, details map[string]any)

// Routes are all addresses. note is called for every change.
func (s *Server) Routes(note Note) []Route {
	var routes []Route
	get := func(pattern string, f func(r *http.Request) (any, error)) {
		routes = append(routes, Route{Pattern: "GET " + pattern, Handler: s.answer(f)})
	}
	post := func(pattern, change string, f func(r *http.Request) (any, error)) {
		routes = append(routes, Route{Pattern: "POST " + pattern, Handler: s.whole(s.answer(f)), Change: change, Most: mostSmall})
	}
	get("/v2", func(*http.Request) (any, error) { return s.describe(), nil })
	get("/v2/health/live", func(*http.Request) (any, error) { return map[string]bool{"live": true}, nil })
	get("/v2/health/ready", func(*http.Request) (any, error) {
		if !s.ready() {
			return nil, unavailable(errors.New("not all networks of serving.load are served; the log and the index say why"))
		}
		return map[string]bool{"ready": true}, nil
	})
	get("/v2/models/stats", func(*http.Request) (any, error) { return s.stats("", "") })
	for _, path := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		of := func(f func(name, version string) (any, error)) func(r *http.Request) (any, error) {
			return func(r *http.Request) (any, error) { return f(r.PathValue("model"), r.PathValue("version")) }
		}
		get(path, of(func(name, version string) (any, error) { return s.metadata(name, version) }))
		get(path+"/config", of(func(name, version string) (any, error) { return s.config(name, version) }))
		get(path+"/stats", of(func(name, version string) (any, error) { return s.stats(name, version) }))
		get(path+"/ready", of(func(name, version string) (any, error) {
			m, err := s.acquire(name, version)
			if err != nil {
				return nil, err
			}
			m.handle.Release()
			return map[string]any{"name": name, "ready": true}, nil
		}))
		routes = append(routes, Route{Pattern: "POST " + path + "/infer", Handler: s.admitted(http.HandlerFunc(s.inferREST)), Most: s.most()})
	}
	post("/v2/repository/index", "", func(r *http.Request) (any, error) {
		m := struct{ Ready bool }{}
		if err := readJSON(r, &m); err != nil {
			return nil, err
		}
		return s.index(m.Ready)
	})
	post("/v2/repository/models/{model}/load", loadChange, func(r *http.Request) (any, error) {
		c, err := readChange(r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, s.loadModel(r.Context(), c, note)
	})
	post("/v2/repository/models/{model}/unload", unloadChange, func(r *http.Request) (any, error) {
		c, err := readChange(r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, s.unloadModel(r.Context(), c, note)
	})
	return append(routes, s.rpcRoutes(note)...)
}

// answer answers with JSON.
func (s *Server) answer(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := f(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		text, err := json.Marshal(a)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(text)
	})
}

// whole has a body without tensors read before it is looked at.
func (s *Server) whole(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.withBody(w, r, h, &lease{budget: &budget{left: 4 * copies * mostSmall}}, mostSmall)
	})
}

// withBody has a body read before it is looked at, so that the time of reading ends there. One
// that is refused is read to its end, since a client that is still sending would meet a closed
// connection instead of the answer.
func (s *Server) withBody(w http.ResponseWriter, r *http.Request, h http.Handler, l *lease, most int64) {
	read := readBody
	if isRPC(r) {
		read = readMessage
	}
	body, err := read(r, l, most)
	if err != nil {
		io.Copy(io.Discard, r.Body)
		s.refuse(w, r, err)
		return
	}
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	r.Body, r.ContentLength = &memory{*bytes.NewReader(body), body}, int64(len(body))
	h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leaseKey{}, l)))
}

// memory is a body that is in memory.
type memory struct {
	bytes.Reader
	data []byte
}

func (m *memory) Close() error { return nil }

// readJSON reads a body, which may be empty.
func readJSON(r *http.Request, to any) error {
	body := r.Body.(*memory).data
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, to); err != nil {
		return bad(fmt.Errorf("the body is not the JSON of this request: %w", err))
	}
	return nil
}

// readChange reads a request to load or unload.
func readChange(r *http.Request) (change, error) {
	m := struct {
		Parameters map[string]json.RawMessage `json:"parameters"`
	}{}
	c := change{model: r.PathValue("model"), parameters: map[string]string{}}
	if err := readJSON(r, &m); err != nil {
		return c, err
	}
	for name, value := range m.Parameters {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		c.parameters[name] = text
	}
	return c, nil
}

// refuse answers with an error; those of the program go to the log as well.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(w, r, s.status(err), err.Error())
}

// status is the status of HTTP of an error, which goes to the log if it is the program's.
func (s *Server) status(err error) int {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		s.o.Log.Error("a request failed", "reason", err)
	}
	return status
}

// Refuse answers with an error in the form of the protocol that the client speaks.
func Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if isRPC(r) {
		connect.NewErrorWriter().Write(w, r, rpcError(status, errors.New(detail)))
		return
	}
	text, err := json.Marshal(map[string]string{"error": detail})
	if err != nil {
		panic(err) // of a string
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	w.Write(text)
}

// admitted lets as many inferences in as there may be.
func (s *Server) admitted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.requests.Add(-1)
		if s.requests.Add(1) > int64(s.o.Requests) {
			io.Copy(io.Discard, r.Body)
			s.refuse(w, r, errQueue)
			return
		}
		l := &lease{budget: &s.budget}
		defer l.end()
		s.withBody(w, r, h, l, s.most())
	})
}

// readBody reads the body of a request over REST.
func readBody(r *http.Request, l *lease, most int64) ([]byte, error) {
	encoding := r.Header.Get("Content-Encoding")
	body, err := inflate(encoding, r.Body)
	if err != nil {
		return nil, err
	}
	hint := int64(-1)
	if body == r.Body {
		hint = r.ContentLength
	}
	data, err := read(body, l, most, hint)
	return data, compressionFault(encoding, err)
}

// inferREST answers an inference over REST.
func (s *Server) inferREST(w http.ResponseWriter, r *http.Request) {
	var body []byte
	length := -1
	err := s.infer(r.Context(), r.PathValue("model"), r.PathValue("version"), func() (*oip.Request, error) {
		header, json := r.Header.Get(oip.HeaderLength), -1
		if header != "" {
			var err error
			if json, err = strconv.Atoi(header); err != nil || json < 0 {
				return nil, fmt.Errorf("%s: %q is no number of bytes", oip.HeaderLength, header)
			}
		}
		return oip.DecodeRequest(r.Body.(*memory).data, json)
	}, func(q *oip.Request, a *oip.Response) (err error) {
		body, length, err = oip.EncodeResponse(a, q)
		return err
	})
	h := w.Header()
	if err == nil {
		body, err = deflate(h, r.Header.Get("Accept-Encoding"), body)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	h.Set("Content-Type", "application/json")
	if length >= 0 {
		h.Set("Content-Type", "application/octet-stream")
		h.Set(oip.HeaderLength, strconv.Itoa(length))
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	for part := range slices.Chunk(body, 1<<20) { // every write has a time of its own
		if _, err := w.Write(part); err != nil {
			return // the client has gone
		}
	}
}

// deflate compresses a body if the client asks for that, and says so in the headers.
func deflate(h http.Header, accepted string, body []byte) ([]byte, error) {
	var buffer bytes.Buffer
	var w io.WriteCloser
	var err error
	// One with a weight is a wish that need not be met.
	encodings := strings.Split(strings.ReplaceAll(accepted, " ", ""), ",")
	switch {
	case slices.Contains(encodings, "gzip"):
		h.Set("Content-Encoding", "gzip")
		w, err = gzip.NewWriterLevel(&buffer, gzip.BestSpeed)
	case slices.Contains(encodings, "deflate"):
		h.Set("Content-Encoding", "deflate")
		w, err = zlib.NewWriterLevel(&buffer, zlib.BestSpeed)
	default:
		return body, nil
	}
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	return buffer.Bytes(), err
}
