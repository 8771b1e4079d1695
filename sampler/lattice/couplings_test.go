package lattice

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestCouplings counts satisfied pairs of random configurations against the level, before and after
// the colours of a set of sites are turned, which must keep the pairs within the set.
func TestCouplings(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var all []System
	add := func(s System, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for _, q := range []int{2, 5} {
		p, err := NewPotts(q, 3, 5)
		add(p, err)
		cubic, err := NewPotts3D(q, 3, 4, 3)
		add(cubic, err)
	}
	ising, err := NewIsingField(0, 4, 3)
	add(ising, err)
	glass, err := NewRandomBond(0.4, 3, 4, 4)
	add(glass, err)
	for _, s := range all {
		c, err := CouplingsOf(s)
		if err != nil {
			t.Fatal(err)
		}
		q := s.Colours()
		state := make([]uint8, s.Sites())
		for range 20 {
			for i := range state {
				state[i] = uint8(r.IntN(q))
			}
			if n := c.Count(state, q); n != s.Level(state) {
				t.Fatalf("%v: %d satisfied pairs, level %d", s, n, s.Level(state))
			}
			inside, turn := make([]bool, len(state)), r.IntN(q)
			before := make([]bool, len(c.Pairs))
			for k, p := range c.Pairs {
				before[k] = c.Satisfied(k, p, state, q)
			}
			for i := range state {
				if inside[i] = r.IntN(2) == 1; inside[i] {
					state[i] = uint8((int(state[i]) + turn) % q)
				}
			}
			for k, p := range c.Pairs {
				if inside[p.A] == inside[p.B] && c.Satisfied(k, p, state, q) != before[k] {
					t.Fatalf("%v: turning a set of sites changes the pair %v within it or outside", s, p)
				}
			}
		}
	}
}

// TestNoCouplings names what a system has instead.
func TestNoCouplings(t *testing.T) {
	for want, make := range map[string]func() (*Terms, error){
		"ising h=0.5 has a field":             func() (*Terms, error) { return NewIsingField(0.5, 3, 3) },
		"blume-capel D=1.5 has a field":       func() (*Terms, error) { return NewBlumeCapel(1.5, 3, 3) },
		"blume-capel D=0: a pair is not":      func() (*Terms, error) { return NewBlumeCapel(0, 3, 3) },
		"baxter-wu couples 3 sites at a time": func() (*Terms, error) { return NewBaxterWu(3, 3) },
		"clock: a pair is not just satisfied": func() (*Terms, error) {
			return New(Model{Name: "clock", Sides: []int{3, 3}, Colours: 4, Terms: torusPairs([]int{3, 3}), Kinds: []Kind{{2, func(a, b, _ int) int {
				return []int{-1, 0, 1, 0}[(a-b+4)%4]
			}}}})
		},
		"mixed: a pair is not just satisfied": func() (*Terms, error) {
			terms := torusPairs([]int{3, 3})
			terms[0].Kind = 1
			return New(Model{Name: "mixed", Sides: []int{3, 3}, Colours: 2, Terms: terms, Kinds: []Kind{{2, ising}, {2, func(a, b, _ int) int { return 2 * ising(a, b, 0) }}}})
		},
	} {
		s, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CouplingsOf(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", s, err, want)
		}
	}
	if _, err := CouplingsOf(struct{ System }{}); err == nil {
		t.Error("a foreign type has couplings")
	}
}
