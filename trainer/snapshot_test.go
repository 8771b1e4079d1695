package trainer_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"neuralwl/internal/onnxtest"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// TestRestore gives the state of a trainer to another one, of another seed, that has
// done other things: both go on alike.
func TestRestore(t *testing.T) {
	step := func(tr *trainer.Trainer, steps int) (loss float64) {
		for range steps {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return tr.Record().Loss
	}
	a, _, _ := newTrainer(t, trainer.Options{Seed: 1, Batch: 40}, 1)
	b, _, store := newTrainer(t, trainer.Options{Seed: 2, Batch: 40}, 2)
	step(b, 7)
	for _, steps := range []int{0, 5} {
		step(a, steps)
		before := store.Current()
		if err := b.Restore(a.Snapshot()); err != nil {
			t.Fatal(err)
		}
		if store.Current() == before {
			t.Error("the restored weights were not published")
		}
		if x, y := step(a, 10), step(b, 10); x != y {
			t.Errorf("after %d steps: loss %v, restored %v", steps, x, y)
		}
	}
}

// TestLossOfTrained records for a network that was trained before the mean loss of the steps that follow, also in a
// trainer that goes on from a snapshot: the recorded one may be of another system.
func TestLossOfTrained(t *testing.T) {
	var losses []float64
	o := trainer.Options{Seed: 1, Batch: 40, Events: trainer.Events{Step: func(s trainer.StepInfo) { losses = append(losses, s.Loss) }}}
	train := func(tr *trainer.Trainer) {
		t.Helper()
		for range 5 {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		mean := 0.0
		for _, loss := range losses {
			mean += loss / float64(len(losses))
		}
		if r := tr.Record(); math.Abs(r.Loss-mean) > 1e-9 || r.Steps != int64(20000+len(losses)) {
			t.Errorf("loss %.3f after %d steps, the mean of the last %d is %.3f", r.Loss, r.Steps, len(losses), mean)
		}
	}
	fresh, b, store := newTrainer(t, o, 1)
	b.Card.Training.Steps, b.Card.Training.Loss = 20000, 634
	var err error
	if o.System, err = lattice.NewPotts(3, 4, 4); err != nil {
		t.Fatal(err)
	}
	var a [2]*trainer.Trainer
	for i := range a {
		if a[i], err = trainer.New(o, b, store, onnxtest.Runtime(1)); err != nil {
			t.Fatal(err)
		}
		defer a[i].Close()
		b.Card.Training.Steps = 20007 // of a version that a checkpoint names
	}
	s := fresh.Snapshot()
	for k, level := range s.Buffer.Occupied {
		for at := 0; at < len(s.Buffer.States[k]); at += 16 {
			a[0].Remember(s.Buffer.States[k][at:at+16], level)
		}
	}
	train(a[0])
	if err := a[1].Restore(a[0].Snapshot()); err != nil {
		t.Fatal(err)
	}
	train(a[1])
}

func TestRestoreRefuses(t *testing.T) {
	a, _, _ := newTrainer(t, trainer.Options{Seed: 1, Batch: 40}, 1)
	if err := a.Step(context.Background()); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*trainer.Snapshot){
		`"decoder.bias" is missing`:      func(s *trainer.Snapshot) { s.Good = nil },
		`"decoder.bias" has 2 elements`:  func(s *trainer.Snapshot) { s.Next = map[string][]float32{"decoder.bias": {1, 2}} },
		`"latent.bias" holds a NaN`:      func(s *trainer.Snapshot) { s.Good["latent.bias"][1] = float32(math.NaN()) },
		"second moments":                 func(s *trainer.Snapshot) { s.Adam.Second = nil },
		"generator":                      func(s *trainer.Snapshot) { s.Generator = nil },
		"replay buffer: level 99":        func(s *trainer.Snapshot) { s.Buffer.Occupied = append([]int{99}, s.Buffer.Occupied[1:]...) },
		"lists of states":                func(s *trainer.Snapshot) { s.Buffer.States = nil },
		"bytes of states":                func(s *trainer.Snapshot) { s.Buffer.States[0] = s.Buffer.States[0][1:] },
		"replay buffer: a state of leve": func(s *trainer.Snapshot) { s.Buffer.States[0] = make([]byte, 16) },
	} {
		b, _, _ := newTrainer(t, trainer.Options{Seed: 1, Batch: 40}, 1)
		if err := b.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		s := b.Snapshot()
		spoil(s)
		if err := a.Restore(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
