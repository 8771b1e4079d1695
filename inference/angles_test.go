package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

var (
	planarChain = models.System{Model: models.XY, Sides: []int{4}}
	chainFlow   = models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2, 1}}
	chainHalf   = models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 1, Harmonics: []int{1, 2, 1}, Half: true}
)

func newAngles(t testing.TB, h models.Hyperparameters, workers, walkers, part int) *inference.Angles {
	t.Helper()
	b := bundletest.New(t, models.Flow, planarChain, h)
	bundletest.Scale(t, b, map[string]float32{"layer.0.output.weight": 2, "layer.1.output.weight": 2})
	return onnxtest.Angles(t, b, workers, walkers, part)
}

// fillAngles draws random numbers and, if any, states for all walkers.
func fillAngles(x *sampler.AngleBatch, beta float64, r *rand.Rand, states bool) {
	for i := range x.Uniform {
		x.Uniform[i] = r.Float32()
		if states {
			x.State[i] = float32(2 * math.Pi * r.Float64())
		}
	}
	for k := range x.Beta {
		x.Beta[k] = float32(beta)
	}
}

func chainEnergy(state []float32) (e float64) {
	for i, x := range state {
		e -= math.Cos(float64(x) - float64(state[(i+1)%len(state)]))
	}
	return e
}

// chainMean is the exact mean energy of a chain at beta, by Z = (2 pi)^L sum over m of I_m(beta)^L.
func chainMean(l int, beta float64) float64 {
	z, dz := 0.0, 0.0
	for m := -30; m <= 30; m++ {
		const points = 400
		value, slope := 0.0, 0.0
		for k := range points {
			x := 2 * math.Pi * float64(k) / points
			f := math.Exp(beta*math.Cos(x)) * math.Cos(float64(m)*x) / points
			value, slope = value+f, slope+f*math.Cos(x)
		}
		z += math.Pow(value, float64(l))
		dz += float64(l) * math.Pow(value, float64(l-1)) * slope
	}
	return -dz / z
}

// TestAnglesSample has walkers move by proposals of a random flow alone, of all angles or of a half, accepted
// with the Metropolis probability: they must reach the exact mean energy.
func TestAnglesSample(t *testing.T) {
	const walkers, beta = 256, 0.8
	for name, h := range map[string]models.Hyperparameters{"all": chainFlow, "half": chainHalf} {
		t.Run(name, func(t *testing.T) {
			a := newAngles(t, h, 1, walkers, 128)
			x, n := a.Batch(), planarChain.Sites()
			r := rand.New(rand.NewPCG(1, 2))
			fillAngles(x, beta, r, true)
			moves, accepted := long.Or(1000, 100), 0
			sums := make([]float64, walkers)
			for move := range moves {
				fillAngles(x, beta, r, false)
				if err := a.Propose(context.Background()); err != nil {
					t.Fatal(err)
				}
				if err := a.LogProb(context.Background()); err != nil {
					t.Fatal(err)
				}
				for k := range walkers {
					state, proposal := x.State[k*n:(k+1)*n], x.Proposal[k*n:(k+1)*n]
					ratio := -beta*(chainEnergy(proposal)-chainEnergy(state)) + float64(x.Reverse[k]) - float64(x.Forward[k])
					if math.Log(r.Float64()) < ratio {
						copy(state, proposal)
						accepted++
					}
					if move >= moves/5 {
						sums[k] += chainEnergy(state) / float64(moves-moves/5)
					}
					// A translation exchanges the halves.
					first := state[0]
					copy(state, state[1:])
					state[n-1] = first
				}
			}
			mean, std := stat.MeanStdDev(sums, nil)
			sigma, want := std/math.Sqrt(walkers), chainMean(n, beta)
			share := float64(accepted) / float64(moves*walkers)
			t.Logf("<E> = %.4f(%.4f), exact %.4f; %.2f accepted", mean, sigma, want, share)
			if math.Abs(mean-want) > 4.5*sigma || sigma > 0.05 {
				t.Errorf("<E> = %g(%g), exact %g", mean, sigma, want)
			}
			if share > 0.95 {
				t.Error("nearly all proposals are accepted: the test is blind")
			}
		})
	}
}

// TestAnglesBatch: results depend neither on the workers nor on who else is in a batch of whole parts; ln q of
// the proposal is that of log_prob for the same angles, bit by bit, and within rounding that of the draw.
func TestAnglesBatch(t *testing.T) {
	for name, h := range map[string]models.Hyperparameters{"all": chainFlow, "half": chainHalf} {
		t.Run(name, func(t *testing.T) {
			a, b := newAngles(t, h, 1, 64, 16), newAngles(t, h, 3, 64, 16)
			for _, s := range []*inference.Angles{a, b} {
				fillAngles(s.Batch(), 0.9, rand.New(rand.NewPCG(3, 4)), true)
				if err := s.Propose(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			x, y := a.Batch(), b.Batch()
			if !slices.Equal(x.Proposal, y.Proposal) || !slices.Equal(x.Forward, y.Forward) {
				t.Error("other workers, other results")
			}
			copy(x.State, x.Proposal)
			if err := a.LogProb(context.Background()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x.Forward, x.Reverse) {
				t.Error("ln q of a configuration is another one as proposal and as state")
			}
			for k, q := range x.Forward {
				if math.Abs(float64(q-x.Drawn[k])) > 1e-4 {
					t.Errorf("ln q = %g as drawn, %g as evaluated", x.Drawn[k], q)
				}
			}
			version := a.Pin()
			if a.Pin() != version || b.Pin() == version {
				t.Error("versions do not tell weights apart")
			}
		})
	}
}

func TestAnglesFaults(t *testing.T) {
	onnxtest.Open(t)
	flow := bundletest.New(t, models.Flow, planarChain, chainFlow)
	if p, err := inference.NewProposer(flow, onnxtest.Store(t, flow), onnxtest.Runtime(1), 4, 4); err == nil || !strings.Contains(err.Error(), "it draws angles") {
		t.Errorf("angles for a system of colours: %v, %v", p, err)
	}
	colours := newBundle(t, models.System{Q: 2, Sides: []int{3, 3}}, tinyHyper)
	if a, err := inference.NewAngles(colours, onnxtest.Store(t, colours), onnxtest.Runtime(1), 4, 4); err == nil || !strings.Contains(err.Error(), "it draws colours") {
		t.Errorf("colours for a system of angles: %v, %v", a, err)
	}
	if g, err := inference.NewEnergyGradient(colours, onnxtest.Runtime(1), 4); err == nil || !strings.Contains(err.Error(), "cannot be trained by energies") {
		t.Errorf("the energies of colours: %v, %v", g, err)
	}
}
