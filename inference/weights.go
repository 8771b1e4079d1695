package inference

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/models/graph"
)

// Weights is one set of weights in the form that the runtime takes. It is immutable, and its
// native parts are freed when it is no longer reachable.
type Weights struct {
	tensors map[string]ort.Value
	data    map[string][]float32
}

// NewWeights copies weights, all of which must be float32.
func NewWeights(weights map[string]graph.Tensor) (*Weights, error) {
	w := &Weights{tensors: map[string]ort.Value{}, data: map[string][]float32{}}
	var native values
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		t := weights[name]
		if t.DType != graph.Float32 {
			native.destroy()
			return nil, fmt.Errorf("weight %q is %v, this program feeds float32", name, t)
		}
		w.data[name] = slices.Clone(t.Float32s())
		w.tensors[name] = tensor(&native, w.data[name], t.Shape...)
	}
	if native.err != nil {
		native.destroy()
		return nil, fmt.Errorf("weights: %w", native.err)
	}
	runtime.AddCleanup(w, func(v *values) { v.destroy() }, &values{all: native.all})
	return w, nil
}

// Store holds the weights in use. Publishing new weights swaps a pointer; computations under
// way keep the set they began with.
type Store struct {
	current atomic.Pointer[Weights]
}

// NewStore returns a store with a first set of weights.
func NewStore(weights map[string]graph.Tensor) (*Store, error) {
	w, err := NewWeights(weights)
	if err != nil {
		return nil, err
	}
	s := &Store{}
	s.Publish(w)
	return s, nil
}

// OpenStore returns a store with the weights of a bundle.
func OpenStore(b *exporter.Bundle) (*Store, error) {
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	return NewStore(weights)
}

// Publish makes w the set in use from now on.
func (s *Store) Publish(w *Weights) { s.current.Store(w) }

// Current is the set in use.
func (s *Store) Current() *Weights { return s.current.Load() }
