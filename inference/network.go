package inference

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
)

// network is one ONNX model in a session. Its weights are fed at every call; a device with
// memory of its own gets them only when they have changed. Several goroutines may run it at
// once.
type network struct {
	name    string
	runtime Runtime
	inputs  []string // data, in the order in which run takes them
	weights []string
	outputs []string
	session *ort.DynamicAdvancedSession
	device  *device // nil on the CPU
}

// newNetwork makes a session for the model. The inputs and outputs are in the order of
// the file.
func newNetwork(model *onnxpb.ModelProto, r Runtime) (*network, error) {
	n := &network{name: model.GetGraph().GetName(), runtime: r}
	initialised := map[string]bool{}
	for _, t := range model.GetGraph().GetInitializer() {
		initialised[t.GetName()] = true
	}
	for _, v := range model.GetGraph().GetInput() {
		if initialised[v.GetName()] {
			n.weights = append(n.weights, v.GetName())
		} else {
			n.inputs = append(n.inputs, v.GetName())
		}
	}
	for _, v := range model.GetGraph().GetOutput() {
		n.outputs = append(n.outputs, v.GetName())
	}
	data, err := exporter.Marshal(model)
	if err != nil {
		return nil, err
	}
	options, err := sessionOptions(r)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.name, err)
	}
	defer options.Destroy()
	n.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, slices.Concat(n.inputs, n.weights), n.outputs, options)
	if err != nil {
		return nil, fmt.Errorf("network %s: ONNX Runtime does not accept it for the provider %s: %w", n.name, r.Provider, err)
	}
	live.sessions.Add(1)
	if r.Provider == CPU {
		return n, nil
	}
	if n.device, err = newDevice(n.session); err != nil {
		return nil, errors.Join(fmt.Errorf("network %s: %w", n.name, err), n.Close())
	}
	return n, nil
}

// run evaluates the network on data, one value per input, and writes the outputs.
func (n *network) run(ctx context.Context, data []ort.Value, w *Weights, outputs []ort.Value) error {
	in := make([]ort.Value, 0, len(n.inputs)+len(n.weights))
	in = append(in, data...)
	for _, name := range n.weights {
		t, ok := w.tensors[name]
		if !ok {
			return fmt.Errorf("network %s: weight %q is missing", n.name, name)
		}
		in = append(in, t)
	}
	err := n.runtime.evaluate(ctx, n.name, outputs, func(o *ort.RunOptions) error {
		if n.device != nil {
			return n.device.run(n, in, w, outputs)
		}
		return n.session.RunWithOptions(in, outputs, o)
	})
	// The C side holds pointers into Go memory that the collector cannot see.
	runtime.KeepAlive(in)
	runtime.KeepAlive(outputs)
	runtime.KeepAlive(w)
	return err
}

// Close frees the session. ONNX Runtime keeps most of its memory for the next one.
func (n *network) Close() error {
	if n == nil || n.session == nil {
		return nil
	}
	err := errors.Join(n.device.destroy(), n.session.Destroy())
	n.session = nil
	live.sessions.Add(-1)
	return err
}

// values are tensors over Go memory, to be destroyed together.
type values struct {
	all []ort.Value
	err error
}

// tensor makes a tensor over data, without copying, unless an earlier one failed.
func tensor[T ort.TensorData](v *values, data []T, shape ...int) ort.Value {
	if v.err != nil {
		return nil
	}
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	t, err := ort.NewTensor(ort.NewShape(dims...), data)
	if err != nil {
		v.err = fmt.Errorf("tensor of shape %v: %w", shape, err)
		return nil
	}
	v.all = append(v.all, t)
	live.tensors.Add(1)
	return t
}

func (v *values) destroy() error {
	var errs []error
	for _, t := range v.all {
		errs = append(errs, t.Destroy())
	}
	live.tensors.Add(-int64(len(v.all)))
	v.all = nil
	return errors.Join(errs...)
}
