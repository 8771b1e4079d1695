// Package remote evaluates a bundle's networks on another program's model server, which speaks the
// Open Inference Protocol by gRPC: NVIDIA's Triton, KServe, MLServer, or nwl serve. It needs no
// ONNX Runtime here.
//
// The server has two models, NAME.propose and NAME.log_prob, whose inputs and outputs are those of
// the contract in package models. The bundle is here, too: it says what the inputs are, and what
// ln q must be. Every request names the version and carries one more row, a canary, whose ln q was
// evaluated in pure Go from the bundle's own file. So a server that comes to have another network
// under the same version is found out with the first answer, before a walker moves by it.
//
// A request is a function of its inputs alone. It is repeated if the server cannot be reached or is
// overloaded.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"neuralwl/exporter"
	"neuralwl/internal/oip/oippb"
)

// Options of a Server.
type Options struct {
	URL     string // http://host:port (HTTP/2 without TLS), or https
	Model   string // name on the server, without .propose and .log_prob
	Version string // of both models
	Token   string // sent as a bearer token; empty for none
	// Timeout is the longest time that one evaluation may take, with its repetitions; 0 for no
	// limit.
	Timeout time.Duration
	// Retries is how often a request is repeated, at most. The first repetition comes after
	// Backoff, 0.1 s by default, and each further one after twice the time, up to 10 s.
	Retries int
	Backoff time.Duration
	Seed    uint64       // of the canary
	Log     *slog.Logger // nil for slog's default
	// Evaluated is told of every evaluation of a Proposer, as inference.Runtime does; nil for nobody.
	Evaluated func(graph string, took time.Duration)
}

// Info says what a Server is.
type Info struct {
	URL     string
	Name    string // as the server calls itself
	Version string // of the server
	Model   string // name/version of the network on it
}

// Server is a model server that has a bundle's networks. Any number of goroutines may use it.
type Server struct {
	o         Options
	info      Info
	card      exporter.Card
	transport *http.Transport
	client    oippb.GRPCInferenceServiceClient
	propose   *network
	logProb   *network
	canary    *canary
	repeated  repetitions
}

const (
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = 10 * time.Second
	// silence is after how long without a sign of life a connection is given up.
	silence = 15 * time.Second
	// dialTimeout bounds the time for a connection and for questions about the server.
	dialTimeout = 30 * time.Second
	// mostBytes bounds an answer.
	mostBytes = 1 << 28
)

// Dial returns the server of a bundle's networks, after it has made sure that the server has both,
// and that they are those of the bundle.
func Dial(ctx context.Context, b *exporter.Bundle, o Options) (_ *Server, err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Backoff == 0 {
		o.Backoff = firstBackoff
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("model server %q: its URL must be as http://host:port", o.URL)
	}
	t := &http.Transport{
		HTTP2:              &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence},
		Protocols:          new(http.Protocols),
		DisableCompression: true,
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	s := &Server{
		o: o, card: b.Card, transport: t,
		info: Info{URL: o.URL, Model: o.Model + "/" + o.Version},
		client: oippb.NewGRPCInferenceServiceClient(&http.Client{Transport: t}, strings.TrimSuffix(o.URL, "/"),
			connect.WithGRPC(), connect.WithAcceptCompression("gzip", nil, nil), connect.WithReadMaxBytes(mostBytes), connect.WithInterceptors(bearer(o.Token))),
	}
	s.repeated.log = o.Log
	s.propose = newNetwork(s, o.Model+".propose", b, b.Propose)
	s.logProb = newNetwork(s, o.Model+".log_prob", b, b.LogProb)
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.ask(ctx); err != nil {
		return nil, fmt.Errorf("model server %s: %w", o.URL, err)
	}
	return s, s.test(ctx, b)
}

// bearer adds a token to every request.
func bearer(token string) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			if token != "" {
				request.Header().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, request)
		}
	}
}

// ask asks the server what it is and whether it has the models, which may say of themselves what
// their inputs and outputs are.
func (s *Server) ask(ctx context.Context) error {
	limit := dialTimeout
	if s.o.Timeout > 0 {
		limit = min(limit, s.o.Timeout)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: more than %v", errTimeout, limit))
	defer cancel()
	about, err := s.client.ServerMetadata(ctx, &oippb.ServerMetadataRequest{})
	if err != nil {
		return s.explained(ctx, err)
	}
	s.info.Name, s.info.Version = about.GetName(), about.GetVersion()
	var faults []error
	for _, n := range []*network{s.propose, s.logProb} {
		ready, err := s.client.ModelReady(ctx, &oippb.ModelReadyRequest{Name: n.name, Version: s.o.Version})
		if err == nil && !ready.GetReady() {
			err = errors.New("it is not ready")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("model %s version %s: %w; load it on the server, or correct inference.model", n.name, s.o.Version, s.explained(ctx, err)))
			continue
		}
		m, err := s.client.ModelMetadata(ctx, &oippb.ModelMetadataRequest{Name: n.name, Version: s.o.Version})
		if err == nil {
			err = n.check(m)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("model %s version %s: %w", n.name, s.o.Version, s.explained(ctx, err)))
		}
	}
	return errors.Join(faults...)
}

// Info says what the server is.
func (s *Server) Info() Info { return s.info }

// Close ends the connections.
func (s *Server) Close() { s.transport.CloseIdleConnections() }
