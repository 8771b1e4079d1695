package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/models/graph"
)

// Provider is an execution provider of ONNX Runtime.
type Provider string

// The providers, and Auto to choose between them.
const (
	Auto Provider = "auto"
	CPU  Provider = "cpu"
	CUDA Provider = "cuda"
)

// Select returns the provider to use: want itself if it works, or for Auto CUDA if it works
// and else the CPU, for a reason that is logged. Requesting CUDA where it does not work is
// an error.
func Select(want Provider, log *slog.Logger) (Provider, error) {
	switch want {
	case CPU:
		return CPU, Probe(CPU)
	case CUDA:
		if err := Probe(CUDA); err != nil {
			return "", fmt.Errorf("inference.provider cuda: %w; install ONNX Runtime %s for CUDA (onnxruntime-gpu) with its driver, CUDA and cuDNN, or set inference.provider to cpu", err, WantVersion)
		}
		return CUDA, nil
	case Auto:
		if err := Probe(CUDA); err != nil {
			log.Debug("CUDA is not used", "reason", err)
			return CPU, Probe(CPU)
		}
		return CUDA, nil
	}
	return "", fmt.Errorf("inference.provider %q is not one of %s, %s, %s", want, Auto, CPU, CUDA)
}

// Probe tests a provider by multiplying two matrices on it, with fall-back to the CPU
// disabled: that a library lists a provider proves nothing.
func Probe(p Provider) error {
	g := graph.New("probe")
	x := g.Input("x", graph.Float32, graph.Dynamic, 2)
	g.Output("y", x.MatMul(g.Param("w", 2, 1)))
	model, err := exporter.Encode(g, map[string]graph.Tensor{"w": graph.Float32s([]float32{3, 5}, 2, 1)})
	if err != nil {
		return err
	}
	n, err := newNetwork(model, Runtime{Provider: p})
	if err != nil {
		return fmt.Errorf("provider %s: %w", p, err)
	}
	defer n.Close()
	in, err := ort.NewTensor(ort.NewShape(1, 2), []float32{7, 11})
	if err != nil {
		return err
	}
	defer in.Destroy()
	y := []float32{0}
	out, err := ort.NewTensor(ort.NewShape(1, 1), y)
	if err != nil {
		return err
	}
	defer out.Destroy()
	weights, err := NewWeights(map[string]graph.Tensor{"w": graph.Float32s([]float32{2, 4}, 2, 1)})
	if err != nil {
		return err
	}
	if err := n.run(context.Background(), []ort.Value{in}, weights, []ort.Value{out}); err != nil {
		return fmt.Errorf("provider %s: %w", p, err)
	}
	if math.Abs(float64(y[0])-58) > 1e-3 {
		return fmt.Errorf("provider %s computes 7*2 + 11*4 = %g", p, y[0])
	}
	return nil
}

// sessionOptions returns options for sessions; the caller destroys them. On a provider
// other than the CPU, opening a network fails if any node would run on the CPU instead.
// ONNX Runtime does not check the bodies of loops for that.
func sessionOptions(r Runtime) (_ *ort.SessionOptions, err error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Destroy())
		}
	}()
	// One thread per call: calls run side by side, one per worker. That wastes less than
	// sharing a pool among small operators, and gives the same sums for any number of
	// workers.
	if err := errors.Join(
		o.SetIntraOpNumThreads(1),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.SetLogSeverityLevel(ort.LoggingLevelError),
	); err != nil {
		return nil, err
	}
	if r.Provider == CPU {
		return o, nil
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return nil, err
	}
	defer cuda.Destroy()
	// TF32 rounds the operands of products to ten bits, too few for ln q.
	settings := map[string]string{"use_tf32": "0"}
	maps.Copy(settings, r.cuda)
	if err := cuda.Update(settings); err != nil {
		return nil, err
	}
	if err := o.AppendExecutionProviderCUDA(cuda); err != nil {
		return nil, err
	}
	return o, o.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1")
}
