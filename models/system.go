package models

import (
	"fmt"
	"strings"
)

// Potts is the name of the two-dimensional Potts model, the Ising model included, whose
// bonds some architectures count.
const Potts = "potts"

// System is the spin system that a network is built for. Couplings have no part in it: a
// network trained for some couplings proposes as exactly for others.
type System struct {
	Model string // as cards and configurations name it; empty stands for Potts
	Q     int    // number of colours; 0 of a system of angles
	Sides []int  // of the lattice, that of the fastest running coordinate first
}

// Sites is the number of sites N, the product of the sides.
func (s System) Sites() int {
	n := 1
	for _, l := range s.Sides {
		n *= l
	}
	return n
}

// Name is Model, or Potts where that is empty.
func (s System) Name() string {
	if s.Model == "" {
		return Potts
	}
	return s.Model
}

// Angles reports whether sites have angles rather than colours.
func (s System) Angles() bool { return s.Name() == XY }

func (s System) String() string {
	if s.Angles() {
		return fmt.Sprintf("%s, size %s", s.Name(), s.Size())
	}
	return fmt.Sprintf("%s q=%d, size %s", s.Name(), s.Q, s.Size())
}

// Size writes the sides as in 8x8.
func (s System) Size() string {
	sides := make([]string, len(s.Sides))
	for i, l := range s.Sides {
		sides[i] = fmt.Sprint(l)
	}
	return strings.Join(sides, "x")
}

// lx and ly are the sides of a lattice that is known to have two.
func (s System) lx() int { return s.Sides[0] }
func (s System) ly() int { return s.Sides[1] }

// needsRows returns an error unless the lattice has the rows that convolutions go along.
func (s System) needsRows() error {
	if len(s.Sides) == 2 {
		return nil
	}
	return fmt.Errorf("convolutions are made for lattices with two sides, not for %v; take the architecture %s, or %s with a %s encoder and decoder", s, Made, Autoencoder, Dense)
}

// needsBonds returns an error unless levels count the satisfied bonds of a square lattice,
// which what asks for it computes.
func (s System) needsBonds(what, remedy string) error {
	if s.Name() == Potts && len(s.Sides) == 2 {
		return nil
	}
	return fmt.Errorf("%s counts the bonds of the two-dimensional Potts model and knows no energies of %v; %s", what, s, remedy)
}
