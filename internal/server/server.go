// Package server is the daemon's HTTP interface: runs under /api/v1, described by OpenAPI, and
// the state of the daemon itself.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
)

// Options of a server.
type Options struct {
	Daemon  *daemon.Daemon
	Metrics http.Handler // of /metrics
	Version string
	Log     *slog.Logger
}

// Server serves a daemon over HTTP.
type Server struct {
	o   Options
	mux *http.ServeMux
	api huma.API
}

// New returns a server, which answers requests but listens nowhere yet.
func New(o Options) *Server {
	s := &Server{o: o, mux: http.NewServeMux()}
	config := huma.DefaultConfig("neuralwl", o.Version)
	config.Info.Description = "Densities of states by neural Wang-Landau sampling: runs, their progress and results."
	config.DocsPath = "" // huma's page loads its parts from elsewhere
	s.api = humago.New(s.mux, config)
	s.registerRuns()
	s.registerEvents()
	s.registerHealth()
	s.mux.Handle("GET /metrics", o.Metrics)
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// shutdownTime bounds how long requests under way may take when the server stops.
const shutdownTime = 2 * time.Second

// Serve answers requests until ctx ends. Streams end with it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// No WriteTimeout: streams last. They set a deadline for every write.
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		deadline, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		stopped <- h.Shutdown(deadline)
	})
	err := h.Serve(listener)
	if !stop() {
		return errors.Join(<-stopped, unlessClosed(err))
	}
	return fmt.Errorf("server: %w", err)
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// problem turns an error of the daemon into a problem document (RFC 9457).
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case daemon.Missing(err):
		return huma.Error404NotFound(err.Error())
	case daemon.Taken(err), daemon.Impossible(err):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, daemon.ErrInvalid):
		return huma.Error422UnprocessableEntity("the request cannot be carried out", faults(err)...)
	}
	return huma.Error500InternalServerError(err.Error())
}

// faults splits an error that joins several, as that of a configuration does.
func faults(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if many, ok := e.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, one := range many.Unwrap() {
				all = append(all, &huma.ErrorDetail{Message: one.Error()})
			}
			return all
		}
	}
	return []error{&huma.ErrorDetail{Message: err.Error()}}
}

// registerHealth registers what service managers and load balancers ask.
func (s *Server) registerHealth() {
	type health struct {
		Body struct {
			Status  string `json:"status"`
			Version string `json:"version"`
		}
	}
	get := func(path, id, summary string, check func(context.Context) error) {
		huma.Register(s.api, huma.Operation{
			Method: http.MethodGet, Path: path, OperationID: id, Summary: summary, Tags: []string{"daemon"}, Errors: []int{503},
		}, func(ctx context.Context, _ *struct{}) (*health, error) {
			if err := check(ctx); err != nil {
				return nil, huma.Error503ServiceUnavailable(err.Error())
			}
			h := &health{}
			h.Body.Status, h.Body.Version = "ok", s.o.Version
			return h, nil
		})
	}
	get("/healthz", "health", "Whether the daemon lives", func(context.Context) error { return nil })
	get("/readyz", "readiness", "Whether the daemon takes runs", s.o.Daemon.Ready)
}

// operation is an operation of the interface, which lists the errors that it may return.
func operation(method, path, id, summary string, errors ...int) huma.Operation {
	return huma.Operation{Method: method, Path: api.Prefix + path, OperationID: id, Summary: summary, Tags: []string{"runs"}, Errors: errors}
}
