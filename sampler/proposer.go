package sampler

import "context"

// Proposer draws whole configurations with known probability: q(s'|s), or q(s'|s,d) of a network
// that takes a shift d of the energy, or q(s'|E*) of one that aims at an energy. It is the
// only thing the engine knows of a network. A call serves many walkers at once; data pass
// through the buffers of Batch, so that nothing is copied.
type Proposer interface {
	// Batch returns the buffers, always the same.
	Batch() *Batch
	// Propose reads State, Start, Shift, Target and Uniform and writes Proposal and Forward.
	Propose(ctx context.Context) error
	// LogProb reads Proposal as the condition, State, Start, Back and Current, and
	// writes Reverse.
	LogProb(ctx context.Context) error
}

// Batch is the exchange between the engine and a Proposer for up to M walkers on N
// sites. Configurations are in the walker's frame and stored one after another.
type Batch struct {
	Walkers, Sites int
	// Used is how many of the M places, from the first one on, the next call serves: all,
	// unless only some walkers make a proposal. What is in the others means nothing.
	Used int

	State    []int32   // [M,N] the configurations s
	Start    []int32   // [M] first site in raster order to be resampled
	Uniform  []float32 // [M,N] independent uniform numbers in [0,1)
	Proposal []int32   // [M,N] the proposed configurations s'
	Forward  []float32 // [M] ln q(s'|s)
	Reverse  []float32 // [M] ln q(s|s')

	// Shift d of the energy, in units of J, and Back that of the reverse move, nil for a
	// network that takes none: Forward is ln q(s'|s,Shift), Reverse ln q(s|s',Back).
	Shift, Back []float32 // [M]

	// Target energies in units of J, nil for a network that takes none: s' is drawn
	// from q(s'|Target), and Reverse is ln q(s|Current).
	Target, Current []float32 // [M]
	// Tolerance is how many levels a proposal may be away from its target.
	Tolerance int
}
