package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/page"
	"neuralwl/internal/token"
)

// Bounds of a request.
const (
	mostHeader = 64 << 10 // bytes of the headers
	mostBody   = 1 << 20  // bytes of the body
	bodyTime   = 30 * time.Second
	drained    = 4 // times as much is read of a body that is too large
)

// bearerKey is the context's key of the token's entry.
type bearerKey struct{}

// bearer is the name of the token of a request, empty where there are no tokens.
func bearer(ctx context.Context) string {
	e, _ := ctx.Value(bearerKey{}).(token.Entry)
	return e.Name
}

// public are the addresses that need no token: whether the daemon lives, and what is the same for
// every daemon.
var public = []string{"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml"}

// ServeHTTP answers a request: counted, limited in time and size, and only if it may be asked.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	a := newAnswerer(w, s.o.WriteTime)
	route := "none"
	defer func() {
		if fault := recover(); fault != nil {
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			s.o.Log.Error("a request failed", "route", route, "fault", fault, "stack", string(debug.Stack()))
			if a.status == 0 {
				refuse(a, http.StatusInternalServerError, "the daemon has a fault, which is in its log")
			}
		}
		a.hurry() // with what the server sends once the handler is done
		s.count(a, route, r, time.Since(began))
	}()
	h := a.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	r = s.within(r)
	a.refusal = refusalOf(r)
	if !s.admit(a, r) {
		return
	}
	handler, pattern := s.mux.Handler(r)
	model, isModel := s.models[pattern]
	need := token.Operate
	if r.Method == http.MethodGet || r.Method == http.MethodHead || isModel && model.Change == "" {
		need = token.Read
	}
	r, ok := s.identify(a, r, need)
	if !ok {
		return
	}
	if escaped := r.URL.EscapedPath(); pattern == "" || escaped != path.Clean(escaped) { // the mux would redirect it
		s.lost(a, r, handler)
		return
	}
	route = pattern
	if isModel {
		ok = limitModel(a, r, model)
	} else {
		ok = limit(a, r)
	}
	if !ok {
		return
	}
	s.mux.ServeHTTP(a, r)
}

// count adds a request to the metrics and, for debugging, to the log.
func (s *Server) count(a *answerer, route string, r *http.Request, took time.Duration) {
	method := r.Method
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete, http.MethodOptions}, method) {
		method = "other"
	}
	status := a.outcome()
	if a.stream {
		s.o.Metrics.Stream(route, method, status)
	} else {
		s.o.Metrics.Request(route, method, status, took)
	}
	s.o.Log.Debug("a request", "route", route, "method", method, "status", status, "took", took)
}

// within takes the path away under which a proxy publishes the daemon, if the proxy did not.
func (s *Server) within(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, s.o.BasePath)
	if s.o.BasePath == "" || !ok || rest != "" && rest[0] != '/' {
		return r
	}
	if rest == "" {
		rest = "/"
	}
	inner := r.Clone(r.Context())
	inner.URL.Path = rest
	inner.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, s.o.BasePath)
	return inner
}

// admit refuses what pages of other origins send by a browser. Where there are no tokens, whoever
// can reach the daemon may use it, so that the name by which it is called must be its own: else a
// page whose name was made to point here (DNS rebinding) would pass for one of its own.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) bool {
	if s.secrets.Load().Tokens == nil && !s.called(r.Host) {
		refuse(w, http.StatusMisdirectedRequest, "the daemon is not called by this name; add it to server.hosts if it is, as behind a proxy")
		return false
	}
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	if err := s.origin.Check(r); err != nil || site == "cross-site" && mode != "navigate" {
		refuse(w, http.StatusForbidden, "requests of pages from elsewhere are refused")
		return false
	}
	return true
}

// called reports whether a value of the header Host names the daemon.
func (s *Server) called(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return host == "localhost" || slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// identify finds out whose request it is and whether the role has what it needs.
func (s *Server) identify(w http.ResponseWriter, r *http.Request, need token.Role) (*http.Request, bool) {
	tokens := s.secrets.Load().Tokens
	if tokens == nil || slices.Contains(public, r.URL.Path) {
		return r, true
	}
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, secret, ok = r.BasicAuth() // browsers ask for it
	}
	e, known := tokens.Find(secret)
	if !ok || !known {
		detail := "a token is needed: Authorization: Bearer TOKEN; clients of nwl take it from NWL_TOKEN"
		if ok {
			detail = "the token is not known"
			s.o.Log.Warn("a request with an unknown token is refused", "address", r.RemoteAddr)
		}
		w.Header().Add("WWW-Authenticate", `Bearer realm="nwl"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="nwl", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, detail)
		return r, false
	}
	if !e.Role.Allows(need) {
		s.o.Log.Warn("a request is refused", "by", e.Name, "role", e.Role, "method", r.Method, "address", r.RemoteAddr)
		refuse(w, http.StatusForbidden, "the token "+e.Name+" has the role "+string(e.Role)+"; this needs "+string(need))
		return r, false
	}
	return r.WithContext(context.WithValue(r.Context(), bearerKey{}, e)), true
}

// limit bounds a body in size and time, and takes none but JSON, archives where a bundle is
// uploaded, and forms of the daemon's own pages: one that a page sends without asking could be
// anything else.
func limit(a *answerer, r *http.Request) bool {
	if r.ContentLength == 0 && !page.TakesForm(r) {
		return true
	}
	want, most, within := "application/json", int64(mostBody), bodyTime
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, api.Prefix+"/networks/") {
		want, most, within = api.ArchiveType, mostArchive, archiveTime
	}
	if page.TakesForm(r) {
		if want = page.FormType; !page.OwnForm(r) {
			refuse(a, http.StatusForbidden, "forms are for the daemon's own pages in a browser; programs have the interface that /docs describes")
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodGet && r.Method != http.MethodHead && (err != nil || kind != want) {
		refuse(a, http.StatusUnsupportedMediaType, "the body must come with Content-Type: "+want)
		return false
	}
	return bound(a, r, most, within)
}

// bound bounds a body in size and time.
func bound(a *answerer, r *http.Request, most int64, within time.Duration) bool {
	a.control.SetReadDeadline(time.Now().Add(within))
	whole := r.Body
	r.Body = http.MaxBytesReader(a, whole, most)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true // nobody reads it
	}
	if r.ContentLength > most {
		// A client that is still sending would meet a closed connection instead of the answer.
		io.CopyN(io.Discard, whole, drained*most)
		refuse(a, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", most))
		return false
	}
	return true
}

// lost answers a request for which there is no route.
func (s *Server) lost(w http.ResponseWriter, r *http.Request, by http.Handler) {
	p := &peek{header: http.Header{}}
	by.ServeHTTP(p, r)
	if p.status == http.StatusMethodNotAllowed {
		allowed := p.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		refuse(w, p.status, r.Method+" is not possible here, but "+allowed+" is")
		return
	}
	refuse(w, http.StatusNotFound, "there is nothing at this address; /docs describes what there is")
}

// peek is an answer of which only status and headers matter.
type peek struct {
	header http.Header
	status int
}

func (p *peek) Header() http.Header            { return p.header }
func (p *peek) WriteHeader(status int)         { p.status = status }
func (p *peek) Write(data []byte) (int, error) { return len(data), nil }
