package lattice

import "fmt"

// Couplings are the pairs of sites of a system whose level is the number of satisfied ones.
// A pair is satisfied if
//
//	colour of A = colour of B + Turn  (mod q),
//
// with the same Turn for the whole lattice or one for each pair. To add the same number to the
// colours of any set of sites, modulo q, changes no pair within the set: clusters of sites can be
// recoloured as a whole.
type Couplings struct {
	Pairs []Pair
	// Turns by pair, nil if all are 0 as in the Potts model; q/2 for a pair that prefers different
	// colours.
	Turns []uint8
}

// Pair is two sites.
type Pair struct{ A, B int32 }

// CouplingsOf returns the couplings of a system, or an error that says why its energy is not a
// number of satisfied pairs.
func CouplingsOf(s System) (*Couplings, error) {
	switch s := s.(type) {
	case *Potts:
		c := &Couplings{Pairs: make([]Pair, 0, 2*s.Sites())}
		for i := range int32(s.Sites()) {
			c.Pairs = append(c.Pairs, Pair{i, s.neighbours[Coordination*i]}, Pair{i, s.neighbours[Coordination*i+2]})
		}
		return c, nil
	case *Terms:
		return s.couplings()
	}
	return nil, fmt.Errorf("systems of the type %T have no known couplings", s)
}

func (t *Terms) couplings() (*Couplings, error) {
	m := &t.m
	if t.Binned() {
		return nil, fmt.Errorf("%s has levels that hold many energies", m.Name)
	}
	if a := t.m.second; a != nil {
		return nil, fmt.Errorf("%s has levels that are pairs of the energy and the %s", m.Name, a.Name)
	}
	for _, gain := range t.field {
		if gain != t.field[0] {
			return nil, fmt.Errorf("%s has a field", m.Name)
		}
	}
	turns := make([]int, len(m.Kinds)) // -1 for a kind without effect
	for k, kind := range m.Kinds {
		if kind.Order != 2 {
			return nil, fmt.Errorf("%s couples %d sites at a time", m.Name, kind.Order)
		}
		var err error
		if turns[k], err = t.turn(kind); err != nil {
			return nil, err
		}
	}
	c := &Couplings{}
	turned := false
	for _, term := range m.Terms {
		if turn := turns[term.Kind]; turn >= 0 {
			c.Pairs = append(c.Pairs, Pair{int32(term.Sites[0]), int32(term.Sites[1])})
			c.Turns = append(c.Turns, uint8(turn))
			turned = turned || turn > 0
		}
	}
	if !turned {
		c.Turns = nil
	}
	return c, nil
}

// turn is that of a kind of two sites, -1 if its energy is the same for all colours.
func (t *Terms) turn(kind Kind) (int, error) {
	q := t.m.Colours
	low, high := kind.Energy(0, 0, 0), kind.Energy(0, 0, 0)
	t.eachColours(kind, func(a, b, _ int) { low, high = min(low, kind.Energy(a, b, 0)), max(high, kind.Energy(a, b, 0)) })
	if low == high {
		return -1, nil
	}
	turn := 0
	for kind.Energy(turn, 0, 0) != low {
		if turn++; turn == q {
			return 0, fmt.Errorf("%s: whether a pair is satisfied does not depend on the difference of its colours alone", t.m.Name)
		}
	}
	fits := high-low == t.unit
	t.eachColours(kind, func(a, b, _ int) {
		satisfied := a == (b+turn)%q
		fits = fits && (satisfied && kind.Energy(a, b, 0) == low || !satisfied && kind.Energy(a, b, 0) == high)
	})
	if !fits {
		return 0, fmt.Errorf("%s: a pair is not just satisfied or not, by the difference of its colours and at one and the same energy", t.m.Name)
	}
	return turn, nil
}

// Count returns the number of satisfied pairs of a configuration with q colours, which is its level.
func (c *Couplings) Count(state []uint8, q int) int {
	n := 0
	if c.Turns == nil {
		for _, p := range c.Pairs {
			if state[p.A] == state[p.B] {
				n++
			}
		}
		return n
	}
	for k, p := range c.Pairs {
		if c.Satisfied(k, p, state, q) {
			n++
		}
	}
	return n
}

// Satisfied reports whether pair k, which is p, is satisfied.
func (c *Couplings) Satisfied(k int, p Pair, state []uint8, q int) bool {
	if c.Turns == nil {
		return state[p.A] == state[p.B]
	}
	colour := int(state[p.B]) + int(c.Turns[k])
	if colour >= q {
		colour -= q
	}
	return int(state[p.A]) == colour
}
