package lattice

import (
	"errors"
	"fmt"
	"math"
)

// System is what sampling and the evaluation of samples need to know of a spin system. Potts
// has kernels of its own; New makes all other systems from a Model.
//
// A configuration is a []uint8 of N colours 0..Colours()-1. Its energy is given by its level,
// an integer 0..Levels()-1. Levels ascend as the energy descends, in equal steps, so that for
// Potts the level is the number of satisfied bonds. (Levels that are pairs, see NewJoint, come in rows of one
// energy.)
type System interface {
	fmt.Stringer
	// Sides of the lattice; N is their product.
	Sides() []int
	Sites() int
	Colours() int

	// Levels is the number of nominal levels. Possible excludes levels that no configuration
	// has, as far as simple rules can tell; LevelsKnown reports whether these rules are
	// (nearly) complete, so that a level never seen is a level missed.
	Levels() int
	Possible(level int) bool
	LevelsKnown() bool
	// MaxStep is the largest change of the level by one site.
	MaxStep() int
	// Energy of a level in units of J.
	Energy(level int) float64
	// Level of a configuration.
	Level(state []uint8) int

	// GroundLevel is the level of the ground states and LnGroundStates the logarithm of their
	// number. If they are unknown, LnGroundStates is NaN and GroundLevel an upper bound on the
	// level of any configuration.
	GroundLevel() int
	LnGroundStates() float64
	// PeakLevel is the mean level at infinite temperature, rounded down. The density of
	// states has its maximum near it.
	PeakLevel() int
	// LnStates is the logarithm of the number of configurations.
	LnStates() float64
	// InfiniteTransition is the inverse temperature of the transition on the infinite
	// lattice, 0 if it is unknown or there is none.
	InfiniteTransition() float64

	// ColoursOrder reports whether order means that one colour is most frequent, with all
	// colours equivalent, as in Potts and Ising models: their order parameter then applies.
	ColoursOrder() bool

	// Validate returns an error if state is not a configuration of this system.
	Validate(state []uint8) error
}

// GroundKnown reports whether the ground states of a system are known.
func GroundKnown(s System) bool { return !math.IsNaN(s.LnGroundStates()) }

// LowestKnown reports whether the level of the ground states is known, if not their number.
func LowestKnown(s System) bool {
	switch s := s.(type) {
	case *Terms:
		return GroundKnown(s) || s.m.Ground != nil
	case *XY:
		return !s.Truncated()
	}
	return GroundKnown(s)
}

// Truncated reports whether a system leaves out states of the lowest energies, so that averages hold only at
// temperatures at which its lowest level does not matter.
func Truncated(s System) bool {
	xy, ok := s.(*XY)
	return ok && xy.Truncated()
}

// Energies returns what the levels are known by in estimates: their energies in units of J. Those of pairs,
// of which many share an energy, are their numbers in ascending order; see Terms.Numbered.
func Energies(s System) []float64 {
	energies := make([]float64, s.Levels())
	pairs := JointOf(s) != nil
	for level := range energies {
		if energies[level] = s.Energy(level); pairs {
			energies[level] = float64(len(energies) - 1 - level)
		}
	}
	return energies
}

// Steps is the number of level changes of a trial of one site, -MaxStep..MaxStep.
func Steps(s System) int { return 2*s.MaxStep() + 1 }

func validate(s System, state []uint8) error {
	if len(state) != s.Sites() {
		return fmt.Errorf("configuration has %d sites, the lattice %s has %d", len(state), sizeString(s.Sides()), s.Sites())
	}
	for i, colour := range state {
		if int(colour) >= s.Colours() {
			return fmt.Errorf("configuration: site %d has colour %d, allowed are 0..%d", i, colour, s.Colours()-1)
		}
	}
	return nil
}

// CheckSize returns an error unless there can be a system of q colours with these sides.
func CheckSize(q int, sides ...int) error {
	var faults []error
	if q < MinColours || q > MaxColours {
		faults = append(faults, fmt.Errorf("q = %d: the number of colours must be %d..%d", q, MinColours, MaxColours))
	}
	sites := 1
	for _, l := range sides {
		if l < 1 || sites > maxSites/l {
			faults = append(faults, fmt.Errorf("size = %s: sides must be positive and all sites together at most %d", sizeString(sides), maxSites))
			break
		}
		sites *= l
	}
	if len(sides) == 0 {
		faults = append(faults, errors.New("size: there are no sides"))
	}
	return errors.Join(faults...)
}

// sizeString writes sides as in 8x8.
func sizeString(sides []int) string {
	text := ""
	for i, l := range sides {
		if i > 0 {
			text += "x"
		}
		text += fmt.Sprint(l)
	}
	return text
}
