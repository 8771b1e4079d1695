// Package oiptest is a model server for tests: bundles evaluated by ONNX Runtime behind the gRPC
// service of the Open Inference Protocol, with the faults that a test wants.
package oiptest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// Server is a model server. Its fields may be changed between requests, under Change.
type Server struct {
	oippb.UnimplementedGRPCInferenceServiceHandler
	URL string

	t     testing.TB
	mutex sync.Mutex
	state State
	http  *http.Server
	open  map[*exporter.Bundle]*loaded
}

// State is what a server has and how it behaves.
type State struct {
	Bundles map[string]*exporter.Bundle // by name/version
	// Silent servers say nothing of their models' inputs and outputs, as MLServer does.
	Silent bool
	// Before is called before every evaluation, whose error it may return; nil for nothing.
	Before func(ctx context.Context, r *oippb.ModelInferRequest) error
	// Alter may change an answer; nil for none.
	Alter func(*oippb.ModelInferResponse)
	// Token that requests must bear; empty for none.
	Token string
}

type loaded struct {
	networks *inference.Networks
	store    *inference.Store
}

// New starts a server at a free port of the loopback interface, which ends with the test.
func New(t testing.TB, state State) *Server {
	t.Helper()
	onnxtest.Open(t)
	s := &Server{t: t, state: state, open: map[*exporter.Bundle]*loaded{}}
	s.URL = "http://" + s.start("127.0.0.1:0")
	t.Cleanup(func() {
		s.Stop()
		for _, l := range s.open {
			l.networks.Close()
		}
		s.open = nil
	})
	return s
}

// start listens at an address and returns it.
func (s *Server) start(address string) string {
	s.t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(oippb.NewGRPCInferenceServiceHandler(s))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{Handler: mux, Protocols: protocols}
	go s.http.Serve(listener)
	return listener.Addr().String()
}

// Stop ends the server at once, with all connections.
func (s *Server) Stop() { s.http.Close() }

// Start starts it again at the same address.
func (s *Server) Start() { s.start(strings.TrimPrefix(s.URL, "http://")) }

// Change changes what the server has.
func (s *Server) Change(f func(*State)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	f(&s.state)
}

// State is what the server has.
func (s *Server) State() State {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.state
}

// model finds the bundle of a model, and whether it is propose.
func (s *Server) model(name, version string) (b *exporter.Bundle, propose bool, err error) {
	base, propose := strings.CutSuffix(name, ".propose")
	if !propose {
		base = strings.TrimSuffix(name, ".log_prob")
	}
	if b = s.State().Bundles[base+"/"+version]; b == nil || base == name {
		return nil, false, connect.NewError(connect.CodeNotFound, fmt.Errorf("no model %s version %s", name, version))
	}
	return b, propose, nil
}

// ServerMetadata names the server.
func (s *Server) ServerMetadata(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
	return &oippb.ServerMetadataResponse{Name: "oiptest", Version: "1.2"}, nil
}

// ModelReady reports whether there is a model.
func (s *Server) ModelReady(_ context.Context, r *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	_, _, err := s.model(r.GetName(), r.GetVersion())
	return &oippb.ModelReadyResponse{Ready: err == nil}, nil
}

// ModelMetadata describes a model.
func (s *Server) ModelMetadata(_ context.Context, r *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	b, propose, err := s.model(r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	m := &oippb.ModelMetadataResponse{Name: r.GetName()}
	if s.State().Silent {
		return m, nil
	}
	file := b.LogProb
	if propose {
		file = b.Propose
	}
	describe := func(tensors []exporter.Tensor) (all []*oippb.ModelMetadataResponse_TensorMetadata) {
		for _, t := range tensors {
			all = append(all, &oippb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: map[string]string{"FLOAT": "FP32", "INT32": "INT32"}[t.Type], Shape: t.Shape(-1)})
		}
		return all
	}
	m.Inputs, m.Outputs = describe(b.Inputs(file)), describe(b.Outputs(file))
	return m, nil
}

// ModelInfer evaluates a model.
func (s *Server) ModelInfer(ctx context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	state := s.State()
	if info, ok := connect.CallInfoForHandlerContext(ctx); state.Token != "" && (!ok || info.RequestHeader().Get("Authorization") != "Bearer "+state.Token) {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("no token"))
	}
	if state.Before != nil {
		if err := state.Before(ctx, r); err != nil {
			return nil, err
		}
	}
	b, propose, err := s.model(r.GetModelName(), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	answer, err := s.evaluate(ctx, b, propose, r)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	answer.ModelName, answer.ModelVersion = r.GetModelName(), r.GetModelVersion()
	if state.Alter != nil {
		state.Alter(answer)
	}
	return answer, nil
}

func (s *Server) load(b *exporter.Bundle) (*loaded, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if l := s.open[b]; l != nil {
		return l, nil
	}
	if s.open == nil {
		return nil, errors.New("the test is over")
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		return nil, err
	}
	n, err := inference.OpenNetworks(b, onnxtest.Runtime(1), 1<<12)
	if err != nil {
		return nil, err
	}
	s.open[b] = &loaded{n, store}
	return s.open[b], nil
}

func (s *Server) evaluate(ctx context.Context, b *exporter.Bundle, propose bool, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	l, err := s.load(b)
	if err != nil {
		return nil, err
	}
	rows := 0
	for _, in := range r.GetInputs() {
		rows = int(in.GetShape()[0])
	}
	served, err := l.serve(b, rows)
	if err != nil {
		return nil, err
	}
	defer served.Close()
	served.Pin()
	fields := served.fields(propose)
	for i, in := range r.GetInputs() {
		raw := r.GetRawInputContents()[i]
		if want := binary.Size(fields[in.GetName()]); want != len(raw) {
			return nil, fmt.Errorf("input %q has %d bytes, %d are right", in.GetName(), len(raw), want)
		}
		if _, err := binary.Decode(raw, binary.LittleEndian, fields[in.GetName()]); err != nil {
			return nil, err
		}
	}
	evaluate := served.LogProb
	if propose {
		evaluate = served.Propose
	}
	if err := evaluate(ctx); err != nil {
		return nil, err
	}
	answer := &oippb.ModelInferResponse{}
	add := func(name, datatype string, data any, shape ...int64) error {
		raw, err := binary.Append(nil, binary.LittleEndian, data)
		answer.Outputs = append(answer.Outputs, &oippb.ModelInferResponse_InferOutputTensor{Name: name, Datatype: datatype, Shape: shape})
		answer.RawOutputContents = append(answer.RawOutputContents, raw)
		return err
	}
	// Not in the order of the file: names count.
	if err := add(models.LogQ, "FP32", fields[models.LogQ], int64(rows)); err != nil || !propose {
		return answer, err
	}
	datatype := "INT32"
	if b.Card.Angles() {
		datatype = "FP32"
	}
	return answer, add(models.Proposal, datatype, fields[models.Proposal], int64(rows), int64(b.Card.System.System().Sites()))
}

// served evaluates a batch.
type served struct {
	proposer
	// fields are the inputs and outputs of propose, or of log_prob.
	fields func(propose bool) map[string]any
}

type proposer interface {
	Pin() sampler.Version
	Propose(ctx context.Context) error
	LogProb(ctx context.Context) error
	Close() error
}

// serve returns what evaluates a number of rows of a bundle.
func (l *loaded) serve(of *exporter.Bundle, rows int) (served, error) {
	if of.Card.Angles() {
		a, err := l.networks.NewAngles(l.store, rows)
		return served{a, func(propose bool) map[string]any {
			b := a.Batch()
			fields := map[string]any{models.State: b.State, models.Beta: b.Beta, models.Uniform: b.Uniform, models.Proposal: b.Proposal, models.LogQ: b.Reverse}
			if propose {
				fields[models.LogQ] = b.Drawn
			}
			return fields
		}}, err
	}
	p, err := l.networks.NewProposer(l.store, rows)
	return served{p, func(propose bool) map[string]any {
		b := p.Batch()
		fields := map[string]any{models.State: b.State, models.Start: b.Start, models.Uniform: b.Uniform, models.Proposal: b.Proposal}
		if propose {
			fields[models.Shift], fields[models.Energy], fields[models.LogQ] = b.Shift, b.Target, b.Forward
		} else {
			fields[models.Condition], fields[models.Shift], fields[models.Energy], fields[models.LogQ] = b.Proposal, b.Back, b.Current, b.Reverse
		}
		return fields
	}}, err
}
