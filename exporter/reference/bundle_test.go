package reference_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/models"
	"neuralwl/models/graph"
)

const sites, colours = 16, 3

// newBundle is a small network with weights large enough to make its conditional
// distributions differ much from each other.
func newBundle(t testing.TB) *exporter.Bundle {
	t.Helper()
	return newLoud(t, 1, "autoencoder", models.Hyperparameters{Encoder: 7, Latent: 3, Decoder: 6, Floor: 1e-2, Noise: 0.5})
}

// newTargeted is a network conditioned on an energy, with large weights too.
func newTargeted(t testing.TB) *exporter.Bundle {
	t.Helper()
	return newLoud(t, 1, "microcanonical", models.Hyperparameters{Width: 6, Floor: 1e-2, Window: 2})
}

// newLoud is a network with weights of that standard deviation. Deep networks let rounding
// errors grow with it.
func newLoud(t testing.TB, deviation float32, architecture string, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	s := models.System{Q: colours, Lx: 4, Ly: 4}
	model, err := models.New(architecture, s, h)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	weights := model.Initial(r)
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w := random(r, graph.Float32, weights[name].Shape...)
		for i := range w.Float32s() {
			w.Float32s()[i] *= deviation
		}
		weights[name] = w
	}
	b, err := exporter.NewBundle("tiny", model, s, h, weights)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bundleInputs are random inputs of the three files for some walkers, whose first
// sites to be resampled include 0 and N.
func bundleInputs(b *exporter.Bundle, walkers int) (propose, logProb, gradient map[string]graph.Tensor) {
	r := rand.New(rand.NewPCG(5, 6))
	configuration := func() graph.Tensor {
		return graph.Int32s(draw(walkers*sites, func() int32 { return r.Int32N(colours) }), walkers, sites)
	}
	start := graph.Int32s(draw(walkers, func() int32 { return r.Int32N(sites + 1) }), walkers)
	start.Int32s()[0], start.Int32s()[1] = 0, sites
	state, condition := configuration(), configuration()
	uniform := graph.Float32s(draw(walkers*sites, r.Float32), walkers, sites)
	return map[string]graph.Tensor{models.State: state, models.Start: start, models.Uniform: uniform},
		map[string]graph.Tensor{models.Condition: condition, models.State: state, models.Start: start},
		map[string]graph.Tensor{
			models.Condition: condition, models.State: state,
			models.Noise:  random(r, graph.Float32, walkers, b.Card.Hyperparameters.Latent),
			models.Weight: graph.Float32s(draw(walkers, r.Float32), walkers),
		}
}

// TestBundle evaluates the three files of a network here and by ONNX Runtime, with
// the weights in the files.
func TestBundle(t *testing.T) {
	b := newBundle(t)
	propose, logProb, gradient := bundleInputs(b, 20)
	for _, c := range []struct {
		name   string
		model  *onnxpb.ModelProto
		inputs map[string]graph.Tensor
	}{{"propose", b.Propose, propose}, {"log_prob", b.LogProb, logProb}, {"gradient", b.Gradient, gradient}} {
		t.Run(c.name, func(t *testing.T) {
			got := compare(t, c.model, c.inputs, 1e-4)
			for name, tensor := range got {
				if !tensor.Finite() {
					t.Errorf("output %s is not finite: %v", name, tensor.Float64s())
				}
			}
		})
	}
}

// TestTargetedBundle is TestBundle for a network that takes energies.
func TestTargetedBundle(t *testing.T) {
	b := newTargeted(t)
	propose, logProb, gradient := bundleInputs(newBundle(t), 20)
	r := rand.New(rand.NewPCG(7, 8))
	energy := graph.Float32s(draw(20, func() float32 { return float32(3 - r.IntN(2*sites+7)) }), 20)
	for _, inputs := range []map[string]graph.Tensor{propose, logProb, gradient} {
		inputs[models.Energy] = energy
		delete(inputs, models.Condition)
		delete(inputs, models.Noise)
	}
	compare(t, b.Propose, propose, 1e-4)
	compare(t, b.LogProb, logProb, 1e-4)
	compare(t, b.Gradient, gradient, 1e-4)
}

// TestUnconditionalBundle is TestBundle for networks that take nothing.
func TestUnconditionalBundle(t *testing.T) {
	for architecture, h := range map[string]models.Hyperparameters{
		models.Made: {Decoder: 6, Floor: 1e-2},
		models.Conv: {Width: 5, Depth: 2, Kernel: 5, Floor: 1e-2},
	} {
		b := newLoud(t, 0.5, architecture, h)
		propose, logProb, gradient := bundleInputs(newBundle(t), 20)
		for _, inputs := range []map[string]graph.Tensor{logProb, gradient} {
			delete(inputs, models.Condition)
			delete(inputs, models.Noise)
		}
		compare(t, b.Propose, propose, 1e-4)
		compare(t, b.LogProb, logProb, 1e-4)
		compare(t, b.Gradient, gradient, 1e-3)
	}
}

// TestConvolutionalBundle is TestBundle for an autoencoder with convolutions.
func TestConvolutionalBundle(t *testing.T) {
	b := newLoud(t, 0.5, models.Autoencoder, models.Hyperparameters{
		EncoderKind: models.Convolutional, DecoderKind: models.Convolutional,
		Width: 4, Depth: 2, Kernel: 3, Latent: 3, Floor: 1e-2, Noise: 0.5,
	})
	propose, logProb, gradient := bundleInputs(b, 20)
	compare(t, b.Propose, propose, 1e-4)
	compare(t, b.LogProb, logProb, 1e-4)
	compare(t, b.Gradient, gradient, 1e-3)
}

// TestBundleAgreesWithItself finds for a proposal the probability it was drawn
// with, far more precisely than float32 could, and the loss as their sum. Weights
// are given at run time.
func TestBundleAgreesWithItself(t *testing.T) {
	b := newBundle(t)
	other, _, gradient := bundleInputs(b, 6)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	bias := weights["decoder.bias"]
	bias.Float32s()[0] += 0.5
	for i := range other[models.Start].Int32s() {
		other[models.Start].Int32s()[i] = 0
	}
	evaluate := func(model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
		t.Helper()
		inputs["decoder.bias"] = bias
		out, err := reference.Evaluate(model, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	proposed := evaluate(b.Propose, other)
	found := evaluate(b.LogProb, map[string]graph.Tensor{
		models.Condition: other[models.State], models.State: proposed[models.Proposal], models.Start: other[models.Start],
	})
	if err := differ(found[models.LogQ], proposed[models.LogQ], 1e-13); err != nil {
		t.Errorf("log_q of log_prob and of propose: %v", err)
	}

	gradient[models.Condition], gradient[models.State] = other[models.State], proposed[models.Proposal]
	gradient[models.Noise] = graph.Zeros(graph.Float32, 6, 3)
	loss := 0.0
	for i, w := range gradient[models.Weight].Float32s() {
		loss -= float64(w) * found[models.LogQ].Float64s()[i]
	}
	got := evaluate(b.Gradient, gradient)[models.Loss]
	if err := differ(got, graph.Float64s([]float64{loss}, 1), 1e-13); err != nil {
		t.Errorf("loss: %v", err)
	}
}

// TestGradient compares derivatives in gradient.onnx with finite differences of
// its loss, which double precision allows although the file is of float32.
func TestGradient(t *testing.T) {
	b := newBundle(t)
	_, _, inputs := bundleInputs(b, 4)
	loss := func() map[string]graph.Tensor {
		t.Helper()
		out, err := reference.Evaluate(b.Gradient, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	derivatives := loss()
	const step = 1e-5
	for name, w := range weights {
		exact := floats(w.Float32s(), func(v float32) float64 { return float64(v) })
		i := len(exact) / 2
		at := func(shift float64) float64 {
			moved := append([]float64(nil), exact...)
			moved[i] += shift
			inputs[name] = graph.Float64s(moved, w.Shape...)
			return loss()[models.Loss].Float64s()[0]
		}
		difference := (at(step) - at(-step)) / (2 * step)
		delete(inputs, name)
		got := derivatives[models.GradientOf+name].Float64s()[i]
		if err := differ(graph.Float64s([]float64{got}), graph.Float64s([]float64{difference}), 1e-7); err != nil {
			t.Errorf("derivative by element %d of %s: %v", i, name, err)
		}
	}
}
