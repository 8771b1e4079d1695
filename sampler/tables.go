package sampler

import (
	"fmt"
	"math"

	"neuralwl/sampler/lattice"
)

// maxLnRatio bounds |ln g(B) - ln g(B')| per level of distance in the tables, so
// that the sums of the heat bath stay finite. Physical values are of the order
// of the inverse temperature; the bound acts only on the edge of what has been
// explored.
const maxLnRatio = 100

// lnRatio is ln [g(from)/g(to)] as the local moves see it.
func lnRatio(lnG []float64, from, to int) float64 {
	limit := maxLnRatio * math.Abs(float64(to-from))
	return max(-limit, min(limit, lnG[from]-lnG[to]))
}

// fixed converts a probability to the scale of a 64-bit random number: a draw
// below the result has that probability, up to rounding by 2^-53.
func fixed(p float64) uint64 {
	if p >= 1 {
		return math.MaxUint64
	}
	return uint64(p*(1<<53)) << 11
}

// heatBathTable holds, for every level B_0 that a site leaves behind and every
// pattern of its neighbours' colours, the cumulative probabilities of the four
// borders between five choices: a colour that no neighbour has, and the colours
// of the neighbours in ascending order (a repeated colour counts at its first
// place). They are integers on the scale of a 64-bit random number.
type heatBathTable [][patterns][4]uint64

// fill computes the table for q colours from ln g.
func (t heatBathTable) fill(lnG []float64, q int) {
	for b0 := range t {
		weight := [5]float64{0, 0, 0, 0, 0} // of n bonds gained, relative to none
		for n := 1; n <= 4 && b0+n < len(lnG); n++ {
			weight[n] = math.Exp(lnRatio(lnG, b0, b0+n))
		}
		for pattern := range patterns {
			start := &runStart[pattern]
			others := float64(max(q-runs[pattern], 0))
			w0, w1, w2, w3 := weight[start[0]], weight[start[1]], weight[start[2]], weight[start[3]]
			scale := 1 / (others + w0 + w1 + w2 + w3)
			row := &t[b0][pattern]
			row[0] = fixed(others * scale)
			row[1] = fixed((others + w0) * scale)
			row[2] = fixed((others + w0 + w1) * scale)
			row[3] = fixed((others + w0 + w1 + w2) * scale)
		}
	}
}

// metropolisTable holds min[1, g(B)/g(B+d)] at [B][d+4] for d = -4..4, on the
// scale of a 64-bit random number.
type metropolisTable [][9]uint64

// fill computes the table from ln g.
func (t metropolisTable) fill(lnG []float64) {
	for b := range t {
		for d := max(-4, -b); d <= 4 && b+d < len(lnG); d++ {
			t[b][d+4] = fixed(math.Exp(lnRatio(lnG, b, b+d)))
		}
	}
}

// LocalMove names a single-spin move.
type LocalMove int

// The local moves. HeatBath visits the sites in a fixed order, Metropolis at
// random. On the Potts model with many colours the heat bath needs several times
// fewer updates per round trip.
const (
	NoLocalMove LocalMove = iota
	HeatBath
	Metropolis
)

func (m LocalMove) String() string {
	switch m {
	case NoLocalMove:
		return "none"
	case HeatBath:
		return "heat_bath"
	case Metropolis:
		return "metropolis"
	}
	return fmt.Sprintf("LocalMove(%d)", int(m))
}

// tables are the weights 1/g in the form that the chosen local move reads. They
// are constant between two updates of ln g and shared by all walkers.
type tables struct {
	system     *lattice.Potts
	move       LocalMove
	heatBath   heatBathTable
	metropolis metropolisTable
}

func newTables(p *lattice.Potts, move LocalMove) *tables {
	t := &tables{system: p, move: move}
	switch move {
	case HeatBath:
		t.heatBath = make(heatBathTable, p.Levels())
	case Metropolis:
		t.metropolis = make(metropolisTable, p.Levels())
	}
	return t
}

// fill computes the tables from ln g.
func (t *tables) fill(lnG []float64) {
	t.heatBath.fill(lnG, t.system.Q())
	t.metropolis.fill(lnG)
}

// sweep makes N trials of the local move on one walker, counts them in hits and
// returns how many were accepted (of the heat bath, which rejects nothing, all).
func (t *tables) sweep(w *walker, hits []int64) (accepted int) {
	if t.move == HeatBath {
		w.level = heatBathSweep(t.system, w.state, w.level, t.heatBath, hits, w.rng)
		return len(w.state)
	}
	w.level, accepted = metropolisSweep(t.system, w.state, w.level, t.metropolis, hits, w.rng)
	return accepted
}
