package lattice

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/lattice/lists"
)

// Interaction is what the couplings of a list couple.
type Interaction string

// The interactions of a list, with s = -1, 1 for the colours 0, 1 of Ising spins.
const (
	// IsingInteraction is E = -sum of J_ij s_i s_j, of J_ijk s_i s_j s_k, and of J_i s_i.
	IsingInteraction Interaction = "ising"
	// PottsInteraction is E = -sum of J_ij delta(s_i, s_j), of J_ijk where all three are equal, and of J_i where
	// s_i is the colour that the row names.
	PottsInteraction Interaction = "potts"
	// CutInteraction is E = -sum of J_ij [1 - delta(s_i, s_j)], minus the weight of the edges between
	// different colours: its ground states are the largest cuts. Fields are as in PottsInteraction.
	CutInteraction Interaction = "cut"
	// TableInteraction is E = sum of J_ij V(s_i, s_j) with a symmetric table V of the energies of pairs
	// of colours. Fields are as in PottsInteraction.
	TableInteraction Interaction = "table"
)

// Interactions lists them.
var Interactions = []Interaction{IsingInteraction, PottsInteraction, CutInteraction, TableInteraction}

// Listed describes a system by a list of its interactions; NewListed makes it.
type Listed struct {
	Name        string
	List        *lists.List
	Interaction Interaction
	// Colours of PottsInteraction and CutInteraction; the others have their own number.
	Colours int
	// Energies of TableInteraction, in units of J.
	Energies [][]float64
	// Bin is the width of the levels in units of J, 0 for levels of single energies, for which all
	// energies need a common unit.
	Bin float64
	// Sides of a lattice whose sites these are, by default one of all sites. Nothing but pictures
	// depends on them.
	Sides []int
}

// NewListed returns a system of listed interactions. In bins, couplings are rounded to multiples of
// 1e-6 J, or of larger units in systems of very large energies.
func NewListed(l Listed) (*Terms, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	values, span := []float64{}, 0.0
	for _, r := range l.List.Rows {
		factors := []float64{1}
		if l.Interaction == TableInteraction && len(r.Sites) > 1 {
			factors = slices.Concat(l.Energies...)
		}
		most := 0.0
		for _, v := range factors {
			values = append(values, r.J*v)
			most = max(most, math.Abs(r.J*v))
		}
		span += 2 * most
	}
	u, err := newUnit(l.Bin, span, "coupling", values...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name, err)
	}
	m := Model{
		Name: l.name(), Sides: l.Sides, Colours: l.colours(), Denominator: u.denominator, Bin: u.of(l.Bin),
		Ground: l.ground(u), Symmetries: l.symmetries(), ColoursOrder: l.orders(),
	}
	if len(m.Sides) == 0 {
		m.Sides = []int{l.List.Sites}
	}
	type kind struct {
		order int
		j     float64
	}
	kinds := map[kind]int{}
	var fields map[int][]int
	for _, r := range l.List.Rows {
		if len(r.Sites) == 1 {
			if fields == nil {
				fields = map[int][]int{}
			}
			site := r.Sites[0]
			if fields[site] == nil {
				fields[site] = make([]int, m.Colours)
			}
			for c := range m.Colours {
				fields[site][c] += l.fieldEnergy(r, c, u)
			}
			continue
		}
		key := kind{len(r.Sites), r.J}
		k, known := kinds[key]
		if !known {
			k = len(m.Kinds)
			kinds[key] = k
			m.Kinds = append(m.Kinds, l.kind(len(r.Sites), r.J, u))
		}
		t := Term{Kind: k}
		copy(t.Sites[:], r.Sites)
		m.Terms = append(m.Terms, t)
	}
	if fields != nil {
		none := make([]int, m.Colours)
		m.Field = func(site, colour int) int {
			if own := fields[site]; own != nil {
				return own[colour]
			}
			return none[colour]
		}
	}
	return New(m)
}

// name includes the number of colours where the list does not tell it.
func (l *Listed) name() string {
	if l.Interaction == PottsInteraction || l.Interaction == CutInteraction {
		return fmt.Sprintf("%s q=%d", l.Name, l.Colours)
	}
	return l.Name
}

// check returns the faults of the description.
func (l *Listed) check() error {
	var faults []error
	const most = 10 // faults that are told of
	fault := func(format string, a ...any) {
		if len(faults) < most {
			faults = append(faults, fmt.Errorf(l.Name+": "+format, a...))
		}
	}
	row := func(r lists.Row) string { return fmt.Sprintf("the row of %v, J = %g", r.Sites, r.J) }
	if !slices.Contains(Interactions, l.Interaction) {
		fault("there is no interaction %q; there are %v", l.Interaction, Interactions)
		return errors.Join(faults...)
	}
	if l.Interaction == TableInteraction {
		for a, row := range l.Energies {
			if len(row) != len(l.Energies) {
				fault("row %d of the table of energies has %d entries, the table %d rows; it must be square", a, len(row), len(l.Energies))
				return errors.Join(faults...)
			}
			for b, e := range row[:a] {
				if e != l.Energies[b][a] {
					fault("the energies of the colours %d, %d and %d, %d differ, %g and %g; the table must be symmetric", b, a, a, b, l.Energies[b][a], e)
				}
			}
		}
	} else if len(l.Energies) > 0 {
		fault("the interaction %s has no table of energies", l.Interaction)
	}
	q := l.colours()
	if err := CheckSize(q, l.List.Sites); err != nil {
		fault("%w", err)
	}
	if n := product(l.Sides); len(l.Sides) > 0 && n != l.List.Sites {
		fault("%d sites are no lattice of %s", l.List.Sites, sizeString(l.Sides))
	}
	for _, r := range l.List.Rows {
		switch {
		case r.Colour >= q:
			fault("%s: there is no colour %d, they are 0..%d", row(r), r.Colour, q-1)
		case len(r.Sites) == 1 && r.Colour < 0 && l.Interaction != IsingInteraction:
			fault("%s: a field needs the colour that it acts on, in the column s", row(r))
		case len(r.Sites) == 3 && (l.Interaction == CutInteraction || l.Interaction == TableInteraction):
			fault("%s: the interaction %s couples two sites, not three", row(r), l.Interaction)
		}
	}
	return errors.Join(faults...)
}

func product(sides []int) int {
	n := 1
	for _, l := range sides {
		n *= l
	}
	return n
}

// colours is the number of colours.
func (l *Listed) colours() int {
	switch l.Interaction {
	case IsingInteraction:
		return 2
	case TableInteraction:
		return len(l.Energies)
	}
	return l.Colours
}

// kind is the interaction of so many sites with a coupling.
func (l *Listed) kind(order int, j float64, u unit) Kind {
	one := u.of(j)
	var energy func(a, b, c int) int
	switch l.Interaction {
	case IsingInteraction:
		energy = func(a, b, c int) int {
			if order == 2 {
				return one * ising(a, b, 0)
			}
			return -one * (2*a - 1) * (2*b - 1) * (2*c - 1)
		}
	case PottsInteraction:
		energy = func(a, b, c int) int {
			if a == b && (order == 2 || b == c) {
				return -one
			}
			return 0
		}
	case CutInteraction:
		energy = func(a, b, _ int) int {
			if a != b {
				return -one
			}
			return 0
		}
	case TableInteraction:
		table := make([][]int, len(l.Energies))
		for a, row := range l.Energies {
			for _, e := range row {
				table[a] = append(table[a], u.of(j*e))
			}
		}
		energy = func(a, b, _ int) int { return table[a][b] }
	}
	return Kind{order, energy}
}

// fieldEnergy is the energy of a colour in the field of a row.
func (l *Listed) fieldEnergy(r lists.Row, colour int, u unit) int {
	switch {
	case r.Colour >= 0 && colour == r.Colour:
		return -u.of(r.J)
	case r.Colour < 0:
		return -u.of(r.J) * (2*colour - 1)
	}
	return 0
}

// alike reports whether no row makes a difference between the colours.
func (l *Listed) alike() bool {
	return !slices.ContainsFunc(l.List.Rows, func(r lists.Row) bool {
		return len(r.Sites) == 1 || len(r.Sites) == 3 && l.Interaction == IsingInteraction
	})
}

// symmetries are those that are seen at once: of the colours.
func (l *Listed) symmetries() []Symmetry {
	if l.Interaction == TableInteraction || !l.alike() {
		return nil
	}
	return []Symmetry{ColourPermutations(l.colours())}
}

// orders reports whether the ground states have all sites of one colour.
func (l *Listed) orders() bool {
	return (l.Interaction == IsingInteraction || l.Interaction == PottsInteraction) && l.alike() &&
		!slices.ContainsFunc(l.List.Rows, func(r lists.Row) bool { return r.J < 0 })
}

// ground is what follows from the list at once of the ground states: Ising spins that can satisfy all
// their couplings, and Potts spins whose couplings are positive. It is nil where that is unknown.
func (l *Listed) ground(u unit) *Ground {
	if !l.alike() || l.Interaction != IsingInteraction && !(l.Interaction == PottsInteraction && l.orders()) {
		return nil
	}
	var terms []Term
	energy := 0
	for _, r := range l.List.Rows {
		if u.of(r.J) == 0 {
			continue
		}
		t := Term{}
		if r.J < 0 {
			t.Kind = 1
		}
		copy(t.Sites[:], r.Sites)
		if terms = append(terms, t); len(r.Sites) == 3 {
			terms = append(terms, Term{Sites: [3]int{r.Sites[1], r.Sites[2]}})
		}
		energy -= max(u.of(r.J), -u.of(r.J))
	}
	parts, satisfied := components(l.List.Sites, terms)
	if !satisfied {
		return nil
	}
	states := math.Pow(float64(l.colours()), float64(parts))
	if math.IsInf(states, 0) {
		return nil
	}
	return &Ground{energy, states}
}
