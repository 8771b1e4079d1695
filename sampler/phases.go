package sampler

import "neuralwl/sampler/lattice"

// phaseTally finds to which ordered phase a configuration belongs: that of its most frequent
// colour, or in equal parts those of several.
type phaseTally struct {
	sites, colours int
	count          []int
	shares         []float64
}

func newPhaseTally(p lattice.System) *phaseTally {
	return &phaseTally{p.Sites(), p.Colours(), make([]int, p.Colours()), make([]float64, p.Colours())}
}

// measure returns the order parameter of a configuration, see order, and its shares in the phases,
// which are valid until the next call.
func (t *phaseTally) measure(state []uint8) (m float64, shares []float64) {
	clear(t.count)
	for _, c := range state {
		t.count[c]++
	}
	most, phases := 0, 0
	for _, n := range t.count {
		switch {
		case n > most:
			most, phases = n, 1
		case n == most:
			phases++
		}
	}
	for c, n := range t.count {
		t.shares[c] = 0
		if n == most {
			t.shares[c] = 1 / float64(phases)
		}
	}
	return (float64(t.colours*most)/float64(t.sites) - 1) / float64(t.colours-1), t.shares
}
