package exact

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/lattice"
)

// joined makes levels of a system pairs of its energy and a second variable.
func joined(t *testing.T, a lattice.Second) func(*lattice.Terms, error) *lattice.Terms {
	return func(s *lattice.Terms, err error) *lattice.Terms {
		t.Helper()
		if err == nil {
			s, err = lattice.NewJoint(s, a)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestJointElimination finds in every cell what enumeration finds, of any system and second variable.
func TestJointElimination(t *testing.T) {
	systems := []*lattice.Terms{
		joined(t, lattice.Magnetisation(-1, 1))(lattice.NewIsingField(0, 4, 4)),
		joined(t, lattice.Magnetisation(-1, 1))(lattice.NewRandomBond(0.5, 2, 4, 3)),
		joined(t, lattice.Magnetisation(-1, 1))(lattice.NewBaxterWu(3, 3)),
		joined(t, lattice.Magnetisation(-1, 0, 1))(lattice.NewBlumeCapel(0.5, 3, 3)),
		joined(t, lattice.Squares(-1, 0, 1))(lattice.NewBlumeCapel(0, 3, 3)),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range long.Or(10, 3) {
		q := 2 + r.IntN(2)
		sites := 3 + r.IntN(5)
		a := lattice.Second{Name: "colour"}
		for range q {
			a.Of = append(a.Of, r.IntN(3))
		}
		a.Of[0] = a.Of[1] + 1 // not all the same
		systems = append(systems, joined(t, a)(lattice.New(randomModel(r, sites, q, 1+r.IntN(2*sites), 0))))
	}
	mirrors := 0
	for k, s := range systems {
		want, err := Of(context.Background(), s, Options{Method: Enumeration})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Of(context.Background(), s, Options{Method: Elimination, Workers: 1 + k%3})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.G) != fmt.Sprint(want.G) || !slices.Equal(got.Energy, want.Energy) || !slices.Equal(got.Second, want.Second) {
			t.Fatalf("%v: %v, want %v", s, got, want)
		}
		if err := got.Joint().Validate(); err != nil {
			t.Error(err)
		}
		if j, _ := newJoint(s); j.mirrored {
			mirrors++
		}
	}
	if mirrors < 3 || mirrors == len(systems) {
		t.Errorf("%d of %d systems are the same with the colours in reverse order", mirrors, len(systems))
	}
}

// TestJointIsing knows the sums of g(E, M) over M, those of Kaufman's solution, and over E, binomial
// coefficients, where numbers need two primes.
func TestJointIsing(t *testing.T) {
	side := long.Or(8, 5)
	s := joined(t, lattice.Magnetisation(-1, 1))(lattice.NewIsingField(0, side, side))
	got, err := Of(context.Background(), s, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	potts, err := lattice.NewPotts(2, side, side)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Of(context.Background(), potts, Options{Method: Kaufman})
	if err != nil {
		t.Fatal(err)
	}
	byEnergy, bySecond := map[float64]*big.Int{}, map[float64]*big.Int{}
	for i, g := range got.G {
		for _, sum := range []struct {
			of map[float64]*big.Int
			x  float64
		}{{byEnergy, got.Energy[i]}, {bySecond, got.Second[i]}} {
			if sum.of[sum.x] == nil {
				sum.of[sum.x] = new(big.Int)
			}
			sum.of[sum.x].Add(sum.of[sum.x], g)
		}
	}
	sites := int64(side * side)
	for k, g := range want.G {
		if e := 2*want.Energy[k] + float64(2*sites); byEnergy[e] == nil || byEnergy[e].Cmp(g) != 0 {
			t.Errorf("g(%g) = %v, want %v", e, byEnergy[e], g)
		}
	}
	for up := range sites + 1 {
		if g := new(big.Int).Binomial(sites, up); bySecond[float64(2*up-sites)].Cmp(g) != 0 {
			t.Errorf("%v configurations of magnetisation %d, want %v", bySecond[float64(2*up-sites)], 2*up-sites, g)
		}
	}
	if len(byEnergy) != len(want.G) {
		t.Errorf("%d energies, want %d", len(byEnergy), len(want.G))
	}
}

// TestJointPlan allows pairs as large as memory has room for, and predicts them more costly than energies.
func TestJointPlan(t *testing.T) {
	single, err := lattice.NewIsingField(0, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	s := joined(t, lattice.Magnetisation(-1, 1))(single, nil)
	e, energies := planTerms(s, Auto), planTerms(single, Auto)
	if e.Method != Elimination || e.Bytes > energies.Bytes || !(e.Seconds > 10*energies.Seconds) || !e.within(timeLimit.Seconds(), 4<<30) {
		t.Errorf("8x8: %+v, without pairs %+v", e, energies)
	}
}

// TestJointCSV writes the pairs in a column of their own.
func TestJointCSV(t *testing.T) {
	s := joined(t, lattice.Magnetisation(-1, 1))(lattice.NewIsingField(0, 3, 3))
	spectrum, err := Of(context.Background(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := spectrum.WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\nenergy,magnetisation,ln_g,ln_g_error,g\n-18,-9,0,0,1\n-18,9,0,0,1\n-10,-7,"+fmt.Sprint(math.Log(9))) {
		t.Errorf("it begins with %.200s", text.String())
	}
	d, err := Joint(context.Background(), s, exactSecond)
	if err != nil || d.Len() != len(spectrum.G) {
		t.Errorf("%v, %v", d, err)
	}
	if sum, err := Density(context.Background(), s, exactSecond); err != nil || sum.LnG[0] != math.Log(2) || sum.Error != nil {
		t.Errorf("%v, %v", sum, err)
	}
	if d, err := Joint(context.Background(), mustPotts(t), exactSecond); d != nil || err != nil {
		t.Errorf("of energies alone: %v, %v", d, err)
	}
}

// TestJointPins: cells of uniform ground states are known, others not.
func TestJointPins(t *testing.T) {
	pins := Pins(joined(t, lattice.Magnetisation(-1, 1))(lattice.NewIsingField(0, 3, 3)))
	if len(pins) != 2 || pins[0].LnG != 0 || pins[1].LnG != 0 {
		t.Errorf("ising: %v", pins)
	}
	s := joined(t, lattice.Colour(3))(lattice.NewPotts3D(3, 3, 3, 3))
	pins = Pins(s)
	if len(pins) != 2 || s.Cell(pins[0].Level) != (lattice.Cell{Energy: -81, Second: 27}) || pins[1].LnG != math.Log(2) {
		t.Errorf("potts: %v", pins)
	}
	if pins := Pins(joined(t, lattice.Magnetisation(-1, 1))(lattice.NewBaxterWu(3, 3))); pins != nil {
		t.Errorf("baxter-wu: %v", pins)
	}
}

// mustPotts is a system of energies alone.
func mustPotts(t *testing.T) *lattice.Potts {
	t.Helper()
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exactSecond is time enough for a 3x3 lattice.
const exactSecond = 1e9
