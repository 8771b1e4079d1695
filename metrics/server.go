package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server serves /metrics until it is closed.
type Server struct {
	server *http.Server
	done   chan error
	URL    string
}

// Serve listens on an address host:port, port 0 for any free one.
func Serve(address string, r *Registry) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", r.Handler())
	s := &Server{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan error, 1),
		URL:    fmt.Sprintf("http://%s/metrics", listener.Addr()),
	}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// Close stops the server after the requests under way.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
