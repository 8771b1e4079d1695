package trainer_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

func newTrainer(t *testing.T, o trainer.Options, workers int) (*trainer.Trainer, *exporter.Bundle, *inference.Store) {
	t.Helper()
	s := models.System{Q: 3, Sides: []int{4, 4}}
	b := bundletest.New(t, models.Autoencoder, s, models.Hyperparameters{Encoder: 32, Latent: 8, Decoder: 32, Floor: 1e-3, Noise: 0.3})
	store := onnxtest.Store(t, b)
	var err error
	if o.System, err = lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1]); err != nil {
		t.Fatal(err)
	}
	trained, err := trainer.New(o, b, store, onnxtest.Runtime(workers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trained.Close() })
	// States with horizontal stripes: three of four bonds along a row's length
	// are satisfied, and one colour tells the whole row.
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		state := make([]uint8, 16)
		for y := range 4 {
			c := uint8(r.IntN(3))
			for x := range 4 {
				state[4*y+x] = c
			}
		}
		trained.Remember(state, o.System.Level(state))
	}
	return trained, b, store
}

// TestLearning finds the loss falling from that of independent uniform colours,
// N ln q, to near the entropy that the latent vector leaves, and the same for any
// number of workers.
func TestLearning(t *testing.T) {
	var reference []float64
	for _, workers := range []int{1, 3} {
		var losses []float64
		o := trainer.Options{Seed: 1, Batch: 100, Events: trainer.Events{
			Step: func(s trainer.StepInfo) { losses = append(losses, s.Loss) },
		}}
		tr, b, _ := newTrainer(t, o, workers)
		for range 300 {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		uniform := 16 * math.Log(3)
		if losses[0] < 0.8*uniform || losses[0] > 1.2*uniform {
			t.Errorf("first loss %v, expected about N ln q = %v", losses[0], uniform)
		}
		if last := tr.Record().Loss; last > 0.35*uniform {
			t.Errorf("loss after 300 steps is %v, was %v at the beginning", last, losses[0])
		}
		if reference == nil {
			reference = losses
		}
		for i := range losses {
			if losses[i] != reference[i] {
				t.Fatalf("step %d: loss %v with %d workers, %v with 1", i, losses[i], workers, reference[i])
			}
		}
		if err := tr.Export(b); err != nil {
			t.Fatal(err)
		}
		if b.Card.Training.Steps != 300 || b.Card.Training.Dropped != 0 {
			t.Errorf("training record %+v", b.Card.Training)
		}
	}
}

// TestDroppedStep drives the weights to infinity by an absurd learning rate: the
// steps are dropped and counted, and the published and exported weights stay good.
func TestDroppedStep(t *testing.T) {
	dropped := 0
	tr, b, store := newTrainer(t, trainer.Options{Seed: 1, Batch: 50, LearningRate: 1e38, Events: trainer.Events{
		Step: func(s trainer.StepInfo) {
			if s.Dropped {
				dropped++
			}
		},
	}}, 1)
	first := store.Current()
	for range 6 {
		if err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if dropped == 0 || int64(dropped) != tr.Record().Dropped {
		t.Errorf("%d steps dropped, %d counted", dropped, tr.Record().Dropped)
	}
	if err := tr.Export(b); err != nil {
		t.Errorf("the last good weights cannot be exported: %v", err)
	}
	if store.Current() == first && tr.Record().Steps > 1 {
		t.Error("good steps were counted but not published")
	}
	w, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	for name, tensor := range w {
		if !tensor.Finite() {
			t.Errorf("weight %s is not finite", name)
		}
	}
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := trainer.New(trainer.Options{Batch: -1, LearningRate: math.NaN(), Clip: -1, Buffer: -1}, nil, nil, inference.Runtime{})
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
}
