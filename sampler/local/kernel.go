// Package local moves the sites of a configuration one at a time, by heat bath and
// Metropolis updates under the weights 1/g(E), and in clusters, and counts the transitions
// between levels that the moves of one site could have made. It knows neither walkers nor where
// ln g comes from.
package local

import (
	"fmt"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// Move names a local move.
type Move int

// The moves. HeatBath visits the sites in a fixed order, RandomHeatBath and Metropolis at
// random. On the Potts model with many colours the heat bath needs several times fewer
// updates per round trip. Cluster moves the whole lattice in clusters before each sweep of the
// heat bath; see cluster. Spins with angles have Metropolis, which turns them by a step that depends on
// the energy, and Overrelaxation, which reflects all of them about their neighbours' field before that.
const (
	None Move = iota
	HeatBath
	Metropolis
	RandomHeatBath
	Cluster
	Overrelaxation
)

func (m Move) String() string {
	switch m {
	case None:
		return "none"
	case HeatBath:
		return "heat_bath"
	case Metropolis:
		return "metropolis"
	case RandomHeatBath:
		return "heat_bath at random"
	case Cluster:
		return "cluster"
	case Overrelaxation:
		return "overrelaxation"
	}
	return fmt.Sprintf("Move(%d)", int(m))
}

// Kernel makes one move on one system, for walkers that stay in one window of levels.
type Kernel interface {
	// Fill recomputes the tables for the weights exp(-lnWeight), given by level. Levels
	// outside the window have no weight. No Sweep may run meanwhile.
	Fill(lnWeight []float64)

	// Sweep makes N trials on a configuration of the given level. It returns the new level
	// and how many trials were accepted; the heat bath rejects none, and Cluster returns N if
	// its cluster move was accepted, else 0. Each trial, accepted or rejected, counts 1 in hits at the level it ends on and, unless situations is nil, in
	// situations, a block of Transitions, by what it begins with.
	//
	// The worker, 0..workers-1, selects scratch space: calls with different workers may run
	// at the same time. Sweep does not allocate.
	Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int)

	// Transitions returns empty counts of transitions in a number of blocks, nil if there
	// would be too many of them.
	Transitions(blocks int) *Transitions
}

// Adaptive is a Kernel whose proposals follow an estimate of ln g.
type Adaptive interface {
	Kernel
	// Adapt chooses the proposals by ln g of all levels. Proposals are part of the move: while they change it
	// is no Markov chain, and Transitions of several kernels belong together only if the proposals are the same. No Sweep may
	// run meanwhile.
	Adapt(lnG []float64)
}

// New returns the kernel of a move, nil for None. It has scratch space for a number of
// workers. Check says whether there is one for a system.
func New(s lattice.System, move Move, window lattice.Window, workers int) Kernel {
	switch s := s.(type) {
	case *lattice.Potts:
		switch move {
		case HeatBath:
			return newPottsHeatBath(s, window)
		case RandomHeatBath:
			return &pottsRandomHeatBath{newPottsHeatBath(s, window)}
		case Metropolis:
			return newPottsMetropolis(s, window)
		case Cluster:
			return newCluster(newPottsHeatBath(s, window), s, window, workers)
		}
	case *lattice.Terms:
		switch move {
		case HeatBath:
			return &termsHeatBath{newTermsKernels(s, window, workers)}
		case RandomHeatBath:
			return &termsRandomHeatBath{newTermsKernels(s, window, workers)}
		case Metropolis:
			return &termsMetropolis{newTermsKernels(s, window, workers)}
		case Cluster:
			return newCluster(&termsHeatBath{newTermsKernels(s, window, workers)}, s, window, workers)
		}
	case *lattice.XY:
		switch move {
		case Metropolis:
			return newXYMetropolis(s, window, workers)
		case Overrelaxation:
			return &xyOverrelaxation{newXYMetropolis(s, window, workers)}
		}
	}
	if move == None {
		return nil
	}
	panic(fmt.Sprintf("local: no kernel for the move %v on systems of the type %T", move, s))
}

// Check returns an error that says why there is no kernel of a move for a system: there are kernels
// for the types of package lattice only, Cluster needs lattice.Couplings, and angles have moves of their own.
func Check(s lattice.System, move Move) error {
	switch s.(type) {
	case *lattice.XY:
		if move == HeatBath || move == RandomHeatBath || move == Cluster {
			return fmt.Errorf("there is no move %v of the angles of %v; take %v or %v", move, s, Metropolis, Overrelaxation)
		}
		return nil
	case *lattice.Potts, *lattice.Terms:
		if move == Overrelaxation {
			return fmt.Errorf("there is no move %v of the colours of %v; take %v or %v", move, s, HeatBath, Metropolis)
		}
		if move != Cluster {
			return nil
		}
		if _, err := lattice.CouplingsOf(s); err != nil {
			return fmt.Errorf("there are no cluster moves: %w; take the heat bath", err)
		}
		return nil
	}
	return fmt.Errorf("there are no local moves for systems of the type %T; make one with lattice.New", s)
}
