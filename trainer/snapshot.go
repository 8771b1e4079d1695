package trainer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"neuralwl/exporter"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

// Snapshot is everything that changes in a Trainer. A trainer made with the same Options for
// the same network and restored from a snapshot continues exactly as the original did. Its
// fields are exported for encoding.
type Snapshot struct {
	Good    map[string][]float32 // the latest weights with a finite loss, by name
	Next    map[string][]float32 // the weights after the following step
	OnTrial bool                 // Next is published, not Good
	Adam    AdamSnapshot
	Record  exporter.Training
	From    int64 `cbor:",omitempty"` // steps of the record that were made before
	Losses  Losses

	Generator []byte // sampler.GeneratorState of the batches
	Buffer    BufferSnapshot
	// Chains of an unnormalised network, [K,N].
	Chains []byte `cbor:",omitempty"`
}

// AdamSnapshot is the state of the optimiser.
type AdamSnapshot struct {
	Step          int
	First, Second map[string][]float32 // moments by weight, empty before the first step
}

// BufferSnapshot is the content of the replay buffer.
type BufferSnapshot struct {
	Occupied  []int    // levels with a state, in the order of discovery
	States    [][]byte // of each of them, one after another
	Generator []byte   // of the replacements
}

// Snapshot returns the state of the trainer between two steps. It shares memory with
// the trainer and is valid until the next step.
func (t *Trainer) Snapshot() *Snapshot {
	s := &Snapshot{
		Good: flat(t.good), Next: flat(t.next), OnTrial: t.onTrial, Record: t.record, From: t.from, Losses: t.losses,
		Adam:      AdamSnapshot{Step: t.adam.step, First: t.adam.first, Second: t.adam.second},
		Generator: sampler.GeneratorState(t.source),
		Buffer:    BufferSnapshot{Occupied: t.buffer.occupied, Generator: sampler.GeneratorState(t.buffer.source)},
		Chains:    t.contrast.snapshot(),
	}
	for _, level := range t.buffer.occupied {
		s.Buffer.States = append(s.Buffer.States, t.buffer.levels[level])
	}
	return s
}

// Restore puts the trainer into the state of a snapshot of a trainer with the same options
// and publishes its weights. If the snapshot does not fit, the error lists every fault.
func (t *Trainer) Restore(s *Snapshot) error {
	if err := t.restore(s); err != nil {
		return fmt.Errorf("state of the trainer: %w", err)
	}
	return nil
}

func (t *Trainer) restore(s *Snapshot) error {
	faults := []error{t.fits("weights", s.Good, true), t.fits("weights after the latest step", s.Next, false), t.buffer.Restore(&s.Buffer), t.restoreChains(s.Chains)}
	moments := len(s.Adam.First) > 0
	if moments {
		faults = append(faults, t.fits("first moments", s.Adam.First, true), t.fits("second moments", s.Adam.Second, true))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if err := t.source.UnmarshalBinary(s.Generator); err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	for name, w := range t.good {
		copy(w.Float32s(), s.Good[name])
		copy(t.next[name].Float32s(), s.Next[name])
	}
	t.adam = NewAdam(t.o.LearningRate)
	t.adam.step = s.Adam.Step
	if moments {
		for name := range t.good {
			t.adam.first[name] = slices.Clone(s.Adam.First[name])
			t.adam.second[name] = slices.Clone(s.Adam.Second[name])
		}
	}
	t.record, t.from, t.losses, t.onTrial = s.Record, s.From, Losses{s.Losses.Every, slices.Clone(s.Losses.Rows)}, s.OnTrial
	return t.publish()
}

// fits compares values by name with the network's weights.
func (t *Trainer) fits(what string, values map[string][]float32, finite bool) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(t.good)) {
		x, ok := values[name]
		switch want := len(t.good[name].Float32s()); {
		case !ok:
			faults = append(faults, fmt.Errorf("%s: %q is missing", what, name))
		case len(x) != want:
			faults = append(faults, fmt.Errorf("%s: %q has %d elements, the network has %d", what, name, len(x), want))
		case finite && !graph.Float32s(x, len(x)).Finite():
			faults = append(faults, fmt.Errorf("%s: %q holds a NaN or an infinity", what, name))
		}
	}
	return errors.Join(faults...)
}

// Restore fills the buffer with the content of a snapshot. If that does not fit, or the
// energies of its states are wrong, the error lists every fault and the buffer is unchanged.
func (b *Buffer) Restore(s *BufferSnapshot) error {
	var faults []error
	fault := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("replay buffer: "+format, a...))
	}
	if len(s.States) != len(s.Occupied) {
		fault("%d levels with states and %d lists of states", len(s.Occupied), len(s.States))
		return errors.Join(faults...)
	}
	levels := make([][]byte, len(b.levels))
	for i, level := range s.Occupied {
		states := s.States[i]
		if level < 0 || level >= len(levels) || levels[level] != nil {
			fault("level %d is impossible or there twice", level)
			continue
		}
		if len(states) == 0 || len(states)%b.size != 0 || len(states) > b.perLevel*b.size {
			fault("level %d has %d bytes of states, at most %d of %d bytes each fit", level, len(states), b.perLevel, b.size)
			continue
		}
		levels[level] = slices.Clone(states)
		for k := 0; k < len(states); k += b.size {
			state := states[k : k+b.size]
			if err := b.system.Validate(state); err != nil {
				fault("level %d: %w", level, err)
			} else if counted := b.system.Level(state); counted != level {
				fault("a state of level %d has the level %d", level, counted)
			}
		}
	}
	if err := b.source.UnmarshalBinary(s.Generator); err != nil {
		fault("generator: %w", err)
	}
	if len(faults) == 0 {
		b.levels, b.occupied = levels, slices.Clone(s.Occupied)
	}
	return errors.Join(faults...)
}
