// Package server is the daemon's HTTP interface: runs under /api/v1, described by OpenAPI, and
// the state of the daemon itself. guard.go decides who may ask.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"neuralwl/internal/audit"
	"neuralwl/internal/daemon"
	"neuralwl/internal/modelserver"
	"neuralwl/internal/token"
	"neuralwl/metrics"
)

// Options of a server.
type Options struct {
	Daemon   *daemon.Daemon
	Models   *modelserver.Server // serves networks to other programs
	Registry *metrics.Registry   // served at /metrics
	Version  string
	Log      *slog.Logger
	Audit    *audit.Log
	// Secrets reads tokens and certificate, at the start and at every Reload.
	Secrets func() (Secrets, error)
	// Hosts are names beside localhost by which it may be called where there are no tokens.
	Hosts    []string
	BasePath string // under which a proxy publishes it, as in /nwl
	Streams  int    // open ones at most, by default 1000
	// KeepAlive is how often a stream without events says that it is there, by default 15 s.
	KeepAlive time.Duration
	// WriteTime bounds every write of an answer, by default 10 s; a client that reads more slowly
	// loses it.
	WriteTime time.Duration
	Metrics   *metrics.Daemon // set by New
}

// Secrets are what a server must keep to itself.
type Secrets struct {
	Tokens      token.List       // nil if none are asked for
	Certificate *tls.Certificate // nil for HTTP
}

// Server serves a daemon over HTTP.
type Server struct {
	o       Options
	mux     *http.ServeMux
	api     huma.API
	secrets atomic.Pointer[Secrets]
	origin  *http.CrossOriginProtection
	streams chan struct{}                // as many as are open
	models  map[string]modelserver.Route // by pattern
}

// New returns a server, which answers requests but listens nowhere yet.
func New(o Options) (*Server, error) {
	if o.Streams == 0 {
		o.Streams = 1000
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.WriteTime == 0 {
		o.WriteTime = 10 * time.Second
	}
	s := &Server{o: o, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), streams: make(chan struct{}, o.Streams)}
	if err := s.load(); err != nil {
		return nil, err
	}
	var err error
	if s.o.Metrics, err = o.Registry.Daemon(o.Daemon.Overview); err != nil {
		return nil, err
	}
	if err := errors.Join(o.Registry.Runs(o.Daemon.Watched), o.Registry.Models(o.Models.Statistics)); err != nil {
		return nil, err
	}
	config := huma.DefaultConfig("neuralwl", o.Version)
	config.Info.Description = "Densities of states by neural Wang-Landau sampling: runs, their progress and results. Networks are served under /v2, and over gRPC, by the Open Inference Protocol, which is described elsewhere."
	config.DocsPath = ""                                                                 // huma's page loads its parts from elsewhere
	config.SchemasPath, config.CreateHooks = "", nil                                     // no $schema in every answer
	config.Servers = []*huma.Server{{URL: o.BasePath + "/", Description: "this daemon"}} // a URL must not be empty
	if o.BasePath != "" {
		config.Servers[0].URL = o.BasePath
	}
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "Where the daemon has tokens. As a password of basic authentication, too."},
	}
	config.Security = []map[string][]string{{}, {"token": {}}}
	s.api = humago.New(s.mux, config)
	s.api.UseMiddleware(s.record, s.refuseEmpty)
	s.registerRuns()
	s.registerGroups()
	s.registerNetworks()
	s.registerWorkers()
	s.registerModels()
	s.registerEvents()
	s.registerResults()
	s.registerLive()
	s.registerFiles()
	s.registerLog()
	s.registerHealth()
	s.registerDocs()
	s.mux.Handle("GET /metrics", o.Registry.Handler())
	return s, s.registerPages()
}

// load reads the secrets.
func (s *Server) load() error {
	if s.o.Secrets == nil {
		s.secrets.Store(&Secrets{})
		return nil
	}
	secrets, err := s.o.Secrets()
	if err == nil {
		s.secrets.Store(&secrets)
	}
	return err
}

// Reload reads tokens and certificate again, and begins a new file of the audit if that was moved
// away. With an error the old ones stay.
func (s *Server) Reload() error {
	err := s.load()
	if s.o.Audit != nil {
		err = errors.Join(err, s.o.Audit.Reopen())
	}
	return err
}

// shutdownTime bounds how long requests under way may take when the server stops.
const shutdownTime = 2 * time.Second

// Serve answers requests until ctx ends, over TLS if there is a certificate. Streams end with it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// gRPC needs HTTP/2, also without TLS.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	// No WriteTimeout: streams last. Every write has a deadline of its own.
	h := &http.Server{
		Protocols: protocols,
		Handler:   s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: mostHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug), // of clients that speak otherwise
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.secrets.Load().Certificate, nil
		}},
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		deadline, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		stopped <- h.Shutdown(deadline)
	})
	serve := h.Serve
	if s.secrets.Load().Certificate != nil {
		serve = func(l net.Listener) error { return h.ServeTLS(l, "", "") }
	}
	err := serve(listener)
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
			Method: http.MethodGet, Path: path, OperationID: id, Summary: summary, Tags: []string{"daemon"}, Errors: []int{403, 421, 503},
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
