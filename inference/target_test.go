package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
)

// TestTargets finds that proposals depend on Target alone and the reverse on Current
// alone, and that the loss of a gradient is that of its energies.
func TestTargets(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 4, Sides: []int{5, 4}}
	b := newBundle(t, s, targetHyper)
	store := onnxtest.Store(t, b)
	const walkers = 70 // not a multiple of the part
	runtime := onnxtest.Runtime(2)
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

// TestUsed serves some places of the batch alone, and finds what it finds with all of them
// in use and the others as they were.
func TestUsed(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 3, Sides: []int{4, 4}}
	b := newBundle(t, s, targetHyper)
	p := onnxtest.Proposer(t, b, 2, 40, 8)
	batch := p.Batch()
	fill(batch, s.Q, rand.New(rand.NewPCG(5, 6)))
	evaluate := func() {
		if err := p.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if batch.Used != batch.Walkers {
		t.Fatalf("%d of %d places are used at first", batch.Used, batch.Walkers)
	}
	evaluate()
	proposal, forward, reverse := slices.Clone(batch.Proposal), slices.Clone(batch.Forward), slices.Clone(batch.Reverse)
	for _, used := range []int{0, 1, 7, 8, 19, 40, 33} {
		for i := range batch.Forward {
			batch.Forward[i], batch.Reverse[i] = 1, 1
		}
		clear(batch.Proposal)
		batch.Used = used
		evaluate()
		if !slices.Equal(batch.Proposal[:used*batch.Sites], proposal[:used*batch.Sites]) {
			t.Errorf("%d used: other proposals", used)
		}
		for i := range batch.Forward {
			if i >= used {
				if batch.Forward[i] != 1 || batch.Reverse[i] != 1 {
					t.Errorf("%d used: place %d was served", used, i)
				}
			} else if math.Abs(float64(batch.Forward[i]-forward[i])) > 1e-5 || math.Abs(float64(batch.Reverse[i]-reverse[i])) > 1e-5 {
				t.Errorf("%d used: place %d has ln q %v and %v instead of %v and %v", used, i, batch.Forward[i], batch.Reverse[i], forward[i], reverse[i])
			}
		}
	}
}
