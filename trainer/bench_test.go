package trainer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// BenchmarkStep reports the time of a whole training step on 256 states, from
// sampling the buffer to publishing the weights, with the network of the default
// configuration, and the rate of arithmetic: three times the operations of the
// products in the forward pass.
func BenchmarkStep(b *testing.B) {
	for _, l := range []int{8, 16} {
		s := models.System{Q: 10, Sides: []int{l, l}}
		h := models.Hyperparameters{Encoder: 128, Latent: 8, Decoder: 128, Floor: 1e-3, Noise: 1}
		bundle := bundletest.New(b, models.Autoencoder, s, h)
		p, err := lattice.NewPotts(s.Q, l, l)
		if err != nil {
			b.Fatal(err)
		}
		for workers := 1; workers <= runtime.GOMAXPROCS(0); workers *= 2 {
			store := onnxtest.Store(b, bundle)
			const batch = 256
			t, err := trainer.New(trainer.Options{System: p, Seed: 1, Batch: batch}, bundle, store, onnxtest.Runtime(workers))
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			state := make([]uint8, p.Sites())
			for range 1000 {
				for i := range state {
					state[i] = uint8(r.IntN(s.Q))
				}
				t.Remember(state, p.Bonds(state))
			}
			forward := 2 * float64(s.Sites()*s.Q*(h.Encoder+2*h.Decoder)+h.Latent*(h.Encoder+h.Decoder))
			b.Run(fmt.Sprintf("L=%d/workers=%d", l, workers), func(b *testing.B) {
				for b.Loop() {
					if err := t.Step(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/step")
				b.ReportMetric(3*forward*batch*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
			t.Close()
		}
	}
}
