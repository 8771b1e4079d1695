package run

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"neuralwl/internal/checkpoint"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
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
		e, err := sampler.New(sampler.Options{System: system, Seed: 1, Walkers: walkers, Local: local.HeatBath})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	newVAN := func(t testing.TB) *sampler.VAN {
		g, err := sampler.NewVAN(sampler.VANOptions{System: system, Proposer: ordered{3, system.Sites()}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	pass := func(t testing.TB, e interface{ Pass(context.Context) error }) {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	e, g := newEngine(f), newVAN(f)
	for _, stage := range []stage{adapting, tuning, producing} {
		if stage == producing {
			e.Produce()
			g.Produce()
		}
		for range 5 {
			pass(f, e)
			pass(f, g)
		}
		payload, err := cbor.Marshal(&saved{
			Place:   place{Stage: stage, Pass: 5},
			Engine:  e.Snapshot(),
			VAN:     g.Snapshot(),
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
		if checkpoint.Decode(data, s) != nil {
			return
		}
		if s.check(drawing, nil) == nil {
			if g := newVAN(t); g.Restore(s.VAN) == nil {
				pass(t, g)
				g.Weights()
			}
		}
		if s.check(walking, nil) != nil {
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

// ordered draws the same ordered state for all walkers.
type ordered struct{ walkers, sites int }

func (o ordered) Batch() *sampler.Batch {
	return &sampler.Batch{
		Walkers: o.walkers, Sites: o.sites, Proposal: make([]int32, o.walkers*o.sites), Forward: make([]float32, o.walkers),
	}
}

func (o ordered) Pin() sampler.Version { return 1 }

func (o ordered) Propose(context.Context) error { return nil }

func (o ordered) LogProb(context.Context) error { return nil }
