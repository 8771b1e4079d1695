package dos

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits within which Merge accepts densities as of the same system.
const (
	// maxMismatch is the largest rms difference in an overlap, in combined errors.
	maxMismatch = 10
	// maxDifference is the largest rms difference of ln g if no errors are known.
	maxDifference = 1
)

// merged is the result of merging some pieces.
type merged struct {
	names       []string
	lnSum       float64 // ln of the sum of g over the first piece
	energy, lnG []float64
	// weight is 1/error^2 without the errors of shifts, 0 where it is unknown, and also where
	// ln g is known, without an error.
	weight []float64
	known  []bool
	// share[k][i] is how far level i moves with the shift of the k-th chained piece, and
	// variance[k] the variance of that shift.
	share    [][]float64
	variance []float64
}

func newMerged(p Piece) *merged {
	m := &merged{names: []string{p.Name}, lnSum: LogSumExp(p.LnG), energy: p.Energy, lnG: p.LnG, weight: make([]float64, p.Len()), known: make([]bool, p.Len())}
	some := slices.ContainsFunc(p.Error, func(x float64) bool { return x > 0 })
	for i, deviation := range p.Error {
		m.known[i] = deviation == 0 && some
		// Skip NaN, zero, and values whose square over- or underflows.
		if w := 1 / (deviation * deviation); w > 0 && !math.IsInf(w, 0) {
			m.weight[i] = w
		}
	}
	return m
}

func (m *merged) highest() float64 { return m.energy[len(m.energy)-1] }

func (m *merged) String() string { return strings.Join(m.names, ", ") }

func (m *merged) sameLevels(other *merged) bool {
	return slices.EqualFunc(m.energy, other.energy, func(a, b float64) bool { return !before(a, b) && !before(b, a) })
}

// joint is a level common to two densities: its indices in both and 1/(error^2 + error'^2),
// or 0 if an error is unknown.
type joint struct {
	a, b   int
	weight float64
}

// joints lists the levels in common with a piece, ascending.
func (m *merged) joints(piece *merged) (joints []joint) {
	for _, c := range common(m.energy, piece.energy) {
		j := joint{a: c.a, b: c.b}
		if u, v := m.weight[c.a], piece.weight[c.b]; u > 0 && v > 0 {
			j.weight = 1 / (1/u + 1/v)
		}
		joints = append(joints, j)
	}
	return joints
}

// repeat averages with a repetition of the same levels. The errors of both are relative to
// their sums, which are made equal.
func (m *merged) repeat(piece *merged) (Overlap, error) {
	joints := m.joints(piece)
	o, _ := m.overlap(piece, joints, m.lnSum-piece.lnSum)
	m.average(piece, joints, o.Shift, nil)
	return o, o.check()
}

// chain averages with a piece whose lowest level is no lower, shifted to agree with m on
// the common levels.
func (m *merged) chain(piece *merged) (Overlap, error) {
	joints := m.joints(piece)
	if err := m.checkLevels(piece, joints); err != nil {
		return Overlap{}, err
	}
	mean := func(value func(joint) float64) float64 {
		sum, total, plain := 0.0, 0.0, 0.0
		for _, j := range joints {
			sum += j.weight * value(j)
			total += j.weight
			plain += value(j)
		}
		if total == 0 {
			return plain / float64(len(joints))
		}
		return sum / total
	}
	shift := mean(func(j joint) float64 { return m.lnG[j.a] - piece.lnG[j.b] })
	o, variance := m.overlap(piece, joints, shift)
	o.ShiftError = math.Sqrt(variance)
	// Earlier shifts of the common levels also move the piece.
	var moves []float64
	for _, share := range m.share {
		moves = append(moves, mean(func(j joint) float64 { return share[j.a] }))
	}
	m.share = append(m.share, make([]float64, len(m.energy)))
	m.variance = append(m.variance, variance)
	m.average(piece, joints, shift, append(moves, 1))
	return o, o.check()
}

// checkLevels returns an error if a piece has no level in common with m or cannot belong to
// the same system.
func (m *merged) checkLevels(piece *merged, joints []joint) error {
	name, low, high := piece.names[0], piece.energy[0], piece.highest()
	if len(joints) == 0 {
		if low > m.highest() {
			return fmt.Errorf("merge %s: no overlap: its lowest level is E = %g, the highest of %v is E = %g; windows must share levels, so add a file that covers the gap",
				name, low, m, m.highest())
		}
		return fmt.Errorf("merge %s: none of its energies, E = %g..%g, is one of %v, E = %g..%g; do they belong to the same system and use the same units?",
			name, low, high, m, m.energy[0], m.highest())
	}
	// A single level may be missing because it was never visited, but not many.
	alone := 0
	for _, side := range [][]float64{m.energy, piece.energy} {
		for _, e := range side {
			if !before(e, low) && !before(e, m.energy[0]) && !before(high, e) && !before(m.highest(), e) {
				alone++
			}
		}
	}
	alone -= 2 * len(joints)
	if a, b := spacing(m.energy), spacing(piece.energy); alone > 0 && math.Abs(a-b) > 1e-6*max(a, b) {
		return fmt.Errorf("merge %s: its levels are %g apart, those of %v %g, and %d levels where they overlap are not in both; do they belong to the same system?",
			name, b, m, a, alone)
	}
	return nil
}

// spacing returns the least difference between levels, infinite for a single one.
func spacing(energy []float64) float64 {
	least := math.Inf(1)
	for i := 1; i < len(energy); i++ {
		least = min(least, energy[i]-energy[i-1])
	}
	return least
}

// overlap compares a shifted piece on the common levels and estimates the variance of a
// shift that is a mean over them; see Merge. It is NaN if errors are unknown.
func (m *merged) overlap(piece *merged, joints []joint, shift float64) (o Overlap, variance float64) {
	o = Overlap{
		Piece: piece.names[0], With: slices.Clone(m.names), Levels: len(joints),
		From: m.energy[joints[0].a], To: m.energy[joints[len(joints)-1].a],
		Shift: shift, RMS: math.NaN(), ChiSquare: math.NaN(),
	}
	squares, chi2, total := 0.0, 0.0, 0.0
	for _, j := range joints {
		d := m.lnG[j.a] - piece.lnG[j.b] - shift
		squares += d * d
		chi2 += j.weight * d * d
		total += j.weight
		if j.weight > 0 {
			o.Compared++
		}
	}
	o.Difference = math.Sqrt(squares / float64(len(joints)))
	if o.Compared == 0 {
		return o, math.NaN()
	}
	n := float64(o.Compared)
	o.RMS = math.Sqrt(chi2 / n)
	if o.Compared == 1 {
		return o, 1 / total
	}
	o.ChiSquare = chi2 / (n - 1)
	return o, (o.ChiSquare + n*max(0, 1-o.ChiSquare)) / total
}

// check returns an error if the difference is too large for densities of one system.
func (o Overlap) check() error {
	switch with := strings.Join(o.With, ", "); {
	case o.RMS > maxMismatch:
		return fmt.Errorf("merge %s: it differs from %s by %.3g combined errors (rms over %d levels, E = %g..%g); do they belong to the same system, and are both runs converged?",
			o.Piece, with, o.RMS, o.Compared, o.From, o.To)
	case o.Compared == 0 && o.Difference > maxDifference:
		return fmt.Errorf("merge %s: its ln g differs from that of %s by %.3g (rms over %d levels, E = %g..%g); do they belong to the same system?",
			o.Piece, with, o.Difference, o.Levels, o.From, o.To)
	}
	return nil
}

// average merges the levels of a shifted piece; moves is how far the piece moves with each
// shift.
func (m *merged) average(piece *merged, joints []joint, shift float64, moves []float64) {
	old := *m
	m.names = append(m.names, piece.names...)
	m.energy, m.lnG, m.weight, m.known, m.share = nil, nil, nil, nil, make([][]float64, len(moves))
	// add appends a level to which the piece contributes the part beta.
	add := func(energy, lnG, weight float64, known bool, beta float64, a int) {
		m.energy, m.lnG = append(m.energy, energy), append(m.lnG, lnG)
		m.weight, m.known = append(m.weight, weight), append(m.known, known)
		for k, move := range moves {
			share := beta * move
			if beta < 1 {
				share += (1 - beta) * old.share[k][a]
			}
			m.share[k] = append(m.share[k], share)
		}
	}
	a, b := 0, 0
	until := func(endA, endB int) { // levels that only one of them has
		for a < endA || b < endB {
			if b == endB || a < endA && old.energy[a] < piece.energy[b] {
				add(old.energy[a], old.lnG[a], old.weight[a], old.known[a], 0, a)
				a++
			} else {
				add(piece.energy[b], piece.lnG[b]+shift, piece.weight[b], piece.known[b], 1, 0)
				b++
			}
		}
	}
	for _, j := range joints {
		until(j.a, j.b)
		u, v := old.weight[j.a], piece.weight[j.b]
		beta := 0.5
		known, knows := old.known[j.a], piece.known[j.b]
		switch {
		case known && !knows:
			beta, v = 0, 0
		case knows && !known:
			beta, u = 1, 0
		case u+v > 0:
			beta = v / (u + v)
		}
		add(old.energy[j.a], (1-beta)*old.lnG[j.a]+beta*(piece.lnG[j.b]+shift), u+v, known || knows, beta, j.a)
		a, b = j.a+1, j.b+1
	}
	until(len(old.energy), len(piece.energy))
}

// normalised returns the density with the sum of g equal to exp(lnTotal) or, if that is
// NaN, to that of first over its levels.
func (m *merged) normalised(first *Density, lnTotal float64) *Density {
	d := &Density{Energy: m.energy, LnG: slices.Clone(m.lnG), Error: make([]float64, len(m.energy))}
	// The probabilities of the levels included in the normalisation.
	lnP := slices.Clone(m.lnG)
	if math.IsNaN(lnTotal) {
		lnTotal = LogSumExp(first.LnG)
		for i := range lnP {
			lnP[i] = math.Inf(-1)
		}
		for _, j := range m.joints(newMerged(Piece{Density: first})) {
			lnP[j.a] = m.lnG[j.a]
		}
	}
	sum := LogSumExp(lnP)
	for i := range d.LnG {
		d.LnG[i] += lnTotal - sum
		d.Error[i] = math.NaN()
		switch {
		case m.weight[i] > 0:
			d.Error[i] = 1 / m.weight[i]
		case m.known[i]:
			d.Error[i] = 0
		}
	}
	for k, share := range m.share {
		mean := 0.0
		for i, s := range share {
			mean += math.Exp(lnP[i]-sum) * s
		}
		for i, s := range share {
			d.Error[i] += (s - mean) * (s - mean) * m.variance[k]
		}
	}
	for i, variance := range d.Error {
		d.Error[i] = math.Sqrt(variance)
	}
	return d
}
