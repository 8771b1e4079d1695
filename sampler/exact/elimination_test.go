package exact

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
)

// randomModel is a system of random interactions of two and three sites, in a field, in bins of a
// width in units of J/1000.
func randomModel(r *rand.Rand, sites, q, terms, bin int) lattice.Model {
	m := lattice.Model{Name: "random", Sides: []int{sites}, Colours: q, Denominator: 1000, Bin: bin}
	for k := range 1 + r.IntN(4) {
		a := 1 + r.IntN(300)
		m.Kinds = append(m.Kinds, lattice.Kind{Order: 2 + k%2, Energy: func(x, y, z int) int { return a * (x*x + y*y + z*z + 3*x*y*z + x*y + y*z + x*z) }})
	}
	for range terms {
		p := r.Perm(sites)
		m.Terms = append(m.Terms, lattice.Term{Kind: r.IntN(len(m.Kinds)), Sites: [3]int{p[0], p[1], p[2]}})
	}
	if r.IntN(2) == 0 {
		fields := make([]int, sites*q)
		for i := range fields {
			fields[i] = r.IntN(500)
		}
		m.Field = func(site, colour int) int { return fields[site*q+colour] }
	}
	return m
}

// TestElimination finds what enumeration finds, of any system, with any number of workers.
func TestElimination(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for k := range 60 {
		q := 2 + r.IntN(2)
		sites := 3 + r.IntN(7)
		m := randomModel(r, sites, q, 1+r.IntN(2*sites), []int{0, 170, 1000}[k%3])
		s, err := lattice.New(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Of(context.Background(), s, Options{Method: Enumeration})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Of(context.Background(), s, Options{Method: Elimination, Workers: 1 + k%3})
		if err != nil {
			t.Fatal(err)
		}
		got.Method = want.Method
		if fmt.Sprint(got.G) != fmt.Sprint(want.G) || !slices.Equal(got.Energy, want.Energy) || !reflect.DeepEqual(got.Bins, want.Bins) {
			t.Fatalf("%v: %+v, want %+v", s, got, want)
		}
	}
}

// TestEliminationOfPotts finds what the methods of the Potts model find, also with numbers of more
// than one word.
func TestEliminationOfPotts(t *testing.T) {
	for _, c := range []struct{ q, lx, ly int }{{2, 4, 4}, {3, 3, 5}, {2, 4, 18}, {4, 3, 6}} {
		p, err := lattice.NewPotts(c.q, c.lx, c.ly)
		if err != nil {
			t.Fatal(err)
		}
		s, err := lattice.PottsTerms(p)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Of(context.Background(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Of(context.Background(), s, Options{Method: Elimination})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.G) != fmt.Sprint(want.G) || !slices.Equal(got.Energy, want.Energy) {
			t.Errorf("%v: %v, want %v", s, got.G, want.G)
		}
	}
}

// TestSpinGlass knows ground states by a second way: no configuration that a long search finds is lower,
// and those that it finds at the lowest energy are as many.
func TestSpinGlass(t *testing.T) {
	s, err := lattice.NewRandomBond(0.5, 3, 5, 5)
	if err != nil {
		t.Fatal(err)
	}
	spectrum, err := Of(context.Background(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if spectrum.Method != Elimination {
		t.Errorf("the method is %s", spectrum.Method)
	}
	r := rand.New(rand.NewPCG(3, 4))
	lowest, found := math.Inf(1), map[string]bool{}
	state := make([]uint8, 25)
	for range 3000 {
		for i := range state {
			state[i] = uint8(r.IntN(2))
		}
		level := s.Level(state)
		for temperature := 2.0; temperature > 0.05; temperature *= 0.97 {
			for range state {
				i := r.IntN(len(state))
				state[i] ^= 1
				if to := s.Level(state); r.Float64() < math.Exp((s.Energy(level)-s.Energy(to))/temperature) {
					level = to
				} else {
					state[i] ^= 1
				}
			}
		}
		if e := s.Energy(level); e < lowest {
			lowest, found = e, map[string]bool{}
		}
		if s.Energy(level) == lowest {
			found[string(state)] = true
		}
	}
	if spectrum.Energy[0] != lowest || spectrum.G[0].Int64() != int64(len(found)) {
		t.Errorf("%v ground states of energy %v, a search found %d of %v", spectrum.G[0], spectrum.Energy[0], len(found), lowest)
	}
}

// BenchmarkElimination is a spin glass on a torus, in seconds.
func BenchmarkElimination(b *testing.B) {
	s, err := lattice.NewRandomBond(0.5, 1, 8, 8)
	if err != nil {
		b.Fatal(err)
	}
	e := newElimination(s)
	b.Logf("%.2g s and %s predicted", e.Seconds, size(e.Bytes))
	for b.Loop() {
		if _, err := e.run(context.Background(), 1, &tracker{}); err != nil {
			b.Fatal(err)
		}
	}
}
