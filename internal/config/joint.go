package config

import (
	"fmt"
	"slices"
	"strings"

	"neuralwl/sampler/lattice"
)

// The values of system.joint.
const (
	Magnetisation = "magnetisation"
	Squares       = "squares"
	Colour        = "colour"
)

// seconds lists the second variables that a system has, and the reason where there is none.
func (s System) seconds() (names []string, why string) {
	switch s.Model {
	case Potts, Potts3D:
		return []string{Colour}, ""
	case Ising:
		return []string{Colour}, fmt.Sprintf("for the magnetisation take system.model %s, of the usual energy -sum s s'", IsingField)
	case BlumeCapel:
		return []string{Magnetisation, Squares}, ""
	case File:
		if s.Interaction == string(lattice.IsingInteraction) {
			return []string{Magnetisation}, ""
		}
		return []string{Colour}, ""
	}
	return []string{Magnetisation}, ""
}

// validateJoint reports what is wrong with the second variable.
func (s System) validateJoint(fault func(key, format string, a ...any)) {
	const key = "system.joint"
	if s.Joint == "" {
		return
	}
	names, why := s.seconds()
	if !slices.Contains(names, s.Joint) {
		if why != "" {
			why = "; " + why
		}
		fault(key, "%q is no second variable of system.model %s, which has %s%s", s.Joint, s.Model, strings.Join(names, " and "), why)
		return
	}
	if s.Bin != 0 {
		fault("system.bin", "%g, but pairs with system.joint are of single energies; leave it out", s.Bin)
	}
	switch {
	case s.Joint == Magnetisation && s.Field != 0:
		fault("system.field", "%g, but a joint density of the energy and the magnetisation holds all fields; leave it out, and give them to nwl dos reweight", s.Field)
	case s.Joint == Squares && s.CrystalField != 0:
		fault("system.crystal_field", "%g, but a joint density of the energy and the squares holds all crystal fields; leave it out, and give them to nwl dos reweight", s.CrystalField)
	}
}

// pairs makes levels of the system pairs of its energy and the second variable.
func (s System) pairs(of lattice.System) (lattice.System, error) {
	t, ok := of.(*lattice.Terms)
	if p, potts := of.(*lattice.Potts); potts {
		var err error
		if t, err = lattice.PottsTerms(p); err != nil {
			return nil, err
		}
	} else if !ok {
		return nil, fmt.Errorf("system.joint: there are no pairs of systems of the type %T", of)
	}
	spins := []int{-1, 1}
	if s.Model == BlumeCapel {
		spins = []int{-1, 0, 1}
	}
	switch s.Joint {
	case Magnetisation:
		return system(lattice.NewJoint(t, lattice.Magnetisation(spins...)))
	case Squares:
		return system(lattice.NewJoint(t, lattice.Squares(spins...)))
	}
	return system(lattice.NewJoint(t, lattice.Colour(t.Colours())))
}

// validateJointRun reports what a run cannot do with pairs.
func (c *Config) validateJointRun(fault func(key, format string, a ...any)) {
	joint := c.System.Joint
	if joint == "" {
		return
	}
	// Hills and Gaussians are wide in the energy, and have no shape in pairs.
	if m := c.Run.Method; m == CanonicalMethod || m == MetadynamicsMethod || m == MultipleGaussianMethod || c.Run.DrawsAlone() {
		fault("run.method", "%s does not find a density of states of pairs; system.joint %s needs %s, %s or %s",
			m, joint, WangLandauMethod, NeuralWangLandauMethod, MulticanonicalMethod)
	}
	if c.Local.Move == Cluster {
		fault("local.move", "%s, but clusters are made for levels that are energies alone, not pairs with system.joint %s; take %s or %s", Cluster, joint, HeatBath, Metropolis)
	}
	if c.Production.Histogram == PhaseHistogram {
		fault("production.histogram", "%s divides energies alone, not pairs with system.joint %s; take %s or %s", PhaseHistogram, joint, FlatHistogram, LowHistogram)
	}
}
