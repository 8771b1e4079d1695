package lattice

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/lattice/lists"
)

func mustParse(t testing.TB, text string) *lists.List {
	t.Helper()
	l, err := lists.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// alloy is a table of the energies of pairs of three kinds of atoms.
var alloy = [][]float64{{-1, 0.25, 0}, {0.25, -0.5, -0.75}, {0, -0.75, 0.5}}

// TestListed compares energies with those by definition, and ground states, where they are known, with
// enumeration.
func TestListed(t *testing.T) {
	ferro := "i,j,J\n0,1,1\n1,2,0.5\n2,0,2\n3,4,1.5\n"
	mixed := "i,j,J\n0,1,1\n1,2,-0.5\n2,0,2\n3,4,-1.5\n1,4,0.25\n"
	fields := "i,j,k,J\n0,1,,1\n1,2,3,-0.5\n2,4,,2\n3,,,0.5\n*,,,-0.25\n"
	coloured := "i,j,s,J\n0,1,,1\n1,2,,-0.5\n2,3,,2\n3,,1,0.5\n*,,2,-0.25\n"
	same := func(x ...uint8) float64 {
		for _, y := range x {
			if y != x[0] {
				return 0
			}
		}
		return 1
	}
	for _, c := range []struct {
		text   string
		of     Interaction
		energy func(r lists.Row, s []uint8) float64
	}{
		{ferro, IsingInteraction, nil}, {mixed, IsingInteraction, nil}, {fields, IsingInteraction, nil},
		{"i,j,J\n0,1,1\n1,2,-1\n2,0,-1\n3,4,1\n", IsingInteraction, nil},
		{ferro, PottsInteraction, func(r lists.Row, s []uint8) float64 { return -r.J * same(s...) }},
		{mixed, PottsInteraction, func(r lists.Row, s []uint8) float64 { return -r.J * same(s...) }},
		{"i,j,k,J\n0,1,2,1\n1,2,3,0.5\n3,4,,2\n", PottsInteraction, func(r lists.Row, s []uint8) float64 { return -r.J * same(s...) }},
		{coloured, PottsInteraction, func(r lists.Row, s []uint8) float64 {
			if len(s) == 1 {
				return -r.J * same(s[0], uint8(r.Colour))
			}
			return -r.J * same(s...)
		}},
		{"5 4\n1 2 1\n2 3 1\n3 1 -2\n4 5\n", CutInteraction, func(r lists.Row, s []uint8) float64 { return -r.J * (1 - same(s...)) }},
		{ferro, TableInteraction, func(r lists.Row, s []uint8) float64 { return r.J * alloy[s[0]][s[1]] }},
	} {
		if c.of == IsingInteraction {
			c.energy = func(r lists.Row, s []uint8) float64 {
				e := -r.J
				for _, x := range s {
					e *= 2*float64(x) - 1
				}
				return e
			}
		}
		t.Run(fmt.Sprintf("%s/%.20q", c.of, c.text), func(t *testing.T) {
			l := Listed{Name: "test", List: mustParse(t, c.text), Interaction: c.of, Colours: 3}
			if c.of == TableInteraction {
				l.Energies = alloy
			}
			s := mustTerms(t)(NewListed(l))
			lowest, states := math.Inf(1), 0.0
			state := make([]uint8, s.Sites())
			for range int(math.Round(math.Exp(s.LnStates()))) {
				e := 0.0
				for _, r := range l.List.Rows {
					var own []uint8
					for _, site := range r.Sites {
						own = append(own, state[site])
					}
					e += c.energy(r, own)
				}
				if got := s.Energy(s.Level(state)); math.Abs(got-e) > 1e-9 {
					t.Fatalf("energy of %v is %v, by definition %v", state, got, e)
				}
				if e < lowest-1e-9 {
					lowest, states = e, 0
				}
				if e < lowest+1e-9 {
					states++
				}
				for i := range state {
					if state[i]++; int(state[i]) < s.Colours() {
						break
					}
					state[i] = 0
				}
			}
			known := c.of == IsingInteraction && c.text != fields || c.text == ferro && c.of == PottsInteraction || strings.Contains(c.text, "0,1,2,1")
			if known && strings.Contains(c.text, "-0.5\n2,0,2") {
				known = false // frustrated
			}
			if GroundKnown(s) != known {
				t.Fatalf("ground states known: %v", GroundKnown(s))
			}
			if e := s.Energy(s.GroundLevel()); known && (math.Abs(e-lowest) > 1e-9 || math.Abs(math.Exp(s.LnGroundStates())-states) > 1e-9) || e > lowest+1e-9 {
				t.Errorf("%v ground states of energy %v, there are %v of %v", math.Exp(s.LnGroundStates()), e, states, lowest)
			}
		})
	}
}

// TestListedFaults names what a list and its description do not go together in.
func TestListedFaults(t *testing.T) {
	pair := mustParse(t, "i,j,J\n0,1,1\n")
	for want, l := range map[string]Listed{
		`test: there is no interaction "xy"`:             {List: pair, Interaction: "xy"},
		"row 1 of the table of energies has 1 entries":   {List: pair, Interaction: TableInteraction, Energies: [][]float64{{1, 2}, {2}}},
		"the table must be symmetric":                    {List: pair, Interaction: TableInteraction, Energies: [][]float64{{1, 2}, {3, 1}}},
		"the interaction ising has no table of energies": {List: pair, Interaction: IsingInteraction, Energies: alloy},
		"q = 1":                         {List: pair, Interaction: PottsInteraction, Colours: 1},
		"2 sites are no lattice of 2x2": {List: pair, Interaction: IsingInteraction, Sides: []int{2, 2}},
		"the row of [0], J = 1: there is no colour 3":                      {List: mustParse(t, "i,s,J\n0,3,1\n"), Interaction: PottsInteraction, Colours: 3},
		"the row of [0], J = 1: a field needs the colour":                  {List: mustParse(t, "i,J\n0,1\n"), Interaction: PottsInteraction, Colours: 3},
		"the row of [0 1 2], J = 1: the interaction cut couples two sites": {List: mustParse(t, "i,j,k,J\n0,1,2,1\n"), Interaction: CutInteraction, Colours: 2},
		"coupling = 0.123456: energies have no common unit":                {List: mustParse(t, "i,j,J\n0,1,0.123456\n"), Interaction: IsingInteraction},
		"at most 67108864 are supported; take fewer different couplings":   {List: mustParse(t, "i,j,k,J\n0,1,2,1\n0,1,2,2\n0,1,2,3\n0,1,2,4\n0,1,2,5\n"), Interaction: PottsInteraction, Colours: 255},
		"the energy is the same for all configurations":                    {List: mustParse(t, "i,j,J\n0,1,0\n"), Interaction: IsingInteraction},
		"bin = -1: it must be a multiple of 1e-06":                         {List: pair, Interaction: IsingInteraction, Bin: -1},
		"coupling = 1e+300: it must be a number within -10000":             {List: mustParse(t, "i,j,J\n0,1,1e300\n"), Interaction: IsingInteraction, Bin: 1},
	} {
		l.Name = "test"
		if _, err := NewListed(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// TestComponents counts the parts of graphs, and finds what cannot be satisfied.
func TestComponents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sites := 1 + r.IntN(7)
		var terms []Term
		for range r.IntN(8) {
			if p := r.Perm(sites); sites > 1 {
				terms = append(terms, Term{r.IntN(2), [3]int{p[0], p[1]}})
			}
		}
		satisfying := 0
		for state := range 1 << sites {
			if !slices.ContainsFunc(terms, func(t Term) bool { return (state>>t.Sites[0]^state>>t.Sites[1])&1 != t.Kind }) {
				satisfying++
			}
		}
		parts, satisfied := components(sites, terms)
		if satisfied != (satisfying > 0) || satisfied && satisfying != 1<<parts {
			t.Fatalf("%v: %d parts, satisfied %v; %d states satisfy it", terms, parts, satisfied, satisfying)
		}
	}
}
