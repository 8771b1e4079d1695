package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// Runtime controls how networks are evaluated.
type Runtime struct {
	Provider Provider
	// Workers is the number of goroutines that share a batch, at least 1. Results do
	// not depend on it.
	Workers int
	// Timeout is the longest time that one evaluation may take; 0 for no limit.
	Timeout time.Duration
	// Log receives what is worth knowing about networks; nil for slog's default.
	Log *slog.Logger
	// Intercept, if not nil, is called instead of every evaluation and may run it itself.
	// Tests use it to inject faults.
	Intercept func(context.Context, Evaluation) error
	// Evaluated, if not nil, is told after every evaluation of a graph (propose, log_prob or
	// gradient), also after one that failed, how long it took. Calls may come side by side.
	Evaluated func(graph string, took time.Duration)

	cuda map[string]string // further options of the CUDA provider, for measurements
}

func (r Runtime) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}

// Evaluation is one evaluation of a network.
type Evaluation struct {
	Network string // name of the graph: propose, log_prob or gradient
	Run     func(context.Context) error
	Outputs [][]float32 // those that are float32, to be read after Run
}

// errTimeout is the cause of cancelling an evaluation that took too long.
var errTimeout = errors.New("no answer in time")

// evaluate runs f, an evaluation of the named network, under the limits of the runtime.
func (r Runtime) evaluate(ctx context.Context, network string, outputs []ort.Value, f func(*ort.RunOptions) error) error {
	if r.Evaluated != nil {
		began := time.Now()
		defer func() { r.Evaluated(network, time.Since(began)) }()
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, errTimeout)
		defer cancel()
	}
	run := func(ctx context.Context) error { return terminable(ctx, f) }
	var err error
	if r.Intercept == nil {
		err = run(ctx)
	} else {
		err = r.Intercept(ctx, Evaluation{network, run, floats(outputs)})
	}
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = fmt.Errorf("%w: more than %v (inference.timeout)", errTimeout, r.Timeout)
	}
	if err != nil {
		return fmt.Errorf("network %s: %w", network, err)
	}
	return nil
}

// terminable runs f and terminates it when ctx ends. If f finishes all the same, terminable
// returns the error of ctx.
func terminable(ctx context.Context, f func(*ort.RunOptions) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	terminated := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { terminated <- options.Terminate() })
	err = f(options)
	if !stop() {
		err = errors.Join(err, <-terminated)
	}
	// Which is there a moment before ctx calls for the end.
	return errors.Join(err, ctx.Err(), options.Destroy())
}

// floats returns the contents of the float32 tensors among values.
func floats(values []ort.Value) [][]float32 {
	var all [][]float32
	for _, v := range values {
		if t, ok := v.(*ort.Tensor[float32]); ok {
			all = append(all, t.GetData())
		}
	}
	return all
}

// live counts the objects held in ONNX Runtime's memory.
var live struct{ sessions, tensors atomic.Int64 }

// Live returns how many sessions and tensors exist. Tensors of unused weights disappear
// with later garbage collections.
func Live() (sessions, tensors int64) { return live.sessions.Load(), live.tensors.Load() }
