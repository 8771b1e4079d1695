package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"neuralwl/internal/near"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
)

// The values of system.model.
const (
	Potts      = models.Potts
	Ising      = "ising"
	Potts3D    = "potts3d"
	BlumeCapel = "blume_capel"
	IsingField = "ising_field"
	RandomBond = "random_bond"
	BaxterWu   = "baxter_wu"
	Clock      = "clock"
	XY         = "xy"
	File       = "file"
)

// Models lists the models.
var Models = []string{Potts, Ising, Potts3D, BlumeCapel, IsingField, RandomBond, BaxterWu, Clock, XY, File}

// New returns the system of a validated configuration.
func (s System) New() (lattice.System, error) {
	of, err := s.single()
	if err != nil || s.Joint == "" {
		return of, err
	}
	return s.pairs(of)
}

// single is the system with levels that are energies alone.
func (s System) single() (lattice.System, error) {
	if s.Model == File {
		l, err := s.listed()
		if err != nil {
			return nil, fmt.Errorf("system.couplings:\n%w", err)
		}
		return system(lattice.NewListed(l))
	}
	if len(s.Size) != s.dimensions() {
		return nil, fmt.Errorf("system.size: %v must be %d sides", s.Size, s.dimensions())
	}
	switch s.Model {
	case Potts3D:
		return system(lattice.NewPotts3D(s.Q, s.Size...))
	case BlumeCapel:
		return system(lattice.NewBlumeCapelInBins(s.CrystalField, s.Bin, s.Size...))
	case IsingField:
		return system(lattice.NewIsingFieldInBins(s.Field, s.Bin, s.Size...))
	case RandomBond:
		return system(lattice.NewRandomBond(s.Antiferromagnetic, s.DisorderSeed, s.Size...))
	case BaxterWu:
		return system(lattice.NewBaxterWu(s.Size...))
	case Clock:
		return system(lattice.NewClock(s.Q, s.Bin, s.Size...))
	case XY:
		return system(lattice.NewXY(s.Bin, s.Lowest, s.Highest, s.Size...))
	}
	return system(lattice.NewPotts(s.Q, s.Size[0], s.Size[1]))
}

// system returns s as an interface, nil on an error.
func system[S lattice.System](s S, err error) (lattice.System, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// IsPotts reports whether the system is the two-dimensional Potts model, Ising included, and its levels
// energies alone.
func (s System) IsPotts() bool { return (s.Model == Potts || s.Model == Ising) && s.Joint == "" }

// Name returns a short name for folders, such as q10-8x8.
func (s System) Name() string {
	name := s.Model
	switch s.Model {
	case Potts, Ising, Potts3D:
		name = fmt.Sprintf("q%d", s.Q)
	case Clock:
		name = fmt.Sprintf("clock%d", s.Q)
	case File:
		name = s.title()
	}
	sides := make([]string, len(s.Size))
	for i, l := range s.Size {
		sides[i] = fmt.Sprint(l)
	}
	if s.Joint != "" {
		name += "-" + s.Joint
	}
	return name + "-" + strings.Join(sides, "x")
}

// Parameters are what the model has beside J of couplings and of the width of levels, by the names of
// their keys.
func (s System) Parameters() map[string]float64 {
	var p map[string]float64
	switch s.Model {
	case BlumeCapel:
		p = map[string]float64{"crystal_field": s.CrystalField}
	case IsingField:
		p = map[string]float64{"field": s.Field}
	case RandomBond:
		return map[string]float64{"antiferromagnetic": s.Antiferromagnetic}
	case File, Clock:
		p = map[string]float64{}
	case XY:
		p = map[string]float64{}
		if s.Lowest != 0 {
			p["lowest"] = s.Lowest
		}
		if s.Highest != 0 {
			p["highest"] = s.Highest
		}
	}
	if s.Bin != 0 && p != nil {
		p["bin"] = s.Bin
	}
	return p
}

// SystemOf is the system of a model with q colours, of these sides, with the Parameters given.
func SystemOf(model string, q int, size []int, parameters map[string]float64, disorderSeed *uint64) (System, error) {
	if model == File {
		return System{}, fmt.Errorf("system.model %s is known by its couplings alone, which stand in config.yaml of the run", File)
	}
	s := System{
		Model: model, Q: q, Size: size, Antiferromagnetic: DefaultAntiferromagnetic, DisorderSeed: DefaultDisorderSeed,
		Interaction: string(lattice.IsingInteraction),
	}
	if own := s.colours(); own != 0 {
		s.Q = own
	}
	if disorderSeed != nil {
		s.DisorderSeed = *disorderSeed
	}
	var faults []error
	fault := func(key, format string, a ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, a...)))
	}
	fields := map[string]*float64{"crystal_field": &s.CrystalField, "field": &s.Field, "antiferromagnetic": &s.Antiferromagnetic, "bin": &s.Bin, "lowest": &s.Lowest, "highest": &s.Highest}
	for name, value := range parameters {
		if field := fields[name]; field != nil {
			*field = value
		} else {
			fault("system."+name, "no such parameter")
		}
	}
	s.validate(fault)
	return s, errors.Join(faults...)
}

func (s System) dimensions() int {
	if s.Model == Potts3D {
		return 3
	}
	return 2
}

// colours returns the model's number of colours, or 0 if system.q sets it.
func (s System) colours() int {
	switch s.Model {
	case Ising, IsingField, RandomBond, BaxterWu:
		return 2
	case BlumeCapel:
		return 3
	}
	return 0
}

// sizeByDefault returns the model's default of system.size, or nil for that of default.yaml.
func (s System) sizeByDefault() []int {
	switch s.Model {
	case Potts3D:
		return []int{6, 6, 6}
	case BaxterWu:
		return []int{9, 9}
	}
	return nil
}

// binByDefault returns the model's default of system.bin, 0 for levels of single energies.
func (s System) binByDefault() float64 {
	if s.Model == XY || s.Model == Clock && !lattice.ClockHasUnit(s.Q) {
		return 0.5
	}
	return 0
}

// validate reports every fault of the section.
func (s System) validate(fault func(key, format string, a ...any)) {
	if !slices.Contains(Models, s.Model) {
		fault("system.model", "%q is not one of %s%s", s.Model, strings.Join(Models, ", "), near.Ask(s.Model, Models))
		return
	}
	s.validateJoint(fault)
	if s.Model == File {
		s.validateListed(fault)
		s.validateParameters(fault)
		return
	}
	if s.Model == XY {
		s.validateXY(fault)
		s.validateParameters(fault)
		return
	}
	if s.Q < lattice.MinColours || s.Q > lattice.MaxColours {
		fault("system.q", "%d colours, allowed are %d..%d", s.Q, lattice.MinColours, lattice.MaxColours)
	} else if q := s.colours(); q != 0 && s.Q != q {
		fault("system.q", "%d contradicts system.model %s, which has %d states; leave system.q out or take system.model potts", s.Q, s.Model, q)
	}
	if n := s.dimensions(); len(s.Size) != n {
		fault("system.size", "%v must be %d sides, as in %s", s.Size, n, []string{"16x16", "8x8x8"}[n-2])
	} else {
		var err error
		switch s.Model {
		case Potts3D:
			err = lattice.CheckPotts3D(lattice.MinColours, s.Size...)
		case BaxterWu:
			err = lattice.CheckBaxterWu(s.Size...)
		default:
			err = lattice.CheckIsingField(0, 0, s.Size...)
		}
		if err != nil {
			fault("system.size", "%v", err)
		}
	}
	s.validateParameters(fault)
}

// validateParameters reports what is wrong with the parameters of the model. One of another model would
// be silently ignored.
func (s System) validateParameters(fault func(key, format string, a ...any)) {
	for _, c := range []struct {
		key, model string
		given      bool
		check      error
	}{
		{"system.crystal_field", BlumeCapel, s.CrystalField != 0, lattice.CheckBlumeCapel(s.CrystalField, s.Bin, 3, 3)},
		{"system.field", IsingField, s.Field != 0, lattice.CheckIsingField(s.Field, s.Bin, 3, 3)},
		{"system.antiferromagnetic", RandomBond, s.Antiferromagnetic != DefaultAntiferromagnetic, lattice.CheckRandomBond(s.Antiferromagnetic, 3, 3)},
		{"system.q", Clock, false, s.checkClock()},
		{"system.lowest", XY, s.Lowest != 0, nil},
		{"system.highest", XY, s.Highest != 0, nil},
		{"system.disorder_seed", RandomBond, s.DisorderSeed != DefaultDisorderSeed, nil},
		{"system.interaction", File, s.Interaction != string(lattice.IsingInteraction), nil},
		{"system.energies", File, len(s.Energies) > 0, nil},
		{"system.couplings", File, s.Couplings != "", nil},
		{"system.title", File, s.Title != "", checkTitle(s.Title)},
	} {
		switch {
		case s.Model == c.model && c.check != nil:
			fault(c.key, "%v", c.check)
		case s.Model != c.model && c.given:
			fault(c.key, "system.model %s has no such parameter, but %s has; leave it out", s.Model, c.model)
		}
	}
	if s.Bin != 0 && !slices.Contains([]string{BlumeCapel, IsingField, Clock, XY, File}, s.Model) {
		fault("system.bin", "the energies of system.model %s are levels by themselves; leave it out", s.Model)
	}
}

// validateXY reports what is wrong with the XY model, of which a range of energies may be too narrow on some lattices
// alone.
func (s System) validateXY(fault func(key, format string, a ...any)) {
	if s.Q != 0 {
		fault("system.q", "%d contradicts system.model %s, whose sites have angles; leave system.q out or take system.model %s", s.Q, XY, Clock)
	}
	if err := lattice.CheckXY(s.Bin, s.Lowest, s.Highest, s.Size...); err != nil {
		fault("system", "%v", err)
	}
}

// checkClock returns what is wrong with the energies of a clock model whose number of directions is allowed.
func (s System) checkClock() error {
	if s.Q < lattice.MinColours || s.Q > lattice.MaxColours {
		return nil
	}
	return lattice.CheckClock(s.Q, s.Bin, 3, 3)
}

// Defaults of the parameters of random_bond.
const (
	DefaultAntiferromagnetic = 0.5
	DefaultDisorderSeed      = 1
)
