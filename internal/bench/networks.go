package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// NetworkOptions say which networks to measure: new ones in the sizes of the configuration,
// on square lattices of the Potts model.
type NetworkOptions struct {
	Architectures []string
	Q             int
	Sides         []int // L of each lattice
	Batches       []int // configurations per call
	// Time is how long each call is repeated.
	Time time.Duration
	// Settings are further keys of the configuration, as for nwl run.
	Settings []string
	Workers  int
	Log      *slog.Logger
}

// NetworkResult is the speed of one kind of call.
type NetworkResult struct {
	Architecture string `json:"architecture"`
	Provider     string `json:"provider"`
	L            int    `json:"l"`
	// Call is propose, log_prob or train, a whole gradient step on Batch states.
	Call  string `json:"call"`
	Batch int    `json:"batch"`
	Calls int    `json:"calls"`
	// Seconds are of a call: the mean, and the fastest.
	Seconds float64 `json:"seconds"`
	Fastest float64 `json:"fastest"`
	// Samples is the number of configurations per second, of the mean.
	Samples float64 `json:"samples_per_second"`
	// Fault is why it could not be measured; else empty.
	Fault string `json:"fault,omitempty"`
}

// Networks measures the calls of networks and hands each result to emit as soon as it is
// there. What cannot be measured, for want of memory say, is a result with a Fault.
func Networks(ctx context.Context, o NetworkOptions, emit func(NetworkResult) error) error {
	for _, architecture := range o.Architectures {
		for _, l := range o.Sides {
			c, err := config.Load("", append([]string{
				"model.architecture=" + architecture, fmt.Sprintf("system.q=%d", o.Q), fmt.Sprintf("system.size=%dx%d", l, l),
			}, o.Settings...))
			if err != nil {
				return err
			}
			n, err := newMeasured(c, o)
			if err != nil {
				return err
			}
			for _, batch := range o.Batches {
				if err := n.proposals(ctx, batch, emit); err != nil {
					return err
				}
			}
			if err := n.training(ctx, c.Trainer, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

// measured is a network under measurement.
type measured struct {
	o       NetworkOptions
	system  lattice.Symmetric
	bundle  *exporter.Bundle
	store   *inference.Store
	runtime inference.Runtime
	result  NetworkResult // what all its results have in common
}

func newMeasured(c *config.Config, o NetworkOptions) (*measured, error) {
	system, err := c.System.New()
	if err != nil {
		return nil, err
	}
	n := &measured{o: o, system: system.(lattice.Symmetric)}
	if n.runtime, err = setup.Runtime(c, o.Workers, o.Log); err != nil {
		return nil, err
	}
	if n.bundle, err = setup.Bundle(c, o.Log); err != nil {
		return nil, err
	}
	n.result = NetworkResult{Architecture: n.bundle.Card.Architecture, Provider: string(n.runtime.Provider), L: c.System.Size[0]}
	n.store, err = inference.OpenStore(n.bundle)
	return n, err
}

// proposals measures propose and log_prob, all sites drawn.
func (n *measured) proposals(ctx context.Context, batch int, emit func(NetworkResult) error) error {
	r := n.result
	r.Batch = batch
	p, err := inference.NewProposer(n.bundle, n.store, n.runtime, batch, batch)
	if err != nil {
		r.Call, r.Fault = "propose", err.Error()
		return emit(r)
	}
	defer p.Close()
	b, random := p.Batch(), rand.New(sampler.Stream(1, sampler.NetworkStream, uint64(batch)))
	for i := range b.State {
		b.State[i] = random.Int32N(int32(n.o.Q))
	}
	for i := range b.Uniform {
		b.Uniform[i] = random.Float32()
	}
	for i := range b.Target {
		b.Target[i] = -float32(random.IntN(2*n.system.Sites() + 1))
		b.Current[i] = b.Target[i]
	}
	for _, call := range []struct {
		name string
		f    func(context.Context) error
	}{{"propose", p.Propose}, {"log_prob", p.LogProb}} {
		r.Call = call.name
		if err := n.measure(ctx, r, call.f, emit); err != nil {
			return err
		}
	}
	return nil
}

// training measures gradient steps on random states.
func (n *measured) training(ctx context.Context, c config.Trainer, emit func(NetworkResult) error) error {
	r := n.result
	r.Call, r.Batch = "train", c.Batch
	t, err := trainer.New(trainer.Options{
		System: n.system, Seed: 1, Batch: c.Batch, LearningRate: c.LearningRate, Clip: c.Clip, Buffer: c.Buffer,
	}, n.bundle, n.store, n.runtime)
	if err != nil {
		r.Fault = err.Error()
		return emit(r)
	}
	defer t.Close()
	random := rand.New(sampler.Stream(1, sampler.NetworkStream, 1))
	state := make([]uint8, n.system.Sites())
	for range max(1000, c.Batch) {
		for i := range state {
			state[i] = uint8(random.IntN(n.o.Q))
		}
		t.Remember(state, n.system.Level(state))
	}
	seen := make([]bool, n.system.Levels())
	for level := range seen {
		seen[level] = true
	}
	t.Target(make([]float64, len(seen)), seen)
	return n.measure(ctx, r, t.Step, emit)
}

// measure repeats a call, after one that does not count.
func (n *measured) measure(ctx context.Context, r NetworkResult, call func(context.Context) error, emit func(NetworkResult) error) error {
	err := call(ctx)
	for began := time.Now(); err == nil && (r.Calls == 0 || time.Since(began) < n.o.Time); r.Calls++ {
		at := time.Now()
		if err = call(ctx); err != nil {
			break
		}
		took := time.Since(at).Seconds()
		r.Seconds += took
		if r.Fastest == 0 || took < r.Fastest {
			r.Fastest = took
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err != nil {
		r.Fault = err.Error()
	} else {
		r.Seconds /= float64(r.Calls)
		r.Samples = float64(r.Batch) / r.Seconds
	}
	return emit(r)
}
