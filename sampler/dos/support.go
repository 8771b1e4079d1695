package dos

import "math"

// negligible is the probability of a level at the edge of a density of states, relative to
// the most probable level, up to which anything beyond the edge is neglected.
const negligible = 1e-4

// Support returns the range of inverse temperatures for which the density of states has
// data: those at which the probability g(E) exp(-beta E) of its lowest and highest levels
// is negligible, at most 1e-4 of the largest, so that levels beyond them, which the density
// may lack, do not matter. The range is empty, low > high, if the density is too narrow for
// any beta.
//
// Nothing lies beyond an end of the system's spectrum, and there the range is unlimited.
// Such an end is recognised if ln g is normalised to the q^N states of a Potts model; see
// complete. Bins end the range at their Reach in any case.
func (d *Density) Support() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	first, last := 0, d.Len()-1
	// P(first)/P(E) rises with beta for any other E, so it is negligible up to some beta.
	for i := first + 1; i <= last; i++ {
		high = max(high, (d.LnG[i]-d.LnG[first]+math.Log(negligible))/(d.Energy[i]-d.Energy[first]))
	}
	for i := first; i < last; i++ {
		low = min(low, (d.LnG[last]-d.LnG[i]-math.Log(negligible))/(d.Energy[last]-d.Energy[i]))
	}
	ground, top := d.complete()
	if ground {
		high = math.Inf(1)
	}
	switch {
	case ground && d.Energy[last] == 0:
		low = math.Inf(-1)
	case top:
		low = min(low, 0)
	}
	return max(low, -d.Reach()), min(high, d.Reach())
}

// complete infers from the density alone whether it has all states that matter below or
// above. It must be that of a Potts model with q colours on N sites and zN/2 bonds (z/2 = 2
// for the square, 3 for the simple cubic lattice): normalised to q^N states, with the
// lowest energy -zN/2, the ground state's, and roughly q states there. The last condition
// rules out fewer colours on more sites with a spectrum that happens to end there.
//
// top reports whether nothing lies above the highest level that matters at beta = 0. Every
// bond is satisfied with probability 1/q there, so the mean energy is -zN/2q; the density's
// must agree within a hundredth of the distribution's width.
func (d *Density) complete() (ground, top bool) {
	if d.Bins != nil {
		return false, false
	}
	lnTotal := LogSumExp(d.LnG)
	for q := 2.; q <= 255; q++ {
		n := math.Round(lnTotal / math.Log(q))
		bonds := -d.Energy[0]
		if n < 1 || bonds != 2*n && bonds != 3*n ||
			math.Abs(lnTotal-n*math.Log(q)) > 1e-9*lnTotal || math.Abs(d.LnG[0]-math.Log(q)) > 1 {
			continue
		}
		mean, variance := -bonds/q, bonds/q*(1-1/q)
		return true, math.Abs(d.At(0).Energy-mean) <= 0.01*math.Sqrt(variance)
	}
	return false, false
}
