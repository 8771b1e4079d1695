package inference_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
)

// TestNetworks evaluates two versions of a network side by side in the same sessions, and finds
// what each gives in sessions of its own.
func TestNetworks(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 3, Sides: []int{4, 4}}
	b := newBundle(t, s, targetHyper)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	const walkers = 40
	// evaluate returns proposals and both ln q of the same moves.
	evaluate := func(p *inference.Proposer) []float32 {
		batch := p.Batch()
		fill(batch, s.Q, rand.New(rand.NewPCG(5, 6)))
		p.Pin()
		if err := p.Propose(context.Background()); err != nil {
			t.Error(err)
		}
		if err := p.LogProb(context.Background()); err != nil {
			t.Error(err)
		}
		return slices.Concat(batch.Forward, batch.Reverse)
	}
	stores := make([]*inference.Store, 2)
	want := make([][]float32, 2)
	for k := range stores {
		if stores[k], err = inference.NewStore(scaled(weights, float32(1+k))); err != nil {
			t.Fatal(err)
		}
		p, err := inference.NewProposer(b, stores[k], onnxtest.Runtime(1), walkers, walkers)
		if err != nil {
			t.Fatal(err)
		}
		want[k] = evaluate(p)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Equal(want[0], want[1]) {
		t.Fatal("both versions give the same")
	}
	sessions, tensors := inference.Live()
	networks, err := inference.OpenNetworks(b, onnxtest.Runtime(1), walkers)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for k := range 4 {
		p, err := networks.NewProposer(stores[k%2], walkers)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			for i := range 20 {
				p.Use(stores[(k+i)%2])
				if !slices.Equal(evaluate(p), want[(k+i)%2]) {
					t.Errorf("proposer %d, version %d: another result than alone", k, (k+i)%2)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if open, _ := inference.Live(); open != sessions+2 {
		t.Errorf("%d sessions for four proposers", open-sessions)
	}
	if err := networks.Close(); err != nil {
		t.Fatal(err)
	}
	if open, left := inference.Live(); open != sessions || left > tensors {
		t.Errorf("%d sessions and %d tensors are left", open-sessions, left-tensors)
	}
}

// TestLogProbAlone evaluates as many places as are in use now, not as many as the last Propose.
func TestLogProbAlone(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 3, Sides: []int{4, 4}}
	p := onnxtest.Proposer(t, newBundle(t, s, targetHyper), 1, 8, 8)
	batch := p.Batch()
	fill(batch, s.Q, rand.New(rand.NewPCG(5, 6)))
	p.Pin()
	evaluate := func() []float32 {
		clear(batch.Reverse)
		if err := p.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(batch.Reverse)
	}
	all := evaluate()
	batch.Used = 1
	if one := evaluate(); one[0] == 0 || slices.ContainsFunc(one[1:], func(q float32) bool { return q != 0 }) {
		t.Errorf("one place in use, ln q are %v", one)
	}
	batch.Used = len(all)
	if again := evaluate(); !slices.Equal(again, all) {
		t.Errorf("ln q are %v, before they were %v", again, all)
	}
}
