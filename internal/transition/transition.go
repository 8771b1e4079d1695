// Package transition finds where a system has its transition, by its density of states.
package transition

import (
	"math"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// The inverse temperatures of a Grid: gridPoints of them within a factor of Reach. Their
// distances grow exponentially with that from the transition, by gridSharpness in all: as the
// transition of a finite lattice is the wider the farther off it is, it is resolved at any
// size.
const (
	gridPoints    = 161
	Reach         = 1.4
	gridSharpness = 5
)

// Grid lists inverse temperatures, ascending, around that of a transition.
func Grid(transition float64) []float64 {
	betas := make([]float64, gridPoints)
	for i := range betas {
		u := 2*float64(i)/(gridPoints-1) - 1
		betas[i] = transition * math.Pow(Reach, math.Sinh(gridSharpness*u)/math.Sinh(gridSharpness))
	}
	return betas
}

// The inverse temperatures, in units of 1/J, among which the maximum of the specific heat
// is looked for where the transition is not known: their ratio is coarseRatio.
const (
	coarseFirst = 1e-3
	coarseLast  = 1e3
	coarseRatio = 1.05
)

// Betas lists inverse temperatures among which to look for the maximum of the specific heat,
// ascending: around the infinite lattice's transition, all over the range where that is not known. Where the system
// leaves out states of low energy they end where the lowest level of its density of states matters.
func Betas(system lattice.System, d *dos.Density) (betas []float64) {
	if beta := system.InfiniteTransition(); beta > 0 {
		return Grid(beta)
	}
	last := coarseLast
	if lattice.Truncated(system) {
		_, last = d.Support()
	}
	for beta := coarseFirst; beta < min(coarseLast, last); beta *= coarseRatio {
		betas = append(betas, beta)
	}
	return betas
}

// finestResolution is the least half width, in units of the largest step of the energy by
// one site, with which the energy distribution is looked at: narrower, the gaps between
// the lowest levels show. coarseResolution is the half width in the same units over the
// square root of the number of sites: the peaks' standard deviation is sqrt(N C)/beta with
// C per site in one phase, about 3 sqrt(N) for the Potts model of ten colours, whose
// largest step is 4: a sixth of that hides the noise and leaves the peaks alone.
const (
	finestResolution = 1.5
	coarseResolution = 0.125
)

// Resolution is the half width, in units of J, of the kernel through which the energy
// distribution of a system is looked at.
func Resolution(system lattice.System) float64 {
	_, last := lattice.Row(system, 0)
	row := last + 1 // levels of one energy
	step := float64(system.MaxStep()/row) * (system.Energy(0) - system.Energy(row))
	return step * max(finestResolution, coarseResolution*math.Sqrt(float64(system.Sites())))
}

// Transition is where a density of states has its transition. Energies are those of the whole
// system in units of J.
type Transition struct {
	Beta float64 `json:"beta" doc:"Inverse temperature at which both peaks of P(E) are equally high or, with one peak, of the maximum of the specific heat."`
	// Low and High divide the energies into three regions: ordered, coexistence, disordered.
	Low       float64 `json:"low" doc:"Energy of the ordered phase's peak or, with one peak, one standard deviation below its mean."`
	High      float64 `json:"high" doc:"The same for the disordered phase."`
	TwoPeaks  bool    `json:"two_peaks"`
	Minimum   float64 `json:"minimum,omitempty" doc:"Energy of the minimum between two peaks."`
	LnBarrier float64 `json:"ln_barrier,omitempty" doc:"ln(P_max/P_min) where there are two peaks."`
}

// LnRatio is the logarithm of the ratio of the weights of the ordered and the disordered phase at an inverse
// temperature, of which the first has the energies below Minimum.
func (t *Transition) LnRatio(d *dos.Density, beta float64) float64 {
	var ordered, disordered []float64
	for i, energy := range d.Energy {
		if x := d.LnG[i] - beta*energy; energy < t.Minimum {
			ordered = append(ordered, x)
		} else {
			disordered = append(disordered, x)
		}
	}
	return dos.LogSumExp(ordered) - dos.LogSumExp(disordered)
}

// Find looks for the transition of a system in a density of states, nil where that shows none: too
// little of it is known. It looks near the last one first, unless that is nil.
func Find(s lattice.System, d *dos.Density, last *Transition) *Transition {
	states := math.Round(math.Exp(s.LnGroundStates()))
	twoPeaks := func(near float64) *Transition {
		if !(states > 1) {
			return nil
		}
		c, err := d.Coexistence(near, Resolution(s), states)
		if err != nil {
			return nil
		}
		return &Transition{Beta: c.EqualHeight, Low: c.Ordered, High: c.Disordered, TwoPeaks: true, Minimum: c.Minimum, LnBarrier: c.Barrier}
	}
	if d.Len() < 2 {
		return nil
	}
	if last != nil && last.TwoPeaks {
		if t := twoPeaks(last.Beta); t != nil {
			return t
		}
	}
	heat, err := d.HeatMaximum(Betas(s, d))
	if err != nil {
		return nil
	}
	if t := twoPeaks(heat.Beta); t != nil {
		return t
	}
	c := d.At(heat.Beta)
	deviation := math.Sqrt(c.SpecificHeat) / heat.Beta
	return &Transition{Beta: heat.Beta, Low: c.Energy - deviation, High: c.Energy + deviation}
}

// Known is the density of states at the levels seen, by ascending energy, normalised to the number
// of all configurations; levels lists them. Of pairs it is the sum over each energy, and levels lists the first
// ones with these.
func Known(s lattice.System, seen []bool, lnG []float64) (levels []int, d *dos.Density) {
	d = &dos.Density{}
	for last := s.Levels() - 1; last >= 0; {
		first, _ := lattice.Row(s, last)
		var row []float64
		for level := first; level <= last; level++ {
			if seen[level] && !math.IsNaN(lnG[level]) && !math.IsInf(lnG[level], 0) {
				row = append(row, lnG[level])
			}
		}
		if last = first - 1; row == nil {
			continue
		}
		levels = append(levels, first)
		d.Energy, d.LnG = append(d.Energy, s.Energy(first)), append(d.LnG, dos.LogSumExp(row))
	}
	if len(levels) > 0 {
		d.Normalise(s.LnStates())
	}
	return levels, d
}

// beyondPeak is the least that Histogram has at a level beyond the infinite-temperature peak, as a part
// of the even share of a level.
const beyondPeak = 0.1

// Histogram is a histogram for production that serves two phases, ln of it by level. Half of share is
// like the ordered phase at the transition, half like the disordered one. The rest, of which there must
// be some, is spread evenly from the infinite-temperature peak to the ground state, and falls beyond the
// peak as at infinite temperature. It is nil without two phases.
func Histogram(s lattice.System, levels []int, d *dos.Density, t *Transition, share float64) []float64 {
	if t == nil || !t.TwoPeaks {
		return nil
	}
	p, _ := d.Distribution(t.Beta)
	ordered := 0.0
	for i, e := range d.Energy {
		if e < t.Minimum {
			ordered += p[i]
		}
	}
	if !(ordered > 0 && ordered < 1) {
		return nil
	}
	most, peak := math.Inf(-1), s.PeakLevel()
	for i, level := range levels {
		if level <= peak {
			most = max(most, d.LnG[i])
		}
	}
	even := (1 - share) / float64(s.GroundLevel()-peak+1)
	h := make([]float64, s.Levels())
	for level := range h {
		if h[level] = even; level < peak {
			h[level] *= beyondPeak
		}
	}
	for i, level := range levels {
		if level < peak {
			h[level] = max(h[level], even*math.Exp(d.LnG[i]-most))
		}
		phase := ordered
		if d.Energy[i] >= t.Minimum {
			phase = 1 - ordered
		}
		h[level] += share / 2 * p[i] / phase
	}
	for level, x := range h {
		h[level] = math.Log(x)
	}
	return h
}
