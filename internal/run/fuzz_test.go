package run

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"neuralwl/internal/checkpoint"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// FuzzCheckpoint restores an engine and a replay buffer from arbitrary payloads that
// begin as that of a real run: they are refused, or what is restored can go on.
func FuzzCheckpoint(f *testing.F) {
	system, err := lattice.NewPotts(3, 3, 3)
	if err != nil {
		f.Fatal(err)
	}
	const walkers, capacity = 2, 50
	newEngine := func(t testing.TB) *sampler.Engine {
		e, err := sampler.New(sampler.Options{System: system, Seed: 1, Walkers: walkers, Local: sampler.HeatBath})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	pass := func(t testing.TB, e *sampler.Engine) {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	e := newEngine(f)
	for _, stage := range []stage{adapting, producing} {
		if stage == producing {
			e.Produce()
		}
		for range 5 {
			pass(f, e)
		}
		payload, err := cbor.Marshal(&saved{
			Place:   place{Stage: stage, Pass: 5},
			Engine:  e.Snapshot(),
			Trainer: &trainer.Snapshot{Buffer: trainer.BufferSnapshot{Occupied: []int{18}, States: [][]byte{make([]byte, 9)}, Generator: sampler.GeneratorState(rand.NewPCG(1, 2))}},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload, uint(0), byte(0))
		for range 20 {
			f.Add(payload, uint(r.IntN(len(payload))), byte(r.IntN(256)))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, at uint, mask byte) {
		if len(payload) > 0 {
			payload[at%uint(len(payload))] ^= mask
		}
		data, err := checkpoint.Frame(payload)
		if err != nil {
			t.Fatal(err)
		}
		s := &saved{}
		if checkpoint.Decode(data, s) != nil || s.check(nil, false) != nil {
			return
		}
		if e := newEngine(t); e.Restore(s.Engine) == nil {
			pass(t, e)
			if err := e.CheckEnergies(); err != nil {
				t.Error(err)
			}
		}
		if s.Trainer != nil {
			b := trainer.NewBuffer(system, capacity, rand.NewPCG(1, 2))
			if b.Restore(&s.Trainer.Buffer) == nil && b.Len() > 0 {
				if state, _ := b.Sample(rand.New(rand.NewPCG(3, 4))); system.Validate(state) != nil {
					t.Errorf("sampled %v", state)
				}
			}
		}
	})
}
