package models_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// kinds returns hyper-parameters with the given kinds of encoder and decoder.
func kinds(encoder, decoder string) models.Hyperparameters {
	return models.Hyperparameters{
		EncoderKind: encoder, DecoderKind: decoder,
		Encoder: 3, Decoder: 3, Latent: 2, Width: 2, Depth: 1, Kernel: 3, Floor: 1e-2, Noise: 0.5,
	}
}

// TestAutoencoderKinds checks, for autoencoders with convolutions, the derivatives by every
// weight against difference quotients, and that q sums to 1 over all configurations.
func TestAutoencoderKinds(t *testing.T) {
	for _, kind := range [][2]string{
		{models.Convolutional, models.Dense}, {models.Dense, models.Convolutional}, {models.Convolutional, models.Convolutional},
	}[long.Or(0, 2):] {
		t.Run(kind[0]+" and "+kind[1], func(t *testing.T) {
			s := models.System{Q: 2, Sides: []int{3, 4}}
			m := newModel(t, models.Autoencoder, s, kinds(kind[0], kind[1]))
			gradientByElement(t, s, m)

			s = models.System{Q: 2, Sides: []int{3, 3}}
			m = newModel(t, models.Autoencoder, s, kinds(kind[0], kind[1]))
			model := encode(t, m.LogProb, loudWeights(t, m))
			const count = 1 << 9
			states := make([]int32, count*9)
			for k := range count {
				for i := range 9 {
					states[k*9+i] = int32(k >> i & 1)
				}
			}
			first := map[float32]bool{}
			for _, shown := range []int{0, 0b110100101, count - 1} {
				condition := make([]int32, 0, count*9)
				for range count {
					condition = append(condition, states[shown*9:(shown+1)*9]...)
				}
				lnQ := execute(t, model, map[string]graph.Tensor{
					models.Condition: graph.Int32s(condition, count, 9), models.State: graph.Int32s(states, count, 9), models.Start: graph.Zeros(graph.Int32, count),
				})[models.LogQ].Float32s()
				sum := 0.0
				for _, x := range lnQ {
					sum += math.Exp(float64(x))
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Errorf("given state %d the probabilities of all configurations sum to %v", shown, sum)
				}
				first[lnQ[0]] = true
			}
			if len(first) != 3 {
				t.Error("q does not depend on the state shown")
			}
		})
	}
}

// TestAutoencoderFitsEverySize checks that convolutional autoencoders have the same names
// and shapes of weights for all sizes.
func TestAutoencoderFitsEverySize(t *testing.T) {
	h := kinds(models.Convolutional, models.Convolutional)
	weights := loudWeights(t, newModel(t, models.Autoencoder, models.System{Q: 3, Sides: []int{3, 4}}, h))
	for _, s := range []models.System{{Q: 3, Sides: []int{16, 16}}, {Q: 3, Sides: []int{12, 5}}} {
		m := newModel(t, models.Autoencoder, s, h)
		for _, build := range []func() (*graph.Graph, error){m.Propose, m.LogProb, m.Gradient} {
			encode(t, build, weights)
		}
		if have := m.Initial(rand.New(rand.NewPCG(1, 2))); len(have) != len(weights) {
			t.Errorf("%v: %d weights, want %d", s, len(have), len(weights))
		}
	}
}

// TestAutoencoderIsPeriodic gives all cells equal weights to the latent vector and checks
// that translating the condition by the width of a cell changes nothing.
func TestAutoencoderIsPeriodic(t *testing.T) {
	s, h := models.System{Q: 3, Sides: []int{8, 12}}, kinds(models.Convolutional, models.Convolutional)
	m := newModel(t, models.Autoencoder, s, h)
	weights := loudWeights(t, m)
	w := weights["latent.weight"].Float32s()
	for i := range w {
		w[i] = w[i%(h.Width*h.Latent)]
	}
	model := encode(t, m.LogProb, weights)
	state, _, _, _ := walkers(s, 1)
	n := s.Sites()
	var shown []int32
	shifts := [][2]int{{0, 0}, {2, 0}, {0, 3}, {4, 6}, {1, 0}}
	for _, by := range shifts {
		for i := range n {
			x, y := (i%s.Sides[0]+by[0])%s.Sides[0], (i/s.Sides[0]+by[1])%s.Sides[1]
			shown = append(shown, state.Int32s()[y*s.Sides[0]+x])
		}
	}
	count := len(shifts)
	lnQ := evaluate(t, model, map[string]graph.Tensor{
		models.Condition: graph.Int32s(shown, count, n), models.State: graph.Zeros(graph.Int32, count, n), models.Start: graph.Zeros(graph.Int32, count),
	})[models.LogQ].Float64s()
	for _, x := range lnQ[1:4] {
		near(t, "ln q given the state translated", x, lnQ[0], 1e-6) // sums in another order
	}
	if lnQ[4] == lnQ[0] {
		t.Error("q does not depend on the state shown")
	}
}

// TestAutoencoderFaults checks that every faulty hyper-parameter is named.
func TestAutoencoderFaults(t *testing.T) {
	h := models.Hyperparameters{EncoderKind: "round", DecoderKind: models.Convolutional, Latent: 1, Encoder: 1, Floor: 0.1}
	_, err := models.New(models.Autoencoder, models.System{Q: 2, Sides: []int{3, 3}}, h)
	for _, want := range []string{"autoencoder", `encoder_kind = "round", must be dense or convolutional`, "width = 0", "depth = 0", "kernel = 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}
