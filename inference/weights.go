package inference

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/models/graph"
)

// Weights is one set of weights in the form that the runtime takes. It does not change while
// a store or a proposer has it, and its native parts are freed when it is no longer reachable.
type Weights struct {
	tensors map[string]ort.Value
	data    map[string][]float32
	filled  uint64       // tells these values from all others
	holders atomic.Int32 // stores and proposers that have it
}

// fillings is the number of times that weights were filled in this process.
var fillings atomic.Uint64

// NewWeights copies weights, all of which must be float32. For weights that change often
// there is Recycler.
func NewWeights(weights map[string]graph.Tensor) (*Weights, error) {
	w := &Weights{tensors: map[string]ort.Value{}, data: map[string][]float32{}}
	var native values
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		t := weights[name]
		if t.DType != graph.Float32 {
			native.destroy()
			return nil, fmt.Errorf("weight %q is %v, this program feeds float32", name, t)
		}
		w.data[name] = make([]float32, len(t.Float32s()))
		w.tensors[name] = tensor(&native, w.data[name], t.Shape...)
	}
	if native.err != nil {
		native.destroy()
		return nil, fmt.Errorf("weights: %w", native.err)
	}
	runtime.AddCleanup(w, func(v *values) { v.destroy() }, &values{all: native.all})
	return w, w.fill(weights)
}

// fill copies values of the same names and shapes.
func (w *Weights) fill(weights map[string]graph.Tensor) error {
	for name, to := range w.data {
		t, ok := weights[name]
		if !ok || len(weights) != len(w.data) || len(t.Float32s()) != len(to) {
			return fmt.Errorf("weight %q: another network's weights, this set has %d elements of that name and %d names", name, len(to), len(w.data))
		}
		copy(to, t.Float32s())
	}
	w.filled = fillings.Add(1)
	return nil
}

// Values are the weights by name, shared with the set; the caller must not change them.
func (w *Weights) Values() map[string][]float32 { return w.data }

// Recycler makes sets of weights of one network, in the memory of former ones that no store
// and no proposer has any more. Without it a set for every gradient step would be garbage
// that its cleanup keeps alive for another collection: since Go collects when as much was
// allocated as was found alive, the heap would grow with every collection.
type Recycler struct{ sets []*Weights }

// New copies weights, which have the names and shapes of the first ones. The set is
// the caller's until the next call, and from then on that of the stores that published it.
func (r *Recycler) New(weights map[string]graph.Tensor) (*Weights, error) {
	for _, w := range r.sets {
		if w.holders.Load() == 0 {
			return w, w.fill(weights)
		}
	}
	w, err := NewWeights(weights)
	if err == nil {
		r.sets = append(r.sets, w)
	}
	return w, err
}

// Store holds the weights in use. Publishing new weights swaps a pointer; computations under
// way keep the set they began with.
type Store struct {
	mutex   sync.Mutex
	current *Weights
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
func (s *Store) Publish(w *Weights) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	w.holders.Add(1)
	s.current.release()
	s.current = w
}

// Current is the set in use. A set from a Recycler holds its values until the next one is
// published.
func (s *Store) Current() *Weights {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.current
}

// hold returns the set in use to a holder in exchange for the one that it has, if any. The
// holder releases it in the end.
func (s *Store) hold(former *Weights) *Weights {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.current.holders.Add(1)
	former.release()
	return s.current
}

// release gives a set back that a store or a proposer had.
func (w *Weights) release() {
	if w != nil {
		w.holders.Add(-1)
	}
}
