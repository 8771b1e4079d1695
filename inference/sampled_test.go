package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
)

// TestSampledAndEvaluated compares ln q of proposals with the evaluation of the same
// proposals for lattices of the usual size.
func TestSampledAndEvaluated(t *testing.T) {
	onnxtest.Open(t)
	for _, c := range []struct {
		s models.System
		h models.Hyperparameters
	}{
		{models.System{Q: 10, Sides: []int{8, 8}}, benchHyper},
		{models.System{Q: 3, Sides: []int{12, 5}}, benchHyper},
		{models.System{Q: 2, Sides: []int{16, 16}}, benchHyper},
		{models.System{Q: 10, Sides: []int{8, 8}}, models.Hyperparameters{Encoder: 128, Latent: 8, Decoder: 128, Floor: 1e-3, EnergyWeight: 50}},
		{models.System{Q: 10, Sides: []int{8, 8}}, models.Hyperparameters{Decoder: 128, Floor: 1e-3}},
		{models.System{Q: 10, Sides: []int{8, 8}}, convHyper},
		{models.System{Q: 3, Sides: []int{12, 5}}, models.Hyperparameters{Width: 16, Depth: 2, Kernel: 5, Floor: 1e-3}},
		{models.System{Q: 2, Sides: []int{32, 32}}, convHyper},
		{models.System{Q: 3, Sides: []int{12, 5}}, tinyConvolutions},
		{models.System{Q: 10, Sides: []int{8, 8}}, targetHyper},
		{models.System{Q: 2, Sides: []int{8, 8}}, targetHyper},
		{models.System{Q: 10, Sides: []int{16, 16}}, targetHyper},
		{models.System{Q: 10, Sides: []int{8, 8}}, diagonalHyper},
		{models.System{Q: 3, Sides: []int{13, 5}}, diagonalHyper},
		{models.System{Q: 2, Sides: []int{32, 32}}, diagonalHyper},
		{models.System{Q: 10, Sides: []int{8, 8}}, checkerboardHyper},
		{models.System{Q: 3, Sides: []int{14, 4}}, checkerboardHyper},
		{models.System{Q: 2, Sides: []int{32, 32}}, checkerboardHyper},
	} {
		s := c.s
		b := newBundle(t, s, c.h)
		bundletest.Scale(t, b, map[string]float32{"decoder.output": 10, "output.weight": 10})
		const walkers = 200
		p := onnxtest.Proposer(t, b, 2, walkers, 64)
		batch := p.Batch()
		r := rand.New(rand.NewPCG(12, 13))
		fill(batch, s.Q, r)
		for w := range batch.Start {
			batch.Start[w] = int32(r.IntN(s.Sites()))
		}
		batch.Start[0], batch.Start[1] = 0, int32(s.Sites()-1)
		if err := p.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		for w := range walkers {
			for i := range int(batch.Start[w]) {
				if batch.Proposal[w*batch.Sites+i] != batch.State[w*batch.Sites+i] {
					t.Fatalf("%+v walker %d: site %d before start %d changed", s, w, i, batch.Start[w])
				}
			}
		}
		for i := range batch.State {
			batch.State[i], batch.Proposal[i] = batch.Proposal[i], batch.State[i]
		}
		copy(batch.Current, batch.Target)
		copy(batch.Back, batch.Shift)
		if err := p.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for w := range walkers {
			worst = max(worst, math.Abs(float64(batch.Forward[w]-batch.Reverse[w])))
		}
		t.Logf("%+v: ln q sampled and evaluated differ by %.2g at most", s, worst)
		if worst > 5e-4 {
			t.Errorf("%+v: ln q sampled and evaluated differ by %v", s, worst)
		}
	}
}
