// Package modelserver serves the networks of a repository to other programs by the Open Inference
// Protocol, over REST and gRPC. A network is two models: NAME.propose draws proposals from uniform
// random numbers that the client sends, NAME.log_prob evaluates ln q. So every answer is a function
// of its request, row by row; the requests of all clients are evaluated together.
package modelserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/repository"
)

// Options of a Server.
type Options struct {
	Networks *repository.Repository
	// Library opens ONNX Runtime, before the first network is loaded.
	Library func() error
	Version string // of the program
	// Rows is the number of rows that requests are gathered up to, and Delay how long the first of
	// them waits for others at most, if those before it had company.
	Rows  int
	Delay time.Duration
	// Requests is the number of inferences at most that are read, wait or are evaluated, and Memory
	// the bytes that they may need, of which one can have an eighth for its tensors. More are refused.
	Requests int
	Memory   int64
	// Threads is the number of evaluations at the same time, 0 for one per core.
	Threads int
	Log     *slog.Logger // nil for slog's default
}

// Server serves models. Its methods may be called at the same time.
type Server struct {
	o          Options
	batcher    *batcher
	budget     budget
	requests   atomic.Int64
	statistics statistics
	unready    atomic.Int64 // networks of Preload that are not loaded yet, or cannot be
	living     context.Context
	die        context.CancelFunc
	wait       sync.WaitGroup
}

// New returns a server.
func New(o Options) *Server {
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{o: o, budget: budget{left: o.Memory}, statistics: statistics{models: map[version]*oip.ModelStatistics{}}}
	s.living, s.die = context.WithCancel(context.Background())
	s.batcher = newBatcher(s.living, o.Rows, o.Delay, o.Threads)
	return s
}

// Close ends what is under way, after the last request.
func (s *Server) Close() {
	s.die()
	s.wait.Wait()
	s.batcher.wait.Wait()
}

// Preload loads networks, given as name or name/version, in the background. The server is ready
// when all are loaded; why one is not is in the log and the index.
func (s *Server) Preload(references []string) {
	s.unready.Add(int64(len(references)))
	s.wait.Go(func() {
		for _, reference := range references {
			if _, err := s.load(s.living, reference); err != nil {
				if s.living.Err() == nil {
					s.o.Log.Error("a network is not served", "network", reference, "reason", err)
				}
				continue
			}
			s.unready.Add(-1)
		}
	})
}

// describe describes the server.
func (s *Server) describe() oip.Server {
	return oip.Server{Name: "nwl", Version: s.o.Version, Extensions: []string{"binary_tensor_data", "model_repository", "model_configuration", "statistics"}}
}

// ready reports whether all networks are loaded that are to be.
func (s *Server) ready() bool { return s.unready.Load() == 0 && s.living.Err() == nil }

// modelReady reports whether a version of a model is served, the one in use if none is named.
func (s *Server) modelReady(name, version string) bool {
	m, err := s.acquire(name, version)
	if err == nil {
		m.handle.Release()
	}
	return err == nil
}

// metadata describes a version of a model.
func (s *Server) metadata(name, version string) (*oip.Model, error) {
	m, err := s.acquire(name, version)
	if err != nil {
		return nil, err
	}
	defer m.handle.Release()
	return &oip.Model{Name: name, Versions: []string{m.version()}, Platform: platform, Inputs: m.inputs(), Outputs: m.outputs()}, nil
}

// config says how a version of a model is served.
func (s *Server) config(name, version string) (*oip.Config, error) {
	m, err := s.acquire(name, version)
	if err != nil {
		return nil, err
	}
	defer m.handle.Release()
	values := func(all []oip.Value) (c []oip.ConfigValue) {
		for _, v := range all {
			c = append(c, oip.ConfigValue{Name: v.Name, DataType: "TYPE_" + v.Datatype, Dims: append([]int64{}, v.Shape[1:]...)})
		}
		return c
	}
	c := &oip.Config{
		Name: name, Platform: platform, Backend: backend, MaxBatchSize: s.o.Rows, Input: values(m.inputs()), Output: values(m.outputs()),
		DynamicBatching: oip.DynamicBatching{PreferredBatchSize: []int{s.o.Rows}, MaxQueueDelayMicroseconds: s.o.Delay.Microseconds()},
	}
	c.VersionPolicy.Specific.Versions = []int64{int64(m.handle.Ref().Version)}
	return c, nil
}

// Statistics are those of all versions of models that are served.
func (s *Server) Statistics() []oip.ModelStatistics { return s.statistics.of("", "") }

// stats are the statistics of a version of a model, or of all models without a name.
func (s *Server) stats(name, version string) (*oip.Statistics, error) {
	if name != "" {
		m, err := s.acquire(name, version)
		if err != nil {
			return nil, err
		}
		defer m.handle.Release()
		version = m.version()
	}
	return &oip.Statistics{Models: s.statistics.of(name, version)}, nil
}

// index lists all versions of all models, or only those that are served.
func (s *Server) index(ready bool) ([]oip.Entry, error) {
	all, err := s.o.Networks.Index()
	if err != nil {
		return nil, err
	}
	entries := []oip.Entry{}
	for _, n := range all {
		if ready && n.State != repository.Ready {
			continue
		}
		e := oip.Entry{Version: strconv.Itoa(n.Version), State: string(n.State), Reason: n.Reason}
		if n.Version == 0 { // a folder that is none of a network
			e.Version = ""
		}
		for _, kind := range []kind{propose, logProb} {
			e.Name = n.Name + kind.suffix()
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// change is a request to load or unload the network of a model: both its models, whichever is named.
type change struct {
	model      string            // or the network's own name
	parameters map[string]string // as text
}

// network is the name of the network.
func (c change) network() string {
	if network, _, err := parseModel(c.model); err == nil {
		return network
	}
	return c.model
}

// loadModel loads a network: its highest version, or the one that the parameter config names by
// a version_policy. It goes on when ctx ends, since clients wait for less time than the tests of
// a large network take.
func (s *Server) loadModel(ctx context.Context, c change, note Note) error {
	ref := repository.Ref{Name: c.network()}
	note(ctx, map[string]any{"network": ref.Name})
	for name, value := range c.parameters {
		if name != "config" {
			return bad(fmt.Errorf("parameter %q: only what is in the repository is loaded; nwl networks add brings networks there", name))
		}
		var err error
		if ref.Version, err = versionOf(value); err != nil {
			return bad(fmt.Errorf("parameter config: %w", err))
		}
	}
	note(ctx, map[string]any{"network": ref.String()})
	loaded := make(chan error, 1)
	s.wait.Go(func() {
		var err error
		ref, err = s.load(s.living, ref.String())
		loaded <- err
	})
	select {
	case err := <-loaded:
		if err == nil {
			note(ctx, map[string]any{"network": ref.String()})
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// load loads a network.
func (s *Server) load(ctx context.Context, reference string) (repository.Ref, error) {
	if err := s.o.Library(); err != nil {
		return repository.Ref{}, unavailable(err)
	}
	ref, err := s.o.Networks.Load(ctx, reference)
	s.forget()
	switch {
	case err == nil:
		return ref, nil
	case errors.Is(err, repository.ErrUnknown):
		return ref, missing(err)
	case errors.Is(err, repository.ErrClosed), ctx.Err() != nil:
		return ref, unavailable(err)
	}
	return ref, bad(err)
}

// versionOf reads the version from a model's configuration, Latest if it names none.
func versionOf(config string) (int, error) {
	c := &oippb.ModelConfig{}
	if err := protojson.Unmarshal([]byte(config), c); err != nil {
		return 0, fmt.Errorf("only version_policy can be chosen: %w", err)
	}
	policy := c.GetVersionPolicy()
	c.Name, c.VersionPolicy = "", nil
	if c.String() != "" {
		return 0, errors.New("only version_policy can be chosen")
	}
	versions := policy.GetSpecific().GetVersions()
	switch {
	case len(versions) == 1 && versions[0] > 0 && versions[0] < 1<<31:
		return int(versions[0]), nil
	case policy == nil, policy.GetLatest() != nil && policy.GetLatest().GetNumVersions() <= 1:
		return repository.Latest, nil
	}
	return 0, errors.New("version_policy: one version is served at a time; name that, as in {\"specific\":{\"versions\":[2]}}")
}

// unloadModel takes a network out of service. Requests under way are finished.
func (s *Server) unloadModel(ctx context.Context, c change, note Note) error {
	note(ctx, map[string]any{"network": c.network()})
	ref, err := s.o.Networks.Withdraw(c.network())
	if err != nil {
		return missing(err)
	}
	note(ctx, map[string]any{"network": ref.String()})
	s.forget()
	return nil
}

// forget forgets the statistics of versions that are not served any more.
func (s *Server) forget() {
	if all, err := s.index(true); err == nil {
		s.statistics.keep(all)
	}
}
