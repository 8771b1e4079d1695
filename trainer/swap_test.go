package trainer_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// TestAdopt lets a trainer go on with the network of another bundle, of the same graphs and of
// others: it does what a trainer of that bundle does that takes over its states and random
// numbers, with a new optimiser, and no session is left over.
func TestAdopt(t *testing.T) {
	p, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	step := func(tr *trainer.Trainer, steps int) {
		t.Helper()
		for range steps {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		encoder int
		same    bool
	}{"same graphs": {32, true}, "other graphs": {16, false}} {
		a, _, store := newTrainer(t, trainer.Options{Seed: 1, Batch: 40}, 1)
		step(a, 5)
		h := models.Hyperparameters{Encoder: c.encoder, Latent: 8, Decoder: 32, Floor: 1e-3, Noise: 0.3}
		b, err := exporter.NewUntrained("other", models.Autoencoder, models.System{Q: 3, Sides: []int{4, 4}}, h, rand.New(rand.NewPCG(5, 6)))
		if err != nil {
			t.Fatal(err)
		}
		b.Card.Training.Steps = 100
		r := onnxtest.Runtime(1)
		if !c.same {
			if store, err = inference.OpenStore(b); err != nil {
				t.Fatal(err)
			}
		}
		sessions, _ := inference.Live()
		s, err := a.Prepare(b, store, r, c.same)
		if err != nil {
			t.Fatal(err)
		}
		step(a, 1) // while the other one waits
		if err := a.Adopt(s)(); err != nil {
			t.Fatal(err)
		}
		if now, _ := inference.Live(); now != sessions {
			t.Errorf("%s: %d sessions, %d before", name, now, sessions)
		}
		snapshot := a.Snapshot()
		if snapshot.Adam.Step != 0 || len(snapshot.Adam.First) != 0 || a.Record().Steps != 100 || a.Record().Seed != 1 {
			t.Errorf("%s: optimiser after %d steps, record %+v", name, snapshot.Adam.Step, a.Record())
		}
		fresh, err := trainer.New(trainer.Options{System: p, Seed: 1, Batch: 40}, b, onnxtest.Store(t, b), r)
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		if err := fresh.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		step(a, 10)
		step(fresh, 10)
		if x, y := a.Record().Loss, fresh.Record().Loss; x != y || a.Record().Steps != 110 {
			t.Errorf("%s: loss %v after %d steps, of a new trainer %v", name, x, a.Record().Steps, y)
		}
		if s, err = a.Prepare(b, store, r, false); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil { // not adopted after all
			t.Fatal(err)
		}
		if now, _ := inference.Live(); now != sessions+1 { // that of fresh
			t.Errorf("%s: %d sessions, %d before", name, now, sessions+1)
		}
	}
}
