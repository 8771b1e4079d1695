package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/parallel"
	"neuralwl/models"
)

// Gradient evaluates a bundle's gradient.onnx, or energy_gradient.onnx, for batches of a fixed number of
// samples. The caller fills in the inputs and calls Evaluate.
type Gradient struct {
	Samples, Sites int
	Condition      []int32   // [Samples,Sites], empty where the network takes none
	State          []int32   // [Samples,Sites], empty for a network of angles
	Angles         []float32 // [Samples,Sites] the same of one, empty where energy_gradient.onnx takes none
	Uniform        []float32 // [Samples,Sites] uniform in [0,1), of energy_gradient.onnx alone
	Beta           []float32 // [Samples] inverse temperatures, empty where the network takes none
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
	evaluation
	loss      []float32
	gradients [][]float32 // by weight
}

// gradientBatch is the number of samples in one call on the CPU, few enough for the hidden
// layers of all sites to stay in the cache.
const gradientBatch = 32

// NewGradient opens the gradient network of a bundle; it is an error if there is none.
func NewGradient(b *exporter.Bundle, r Runtime, samples int) (*Gradient, error) {
	if b.Gradient == nil {
		return nil, fmt.Errorf("bundle %s version %d has no %s: it cannot be trained; set trainer.every to 0", b.Card.Name, b.Card.Version, exporter.GradientFile)
	}
	g := newGradient(b, r, samples)
	if n := g.Samples * g.Sites; b.Card.Angles() {
		g.Angles = make([]float32, n)
	} else {
		g.State = make([]int32, n)
	}
	if err := g.open(b, exporter.GradientFile); err != nil {
		return nil, err
	}
	return g, nil
}

// NewEnergyGradient opens the network of a bundle of angles by which the energies of its draws train it; it is
// an error if there is none.
func NewEnergyGradient(b *exporter.Bundle, r Runtime, samples int) (*Gradient, error) {
	if b.EnergyGradient == nil {
		return nil, fmt.Errorf("bundle %s version %d has no %s: it cannot be trained by energies", b.Card.Name, b.Card.Version, exporter.EnergyGradientFile)
	}
	g := newGradient(b, r, samples)
	g.Uniform = make([]float32, g.Samples*g.Sites)
	if b.Card.TakesHalf() {
		g.Angles = make([]float32, g.Samples*g.Sites)
	}
	if err := g.open(b, exporter.EnergyGradientFile); err != nil {
		return nil, err
	}
	return g, nil
}

// newGradient makes the inputs that both networks have.
func newGradient(b *exporter.Bundle, r Runtime, samples int) *Gradient {
	n := b.Card.System.System().Sites()
	g := &Gradient{Samples: samples, Sites: n, runtime: r, Weight: make([]float32, samples)}
	if b.Card.TakesCondition() {
		g.Condition = make([]int32, samples*n)
	}
	if b.Card.TakesEnergy() {
		g.Energy = make([]float32, samples)
	}
	if b.Card.TakesBeta() {
		g.Beta = make([]float32, samples)
	}
	return g
}

// open opens the network of that file, over the inputs.
func (g *Gradient) open(b *exporter.Bundle, file string) (err error) {
	r, samples, n := g.runtime, g.Samples, g.Sites
	of := func(b *exporter.Bundle) *onnxpb.ModelProto {
		if file == exporter.EnergyGradientFile {
			return b.EnergyGradient
		}
		return b.Gradient
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open bundle %s version %d: %w%s", b.Card.Name, b.Card.Version, err, r.remedy()), g.Close())
		}
	}()
	weights, err := exporter.Weights(of(b))
	if err != nil {
		return err
	}
	g.weights = slices.Sorted(maps.Keys(weights))
	lengths := make([]int, len(g.weights))
	for k, name := range g.weights {
		lengths[k] = weights[name].Shape.Elements()
	}
	g.spans = parallel.Spans(lengths...)
	width := noiseWidth(of(b))
	g.Noise = make([]float32, samples*width)
	part := min(gradientBatch, samples)
	if r.Provider != CPU {
		part = samples
	}
	networks, err := r.laidOut(b, part)
	if err != nil {
		return err
	}
	model := of(networks)
	if samples%part == 0 {
		model = exporter.WithSamples(model, part) // a session with known sizes opens in half of the time
	}
	if g.net, err = newNetwork(model, r); err != nil {
		return err
	}
	for from := 0; from < samples; from += part {
		to := min(from+part, samples)
		m := to - from
		q := gradientPart{loss: make([]float32, 1)}
		in := map[string]ort.Value{models.Weight: tensor(&g.native, g.Weight[from:to], m)}
		if len(g.State) > 0 {
			in[models.State] = tensor(&g.native, g.State[from*n:to*n], m, n)
		}
		if len(g.Angles) > 0 {
			in[models.State] = tensor(&g.native, g.Angles[from*n:to*n], m, n)
		}
		if len(g.Uniform) > 0 {
			in[models.Uniform] = tensor(&g.native, g.Uniform[from*n:to*n], m, n)
		}
		if len(g.Beta) > 0 {
			in[models.Beta] = tensor(&g.native, g.Beta[from:to], m)
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
			return g.native.err
		}
		if q.evaluation, err = g.net.evaluation(in, out); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		g.parts = append(g.parts, q)
	}
	return nil
}

// noiseWidth is the static width K of the input noise, 0 without that input.
func noiseWidth(model *onnxpb.ModelProto) int {
	for _, v := range model.GetGraph().GetInput() {
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
