package lattice

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Model describes a spin system by its interactions; New makes a System of it. Energies are
// integers in units of J/Denominator.
type Model struct {
	// Name includes the parameters but not the size, which String appends.
	Name  string
	Sides []int // of the lattice; N is their product
	// Colours is the number of values of a site, MinColours..MaxColours.
	Colours int
	// Denominator of the unit of energy, default 1.
	Denominator int
	// Kinds of interactions, and the sites that interact.
	Kinds []Kind
	Terms []Term
	// Field is the energy of a site by its colour; nil for none.
	Field func(site, colour int) int
	// Bin is the width of the levels in the model's unit, 0 for levels that are single
	// energies. A level of width w holds the energies in (k w - w/2, k w + w/2], rounded to the unit of energy, with a
	// whole number k.
	Bin int
	// Ground is nil if the ground states are unknown.
	Ground *Ground
	// Transition is the inverse temperature, in units of 1/J, of the transition on the
	// infinite lattice, 0 if it is unknown.
	Transition float64
	// ColoursOrder as in System.
	ColoursOrder bool
	// Symmetries make up the frames in which networks propose configurations. None stands
	// for the identity alone: networks then have to learn the symmetries, and nothing else
	// depends on it. New checks them on a few random configurations.
	Symmetries []Symmetry

	second *Second // set by NewJoint
}

// Kind is an interaction of Order 2 or 3 sites. Energy must not depend on the order of its
// arguments, the sites' colours; with two sites the third argument is 0.
type Kind struct {
	Order  int
	Energy func(a, b, c int) int
}

// Term is one interaction: the index of its kind and its sites, all different. With two
// sites the third entry is ignored.
type Term struct {
	Kind  int
	Sites [3]int
}

// Ground is the energy of the ground states in the model's unit and their number.
type Ground struct {
	Energy int
	States float64
}

// Terms is a System made from a Model: tables by which one set of kernels moves any model.
type Terms struct {
	m       Model
	sites   int
	levels  int
	maxStep int
	peak    int
	ground  int
	// The gain of a configuration is (top - E)/unit, both in the model's unit of energy, and
	// its level is the bin that holds the gain.
	top, unit int
	bin       Bin
	// Of a joint system all gains are of pairs: row times that of the energy, and what the second variable
	// adds, 0..row-1; see NewJoint. Else row is 1.
	row     int
	changes []int // of the level by one site, of a joint system; see Changes

	first       []int32
	bonds       []Bond
	gain        []int32
	field       []int32
	fieldStride int       // of field from site to site: 0 where it is the same for all
	states      []float64 // number of ground states, empty if unknown
}

// Bond is a term as seen from one of its sites: the other sites A and B, and the offset of
// its kind in the table of gains. See Tables.
type Bond struct {
	A, B   int32
	Offset int32
	Factor int32 // of the colour of B: q with three sites; 0 with two, when B equals A
}

// maxLevels bounds the size of tables with an entry for every level.
const maxLevels = 1 << 24

// maxTables bounds the entries of the tables of all kinds together.
const maxTables = 1 << 26

// maxGain bounds gains, which kernels add up in 32 bits.
const maxGain = 1<<31 - 1

// New returns the system that a model describes, or an error that lists every fault of the
// model.
func New(m Model) (*Terms, error) {
	if m.Denominator == 0 {
		m.Denominator = 1
	}
	t := &Terms{m: m, row: 1}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	lowest, highest := t.scale()
	if t.unit == 0 {
		return nil, fmt.Errorf("model %s: the energy is the same for all configurations", m.Name)
	}
	t.top = highest
	t.divide()
	if (highest-lowest)/t.unit > maxGain {
		return nil, fmt.Errorf("model %s: the energies make up %d units, at most %d are supported; round the couplings to fewer digits", m.Name, (highest-lowest)/t.unit, maxGain)
	}
	t.levels = t.bin.Of((highest-lowest)/t.unit) + 1
	if t.levels > maxLevels {
		return nil, fmt.Errorf("model %s: %d energy levels, at most %d are supported; choose a smaller lattice, couplings with a larger common unit, or wider bins", m.Name, t.levels, maxLevels)
	}
	t.tabulate()
	t.ground = t.levels - 1
	if g := m.Ground; g != nil {
		gain := (t.top - g.Energy) / t.unit
		if g.Energy != t.top-gain*t.unit || gain < 0 || g.Energy < lowest {
			return nil, fmt.Errorf("model %s: no level has the energy %d of the ground states", m.Name, g.Energy)
		}
		// A bin may hold other states beside the ground states.
		if t.ground = t.bin.Of(gain); !t.Binned() {
			t.states = []float64{g.States}
		}
	}
	if err := t.pair(); err != nil {
		return nil, err
	}
	if err := t.checkSymmetries(); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	return t, nil
}

// check returns the faults of the model.
func (t *Terms) check() error {
	m := &t.m
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if err := CheckSize(m.Colours, m.Sides...); err != nil {
		faults = append(faults, err)
	}
	t.sites = 1
	for _, l := range m.Sides {
		t.sites *= l
	}
	if m.Denominator < 1 {
		fault("denominator %d, at least 1 is needed", m.Denominator)
	}
	if m.Bin < 0 || m.Bin > maxBin {
		fault("bins of %d units, allowed are 0..%d", m.Bin, maxBin)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	entries := 0.0
	for _, kind := range m.Kinds {
		entries += math.Pow(float64(m.Colours), float64(kind.Order))
	}
	if entries > maxTables {
		fault("%d different interactions of %d colours need tables of %.3g entries, at most %d are supported; take fewer different couplings, or fewer colours", len(m.Kinds), m.Colours, entries, maxTables)
		return errors.Join(faults...)
	}
	for k, kind := range m.Kinds {
		if kind.Order != 2 && kind.Order != 3 {
			fault("kind %d: interactions of 2 or 3 sites are supported, not of %d", k, kind.Order)
			continue
		}
		t.eachColours(kind, func(a, b, c int) {
			e := kind.Energy(a, b, c)
			if e != kind.Energy(b, a, c) || kind.Order == 3 && e != kind.Energy(a, c, b) {
				fault("kind %d: the energy of the colours %d, %d, %d depends on their order", k, a, b, c)
			}
		})
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for k, term := range m.Terms {
		if term.Kind < 0 || term.Kind >= len(m.Kinds) {
			fault("term %d: there is no kind %d", k, term.Kind)
			continue
		}
		sites := term.Sites[:m.Kinds[term.Kind].Order]
		for i, s := range sites {
			if s < 0 || s >= t.sites || slices.Contains(sites[:i], s) {
				fault("term %d: its sites %v must be different and within 0..%d", k, sites, t.sites-1)
				break
			}
		}
	}
	return errors.Join(faults...)
}

// eachColours calls f with all combinations of colours of a kind's sites.
func (t *Terms) eachColours(kind Kind, f func(a, b, c int)) {
	q, last := t.m.Colours, 1
	if kind.Order == 3 {
		last = q
	}
	for a := range q {
		for b := range q {
			for c := range last {
				f(a, b, c)
			}
		}
	}
}

// scale sets the unit of the levels, the greatest common divisor of all energy differences,
// and returns the bounds of the energy that follow from each term on its own.
func (t *Terms) scale() (lowest, highest int) {
	m := &t.m
	extend := func(count int, energies []int) {
		low, high := slices.Min(energies), slices.Max(energies)
		lowest += count * low
		highest += count * high
		for _, e := range energies {
			if count > 0 {
				t.unit = gcd(t.unit, high-e)
			}
		}
	}
	count := make([]int, len(m.Kinds))
	for _, term := range m.Terms {
		count[term.Kind]++
	}
	for k, kind := range m.Kinds {
		var energies []int
		t.eachColours(kind, func(a, b, c int) { energies = append(energies, kind.Energy(a, b, c)) })
		extend(count[k], energies)
	}
	for site := range t.sites {
		if m.Field != nil {
			extend(1, t.fieldOf(site))
		}
	}
	return lowest, highest
}

// fieldOf is the field's energy of a site by colour.
func (t *Terms) fieldOf(site int) []int {
	energies := make([]int, t.m.Colours)
	for c := range energies {
		energies[c] = t.m.Field(site, c)
	}
	return energies
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// tabulate makes the tables of the kernels, and from them the peak and the largest step.
func (t *Terms) tabulate() {
	m, q := &t.m, t.m.Colours
	mean := 0.0 // level at infinite temperature
	offsets := make([]int32, len(m.Kinds))
	means := make([]float64, len(m.Kinds))
	steps := make([][]int, len(m.Kinds)) // largest gain from one colour to another, [from*q+to]
	for k, kind := range m.Kinds {
		offsets[k] = int32(len(t.gain))
		high := math.MinInt
		t.eachColours(kind, func(a, b, c int) { high = max(high, kind.Energy(a, b, c)) })
		// The site's own colour, a, varies fastest in the table. With two sites b is the
		// colour of the other one and c is 0.
		n := 0
		last := 1
		if kind.Order == 3 {
			last = q
		}
		steps[k] = slices.Repeat([]int{math.MinInt}, q*q)
		for c := range last {
			for b := range q {
				row := make([]int32, q)
				for a := range q {
					row[a] = int32((high - kind.Energy(a, b, c)) / t.unit)
					means[k] += float64(row[a])
					n++
				}
				t.gain = append(t.gain, row...)
				for from, x := range row {
					for to, y := range row {
						steps[k][from*q+to] = max(steps[k][from*q+to], int(y-x))
					}
				}
			}
		}
		means[k] /= float64(n)
	}
	mean += t.tabulateField()
	count := make([]int32, t.sites+1)
	for _, term := range m.Terms {
		mean += means[term.Kind]
		for _, s := range term.Sites[:m.Kinds[term.Kind].Order] {
			count[s+1]++
		}
	}
	for i := range t.sites {
		count[i+1] += count[i]
	}
	t.first = slices.Clone(count)
	t.bonds = make([]Bond, count[t.sites])
	kinds := make([]int, len(t.bonds))
	for _, term := range m.Terms {
		sites := term.Sites[:m.Kinds[term.Kind].Order]
		for i, s := range sites {
			b := Bond{Offset: offsets[term.Kind], A: int32(sites[(i+1)%len(sites)])}
			b.B = b.A
			if len(sites) == 3 {
				b.B, b.Factor = int32(sites[(i+2)%3]), int32(q)
			}
			kinds[count[s]] = term.Kind
			t.bonds[count[s]] = b
			count[s]++
		}
	}
	// The mean is a fraction with a small denominator: a value just below an integer is that
	// integer up to rounding.
	t.peak = t.bin.Of(int(math.Floor(mean + 1e-6)))
	t.maxStep = t.bin.most(t.largestGain(kinds, steps))
}

// tabulateField makes the table of the field's gains, and returns their mean at infinite
// temperature.
func (t *Terms) tabulateField() (mean float64) {
	q := t.m.Colours
	if t.field = make([]int32, q); t.m.Field == nil {
		return 0
	}
	t.field = nil
	alike := true
	for site := range t.sites {
		energies := t.fieldOf(site)
		high := slices.Max(energies)
		for _, e := range energies {
			t.field = append(t.field, int32((high-e)/t.unit))
			mean += float64(t.field[len(t.field)-1]) / float64(q)
		}
		alike = alike && slices.Equal(t.field[site*q:], t.field[:q])
	}
	if t.fieldStride = q; alike {
		t.field, t.fieldStride = t.field[:q:q], 0
	}
	return mean
}

// largestGain bounds the change of the gain by one site. It depends only on the kinds of the
// site's bonds and on its field.
func (t *Terms) largestGain(kinds []int, steps [][]int) int {
	q, largest := t.m.Colours, 0
	known := map[string]bool{}
	for i := range t.sites {
		own := slices.Sorted(slices.Values(kinds[t.first[i]:t.first[i+1]]))
		field := t.fieldAt(i)
		if key := fmt.Sprint(own, field); known[key] {
			continue
		} else {
			known[key] = true
		}
		for from := range q {
			for to := range q {
				step := int(field[to] - field[from])
				for _, k := range own {
					step += steps[k][from*q+to]
				}
				largest = max(largest, step)
			}
		}
	}
	return largest
}

// fieldAt is the field's gain at a site by colour.
func (t *Terms) fieldAt(site int) []int32 {
	at := site * t.fieldStride
	return t.field[at : at+t.m.Colours]
}

// Tables are those of the kernels. The gain of a configuration is the sum of what its sites and
// bonds gain: site i has the bonds First[i]..First[i+1]-1, and with colour c it gains
// Field[i FieldStride + c] and, from each bond b,
//
//	Gain[b.Offset + (state[b.A] + b.Factor state[b.B]) q + c].
//
// The level is the Bin of the gain.
type Tables struct {
	First       []int32
	Bonds       []Bond
	Gain, Field []int32
	FieldStride int
	Bin         Bin
}

// Tables returns the tables of the kernels. Shared, not to be written.
func (t *Terms) Tables() Tables {
	return Tables{First: t.first, Bonds: t.bonds, Gain: t.gain, Field: t.field, FieldStride: t.fieldStride, Bin: t.bin}
}

// Level of a configuration.
func (t *Terms) Level(state []uint8) int { return t.bin.Of(gainOf(t, state)) }

// LevelInt32 is Level for a configuration held as int32.
func (t *Terms) LevelInt32(state []int32) int { return t.bin.Of(gainOf(t, state)) }

// Gain of a configuration; see Tables.
func (t *Terms) Gain(state []uint8) int { return gainOf(t, state) }

// gainOf counts each term at the site with its lowest index.
func gainOf[S uint8 | int32](t *Terms, state []S) int {
	gain, q := 0, int32(t.m.Colours)
	for i, c := range state {
		gain += int(t.field[i*t.fieldStride+int(c)])
		for _, b := range t.bonds[t.first[i]:t.first[i+1]] {
			if int(b.A) > i && int(b.B) > i {
				others := int32(state[b.A]) + b.Factor*int32(state[b.B])
				gain += int(t.gain[b.Offset+others*q+int32(c)])
			}
		}
	}
	return gain
}

// Energy of a level in units of J: of a bin its centre.
func (t *Terms) Energy(level int) float64 {
	if t.Binned() {
		return t.bin.centre(level)
	}
	return t.energyOf(level)
}

// energyOf is the energy that goes with a gain, in units of J.
func (t *Terms) energyOf(gain int) float64 {
	return float64(t.top-t.unit*(gain/t.row)) / float64(t.m.Denominator)
}

// LnGroundStates is the logarithm of the number of ground states, NaN if that is unknown.
func (t *Terms) LnGroundStates() float64 {
	if t.states == nil {
		return math.NaN()
	}
	return math.Log(t.states[0])
}

// Sides of the lattice. Shared, not to be written.
func (t *Terms) Sides() []int { return t.m.Sides }

// Sites is their product N.
func (t *Terms) Sites() int { return t.sites }

// Colours is the number of values of a site.
func (t *Terms) Colours() int { return t.m.Colours }

// Levels is the number of levels between the bounds of the energy that follow from each term
// on its own. Which of them have states is unknown.
func (t *Terms) Levels() int { return t.levels }

// Possible reports whether there is such a level.
func (t *Terms) Possible(level int) bool { return level >= 0 && level < t.levels }

// LevelsKnown is false: no rules are known for general sums of terms.
func (t *Terms) LevelsKnown() bool { return false }

// MaxStep bounds the change of the level by one site.
func (t *Terms) MaxStep() int { return t.maxStep }

// GroundLevel is the level of the ground states, the highest level if they are unknown.
func (t *Terms) GroundLevel() int { return t.ground }

// PeakLevel is the mean level at infinite temperature, rounded down.
func (t *Terms) PeakLevel() int { return t.peak }

// LnStates is ln q^N.
func (t *Terms) LnStates() float64 { return float64(t.sites) * math.Log(float64(t.m.Colours)) }

// ColoursOrder is the model's.
func (t *Terms) ColoursOrder() bool { return t.m.ColoursOrder }

// InfiniteTransition is the model's.
func (t *Terms) InfiniteTransition() float64 { return t.m.Transition }

// Validate returns an error if state is not a configuration of this system.
func (t *Terms) Validate(state []uint8) error { return validate(t, state) }

func (t *Terms) String() string { return t.m.Name + " " + sizeString(t.m.Sides) }
