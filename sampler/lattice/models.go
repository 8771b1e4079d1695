package lattice

import (
	"errors"
	"fmt"
	"math"
)

// checkTorus returns an error unless there are the given number of sides, each at least
// MinSide and a multiple of step.
func checkTorus(sides []int, dimensions, step int) error {
	if len(sides) != dimensions {
		return fmt.Errorf("size = %s: %d sides are needed", sizeString(sides), dimensions)
	}
	sites := 1
	for _, l := range sides {
		if l < MinSide || l%step != 0 {
			if step > 1 {
				return fmt.Errorf("size = %s: each side must be a multiple of %d", sizeString(sides), step)
			}
			return fmt.Errorf("size = %s: each side of the torus must be at least %d", sizeString(sides), MinSide)
		}
		if sites > maxSites/l {
			return fmt.Errorf("size = %s: more than %d sites", sizeString(sides), maxSites)
		}
		sites *= l
	}
	return nil
}

// torusPairs lists the nearest neighbours of a hypercubic torus as terms of kind 0: each site
// with those one step up along each axis, where the first coordinate varies fastest.
func torusPairs(sides []int) []Term {
	sites := 1
	for _, l := range sides {
		sites *= l
	}
	terms := make([]Term, 0, sites*len(sides))
	for i := range sites {
		stride := 1
		for _, l := range sides {
			x := i / stride % l
			terms = append(terms, Term{Sites: [3]int{i, i + ((x+1)%l-x)*stride}})
			stride *= l
		}
	}
	return terms
}

// ising is the energy -s s' of two spins, 1 for colour 1 and -1 for colour 0.
func ising(a, b, _ int) int { return -(2*a - 1) * (2*b - 1) }

// CheckPotts3D returns an error that names every argument for which there is no such system.
func CheckPotts3D(q int, sides ...int) error {
	var faults []error
	if q < MinColours || q > MaxColours {
		faults = append(faults, fmt.Errorf("q = %d: the number of colours must be %d..%d", q, MinColours, MaxColours))
	}
	return errors.Join(append(faults, checkTorus(sides, 3, 1))...)
}

// NewPotts3D returns the q-state Potts model on a periodic simple cubic lattice,
//
//	E = -J sum over bonds <ij> of delta(s_i, s_j).
func NewPotts3D(q int, sides ...int) (*Terms, error) {
	if err := CheckPotts3D(q, sides...); err != nil {
		return nil, fmt.Errorf("potts model: %w", err)
	}
	return pottsTerms(q, sides)
}

// PottsTerms returns the system p as a sum of terms, with the same levels.
func PottsTerms(p *Potts) (*Terms, error) { return pottsTerms(p.q, p.Sides()) }

func pottsTerms(q int, sides []int) (*Terms, error) {
	m := Model{
		Name: fmt.Sprintf("potts q=%d", q), Sides: sides, Colours: q,
		Kinds: []Kind{{2, func(a, b, _ int) int {
			if a == b {
				return -1
			}
			return 0
		}}},
		Terms: torusPairs(sides), ColoursOrder: true,
		Symmetries: []Symmetry{SpaceGroup(sides...), ColourPermutations(q)},
	}
	m.Ground = &Ground{-len(m.Terms), float64(q)}
	if len(sides) == 2 {
		m.Transition = math.Log(1 + math.Sqrt(float64(q)))
	}
	return New(m)
}

// CheckBlumeCapel returns an error if there is no such system. Levels are single energies, or as wide
// as bin says in units of J.
func CheckBlumeCapel(d, bin float64, sides ...int) error {
	_, err := newUnit(bin, blumeCapelSpan(d, sides), "crystal field D", d)
	return errors.Join(err, checkTorus(sides, 2, 1))
}

// blumeCapelSpan and isingSpan are the ranges of the energies that follow from each term on its own.
func blumeCapelSpan(d float64, sides []int) float64 {
	return float64(product(sides)) * (4 + math.Abs(d))
}

func isingSpan(h float64, sides []int) float64 { return float64(product(sides)) * (4 + 2*math.Abs(h)) }

// NewBlumeCapel returns the Blume-Capel model on a periodic square lattice,
//
//	E = -J sum over bonds <ij> of s_i s_j + D sum over sites of s_i^2, s_i = -1, 0, 1,
//
// the colours 0, 1, 2 (Blume, Phys. Rev. 141, 517 (1966); Capel, Physica 32, 966
// (1966)). D is in units of J.
func NewBlumeCapel(d float64, sides ...int) (*Terms, error) {
	return NewBlumeCapelInBins(d, 0, sides...)
}

// NewBlumeCapelInBins is NewBlumeCapel with levels of a width in units of J; 0 stands for levels of
// single energies.
func NewBlumeCapelInBins(d, bin float64, sides ...int) (*Terms, error) {
	if err := CheckBlumeCapel(d, bin, sides...); err != nil {
		return nil, fmt.Errorf("blume-capel model: %w", err)
	}
	u, _ := newUnit(bin, blumeCapelSpan(d, sides), "", d)
	field, one := u.of(d), u.denominator
	m := Model{
		Name: fmt.Sprintf("blume-capel D=%g", d), Sides: sides, Colours: 3, Denominator: one, Bin: u.of(bin),
		Kinds: []Kind{{2, func(a, b, _ int) int { return -one * (a - 1) * (b - 1) }}},
		Terms: torusPairs(sides),
		Field: func(_, c int) int { return field * (c - 1) * (c - 1) },
		Symmetries: []Symmetry{
			SpaceGroup(sides...),
			ColourMaps(func(c int) int { return c }, func(c int) int { return 2 - c }), // s -> -s
		},
	}
	// Since E = J/2 sum over bonds of (s_i - s_j)^2 + (D - 2J) sum of s_i^2, all sites are
	// alike in a ground state.
	energy := len(m.Terms) / 2 * (field - 2*one)
	m.Ground = &Ground{min(energy, 0), 2}
	switch {
	case energy == 0:
		m.Ground.States = 3
	case energy > 0:
		m.Ground.States = 1
	}
	return New(m)
}

// CheckIsingField returns an error if there is no such system. Levels are single energies, or as wide
// as bin says in units of J.
func CheckIsingField(h, bin float64, sides ...int) error {
	_, err := newUnit(bin, isingSpan(h, sides), "field h", h)
	return errors.Join(err, checkTorus(sides, 2, 1))
}

// NewIsingField returns the Ising model in a field on a periodic square lattice,
//
//	E = -J sum over bonds <ij> of s_i s_j - h sum over sites of s_i, s_i = -1, 1,
//
// the colours 0 and 1. h is in units of J.
func NewIsingField(h float64, sides ...int) (*Terms, error) {
	return NewIsingFieldInBins(h, 0, sides...)
}

// NewIsingFieldInBins is NewIsingField with levels of a width in units of J; 0 stands for levels of
// single energies.
func NewIsingFieldInBins(h, bin float64, sides ...int) (*Terms, error) {
	if err := CheckIsingField(h, bin, sides...); err != nil {
		return nil, fmt.Errorf("ising model: %w", err)
	}
	u, _ := newUnit(bin, isingSpan(h, sides), "", h)
	field, one := u.of(h), u.denominator
	m := Model{
		Name: fmt.Sprintf("ising h=%g", h), Sides: sides, Colours: 2, Denominator: one, Bin: u.of(bin),
		Kinds: []Kind{{2, func(a, b, _ int) int { return one * ising(a, b, 0) }}},
		Terms: torusPairs(sides),
		Field: func(_, c int) int { return -field * (2*c - 1) }, ColoursOrder: true,
		Symmetries: []Symmetry{SpaceGroup(sides...)},
	}
	sites := len(m.Terms) / 2
	m.Ground = &Ground{-len(m.Terms)*one - sites*max(field, -field), 1}
	if field == 0 {
		m.Ground.States = 2
		m.Transition = math.Log(1+math.Sqrt2) / 2
		m.Symmetries = append(m.Symmetries, ColourPermutations(2))
	}
	return New(m)
}

// CheckRandomBond returns an error if there is no such system.
func CheckRandomBond(p float64, sides ...int) error {
	var fault error
	if !(p >= 0 && p <= 1) {
		fault = fmt.Errorf("p = %g: the share of antiferromagnetic bonds must be within 0..1", p)
	}
	return errors.Join(fault, checkTorus(sides, 2, 1))
}

// NewRandomBond returns the random-bond Ising model, the +-J spin glass, on a periodic
// square lattice,
//
//	E = - sum over bonds <ij> of J_ij s_i s_j, s_i = -1, 1,
//
// the colours 0 and 1 (Edwards, Anderson, J. Phys. F 5, 965 (1975)). J_ij is -J with
// probability p and otherwise J, independently for each bond; seed determines them all. The
// ground states are known only if all bonds can be satisfied at once.
func NewRandomBond(p float64, seed uint64, sides ...int) (*Terms, error) {
	if err := CheckRandomBond(p, sides...); err != nil {
		return nil, fmt.Errorf("random-bond model: %w", err)
	}
	m := Model{
		Name: fmt.Sprintf("random-bond p=%g disorder %d", p, seed), Sides: sides, Colours: 2,
		Kinds: []Kind{{2, ising}, {2, func(a, b, _ int) int { return -ising(a, b, 0) }}},
		Terms: torusPairs(sides),
		// The quenched bonds leave only the flip of all spins.
		Symmetries: []Symmetry{ColourPermutations(2)},
	}
	for k := range m.Terms {
		if float64(mix(mix(seed)^uint64(k))>>11)*0x1p-53 < p {
			m.Terms[k].Kind = 1
		}
	}
	if _, satisfied := components(product(sides), m.Terms); satisfied {
		m.Ground = &Ground{-len(m.Terms), 2}
		if p == 0 {
			m.Transition = math.Log(1+math.Sqrt2) / 2
		}
	}
	return New(m)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// components returns into how many parts pairs of sites connect the sites, and whether spins can satisfy
// all pairs: those of kind 0 want equal spins, those of kind 1 opposite ones.
func components(sites int, terms []Term) (parts int, satisfied bool) {
	neighbours := make([][]Term, sites)
	for _, t := range terms {
		i, j := t.Sites[0], t.Sites[1]
		neighbours[i] = append(neighbours[i], t)
		neighbours[j] = append(neighbours[j], Term{t.Kind, [3]int{j, i}})
	}
	spins := make([]int, sites) // 0 or 1, or unknown
	const unknown = -1
	for i := range spins {
		spins[i] = unknown
	}
	satisfied = true
	for start, spin := range spins {
		if spin != unknown {
			continue
		}
		parts++
		spins[start] = 0
		for open := []int{start}; len(open) > 0; open = open[1:] {
			for _, t := range neighbours[open[0]] {
				j, want := t.Sites[1], (spins[open[0]]+t.Kind)%2
				if spins[j] == unknown {
					spins[j] = want
					open = append(open, j)
				}
				satisfied = satisfied && spins[j] == want
			}
		}
	}
	return parts, satisfied
}

// CheckClock returns an error that names every argument for which there is no such system. Levels are
// single energies, or as wide as bin says in units of J.
func CheckClock(q int, bin float64, sides ...int) error {
	if q < MinColours || q > MaxColours {
		return errors.Join(fmt.Errorf("q = %d: the number of directions must be %d..%d", q, MinColours, MaxColours), checkTorus(sides, 2, 1))
	}
	_, err := clockUnit(q, bin, sides)
	return errors.Join(err, checkTorus(sides, 2, 1))
}

// ClockHasUnit reports whether the energies of the clock model with q directions have a common unit:
// the cosines of all multiples of 2 pi/q are rational then (Niven, Irrational Numbers, 1956, ch. 3).
func ClockHasUnit(q int) bool { return q == 2 || q == 3 || q == 4 || q == 6 }

// clockUnit is the unit of a clock model's energies.
func clockUnit(q int, bin float64, sides []int) (unit, error) {
	if bin == 0 && !ClockHasUnit(q) {
		return unit{}, fmt.Errorf("q = %d: the energies cos(2 pi k/%d) have no common unit; give the levels a width (system.bin), or take q = 2, 3, 4 or 6", q, q)
	}
	energies := make([]float64, q)
	for k := range energies {
		energies[k] = math.Cos(2 * math.Pi * float64(k) / float64(q))
	}
	return newUnit(bin, float64(4*product(sides)), "energy of a bond", energies...)
}

// NewClock returns the clock model, or vector Potts model, with q directions on a periodic square lattice,
//
//	E = -J sum over bonds <ij> of cos(2 pi (s_i - s_j)/q),
//
// s_i the colours 0..q-1 (Potts, Proc. Camb. Phil. Soc. 48, 106 (1952)). With 2 directions it is the Ising
// model, with 3 the Potts model at two thirds of the inverse temperature, and with 4 two independent Ising
// models at half of it; from 5 on it has two transitions of the Berezinskii-Kosterlitz-Thouless type. Levels have a
// width in units of J; 0 stands for levels of single energies, for which q must be 2, 3, 4 or 6.
func NewClock(q int, bin float64, sides ...int) (*Terms, error) {
	if err := CheckClock(q, bin, sides...); err != nil {
		return nil, fmt.Errorf("clock model: %w", err)
	}
	u, _ := clockUnit(q, bin, sides)
	energies := make([]int, q)
	for k := range energies {
		// The angles k and q - k must have one energy, whatever rounding makes of their cosines.
		energies[k] = -u.of(math.Cos(2 * math.Pi * float64(min(k, q-k)) / float64(q)))
	}
	m := Model{
		Name: fmt.Sprintf("clock q=%d", q), Sides: sides, Colours: q, Denominator: u.denominator, Bin: u.of(bin),
		Kinds:        []Kind{{2, func(a, b, _ int) int { return energies[modulo(a-b, q)] }}},
		Terms:        torusPairs(sides),
		ColoursOrder: q <= 3, // otherwise order is a direction, to which several colours contribute
	}
	m.Ground = &Ground{-len(m.Terms) * u.denominator, float64(q)}
	switch q {
	case 2:
		m.Transition = math.Log(1+math.Sqrt2) / 2
	case 3:
		m.Transition = math.Log(1+math.Sqrt(3)) * 2 / 3
	case 4:
		m.Transition = math.Log(1 + math.Sqrt2)
	}
	m.Symmetries = []Symmetry{SpaceGroup(sides...), ColourMaps(dihedral(q)...)}
	return New(m)
}

// dihedral are the rotations and reflections of q directions, the identity first.
func dihedral(q int) []func(colour int) int {
	var maps []func(colour int) int
	for _, sign := range []int{1, -1} {
		for k := range q {
			if q > 2 || sign > 0 { // the reflections of two directions are their rotations
				maps = append(maps, func(c int) int { return modulo(sign*c+k, q) })
			}
		}
	}
	return maps
}

// CheckBaxterWu returns an error if there is no such system.
func CheckBaxterWu(sides ...int) error { return checkTorus(sides, 2, 3) }

// NewBaxterWu returns the Baxter-Wu model on a periodic triangular lattice whose sides
// are multiples of 3,
//
//	E = -J sum over triangles of s_i s_j s_k, s_i = -1, 1,
//
// the colours 0 and 1 (Baxter, Wu, Phys. Rev. Lett. 31, 1294 (1973)). It has four ground
// states, all spins up and the three with two of the three sublattices turned over, and the
// transition temperature of the Ising model on the square lattice.
func NewBaxterWu(sides ...int) (*Terms, error) {
	if err := CheckBaxterWu(sides...); err != nil {
		return nil, fmt.Errorf("baxter-wu model: %w", err)
	}
	lx, ly := sides[0], sides[1]
	m := Model{
		Name: "baxter-wu", Sides: sides, Colours: 2,
		Kinds:      []Kind{{3, func(a, b, c int) int { return -(2*a - 1) * (2*b - 1) * (2*c - 1) }}},
		Transition: math.Log(1+math.Sqrt2) / 2,
	}
	for y := range ly {
		for x := range lx {
			right, up := (x+1)%lx, (y+1)%ly
			m.Terms = append(m.Terms,
				Term{Sites: [3]int{y*lx + x, y*lx + right, up*lx + x}},
				Term{Sites: [3]int{y*lx + right, up*lx + x, up*lx + right}})
		}
	}
	m.Ground = &Ground{-len(m.Terms), 4}
	m.Symmetries = []Symmetry{
		Translations(sides...),
		SiteMaps(lx*ly, triangularPoints(lx, ly)...),
		SiteColourMaps(baxterWuFlips(lx)...),
	}
	return New(m)
}

// triangularPoints are the symmetries of the triangular lattice about site 0 that map the
// torus onto itself. The lattice vectors are 60 degrees apart: the neighbours of a site are
// at (1,0), (0,1) and (-1,1) from it and opposite to these.
func triangularPoints(lx, ly int) []func(i int) int {
	var points []func(i int) int
	a, b, c, d := 1, 0, 0, 1 // the matrix of (x,y) -> (ax + by, cx + dy)
	for range 2 {
		for range 6 {
			a, b, c, d = -c, -d, a+c, b+d // rotated by 60 degrees: (x,y) -> (-y, x + y)
			if c*lx%ly != 0 || b*ly%lx != 0 {
				continue // takes a period of the torus to something else
			}
			m := [4]int{a, b, c, d}
			points = append(points, func(i int) int {
				x, y := i%lx, i/lx
				u, v := m[0]*x+m[1]*y, m[2]*x+m[3]*y
				return modulo(v, ly)*lx + modulo(u, lx)
			})
		}
		a, b, c, d = c, d, a, b // reflected: (x,y) -> (y,x)
	}
	return points
}

// modulo is the remainder 0..n-1.
func modulo(x, n int) int { return (x%n + n) % n }

// baxterWuFlips turn over none or two of the three sublattices. Every triangle has a site of
// each, so that it keeps the product of its spins.
func baxterWuFlips(lx int) []func(site, colour int) int {
	flips := []func(site, colour int) int{func(_, colour int) int { return colour }}
	for kept := range 3 {
		flips = append(flips, func(site, colour int) int {
			if sublattice := (site%lx + 2*(site/lx)) % 3; sublattice == kept {
				return colour
			}
			return 1 - colour
		})
	}
	return flips
}
