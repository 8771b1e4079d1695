package sampler

import (
	"fmt"
	"math"

	"neuralwl/sampler/lattice"
)

// fixed converts a probability to the scale of a 64-bit random number: a draw
// below the result has that probability, up to rounding by 2^-53. What is 1 up to
// rounding becomes the largest number, so that choices without weight beyond it are
// not made.
func fixed(p float64) uint64 {
	switch {
	case p > 1-0x1p-51:
		return math.MaxUint64
	case p > 0:
		return uint64(p*(1<<53)) << 11
	}
	return 0 // also where there is nothing to choose from
}

// siteTable holds, for every level B_0 that a site leaves behind and every
// pattern of its neighbours' colours, the cumulative probabilities of the four
// borders between five choices: a colour that no neighbour has, and the colours
// of the neighbours in ascending order (a repeated colour counts at its first
// place). They are integers on the scale of a 64-bit random number.
type siteTable [][patterns][4]uint64

// fill computes the table for q colours from ln g, for walkers that stay in a window:
// levels outside have no weight.
func (t siteTable) fill(lnG []float64, q int, window lattice.Window) {
	for b0 := max(0, window.Low-maxStep); b0 <= window.High; b0++ {
		var lnWeight, weight [maxStep + 1]float64 // of n bonds gained
		low, high := math.Inf(1), math.Inf(-1)
		for n := range lnWeight {
			lnWeight[n] = math.Inf(-1)
			if window.Contains(b0 + n) {
				lnWeight[n] = -lnG[b0+n]
				low, high = min(low, lnWeight[n]), max(high, lnWeight[n])
			}
		}
		common := high-low < safeExponent
		if common {
			weight = exponentials(lnWeight, high)
		}
		for pattern := range patterns {
			start := &runStart[pattern]
			others := float64(max(q-runs[pattern], 0))
			if !common {
				weight = exponentials(lnWeight, largest(lnWeight, start, others > 0))
			}
			rest := 0.0
			if others > 0 {
				rest = others * weight[0]
			}
			w := [4]float64{}
			for k, n := range start {
				if n > 0 {
					w[k] = weight[n]
				}
			}
			scale := 1 / (rest + w[0] + w[1] + w[2] + w[3])
			row := &t[b0][pattern]
			row[0] = fixed(rest * scale)
			row[1] = fixed((rest + w[0]) * scale)
			row[2] = fixed((rest + w[0] + w[1]) * scale)
			row[3] = fixed((rest + w[0] + w[1] + w[2]) * scale)
		}
	}
}

// heatBathTables are all that a sweep of the heat bath reads.
type heatBathTables struct {
	sites   siteTable
	hazards hazardTable
}

// safeExponent is how far the logarithms of weights may be apart for all of them to
// be taken relative to the same one. If they are farther apart, as between levels
// that have states and neighbours that have none, each choice is weighed by itself.
const safeExponent = 600

func exponentials(ln [maxStep + 1]float64, reference float64) (x [maxStep + 1]float64) {
	for n := range x {
		x[n] = math.Exp(ln[n] - reference)
	}
	return x
}

// largest returns the logarithm of the largest weight among those that a site can
// choose from: n bonds for every run that starts, and none if there are other colours.
func largest(lnWeight [maxStep + 1]float64, start *[4]uint8, others bool) float64 {
	m := math.Inf(-1)
	if others {
		m = lnWeight[0]
	}
	for _, n := range start {
		if n > 0 {
			m = max(m, lnWeight[n])
		}
	}
	return m
}

// metropolisTable holds min[1, g(B)/g(B+d)] at [B][d+4] for d = -4..4, on the
// scale of a 64-bit random number.
type metropolisTable [][2*maxStep + 1]uint64

// fill computes the table from ln g for walkers that stay in a window.
func (t metropolisTable) fill(lnG []float64, window lattice.Window) {
	for b := window.Low; b <= window.High; b++ {
		for d := max(-maxStep, window.Low-b); d <= maxStep && b+d <= window.High; d++ {
			t[b][d+maxStep] = fixed(math.Exp(lnG[b] - lnG[b+d]))
		}
	}
}

// LocalMove names a single-spin move.
type LocalMove int

// The local moves. HeatBath visits the sites in a fixed order, RandomHeatBath and
// Metropolis at random. On the Potts model with many colours the heat bath needs several
// times fewer updates per round trip.
const (
	NoLocalMove LocalMove = iota
	HeatBath
	Metropolis
	RandomHeatBath
)

func (m LocalMove) String() string {
	switch m {
	case NoLocalMove:
		return "none"
	case HeatBath:
		return "heat_bath"
	case Metropolis:
		return "metropolis"
	case RandomHeatBath:
		return "heat_bath at random"
	}
	return fmt.Sprintf("LocalMove(%d)", int(m))
}

// tables are the weights 1/g in the form that the chosen local move reads. They
// are constant between two updates of ln g and shared by all walkers of a window.
type tables struct {
	move   LocalMove
	window lattice.Window

	potts      *lattice.Potts // nil for other systems
	heatBath   heatBathTables
	metropolis metropolisTable

	kernels []*termsKernel // by worker, none for Potts
	weights weightTable
}

// newTables makes room for the tables of a window. Each worker has its scratch space.
func newTables(s lattice.System, move LocalMove, window lattice.Window, workers int) *tables {
	t := &tables{move: move, window: window}
	switch s := s.(type) {
	case *lattice.Potts:
		t.potts = s
		switch move {
		case HeatBath, RandomHeatBath:
			t.heatBath = heatBathTables{make(siteTable, s.Levels()), make(hazardTable, s.Levels())}
		case Metropolis:
			t.metropolis = make(metropolisTable, s.Levels())
		}
	case *lattice.Terms:
		if move == NoLocalMove {
			break
		}
		t.weights = make(weightTable, s.Levels())
		for range workers {
			t.kernels = append(t.kernels, newTermsKernel(s, t.weights))
		}
	}
	return t
}

// fill computes the tables from ln g.
func (t *tables) fill(lnG []float64) {
	switch {
	case t.potts == nil:
		t.weights.fill(lnG, t.window)
	case t.move == Metropolis:
		t.metropolis.fill(lnG, t.window)
	case t.move != NoLocalMove:
		t.heatBath.sites.fill(lnG, t.potts.Q(), t.window)
		t.heatBath.hazards.fill(t.heatBath.sites, t.window)
	}
}

// sweep makes N trials of the local move on one walker, counts them in hits and, unless
// that is nil, in situations, and returns how many were accepted (of the heat bath,
// which rejects nothing, all).
func (t *tables) sweep(worker int, w *walker, hits, situations []int64) (accepted int) {
	accepted = len(w.state)
	switch {
	case t.potts == nil && t.move == Metropolis:
		w.level, accepted = t.kernels[worker].metropolis(w.state, w.level, hits, situations, w.rng)
	case t.potts == nil:
		w.level = t.kernels[worker].heatBath(w.state, w.level, t.move == RandomHeatBath, hits, situations, w.rng)
	case t.move == HeatBath:
		w.level = heatBathSweep(t.potts, w.state, w.level, isOrdered(t.potts, w.level), &t.heatBath, hits, situations, w.rng)
	case t.move == RandomHeatBath:
		w.level = heatBathAtRandom(t.potts, w.state, w.level, &t.heatBath, hits, situations, w.rng)
	default:
		w.level, accepted = metropolisSweep(t.potts, w.state, w.level, t.metropolis, hits, situations, w.rng)
	}
	return accepted
}
