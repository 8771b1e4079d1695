package config

import (
	"fmt"
	"slices"
	"strings"

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
)

// Models lists the models.
var Models = []string{Potts, Ising, Potts3D, BlumeCapel, IsingField, RandomBond, BaxterWu}

// New returns the system of a validated configuration.
func (s System) New() (lattice.System, error) {
	if len(s.Size) != s.dimensions() {
		return nil, fmt.Errorf("system.size: %v must be %d sides", s.Size, s.dimensions())
	}
	switch s.Model {
	case Potts3D:
		return system(lattice.NewPotts3D(s.Q, s.Size...))
	case BlumeCapel:
		return system(lattice.NewBlumeCapel(s.CrystalField, s.Size...))
	case IsingField:
		return system(lattice.NewIsingField(s.Field, s.Size...))
	case RandomBond:
		return system(lattice.NewRandomBond(s.Antiferromagnetic, s.DisorderSeed, s.Size...))
	case BaxterWu:
		return system(lattice.NewBaxterWu(s.Size...))
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

// IsPotts reports whether the system is the two-dimensional Potts model, Ising included.
func (s System) IsPotts() bool { return s.Model == Potts || s.Model == Ising }

// Name returns a short name for folders, such as q10-8x8.
func (s System) Name() string {
	name := s.Model
	switch s.Model {
	case Potts, Ising, Potts3D:
		name = fmt.Sprintf("q%d", s.Q)
	}
	sides := make([]string, len(s.Size))
	for i, l := range s.Size {
		sides[i] = fmt.Sprint(l)
	}
	return name + "-" + strings.Join(sides, "x")
}

// Parameters are the couplings that the model has beside J, by the names of their keys.
func (s System) Parameters() map[string]float64 {
	switch s.Model {
	case BlumeCapel:
		return map[string]float64{"crystal_field": s.CrystalField}
	case IsingField:
		return map[string]float64{"field": s.Field}
	case RandomBond:
		return map[string]float64{"antiferromagnetic": s.Antiferromagnetic}
	}
	return nil
}

// SystemOf is the system of a model with q colours, of these sides, with the Parameters given.
func SystemOf(model string, q int, size []int, parameters map[string]float64, disorderSeed *uint64) (System, error) {
	sides := make([]string, len(size))
	for i, l := range size {
		sides[i] = fmt.Sprint(l)
	}
	keys := []string{"system.model=" + model, "system.size=" + strings.Join(sides, "x")}
	if model == Potts || model == Potts3D {
		keys = append(keys, fmt.Sprint("system.q=", q))
	}
	for key, value := range parameters {
		keys = append(keys, fmt.Sprintf("system.%s=%v", key, value))
	}
	if disorderSeed != nil {
		keys = append(keys, fmt.Sprint("system.disorder_seed=", *disorderSeed))
	}
	c, err := Compose(nil, keys)
	if err != nil {
		return System{}, err
	}
	return c.System, nil
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

// validate reports every fault of the section.
func (s System) validate(fault func(key, format string, a ...any)) {
	if !slices.Contains(Models, s.Model) {
		fault("system.model", "%q is not one of %s", s.Model, strings.Join(Models, ", "))
		return
	}
	if s.Q < lattice.MinColours || s.Q > lattice.MaxColours {
		fault("system.q", "%d colours, allowed are %d..%d", s.Q, lattice.MinColours, lattice.MaxColours)
	} else if q := s.colours(); q != 0 && s.Q != q {
		fault("system.q", "%d contradicts system.model %s, which has %d states; leave system.q out or take system.model potts", s.Q, s.Model, q)
	}
	if n := s.dimensions(); len(s.Size) != n {
		fault("system.size", "%v must be %d sides %v", s.Size, n, []string{"[Lx, Ly]", "[Lx, Ly, Lz]"}[n-2])
	} else {
		var err error
		switch s.Model {
		case Potts3D:
			err = lattice.CheckPotts3D(lattice.MinColours, s.Size...)
		case BaxterWu:
			err = lattice.CheckBaxterWu(s.Size...)
		default:
			err = lattice.CheckIsingField(0, s.Size...)
		}
		if err != nil {
			fault("system.size", "%v", err)
		}
	}
	// A coupling of another model would be silently ignored.
	for _, c := range []struct {
		key, model string
		given      bool
		check      error
	}{
		{"system.crystal_field", BlumeCapel, s.CrystalField != 0, lattice.CheckBlumeCapel(s.CrystalField, 3, 3)},
		{"system.field", IsingField, s.Field != 0, lattice.CheckIsingField(s.Field, 3, 3)},
		{"system.antiferromagnetic", RandomBond, s.Antiferromagnetic != DefaultAntiferromagnetic, lattice.CheckRandomBond(s.Antiferromagnetic, 3, 3)},
		{"system.disorder_seed", RandomBond, s.DisorderSeed != DefaultDisorderSeed, nil},
	} {
		switch {
		case s.Model == c.model && c.check != nil:
			fault(c.key, "%v", c.check)
		case s.Model != c.model && c.given:
			fault(c.key, "system.model %s has no such parameter, but %s has; leave it out", s.Model, c.model)
		}
	}
}

// Defaults of the parameters of random_bond.
const (
	DefaultAntiferromagnetic = 0.5
	DefaultDisorderSeed      = 1
)
