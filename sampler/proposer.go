package sampler

import (
	"context"
	"sync/atomic"
)

// Proposer draws whole configurations with known probability: q(s'|s), or q(s'|s,d) for a
// network that takes a shift d of the energy, or q(s'|E*) for one that aims at an energy. Of an
// unnormalised one, only the ratio q(s'|s)/q(s|s') is known. It
// is all that the engine knows of a network. One call serves many walkers; data pass through
// the buffers of Batch, so that nothing is copied.
type Proposer interface {
	// Batch returns the buffers, always the same.
	Batch() *Batch
	// Pin selects the latest network for all calls of Propose and LogProb until the next Pin
	// and returns its version.
	Pin() Version
	// Propose reads State, Start, Shift, Target and Uniform and writes Proposal and Forward.
	Propose(ctx context.Context) error
	// LogProb reads Proposal as the condition, State, Start, Back and Current, and writes
	// Reverse.
	LogProb(ctx context.Context) error
}

// Version identifies a network with its parameters within a process: two calls of Pin return
// the same version only if ln q is the same function. No version is 0.
type Version uint64

// versions is the number of versions handed out.
var versions atomic.Uint64

// NewVersion is a version that no network of this process had before.
func NewVersion() Version { return Version(versions.Add(1)) }

// Batch is the exchange between the engine and a Proposer for up to M walkers on N sites.
// Configurations are in the walker's frame and stored one after another.
type Batch struct {
	Walkers, Sites int
	// Used is how many of the M places the next call serves, from the first one on: all,
	// unless only some walkers make a proposal. The contents of the others are undefined.
	Used int

	State    []int32   // [M,N] the configurations s
	Start    []int32   // [M] first site in raster order to be resampled
	Uniform  []float32 // [M,U] independent uniform numbers in [0,1), U = N unless Unnormalised
	Proposal []int32   // [M,N] the proposed configurations s'
	Forward  []float32 // [M] ln q(s'|s)
	Reverse  []float32 // [M] ln q(s|s')

	// Unnormalised says that moves are reversible for a distribution p, which is known up to a
	// constant: Forward is ln p(s') and Reverse ln p(s).
	Unnormalised bool

	// Shift is the shift d of the energy in units of J, and Back that of the reverse move:
	// Forward is ln q(s'|s,Shift), Reverse ln q(s|s',Back). Nil for a network without shifts.
	Shift, Back []float32 // [M]

	// Target energies in units of J: s' is drawn from q(s'|Target), and Reverse is
	// ln q(s|Current). Nil for a network without targets.
	Target, Current []float32 // [M]
	// Tolerance is how many levels a proposal may be away from its target.
	Tolerance int
}

// Uniforms are the random numbers of the i-th walker's proposal.
func (b *Batch) Uniforms(i int) []float32 {
	u := len(b.Uniform) / b.Walkers
	return b.Uniform[i*u : (i+1)*u]
}
