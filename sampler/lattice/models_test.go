package lattice

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// spins are a configuration by place on a torus.
type spins func(x, y, z int) int

// definitions are systems on small lattices beside the energy as their papers write it.
var definitions = []struct {
	name   string
	system func() (*Terms, error)
	energy func(s spins, lx, ly, lz int) float64
}{
	{"potts 2D", func() (*Terms, error) {
		p, err := NewPotts(3, 3, 4)
		if err != nil {
			return nil, err
		}
		return PottsTerms(p)
	}, potts},
	{"potts 3D", func() (*Terms, error) { return NewPotts3D(3, 3, 4, 5) }, potts},
	{"potts 3D q=2", func() (*Terms, error) { return NewPotts3D(2, 3, 3, 3) }, potts},
	{"blume-capel D=0.5", func() (*Terms, error) { return NewBlumeCapel(0.5, 3, 3) }, blumeCapel(0.5)},
	{"blume-capel D=1.97", func() (*Terms, error) { return NewBlumeCapel(1.97, 3, 3) }, blumeCapel(1.97)},
	{"blume-capel D=2", func() (*Terms, error) { return NewBlumeCapel(2, 3, 3) }, blumeCapel(2)},
	{"blume-capel D=3", func() (*Terms, error) { return NewBlumeCapel(3, 3, 3) }, blumeCapel(3)},
	{"blume-capel D=-1", func() (*Terms, error) { return NewBlumeCapel(-1, 3, 3) }, blumeCapel(-1)},
	{"ising h=0.3", func() (*Terms, error) { return NewIsingField(0.3, 3, 4) }, isingField(0.3)},
	{"ising h=-2", func() (*Terms, error) { return NewIsingField(-2, 4, 3) }, isingField(-2)},
	{"ising h=0", func() (*Terms, error) { return NewIsingField(0, 3, 4) }, isingField(0)},
	{"baxter-wu 3x3", func() (*Terms, error) { return NewBaxterWu(3, 3) }, baxterWu},
	{"clock q=2", func() (*Terms, error) { return NewClock(2, 0, 3, 4) }, clock(2)},
	{"clock q=3", func() (*Terms, error) { return NewClock(3, 0, 3, 3) }, clock(3)},
	{"clock q=4", func() (*Terms, error) { return NewClock(4, 0, 3, 3) }, clock(4)},
	{"clock q=6", func() (*Terms, error) { return NewClock(6, 0, 3, 4) }, clock(6)},
	{"baxter-wu 6x3", func() (*Terms, error) { return NewBaxterWu(6, 3) }, baxterWu},
}

func potts(s spins, lx, ly, lz int) (e float64) {
	for z := range lz {
		for y := range ly {
			for x := range lx {
				same := []bool{s(x, y, z) == s(x+1, y, z), s(x, y, z) == s(x, y+1, z), lz > 1 && s(x, y, z) == s(x, y, z+1)}
				for _, satisfied := range same {
					if satisfied {
						e--
					}
				}
			}
		}
	}
	return e
}

func blumeCapel(d float64) func(s spins, lx, ly, lz int) float64 {
	return func(s spins, lx, ly, _ int) (e float64) {
		for y := range ly {
			for x := range lx {
				own := float64(s(x, y, 0) - 1)
				e += d*own*own - own*float64(s(x+1, y, 0)-1) - own*float64(s(x, y+1, 0)-1)
			}
		}
		return e
	}
}

func isingField(h float64) func(s spins, lx, ly, lz int) float64 {
	return func(s spins, lx, ly, _ int) (e float64) {
		for y := range ly {
			for x := range lx {
				own := float64(2*s(x, y, 0) - 1)
				e -= h*own + own*float64(2*s(x+1, y, 0)-1) + own*float64(2*s(x, y+1, 0)-1)
			}
		}
		return e
	}
}

func clock(q int) func(s spins, lx, ly, lz int) float64 {
	return func(s spins, lx, ly, _ int) (e float64) {
		angle := func(x, y int) float64 { return 2 * math.Pi * float64(s(x, y, 0)) / float64(q) }
		for y := range ly {
			for x := range lx {
				e -= math.Cos(angle(x, y)-angle(x+1, y)) + math.Cos(angle(x, y)-angle(x, y+1))
			}
		}
		return e
	}
}

// TestClockInBins compares the levels of clock models without a common unit, and the ground states, with
// the energy by definition, which bins of width 0.25 know to 1e-6 for each bond.
func TestClockInBins(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for _, q := range []int{5, 7, 8, 255} {
		s := mustTerms(t)(NewClock(q, 0.25, 3, 4))
		energy := clock(q)
		for k := range 500 {
			state := randomColours(s, r)
			if k == 0 {
				clear(state)
			}
			at := func(x, y, _ int) int { return int(state[y%4*3+x%3]) }
			level := s.Level(state)
			if want := energy(at, 3, 4, 1); math.Abs(s.Energy(level)-want) > 0.125+24*0.5e-6 {
				t.Fatalf("q = %d: energy %v in the level at %v", q, want, s.Energy(level))
			}
			if k == 0 && level != s.GroundLevel() {
				t.Fatalf("q = %d: a ground state on level %d, it says %d", q, level, s.GroundLevel())
			}
		}
		if !s.Binned() || !LowestKnown(s) || GroundKnown(s) || s.InfiniteTransition() != 0 {
			t.Errorf("q = %d: %+v", q, s)
		}
	}
}

// baxterWu counts each site's triangles with the neighbours at successive angles of 60
// degrees, every triangle three times.
func baxterWu(s spins, lx, ly, _ int) (e float64) {
	around := [][2]int{{1, 0}, {0, 1}, {-1, 1}, {-1, 0}, {0, -1}, {1, -1}}
	for y := range ly {
		for x := range lx {
			for k, a := range around {
				b := around[(k+1)%6]
				e -= float64((2*s(x, y, 0)-1)*(2*s(x+a[0], y+a[1], 0)-1)*(2*s(x+b[0], y+b[1], 0)-1)) / 3
			}
		}
	}
	return e
}

func mustTerms(t testing.TB) func(s *Terms, err error) *Terms {
	return func(s *Terms, err error) *Terms {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func randomColours(s System, r *rand.Rand) []uint8 {
	state := make([]uint8, s.Sites())
	for i := range state {
		state[i] = uint8(r.IntN(s.Colours()))
	}
	return state
}

// gainAt is what a site gains with a colour, by the tables.
func gainAt(s *Terms, state []uint8, site, colour int) int {
	t := s.Tables()
	q := int32(s.Colours())
	sum := t.Field[site*t.FieldStride+colour]
	for _, b := range t.Bonds[t.First[site]:t.First[site+1]] {
		sum += t.Gain[b.Offset+(int32(state[b.A])+b.Factor*int32(state[b.B]))*q+int32(colour)]
	}
	return int(sum)
}

// TestEnergies compares the energy by levels and tables with that by definition, in
// random configurations and after random changes of a site.
func TestEnergies(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, d := range definitions {
		s := mustTerms(t)(d.system())
		sides := append(slices.Clone(s.Sides()), 1)
		for range 200 {
			state := randomColours(s, r)
			at := func(x, y, z int) int {
				x, y, z = (x+sides[0])%sides[0], (y+sides[1])%sides[1], z%sides[2]
				return int(state[(z*sides[1]+y)*sides[0]+x])
			}
			if err := s.Validate(state); err != nil {
				t.Fatal(err)
			}
			level := s.Level(state)
			if want := d.energy(at, sides[0], sides[1], sides[2]); math.Abs(s.Energy(level)-want) > 1e-9 {
				t.Fatalf("%s: energy of %v is %v, by definition %v", d.name, state, s.Energy(level), want)
			}
			site, colour := r.IntN(s.Sites()), r.IntN(s.Colours())
			change := gainAt(s, state, site, colour) - gainAt(s, state, site, int(state[site]))
			state[site] = uint8(colour)
			if s.Level(state) != level+change || max(change, -change) > s.MaxStep() {
				t.Fatalf("%s: site %d to colour %d takes level %d to %d, the tables say by %d, at most %d",
					d.name, site, colour, level, s.Level(state), change, s.MaxStep())
			}
		}
	}
}

// enumerate counts the configurations by level.
func enumerate(s System) []int {
	g := make([]int, s.Levels())
	state := make([]uint8, s.Sites())
	for {
		g[s.Level(state)]++
		i := 0
		for ; i < len(state); i++ {
			if state[i]++; int(state[i]) < s.Colours() {
				break
			}
			state[i] = 0
		}
		if i == len(state) {
			return g
		}
	}
}

// TestKnownNumbers compares what a system says of itself, its ground states, the mean
// level at infinite temperature and the number of states, with complete enumeration.
func TestKnownNumbers(t *testing.T) {
	for _, d := range definitions {
		s := mustTerms(t)(d.system())
		if s.LnStates() > math.Log(1<<20) {
			continue
		}
		g := enumerate(s)
		highest, all, sum := 0, 0, 0
		for level, n := range g {
			if n > 0 {
				highest = level
			}
			all += n
			sum += n * level
		}
		if highest != s.GroundLevel() || math.Abs(math.Log(float64(g[highest]))-s.LnGroundStates()) > 1e-12 {
			t.Errorf("%s: %d ground states at level %d, it says exp(%v) at %d", d.name, g[highest], highest, s.LnGroundStates(), s.GroundLevel())
		}
		if math.Abs(math.Log(float64(all))-s.LnStates()) > 1e-12 {
			t.Errorf("%s: %d states, it says exp(%v)", d.name, all, s.LnStates())
		}
		if s.PeakLevel() != sum/all {
			t.Errorf("%s: the mean level is %v, it says %d", d.name, float64(sum)/float64(all), s.PeakLevel())
		}
	}
}

// TestEqualSystems compares systems that are the same in a limit, by the number of
// states at every energy: those of a without the factor and shift of the energy.
func TestEqualSystems(t *testing.T) {
	terms := mustTerms(t)
	potts2 := mustPotts(t, 2, 3, 4)
	ising := terms(NewIsingField(0, 3, 4))
	for _, c := range []struct {
		name  string
		a, b  System
		shift float64 // of the energy of b, after multiplication with scale
		scale float64
		below float64 // only energies of a below this one
	}{
		{"potts as terms", terms(PottsTerms(potts2)), potts2, 0, 1, math.Inf(1)},
		{"three colours as terms", terms(PottsTerms(mustPotts(t, 3, 3, 3))), mustPotts(t, 3, 3, 3), 0, 1, math.Inf(1)},
		{"ising without a field", ising, potts2, 24, 2, math.Inf(1)},
		{"no antiferromagnetic bond", terms(NewRandomBond(0, 3, 3, 4)), ising, 0, 1, math.Inf(1)},
		{"clock of two directions", terms(NewClock(2, 0, 3, 4)), ising, 0, 1, math.Inf(1)},
		{"clock of three", terms(NewClock(3, 0, 3, 3)), mustPotts(t, 3, 3, 3), 9, 1.5, math.Inf(1)},
		// D far below -J: all sites but for energies D higher are +-1.
		{"blume-capel", terms(NewBlumeCapel(-500, 3, 3)), terms(NewIsingField(0, 3, 3)), -4500, 1, -4250},
	} {
		g, h := map[float64]int{}, map[float64]int{}
		for level, n := range enumerate(c.a) {
			if e := c.a.Energy(level); n > 0 && e < c.below {
				g[e] = n
			}
		}
		for level, n := range enumerate(c.b) {
			if n > 0 {
				h[c.scale*c.b.Energy(level)+c.shift] = n
			}
		}
		if len(g) != len(h) {
			t.Errorf("%s: %d and %d energies", c.name, len(g), len(h))
		}
		for e, n := range g {
			if h[e] != n {
				t.Errorf("%s: %d states of energy %v, and %d", c.name, n, e, h[e])
			}
		}
	}
}

// TestRandomBond finds the disorder fixed by its seed, in the share asked for, and the
// ground states known only where nothing is frustrated.
func TestRandomBond(t *testing.T) {
	terms := mustTerms(t)
	antiferromagnetic := func(s *Terms) (n int) {
		for _, term := range s.m.Terms {
			n += term.Kind
		}
		return n
	}
	a, b, c := terms(NewRandomBond(0.3, 1, 40, 50)), terms(NewRandomBond(0.3, 1, 40, 50)), terms(NewRandomBond(0.3, 2, 40, 50))
	if !slices.Equal(a.m.Terms, b.m.Terms) || slices.Equal(a.m.Terms, c.m.Terms) {
		t.Error("the disorder is not that of the seed")
	}
	// 4000 bonds, the standard deviation is 29.
	if n := antiferromagnetic(a); n < 1200-150 || n > 1200+150 {
		t.Errorf("%d of 4000 bonds are antiferromagnetic, 0.3 of them should be", n)
	}
	for _, x := range []struct {
		s     *Terms
		known bool
	}{
		{a, false},
		{terms(NewRandomBond(0, 1, 5, 4)), true},
		{terms(NewRandomBond(1, 1, 6, 4)), true},
		{terms(NewRandomBond(1, 1, 5, 4)), false},
	} {
		if GroundKnown(x.s) != x.known || x.s.GroundLevel() != x.s.Levels()-1 {
			t.Errorf("%v: ground states known: %v, at level %d of %d", x.s, GroundKnown(x.s), x.s.GroundLevel(), x.s.Levels())
		}
	}
	g := enumerate(terms(NewRandomBond(0.5, 7, 4, 4)))
	if n := g[len(g)-1]; n > 0 {
		t.Errorf("%d states satisfy all bonds of a frustrated lattice", n)
	}
}

// TestModelFaults finds what is wrong with a model named.
func TestModelFaults(t *testing.T) {
	good := func() Model {
		return Model{
			Name: "chain", Sides: []int{4}, Colours: 2,
			Kinds: []Kind{{2, ising}},
			Terms: []Term{{Sites: [3]int{0, 1}}, {Sites: [3]int{1, 2}}, {Sites: [3]int{2, 3}}},
		}
	}
	if s := mustTerms(t)(New(good())); s.Levels() != 4 || s.MaxStep() != 2 || s.String() != "chain 4" {
		t.Errorf("%v: %d levels, steps up to %d", s, s.Levels(), s.MaxStep())
	}
	for want, spoil := range map[string]func(m *Model){
		"no sides":                 func(m *Model) { m.Sides = nil },
		"size = 0":                 func(m *Model) { m.Sides = []int{0} },
		"at most":                  func(m *Model) { m.Sides = []int{1 << 13, 1 << 13} },
		"q = 1":                    func(m *Model) { m.Colours = 1 },
		"of 2 or 3 sites":          func(m *Model) { m.Kinds[0].Order = 4 },
		"depends on their order":   func(m *Model) { m.Kinds[0].Energy = func(a, b, _ int) int { return a - b } },
		"no kind 1":                func(m *Model) { m.Terms[0].Kind = 1 },
		"term 1: its sites [2 2]":  func(m *Model) { m.Terms[1].Sites = [3]int{2, 2} },
		"term 0: its sites [-1 1]": func(m *Model) { m.Terms[0].Sites[0] = -1 },
		"the same for all":         func(m *Model) { m.Kinds[0].Energy = func(_, _, _ int) int { return 7 } },
		"no level has the energy":  func(m *Model) { m.Ground = &Ground{-2, 1} },
		"denominator -1":           func(m *Model) { m.Denominator = -1 },
		"energy levels, at most 16777216": func(m *Model) {
			m.Field = func(_, c int) int { return 50_000_001 * c }
		},
	} {
		m := good()
		spoil(&m)
		if _, err := New(m); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "chain") {
			t.Errorf("%q: %v", want, err)
		}
	}
	for want, err := range map[string]error{
		"q = 1":                    CheckPotts3D(1, 3, 3, 3),
		"3 sides":                  CheckPotts3D(2, 3, 3),
		"at least 3":               CheckPotts3D(2, 3, 3, 2),
		"crystal field D = 0.1234": CheckBlumeCapel(0.1234, 0, 3, 3),
		"field h = NaN":            CheckIsingField(math.NaN(), 0, 3, 3),
		"field h = +Inf":           CheckIsingField(math.Inf(1), 0, 3, 3),
		"within 0..1":              CheckRandomBond(1.5, 3, 3),
		"multiple of 3":            CheckBaxterWu(6, 4),
		"q = 5: the energies cos":  CheckClock(5, 0, 3, 3),
		"q = 1: the number of dir": CheckClock(1, 0, 3, 3),
		"bin = 1e-07":              CheckClock(5, 1e-7, 3, 3),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for x, want := range map[float64][2]int{0: {0, 1}, 0.5: {1, 2}, -1.97: {-197, 100}, 1.0 / 3: {1, 3}, 12: {12, 1}} {
		if u, err := newUnit(0, 1, "x", x); err != nil || u.of(x) != want[0] || u.denominator != want[1] {
			t.Errorf("%v = %d/%d (%v), want %v", x, u.of(x), u.denominator, err, want)
		}
	}
}

// TestUnit takes the largest unit that fits, and a larger one than that of the couplings where there were
// too many.
func TestUnit(t *testing.T) {
	for _, c := range []struct {
		bin, span, coupling float64
		want                int
	}{{0.5, 100, 1.25, 100}, {1, 100, 3, 1}, {0.5, 100, 1.965537, 1_000_000}, {0.5, 2000, 1.0 / 3, 1_000_000}, {0.5, 3000, 1.0 / 3, 100_000}, {0.5, 3e6, 1.25, 100}, {0.5, 3e7, 1.25, 10}} {
		if u, err := newUnit(c.bin, c.span, "x", c.coupling); err != nil || u.denominator != c.want {
			t.Errorf("%+v: J/%d (%v)", c, u.denominator, err)
		}
	}
	if _, err := newUnit(0.001, 3e7, "x", 1); err == nil || !strings.Contains(err.Error(), "bin = 0.001: it must be a multiple of 0.1") {
		t.Errorf("%v", err)
	}
	if _, err := NewBlumeCapelInBins(1.965537, 0.5, 48, 48); err != nil {
		t.Error(err)
	}
}
