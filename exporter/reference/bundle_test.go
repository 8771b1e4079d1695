package reference_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler/lattice"
)

const sites, colours = 16, 3

// newBundle returns a small network whose weights are large enough to make its conditional
// distributions differ strongly.
func newBundle(t testing.TB) *exporter.Bundle {
	t.Helper()
	return newLoud(t, 1, "autoencoder", models.Hyperparameters{Encoder: 7, Latent: 3, Decoder: 6, Floor: 1e-2, Noise: 0.5})
}

// newTargeted returns a network conditioned on an energy, also with large weights.
func newTargeted(t testing.TB) *exporter.Bundle {
	t.Helper()
	return newLoud(t, 1, "microcanonical", models.Hyperparameters{Width: 6, Floor: 1e-2, Window: 2})
}

// newLoud returns a network with weights of that standard deviation. In deep networks,
// rounding errors grow with it.
func newLoud(t testing.TB, deviation float32, architecture string, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	s := models.System{Q: colours, Sides: []int{4, 4}}
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

// newTied ties latent coordinate 0 of an untied network to the energy or to the order parameter.
func newTied(t testing.TB, untied *exporter.Bundle, weight float64, to string) *exporter.Bundle {
	t.Helper()
	weights, err := untied.Weights()
	if err != nil {
		t.Fatal(err)
	}
	s, h := models.System{Q: colours, Sides: []int{4, 4}}, untied.Card.Hyperparameters
	h.EnergyWeight, h.Tie = weight, to
	model, err := models.New("autoencoder", s, h)
	if err != nil {
		t.Fatal(err)
	}
	b, err := exporter.NewBundle("tiny", model, s, h, weights)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bundleInputs returns random inputs of the three files for some walkers, whose first sites
// to be resampled include 0 and N.
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

// TestBundle evaluates the three files of a network here and by ONNX Runtime, with the
// weights in the files.
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

// TestUnconditionalBundle is TestBundle for unconditional networks.
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

// TestBundleAgreesWithItself checks that log_prob gives a proposal the probability with
// which propose drew it, far more precisely than float32 could, and that the loss is their
// sum. Weights are given at run time.
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

// TestTiedBundle is TestBundle for a network that takes shifts.
func TestTiedBundle(t *testing.T) {
	b := newTied(t, newBundle(t), 5, models.OrderTie)
	propose, logProb, gradient := bundleInputs(b, 20)
	r := rand.New(rand.NewPCG(7, 8))
	shift := graph.Float32s(draw(20, func() float32 { return float32(r.IntN(2*sites+1) - sites) }), 20)
	propose[models.Shift], logProb[models.Shift] = shift, shift
	compare(t, b.Propose, propose, 1e-4)
	compare(t, b.LogProb, logProb, 1e-4)
	compare(t, b.Gradient, gradient, 1e-4)
}

// TestTiedCoordinate compares a network whose latent coordinate 0 is tied to the energy or to the
// order parameter with one that has the same weights and no tie. A shift moves coordinate 0 exactly as a
// bias of the context can. At equally low noise, the loss exceeds that of the other by the
// weighted squares of coordinate 0 minus that quantity, which is counted on the lattice.
func TestTiedCoordinate(t *testing.T) {
	for _, to := range []string{"", models.EnergyTie, models.OrderTie} {
		t.Run(to, func(t *testing.T) { tiedCoordinate(t, to) })
	}
}

func tiedCoordinate(t *testing.T, to string) {
	const weight, walkers = 8, 20
	untied := newBundle(t)
	tied := newTied(t, untied, weight, to)
	weights, err := tied.Weights()
	if err != nil {
		t.Fatal(err)
	}
	evaluate := func(model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
		t.Helper()
		out, err := reference.Evaluate(model, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	_, logProb, gradient := bundleInputs(tied, walkers)
	const shift = -5
	bias := floats(weights["context.bias"].Float32s(), func(v float32) float64 { return float64(v) })
	for i := range bias {
		bias[i] += 0.9 * shift / sites * float64(weights["context.weight"].Float32s()[i])
	}
	logProb["context.bias"] = graph.Float64s(bias, len(bias))
	want := evaluate(untied.LogProb, logProb)[models.LogQ]
	delete(logProb, "context.bias")
	logProb[models.Shift] = graph.Float32s(slices.Repeat([]float32{shift}, walkers), walkers)
	if err := differ(evaluate(tied.LogProb, logProb)[models.LogQ], want, 1e-6); err != nil {
		t.Errorf("ln q with a shift: %v", err)
	}

	// Without encoder weights the latent vector is tanh of its bias.
	for _, name := range []string{"encoder.weight", "encoder.bias", "latent.weight"} {
		gradient[name] = graph.Zeros(graph.Float32, weights[name].Shape...)
	}
	latent := math.Tanh(float64(weights["latent.bias"].Float32s()[0]))
	p, err := lattice.NewPotts(colours, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	tie := 0.0
	for i, w := range gradient[models.Weight].Float32s() {
		state := gradient[models.Condition].Int32s()[i*sites : (i+1)*sites]
		off := latent - 0.9*(1-float64(p.BondsInt32(state))/sites)
		if to == models.OrderTie {
			most, count := 0, make([]int, colours)
			for _, c := range state {
				count[c]++
				most = max(most, count[c])
			}
			m := (float64(colours*most)/sites - 1) / (colours - 1)
			off = latent - 0.9*(2*m-1)
		}
		tie += float64(w) * weight * off * off
	}
	noise := gradient[models.Noise].Float32s()
	k := len(noise) / walkers
	with := evaluate(tied.Gradient, gradient)[models.Loss].Float64s()[0]
	for i := 0; i < len(noise); i += k {
		noise[i] *= float32(1 / math.Sqrt(2*weight) / tied.Card.Hyperparameters.Noise)
	}
	without := evaluate(untied.Gradient, gradient)[models.Loss].Float64s()[0]
	if math.Abs(with-without-tie) > 1e-6*with {
		t.Errorf("loss %v, %v without the tie, which is %v", with, without, tie)
	}
}

// TestGradient compares derivatives in gradient.onnx with finite differences of its loss,
// which double precision allows even for a float32 file.
func TestGradient(t *testing.T) {
	t.Run("autoencoder", func(t *testing.T) { gradient(t, newBundle(t)) })
	t.Run("tied to the order", func(t *testing.T) { gradient(t, newTied(t, newBundle(t), 5, models.OrderTie)) })
	t.Run("tied to the energy", func(t *testing.T) { gradient(t, newTied(t, newBundle(t), 5, "")) })
}

func gradient(t *testing.T, b *exporter.Bundle) {
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
