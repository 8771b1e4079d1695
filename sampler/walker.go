package sampler

import (
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// walker is one configuration on its way through the levels, with its own stream of random
// numbers.
type walker struct {
	state []uint8 // of lattice.StateBytes, which systems and kernels alone understand
	level int
	rng   *rand.PCG
	trip  trip
	aim   aim // of moves with a target
}

// trip counts round trips: ground state -> infinite-temperature peak -> ground state, or
// the reverse, depending on where a walker started.
type trip struct {
	last  end
	turns int64 // changes of the end visited last; two are a round trip
}

type end int8

const (
	neither end = iota
	ground
	peak
)

// note records the level at which a walker stands.
func (t *trip) note(level, groundLevel, peakLevel int) {
	at := neither
	switch {
	case level >= groundLevel:
		at = ground
	case level <= peakLevel:
		at = peak
	}
	if at == neither || at == t.last {
		return
	}
	if t.last != neither {
		t.turns++
	}
	t.last = at
}

// Turns counts, for each walker, how often it turned around at an end of the energies since
// the phase began. Two turns make a round trip.
func (e *Engine) Turns() []int64 {
	turns := make([]int64, len(e.walkers))
	for i := range e.walkers {
		turns[i] = e.walkers[i].trip.turns
	}
	return turns
}

// newWalkers returns the n walkers from the first one on, in random configurations. Seed and i alone
// determine the random stream of walker i.
func newWalkers(p lattice.System, seed uint64, first, n int) []walker {
	walkers := make([]walker, n)
	for i := range walkers {
		w := &walkers[i]
		w.rng = Stream(seed, walkerStream, uint64(first+i))
		r := rand.New(w.rng)
		w.state = make([]uint8, lattice.StateBytes(p))
		lattice.Randomise(p, w.state, r)
		w.level = p.Level(w.state)
	}
	return walkers
}
