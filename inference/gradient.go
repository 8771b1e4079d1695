package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/internal/parallel"
	"neuralwl/models"
)

// Gradient evaluates a bundle's gradient.onnx for batches of a fixed number of samples. The
// caller fills in the inputs and calls Evaluate.
type Gradient struct {
	Samples, Sites int
	Condition      []int32   // [Samples,Sites], empty where the network takes none
	State          []int32   // [Samples,Sites]
	Energy         []float32 // [Samples] target energies, empty where the network takes none
	Weight         []float32 // [Samples]
	Noise          []float32 // [Samples,K], empty where the network takes none

	net     *network
	parts   []gradientPart
	native  values
	runtime Runtime
	weights []string        // names, sorted
	spans   []parallel.Span // of the weights
}

type gradientPart struct {
	in, out   []ort.Value
	loss      []float32
	gradients [][]float32 // by weight
}

// gradientBatch is the number of samples in one call on the CPU, few enough for the hidden
// layers of all sites to stay in the cache.
const gradientBatch = 32

// NewGradient opens the gradient network of a bundle; it is an error if there is none.
func NewGradient(b *exporter.Bundle, r Runtime, samples int) (_ *Gradient, err error) {
	if b.Gradient == nil {
		return nil, fmt.Errorf("bundle %s version %d has no %s: it cannot be trained; set trainer.every to 0", b.Card.Name, b.Card.Version, exporter.GradientFile)
	}
	n := b.Card.System.System().Sites()
	g := &Gradient{
		Samples: samples, Sites: n, runtime: r,
		State: make([]int32, samples*n), Weight: make([]float32, samples),
	}
	if b.Card.TakesState() {
		g.Condition = make([]int32, samples*n)
	}
	if b.Card.TakesEnergy() {
		g.Energy = make([]float32, samples)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open bundle %s version %d: %w%s", b.Card.Name, b.Card.Version, err, r.remedy()), g.Close())
		}
	}()
	weights, err := exporter.Weights(b.Gradient)
	if err != nil {
		return nil, err
	}
	g.weights = slices.Sorted(maps.Keys(weights))
	lengths := make([]int, len(g.weights))
	for k, name := range g.weights {
		lengths[k] = weights[name].Shape.Elements()
	}
	g.spans = parallel.Spans(lengths...)
	width := noiseWidth(b)
	g.Noise = make([]float32, samples*width)
	part := gradientBatch
	if r.Provider != CPU {
		part = samples
	}
	networks, err := r.laidOut(b, part)
	if err != nil {
		return nil, err
	}
	if g.net, err = newNetwork(networks.Gradient, r); err != nil {
		return nil, err
	}
	for from := 0; from < samples; from += part {
		to := min(from+part, samples)
		m := to - from
		q := gradientPart{loss: make([]float32, 1)}
		in := map[string]ort.Value{
			models.State:  tensor(&g.native, g.State[from*n:to*n], m, n),
			models.Weight: tensor(&g.native, g.Weight[from:to], m),
		}
		if len(g.Condition) > 0 {
			in[models.Condition] = tensor(&g.native, g.Condition[from*n:to*n], m, n)
		}
		if len(g.Energy) > 0 {
			in[models.Energy] = tensor(&g.native, g.Energy[from:to], m)
		}
		if width > 0 {
			in[models.Noise] = tensor(&g.native, g.Noise[from*width:to*width], m, width)
		}
		out := map[string]ort.Value{models.Loss: tensor(&g.native, q.loss, 1)}
		for k, name := range g.weights {
			d := make([]float32, lengths[k])
			q.gradients = append(q.gradients, d)
			out[models.GradientOf+name] = tensor(&g.native, d, weights[name].Shape...)
		}
		if g.native.err != nil {
			return nil, g.native.err
		}
		for _, name := range g.net.inputs {
			if in[name] == nil {
				return nil, fmt.Errorf("%s: input %q is not in the contract", exporter.GradientFile, name)
			}
			q.in = append(q.in, in[name])
		}
		for _, name := range g.net.outputs {
			if out[name] == nil {
				return nil, fmt.Errorf("%s: output %q is not in the contract", exporter.GradientFile, name)
			}
			q.out = append(q.out, out[name])
		}
		g.parts = append(g.parts, q)
	}
	return g, nil
}

// noiseWidth is the static width K of the input noise, 0 without that input.
func noiseWidth(b *exporter.Bundle) int {
	for _, v := range b.Gradient.GetGraph().GetInput() {
		if dims := v.GetType().GetTensorType().GetShape().GetDim(); v.GetName() == models.Noise && len(dims) == 2 {
			return int(dims[1].GetDimValue())
		}
	}
	return 0
}

// Evaluate returns the loss of the batch under weights and writes the derivative by each
// weight to the slice of that name in gradients.
func (g *Gradient) Evaluate(ctx context.Context, w *Weights, gradients map[string][]float32) (loss float64, err error) {
	err = parallel.Each(ctx, g.runtime.Workers, len(g.parts), func(i int) error {
		return g.net.run(ctx, g.parts[i].in, w, g.parts[i].out)
	})
	if err != nil {
		return 0, err
	}
	for _, q := range g.parts {
		loss += float64(q.loss[0])
	}
	parallel.Do(g.runtime.Workers, len(g.spans), 1, func(_, k int) {
		s := g.spans[k]
		sum := gradients[g.weights[s.Array]][s.From:s.To]
		clear(sum)
		for _, q := range g.parts {
			d := q.gradients[s.Array][s.From:s.To]
			for i := range sum {
				sum[i] += d[i]
			}
		}
	})
	return loss, nil
}

// Close frees the session and the tensors.
func (g *Gradient) Close() error { return errors.Join(g.net.Close(), g.native.destroy()) }
