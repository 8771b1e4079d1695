package lattice

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Second is a second variable A of a system beside its energy, a sum over the sites: the magnetisation,
// say. Levels of the system are then the pairs (E, A).
type Second struct {
	Name string
	// Of is what a site of each colour has of A.
	Of []int
}

// The names of second variables.
const (
	magnetisation = "magnetisation"
	squares       = "squares"
	colour        = "colour"
)

// Magnetisation is the sum of s_i, for spins by colour.
func Magnetisation(spins ...int) Second { return Second{magnetisation, spins} }

// Squares is the sum of s_i^2.
func Squares(spins ...int) Second {
	a := Second{Name: squares}
	for _, s := range spins {
		a.Of = append(a.Of, s*s)
	}
	return a
}

// Colour is the number of sites of colour 0, of so many colours. (That of the most frequent colour is no
// sum over the sites.)
func Colour(colours int) Second {
	a := Second{colour, make([]int, colours)}
	a.Of[0] = 1
	return a
}

// Cell is the pair of a level: an energy in units of J, and the second variable.
type Cell struct{ Energy, Second float64 }

// NewJoint returns a system whose levels are the pairs of its energy and a second variable. In each row of
// levels, those of one energy, the second variable descends, so that levels that descend
// are pairs that ascend, by their energy first.
func NewJoint(t *Terms, second Second) (*Terms, error) {
	if t.Binned() {
		return nil, fmt.Errorf("model %s: its levels hold many energies each; pairs of them with the %s need single energies", t.m.Name, second.Name)
	}
	if len(second.Of) != t.m.Colours {
		return nil, fmt.Errorf("model %s: the %s of %d colours, the model has %d", t.m.Name, second.Name, len(second.Of), t.m.Colours)
	}
	m := t.m
	m.Name += " by " + second.Name
	m.second = &second
	m.Symmetries = nil
	for _, s := range t.m.Symmetries {
		if s.all && !second.keptBy(t, s) {
			s = permutations(1, m.Colours)
		}
		if second.keptBy(t, s) {
			m.Symmetries = append(m.Symmetries, s)
		}
	}
	// The order parameter of equivalent colours would be one of a row.
	m.ColoursOrder = false
	return New(m)
}

// keptBy reports whether a symmetry leaves the second variable of random configurations unchanged.
func (a *Second) keptBy(t *Terms, s Symmetry) bool {
	alone := &Terms{m: t.m, sites: t.sites}
	alone.m.Symmetries = []Symmetry{s}
	r := rand.New(rand.NewPCG(3, 4))
	f := alone.NewFrame()
	state, image := make([]uint8, t.sites), make([]int32, t.sites)
	for range symmetryChecks {
		f.Randomise(r)
		difference := 0
		for i := range state {
			state[i] = uint8(r.IntN(t.m.Colours))
			difference -= a.Of[state[i]]
		}
		f.Apply(image, state)
		for _, c := range image {
			difference += a.Of[c]
		}
		if difference != 0 {
			return false
		}
	}
	return true
}

// unit is the largest common unit of changes of the second variable.
func (a *Second) unit() int {
	unit := 0
	for _, x := range a.Of {
		unit = gcd(unit, slices.Max(a.Of)-x)
	}
	return unit
}

// gains are the values of a site by colour, from the largest down, in units.
func (a *Second) gains() []int32 {
	gains := make([]int32, len(a.Of))
	for c, x := range a.Of {
		gains[c] = int32((slices.Max(a.Of) - x) / a.unit())
	}
	return gains
}

// pair makes levels pairs of the energy's levels and the second variable, and their tables those of
// pairs.
func (t *Terms) pair() error {
	a := t.m.second
	if a == nil {
		return nil
	}
	if a.unit() == 0 {
		return fmt.Errorf("model %s: the %s is the same for all colours", t.m.Name, a.Name)
	}
	gains := a.gains()
	most := int(slices.Max(gains))
	row := t.sites*most + 1
	if t.levels > maxLevels/row {
		return fmt.Errorf("model %s: %d energies times %d values of the %s, at most %d pairs are supported; choose a smaller lattice, or couplings with a larger common unit", t.m.Name, t.levels, row, a.Name, maxLevels)
	}
	t.row = row
	for k := range t.gain {
		t.gain[k] *= int32(row)
	}
	for k := range t.field {
		t.field[k] = t.field[k]*int32(row) + gains[k%t.m.Colours]
	}
	t.levels *= row
	t.maxStep = t.maxStep*row + most
	t.peak = t.peak*row + row - 1
	t.ground *= row
	t.changes = t.sumChanges()
	return nil
}

// JointOf returns the system as one whose levels are pairs, nil where they are not.
func JointOf(s System) *Terms {
	if t, ok := s.(*Terms); ok && t.m.second != nil {
		return t
	}
	return nil
}

// Second is the name of the second variable, empty for levels that are energies alone.
func (t *Terms) Second() string {
	if t.m.second == nil {
		return ""
	}
	return t.m.second.Name
}

// Row is the number of levels of one energy: 1, or the values of the second variable.
func (t *Terms) Row() int { return t.row }

// Cell is the pair of a level.
func (t *Terms) Cell(level int) Cell {
	c := Cell{Energy: t.Energy(level)}
	if a := t.m.second; a != nil {
		c.Second = float64(t.sites*slices.Max(a.Of) - a.unit()*(level%t.row))
	}
	return c
}

// Numbered is the pair that Energies knows by a number.
func (t *Terms) Numbered(number float64) Cell { return t.Cell(t.levels - 1 - int(number)) }

// Row returns the first and the last level with the energy of a level.
func Row(s System, level int) (first, last int) {
	if t := JointOf(s); t != nil {
		first = level - level%t.row
		return first, first + t.row - 1
	}
	return level, level
}

// Changes lists, ascending, by how much one site can change the level, among them 0 and with each
// its opposite: -MaxStep..MaxStep, of pairs those that there are. Shared, not to be written.
func Changes(s System) []int {
	if t := JointOf(s); t != nil {
		return t.changes
	}
	changes := make([]int, Steps(s))
	for i := range changes {
		changes[i] = i - s.MaxStep()
	}
	return changes
}

// sumChanges lists the sums of changes by the field and by each bond of a site.
func (t *Terms) sumChanges() []int {
	q := int32(t.m.Colours)
	all := map[int32]bool{0: true}
	known := map[string]bool{}
	for site := range t.sites {
		var tables []Bond // without the other sites
		for _, b := range t.bonds[t.first[site]:t.first[site+1]] {
			tables = append(tables, Bond{Offset: b.Offset, Factor: b.Factor})
		}
		slices.SortFunc(tables, func(a, b Bond) int { return int(a.Offset - b.Offset) })
		field := t.fieldAt(site)
		if key := fmt.Sprint(tables, field); known[key] {
			continue
		} else {
			known[key] = true
		}
		for from := range q {
			for to := range q {
				sums := map[int32]bool{field[to] - field[from]: true}
				for _, b := range tables {
					steps := map[int32]bool{}
					for others := range q * max(b.Factor, 1) {
						row := t.gain[b.Offset+others*q:]
						steps[row[to]-row[from]] = true
					}
					next := map[int32]bool{}
					for sum := range sums {
						for step := range steps {
							next[sum+step] = true
						}
					}
					sums = next
				}
				for sum := range sums {
					all[sum], all[-sum] = true, true
				}
			}
		}
	}
	var changes []int
	for _, x := range slices.Sorted(maps.Keys(all)) {
		changes = append(changes, int(x))
	}
	return changes
}
