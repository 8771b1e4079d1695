package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
)

// TestProvidersAgree compares the provider that -provider names with the CPU, for every
// architecture and order: ln q of the same states, and proposals by the same uniform numbers.
// On the CPU itself it compares the form of the graphs for a GPU with the usual one.
func TestProvidersAgree(t *testing.T) {
	const batch = 128
	s := models.System{Q: 10, Sides: []int{8, 8}}
	for _, h := range []models.Hyperparameters{benchHyper, {Decoder: 128, Floor: 1e-3}, convHyper, targetHyper, diagonalHyper, checkerboardHyper} {
		b := newBundle(t, s, h)
		t.Run(strings.TrimSpace(b.Card.Architecture+" "+h.Order), func(t *testing.T) {
			runtime, other := onnxtest.Runtime(1), b
			if runtime.Provider == inference.CPU {
				var err error
				if other, _, err = b.ForGPU(exporter.Layout{Samples: batch, Width: 8, AtOnce: s.Sites()}); err != nil {
					t.Fatal(err)
				}
			}
			open := func(b *exporter.Bundle, r inference.Runtime) *inference.Proposer {
				p, err := inference.NewProposer(b, onnxtest.Store(t, b), r, batch, batch)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { p.Close() })
				fill(p.Batch(), s.Q, rand.New(rand.NewPCG(1, 2)))
				if err := p.Propose(context.Background()); err != nil {
					t.Fatal(err)
				}
				return p
			}
			want, got := open(b, inference.Runtime{Provider: inference.CPU, Workers: 1}), open(other, runtime)
			n, same := s.Sites(), 0
			for w := range batch {
				// A uniform number next to the end of an interval may fall on either side.
				if slices.Equal(want.Batch().Proposal[w*n:(w+1)*n], got.Batch().Proposal[w*n:(w+1)*n]) {
					same++
					compareLnQ(t, "forward", n, want.Batch().Forward[w], got.Batch().Forward[w])
				}
			}
			if same < batch*9/10 {
				t.Errorf("%d of %d proposals are the same", same, batch)
			}
			copy(got.Batch().Proposal, want.Batch().Proposal)
			for _, p := range []*inference.Proposer{want, got} {
				if err := p.LogProb(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			for w := range batch {
				compareLnQ(t, "reverse", n, want.Batch().Reverse[w], got.Batch().Reverse[w])
			}
			t.Logf("%s: %d of %d proposals are the same", runtime.Provider, same, batch)
		})
	}
}

// compareLnQ compares two evaluations of ln q of n sites in single precision: conditional
// probabilities may differ by some units in the last place, and their sum by its rounding.
func compareLnQ(t *testing.T, what string, n int, want, got float32) {
	t.Helper()
	allowed := 5e-4 + math.Sqrt(float64(n))*0x1p-23*math.Abs(float64(want))
	if d := math.Abs(float64(want) - float64(got)); !(d <= allowed) {
		t.Errorf("%s: ln q is %v on the CPU and %v, at most %.1e apart is right", what, want, got, allowed)
	}
}
