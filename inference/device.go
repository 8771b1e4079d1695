package inference

import (
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
)

// device holds a session's inputs and outputs if the provider has memory of its own. A
// value is copied there when it is bound: data at every call, weights only when they have
// changed, as after a publication.
type device struct {
	mutex   sync.Mutex // one call at a time
	binding *ort.IoBinding
	bound   uint64 // Weights.filled of those that are bound, 0 for none
}

func newDevice(s *ort.DynamicAdvancedSession) (*device, error) {
	binding, err := s.CreateIoBinding()
	if err != nil {
		return nil, err
	}
	return &device{binding: binding}, nil
}

// run evaluates n on its data, followed by the values of its weights w. It cannot be
// interrupted: the binding offers no options for such a call.
func (d *device) run(n *network, in []ort.Value, w *Weights, outputs []ort.Value) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for i, name := range n.inputs {
		if err := d.binding.BindInput(name, in[i]); err != nil {
			return err
		}
	}
	if d.bound != w.filled {
		d.bound = 0 // until all of them are bound
		for i, name := range n.weights {
			if err := d.binding.BindInput(name, in[len(n.inputs)+i]); err != nil {
				return err
			}
		}
		d.bound = w.filled
	}
	for i, name := range n.outputs {
		if err := d.binding.BindOutput(name, outputs[i]); err != nil {
			return err
		}
	}
	return n.session.RunWithBinding(d.binding)
}

func (d *device) destroy() error {
	if d == nil {
		return nil
	}
	return d.binding.Destroy()
}

const (
	// deviceWidth is the number of sites in a step of a loop on a GPU. Doubling it halves
	// the rest of the loop and doubles the time to open a network.
	deviceWidth = 16
	// deviceRows is the largest product of colours, sites and walkers that log_prob treats
	// at a time on a GPU. With 32 hidden units such a layer takes 128 MiB.
	deviceRows = 1 << 20
)

// laidOut returns the bundle's networks in the form that suits the provider, for that many
// samples per evaluation.
func (r Runtime) laidOut(b *exporter.Bundle, samples int) (*exporter.Bundle, error) {
	if r.Provider == CPU {
		return b, nil
	}
	n := b.Card.System.System().Sites()
	atOnce := min(max(1, deviceRows/(max(1, b.Card.System.Q)*samples)), n)
	for n%atOnce > 0 {
		atOnce--
	}
	b, own, err := b.ForGPU(exporter.Layout{Samples: samples, Width: deviceWidth, AtOnce: atOnce})
	if err == nil && !own {
		r.log().Info("a foreign network is evaluated in the form of its file", "network", b.Card.Name, "provider", r.Provider)
	}
	return b, err
}

// remedy suggests what to do about a network that cannot be opened.
func (r Runtime) remedy() string {
	if r.Provider == CPU {
		return ""
	}
	return "; set inference.provider to cpu"
}
