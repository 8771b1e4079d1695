package inference_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// newBundle makes a network with random weights: of the hyper-parameters, a latent width
// makes it an autoencoder, else a kernel a convolutional one, else a width a
// microcanonical one, and none of them a made.
func newBundle(t testing.TB, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	architecture := models.Made
	switch {
	case h.Hidden > 0:
		architecture = models.RBM
	case h.Latent > 0:
		architecture = "autoencoder"
	case h.Kernel > 0:
		architecture = models.Conv
	case h.Width > 0:
		architecture = models.Microcanonical
	}
	return bundletest.New(t, architecture, s, h)
}

var benchHyper = models.Hyperparameters{Encoder: 128, Latent: 8, Decoder: 128, Floor: 1e-3, Noise: 1}

var convHyper = models.Hyperparameters{Width: 32, Depth: 3, Kernel: 3, Floor: 1e-3}

var targetHyper = models.Hyperparameters{Width: 32, Floor: 1e-4, Window: 8}

var diagonalHyper = models.Hyperparameters{Width: 32, Floor: 1e-4, Window: 8, Order: models.Diagonal}

var checkerboardHyper = models.Hyperparameters{Width: 32, Floor: 1e-4, Window: 8, Order: models.Checkerboard}

// BenchmarkProposals reports the time per walker of one proposal and of one
// evaluation of ln q, on one core, by architecture, lattice size and batch.
func BenchmarkProposals(b *testing.B) {
	onnxtest.Open(b)
	for _, h := range []models.Hyperparameters{benchHyper, {Decoder: 128, Floor: 1e-3}, convHyper, targetHyper} {
		for _, l := range []int{8, 16, 32} {
			benchmarkProposals(b, l, h)
		}
	}
}

func benchmarkProposals(b *testing.B, l int, h models.Hyperparameters) {
	s := models.System{Q: 10, Sides: []int{l, l}}
	bundle := newBundle(b, s, h)
	store := onnxtest.Store(b, bundle)
	for _, batch := range []int{1, 16, 32, 64, 128, 256} {
		p, err := inference.NewProposer(bundle, store, onnxtest.Runtime(1), batch, batch)
		if err != nil {
			b.Fatal(err)
		}
		fill(p.Batch(), s.Q, rand.New(rand.NewPCG(3, 4)))
		p.Pin()
		for _, call := range []struct {
			name string
			f    func(context.Context) error
		}{{"propose", p.Propose}, {"log_prob", p.LogProb}} {
			b.Run(fmt.Sprintf("%s/%s/L=%d/batch=%d", bundle.Card.Architecture, call.name, l, batch), func(b *testing.B) {
				for b.Loop() {
					if err := call.f(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/walker")
			})
		}
		p.Close()
	}
}

// BenchmarkOrders compares the orders of the microcanonical network on one core, q = 10: it
// makes a call of each in turn and reports the minimum and the median of the time per walker.
func BenchmarkOrders(b *testing.B) {
	onnxtest.Open(b)
	for _, l := range []int{8, 16, 32} {
		for _, batch := range []int{1, 16, 32, 128} {
			benchmarkOrders(b, l, batch)
		}
	}
}

func benchmarkOrders(b *testing.B, l, batch int) {
	var proposers []*inference.Proposer
	for _, h := range []models.Hyperparameters{targetHyper, diagonalHyper, checkerboardHyper} {
		bundle := newBundle(b, models.System{Q: 10, Sides: []int{l, l}}, h)
		p := onnxtest.Proposer(b, bundle, 1, batch, batch)
		fill(p.Batch(), 10, rand.New(rand.NewPCG(3, 4)))
		p.Pin()
		proposers = append(proposers, p)
	}
	for name, call := range map[string]func(*inference.Proposer, context.Context) error{
		"propose": (*inference.Proposer).Propose, "log_prob": (*inference.Proposer).LogProb,
	} {
		b.Run(fmt.Sprintf("%s/L=%d/batch=%d", name, l, batch), func(b *testing.B) {
			times := make([][]float64, len(proposers)) // µs per walker
			for b.Loop() {
				for k, p := range proposers {
					began := time.Now()
					if err := call(p, context.Background()); err != nil {
						b.Fatal(err)
					}
					times[k] = append(times[k], float64(time.Since(began).Nanoseconds())/1e3/float64(batch))
				}
			}
			for k, order := range models.Orders() {
				slices.Sort(times[k])
				b.ReportMetric(times[k][0], order+"-min-µs/walker")
				b.ReportMetric(times[k][len(times[k])/2], order+"-median-µs/walker")
			}
		})
	}
}

// BenchmarkGradient reports the time of one gradient of 256 states on one core and
// the rate of arithmetic: forward and backward together take three times the
// operations of the products in the forward pass.
func BenchmarkGradient(b *testing.B) {
	onnxtest.Open(b)
	for _, l := range []int{8, 16} {
		s := models.System{Q: 10, Sides: []int{l, l}}
		bundle := newBundle(b, s, benchHyper)
		store := onnxtest.Store(b, bundle)
		const samples = 256
		g, err := inference.NewGradient(bundle, onnxtest.Runtime(1), samples)
		if err != nil {
			b.Fatal(err)
		}
		gradients := map[string][]float32{}
		weights, _ := bundle.Weights()
		for name, w := range weights {
			gradients[name] = make([]float32, len(w.Float32s()))
		}
		h := benchHyper
		forward := 2 * float64(s.Sites()*s.Q*(h.Encoder+2*h.Decoder)+h.Latent*(h.Encoder+h.Decoder))
		b.Run(fmt.Sprintf("L=%d", l), func(b *testing.B) {
			for b.Loop() {
				if _, err := g.Evaluate(context.Background(), store.Current(), gradients); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(3*forward*samples*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
		g.Close()
	}
}

// BenchmarkMicrocanonical reports the time per walker of one proposal, of one
// evaluation of ln q and of one gradient, on one core, for 128 walkers.
func BenchmarkMicrocanonical(b *testing.B) {
	onnxtest.Open(b)
	const walkers = 128
	runtime := onnxtest.Runtime(1)
	for _, q := range []int{10, 2} {
		for _, l := range []int{8, 16, 32} {
			s := models.System{Q: q, Sides: []int{l, l}}
			bundle := newBundle(b, s, targetHyper)
			store := onnxtest.Store(b, bundle)
			p, err := inference.NewProposer(bundle, store, runtime, walkers, walkers)
			if err != nil {
				b.Fatal(err)
			}
			g, err := inference.NewGradient(bundle, runtime, walkers)
			if err != nil {
				b.Fatal(err)
			}
			gradients := map[string][]float32{}
			weights, _ := bundle.Weights()
			for name, w := range weights {
				gradients[name] = make([]float32, len(w.Float32s()))
			}
			fill(p.Batch(), q, rand.New(rand.NewPCG(3, 4)))
			copy(g.State, p.Batch().State)
			copy(g.Energy, p.Batch().Target)
			for _, call := range []struct {
				name string
				f    func(context.Context) error
			}{
				{"propose", p.Propose},
				{"log_prob", p.LogProb},
				{"gradient", func(ctx context.Context) error {
					_, err := g.Evaluate(ctx, store.Current(), gradients)
					return err
				}},
			} {
				b.Run(fmt.Sprintf("%s/q=%d/L=%d", call.name, q, l), func(b *testing.B) {
					for b.Loop() {
						if err := call.f(context.Background()); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*walkers), "µs/walker")
				})
			}
			p.Close()
			g.Close()
		}
	}
}

// fill draws random inputs of a proposer, with targets up to 8 out of range.
func fill(b *sampler.Batch, q int, r *rand.Rand) {
	for i := range b.State {
		b.State[i] = int32(r.IntN(q))
		b.Uniform[i] = float32(r.IntN(1<<24)) * 0x1p-24
	}
	for i := range b.Target {
		b.Target[i] = float32(8 - r.IntN(2*b.Sites+17))
		b.Current[i] = float32(8 - r.IntN(2*b.Sites+17))
	}
	for i := range b.Shift {
		b.Shift[i] = float32(r.IntN(2*b.Sites+1) - b.Sites)
		b.Back[i] = float32(r.IntN(2*b.Sites+1) - b.Sites)
	}
}
