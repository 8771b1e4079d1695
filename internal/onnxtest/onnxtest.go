// Package onnxtest runs ONNX models in tests, through the real ONNX Runtime.
package onnxtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/models/graph"
)

// Run executes a model once and returns the named outputs, or all of them if none is named.
// Weights need no input; an input with the name of a weight overrides it. Any failure ends
// the test.
func Run(t testing.TB, model []byte, inputs map[string]graph.Tensor, outputs ...string) map[string]graph.Tensor {
	t.Helper()
	return Load(t, model, slices.Sorted(maps.Keys(inputs)), outputs...).Run(t, inputs)
}

// Open opens the library.
func Open(t testing.TB) {
	t.Helper()
	if _, err := inference.Open(""); err != nil {
		t.Fatal(err)
	}
}

// Store opens the library and returns a store with the weights of a bundle.
func Store(t testing.TB, b *exporter.Bundle) *inference.Store {
	t.Helper()
	Open(t)
	s, err := inference.OpenStore(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Proposer returns a proposer of a bundle on the provider of Runtime, of its own weights, which is closed when
// the test ends.
func Proposer(t testing.TB, b *exporter.Bundle, workers, walkers, part int) *inference.Proposer {
	t.Helper()
	p, err := inference.NewProposer(b, Store(t, b), Runtime(workers), walkers, part)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// Angles is Proposer for a bundle of angles.
func Angles(t testing.TB, b *exporter.Bundle, workers, walkers, part int) *inference.Angles {
	t.Helper()
	a, err := inference.NewAngles(b, Store(t, b), Runtime(workers), walkers, part)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// Session is a loaded model.
type Session struct {
	session *ort.DynamicAdvancedSession
	inputs  []string
	outputs []ort.InputOutputInfo
}

// Load prepares a model for runs that feed the named inputs and return the named outputs,
// or all of them if none is named. It is released when the test ends.
func Load(t testing.TB, model []byte, inputs []string, outputs ...string) *Session {
	t.Helper()
	Open(t)
	s, err := load(model, inputs, outputs)
	if err != nil {
		t.Fatalf("load model: %v", err)
	}
	t.Cleanup(func() { s.session.Destroy() })
	return s
}

func load(model []byte, inputs, outputs []string) (*Session, error) {
	if len(inputs) == 0 {
		return nil, errors.New("the wrapper cannot run a model without inputs")
	}
	_, infos, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, err
	}
	s := &Session{inputs: inputs}
	if len(outputs) == 0 {
		for _, info := range infos {
			outputs = append(outputs, info.Name)
		}
	}
	for _, name := range outputs {
		i := slices.IndexFunc(infos, func(info ort.InputOutputInfo) bool { return info.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the model has no output %q", name)
		}
		s.outputs = append(s.outputs, infos[i])
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, options)
	return s, err
}

// Run executes the model.
func (s *Session) Run(t testing.TB, inputs map[string]graph.Tensor) map[string]graph.Tensor {
	t.Helper()
	results, err := s.run(inputs)
	if err != nil {
		t.Fatalf("run model: %v", err)
	}
	return results
}

func (s *Session) run(inputs map[string]graph.Tensor) (map[string]graph.Tensor, error) {
	in := make([]ort.Value, 0, len(s.inputs))
	out := make([]ort.Value, len(s.outputs))
	// The runtime uses the memory of Go tensors without the garbage collector's knowledge.
	// This also keeps them alive until then.
	defer func() {
		for _, v := range slices.Concat(in, out) {
			if v != nil {
				v.Destroy()
			}
		}
	}()
	for _, name := range s.inputs {
		v, err := toValue(inputs[name])
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		in = append(in, v)
	}
	for i, info := range s.outputs {
		if len(info.Dimensions) > 0 {
			continue // allocated by the runtime
		}
		// The wrapper can fetch a result without axes only if the caller allocates it.
		v, err := toValue(graph.Zeros(elementType(info.DataType)))
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", info.Name, err)
		}
		out[i] = v
	}
	if err := s.session.Run(in, out); err != nil {
		return nil, err
	}
	results := map[string]graph.Tensor{}
	for i, info := range s.outputs {
		t, err := fromValue(out[i])
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", info.Name, err)
		}
		results[info.Name] = t
	}
	return results, nil
}
