package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/inference"
	"neuralwl/models"
)

// TestTargets finds that proposals depend on Target alone and the reverse on Current
// alone, and that the loss of a gradient is that of its energies.
func TestTargets(t *testing.T) {
	openLibrary(t)
	s := models.System{Q: 4, Lx: 5, Ly: 4}
	b := newBundle(t, s, targetHyper)
	store := newStore(t, b)
	const walkers = 70 // not a multiple of the part
	runtime := inference.Runtime{Provider: inference.CPU, Workers: 2}
	p, err := inference.NewProposer(b, store, runtime, walkers, 32)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	batch := p.Batch()
	fill(batch, s.Q, rand.New(rand.NewPCG(1, 2)))
	evaluate := func() (forward, reverse []float32) {
		if err := p.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(batch.Forward), slices.Clone(batch.Reverse)
	}
	differ := func(a, b []float32) (n int) {
		for i := range a {
			if a[i] != b[i] {
				n++
			}
		}
		return n
	}
	forward, reverse := evaluate()
	for i := range batch.Current {
		batch.Current[i] += 5
	}
	f, r := evaluate()
	if differ(f, forward) > 0 || differ(r, reverse) < walkers*9/10 {
		t.Errorf("other current energies change %d proposals and %d reverses of %d", differ(f, forward), differ(r, reverse), walkers)
	}
	reverse = r
	for i := range batch.Target {
		batch.Target[i] += 5
	}
	f, r = evaluate()
	if differ(f, forward) < walkers*9/10 || differ(r, reverse) > 0 {
		t.Errorf("other target energies change %d proposals and %d reverses of %d", differ(f, forward), differ(r, reverse), walkers)
	}

	g, err := inference.NewGradient(b, runtime, walkers)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Condition != nil {
		t.Error("there is room for a condition that the network does not take")
	}
	copy(g.State, batch.State)
	copy(g.Energy, batch.Current)
	want := 0.0
	for i, x := range reverse {
		g.Weight[i] = float32(i%3) / walkers
		want -= float64(g.Weight[i]) * float64(x)
	}
	gradients := map[string][]float32{}
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range weights {
		gradients[name] = make([]float32, len(w.Float32s()))
	}
	loss, err := g.Evaluate(context.Background(), store.Current(), gradients)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(loss-want) > 1e-4*want {
		t.Errorf("loss %v, the weighted sum of ln q is %v", loss, want)
	}
}
