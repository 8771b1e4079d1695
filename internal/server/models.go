package server

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"neuralwl/internal/modelserver"
	"neuralwl/internal/oip/oippb"
)

// registerModels registers the Open Inference Protocol, which OpenAPI does not describe: it has a
// specification of its own.
func (s *Server) registerModels() {
	s.models = map[string]modelserver.Route{}
	for _, r := range s.o.Models.Routes(func(ctx context.Context, details map[string]any) { note(ctx, "", details) }) {
		s.models[r.Pattern] = r
		handler := r.Handler
		if r.Change != "" {
			handler = s.recorded(r.Change, handler)
		}
		s.mux.Handle(r.Pattern, handler)
	}
}

// recorded has a change written down.
func (s *Server) recorded(what string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := newEntry(r.Context(), r.RemoteAddr, what)
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), changeKey{}, e)))
		if a, ok := w.(*answerer); ok {
			e.Status = a.outcome()
		}
		s.write(e)
	})
}

// rpcPrefix is what the addresses of gRPC begin with.
const rpcPrefix = "/" + oippb.GRPCInferenceServiceName + "/"

// refusalOf is how the clients of an address expect refusals, nil for problem documents.
func refusalOf(r *http.Request) func(w http.ResponseWriter, status int, detail string) {
	rpc := strings.HasPrefix(r.URL.Path, rpcPrefix)
	if !rpc && r.URL.Path != "/v2" && !strings.HasPrefix(r.URL.Path, "/v2/") {
		return nil
	}
	return func(w http.ResponseWriter, status int, detail string) {
		if rpc && status == http.StatusNotFound {
			status = http.StatusNotImplemented // the method, where others have no such thing
		}
		modelserver.Refuse(w, r, status, detail)
	}
}

// limitModel is limit for a route of models. Clients like Triton's send no Content-Type; what a page
// sends without asking has one.
func limitModel(a *answerer, r *http.Request, route modelserver.Route) bool {
	if r.ContentLength == 0 {
		return true
	}
	allowed := []string{"application/json", "application/octet-stream"}
	if route.RPC {
		allowed = []string{"application/grpc", "application/grpc+proto"}
	}
	header := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if header == "" && route.RPC || header != "" && (err != nil || !slices.Contains(allowed, kind)) {
		refuse(a, http.StatusUnsupportedMediaType, "the body must come with Content-Type: "+strings.Join(allowed, " or "))
		return false
	}
	return bound(a, r, route.Most, bodyTime)
}

// statuses are those of HTTP for the codes of gRPC, in their order.
var statuses = []int{
	http.StatusOK, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadRequest, http.StatusGatewayTimeout, http.StatusNotFound,
	http.StatusConflict, http.StatusForbidden, http.StatusTooManyRequests, http.StatusBadRequest, http.StatusConflict, http.StatusBadRequest,
	http.StatusNotImplemented, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusUnauthorized,
}

// outcome is the status of an answer, of gRPC that in its trailer.
func (a *answerer) outcome() int {
	for _, key := range []string{http.TrailerPrefix + "Grpc-Status", "Grpc-Status"} {
		for _, text := range a.Header()[key] {
			if code, err := strconv.Atoi(text); err == nil && code >= 0 && code < len(statuses) {
				return statuses[code]
			}
		}
	}
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
