package dos

import (
	"errors"
	"fmt"
	"math"
)

// Coexistence describes a first-order transition in a finite system by the two peaks of
// P(E; beta): the ordered phase at low energy and the disordered one at high energy.
type Coexistence struct {
	// EqualHeight is the inverse temperature at which the peaks are equally high.
	EqualHeight float64
	// EqualWeight is where both phases have the same probability, divided at Cut. StateWeight is where the ordered phase has as many times the probability
	// of the disordered one as it has pure states, q in a Potts model. Its deviation from
	// the infinite system falls exponentially with the size (Borgs, Janke, Phys. Rev. Lett.
	// 68, 1738 (1992); Janke, Phys. Rev. B 47, 14757 (1993)).
	EqualWeight, StateWeight float64
	// Energies of the peaks and of the minimum between them, at EqualHeight.
	Ordered, Minimum, Disordered float64
	// LatentHeat is the distance between the peaks, for the whole system.
	// LatentHeatByWeights is ln(states)/(StateWeight - EqualWeight): the derivative by beta
	// of the logarithm of the phases' weight ratio is the difference of their mean
	// energies.
	LatentHeat, LatentHeatByWeights float64
	// Barrier is ln(P_max/P_min) at EqualHeight.
	Barrier float64
}

// Cut is the energy that divides the phases, halfway between the peaks. Where P is low it matters
// little; the minimum, where P is flat and known least, scatters so much that on lattices on which P there is
// still some percent of its maximum it would decide about the errors of the weights.
func (c *Coexistence) Cut() float64 { return (c.Ordered + c.Disordered) / 2 }

// Resolution of P(E; beta): it is smoothed with the kernel [1 - (distance/width)^2]^2, at
// energies width/kernelSteps apart.
const kernelSteps = 8

// minSeparation is the least distance between two peaks in units of the kernel's width.
// Closer bumps are noise, or the irregular spectrum near the ground state.
const minSeparation = 3

// coexistenceSteps limits the search, which takes about five steps if there are two peaks.
const coexistenceSteps = 50

// errSinglePeak is returned if there is no double peak to measure.
var errSinglePeak = errors.New("the energy distribution has only one peak: no sign of a first-order transition at this size")

// Coexistence finds the double peak of P(E; beta) nearest to the inverse temperature start.
// It returns an error if there is only one peak.
//
// P cannot be read off single levels: on small lattices many are absent near the ground
// state, neighbouring ones differ by factors, and estimates of ln g are noisy. So P is
// smoothed with a kernel that reaches to width on either side. For the Potts model, width
// should be above 4, the gap below the first excited level, and below the peaks' standard
// deviation.
//
// Two points of ln P are equally high at beta, with none above them, if they are joined by
// an edge of the concave hull of ln P + beta E with slope beta. beta is iterated to satisfy
// this, always with the edge across the mean energy. Positions and heights of peaks and
// minimum then come from parabolas fitted to ln P within the width.
func (d *Density) Coexistence(start, width, states float64) (Coexistence, error) {
	beta := start
	for range coexistenceSteps {
		x, lnP := d.blurred(beta, width)
		edge, ok := d.bridge(beta, x, lnP)
		if !ok {
			return Coexistence{}, errSinglePeak
		}
		if math.Abs(edge.slope) > 1e-10*max(1, math.Abs(beta)) {
			beta += edge.slope
			continue
		}
		if edge.middle < 0 || x[edge.right]-x[edge.left] < minSeparation*width {
			return Coexistence{}, errSinglePeak
		}
		return d.measure(beta, width, states, x, lnP, edge), nil
	}
	return Coexistence{}, errSinglePeak
}

// blurred returns energies width/kernelSteps apart and ln P(E; beta) there as Smoothed has it. Points
// where P underflows to zero are omitted.
func (d *Density) blurred(beta, width float64) (x, lnP []float64) {
	energies := d.Grid(width)
	for k, y := range d.Smoothed(beta, width, energies) {
		if !math.IsInf(y, -1) {
			x, lnP = append(x, energies[k]), append(lnP, y)
		}
	}
	return x, lnP
}

// bridge is an edge of the concave hull of ln P: the indices of its ends, its slope, and
// the point between them farthest below it, or -1 if none is.
type bridge struct {
	left, middle, right int
	slope               float64
}

// bridge returns the edge across the mean energy at beta.
func (d *Density) bridge(beta float64, x, lnP []float64) (bridge, bool) {
	mean := d.At(beta).Energy
	hull := concaveHull(x, lnP)
	for k := 1; k < len(hull); k++ {
		i, j := hull[k-1], hull[k]
		if mean < x[i] || mean > x[j] {
			continue
		}
		b := bridge{left: i, middle: -1, right: j, slope: (lnP[j] - lnP[i]) / (x[j] - x[i])}
		depth := 0.0
		for m := i + 1; m < j; m++ {
			if below := lnP[i] + b.slope*(x[m]-x[i]) - lnP[m]; below > depth {
				depth, b.middle = below, m
			}
		}
		return b, true
	}
	return bridge{}, false
}

// measure evaluates the double peak joined by an edge of slope zero at beta.
func (d *Density) measure(beta, width, states float64, x, lnP []float64, edge bridge) Coexistence {
	at := func(k int, sign, reach float64) (energy, height float64) {
		offset, height := fitParabola(x, lnP, x[k], width).extremum(sign, min(reach, width))
		return x[k] + offset, height
	}
	var c Coexistence
	var ordered, disordered, lowest float64
	left, middle, right := x[edge.left], x[edge.middle], x[edge.right]
	c.Ordered, ordered = at(edge.left, 1, width)
	c.Disordered, disordered = at(edge.right, 1, width)
	c.Minimum, lowest = at(edge.middle, -1, min(middle-left, right-middle))
	c.LatentHeat = c.Disordered - c.Ordered
	// Equalise the fitted heights: a change of beta changes ln P by that times -E.
	shift := (disordered - ordered) / (c.Disordered - c.Ordered)
	c.EqualHeight = beta + shift
	c.Barrier = ordered - lowest + shift*(c.Minimum-c.Ordered)
	c.EqualWeight = d.weightRatio(c.EqualHeight, c.Cut(), width, 1)
	c.StateWeight = d.weightRatio(c.EqualHeight, c.Cut(), width, states)
	c.LatentHeatByWeights = math.Log(states) / (c.StateWeight - c.EqualWeight)
	return c
}

// weightRatio returns the inverse temperature at which the energies below cut have ratio
// times the probability of the others. A level within half the width of the cut counts on
// both sides in proportion; otherwise the result would jump whenever noise moves the cut
// over a level. Both sides must have levels, so that the ratio rises from zero to infinity
// with beta.
func (d *Density) weightRatio(start, cut, width, ratio float64) float64 {
	below, above := make([]float64, d.Len()), make([]float64, d.Len()) // ln of the share
	for i, e := range d.Energy {
		share := max(0, min(1, 0.5+(cut-e)/width))
		below[i], above[i] = math.Log(share), math.Log(1-share)
	}
	x, y := make([]float64, d.Len()), make([]float64, d.Len())
	excess := func(beta float64) float64 {
		for i, e := range d.Energy {
			lnP := d.LnG[i] - beta*e
			x[i], y[i] = lnP+below[i], lnP+above[i]
		}
		return LogSumExp(x) - LogSumExp(y) - math.Log(ratio)
	}
	low, high := start, start
	for step := 1e-3; excess(low) > 0; step *= 2 {
		low -= step
	}
	for step := 1e-3; excess(high) < 0; step *= 2 {
		high += step
	}
	return bisect(excess, low, high)
}

// minBarrier is the least significance of the barrier, in its standard errors.
const minBarrier = 3

// Coexistence estimates the double peak, with one standard error of every quantity. It
// returns an error if the estimate or any of its replicas has no double peak, or if the
// minimum between the peaks may be noise.
func (e *Ensemble) Coexistence(start, width, states float64) (value, deviation Coexistence, err error) {
	value, err = e.Density.Coexistence(start, width, states)
	if err != nil {
		return value, deviation, err
	}
	_, errs, err := e.Estimate(func(d *Density) ([]float64, error) {
		c, err := d.Coexistence(value.EqualHeight, width, states)
		return []float64{c.EqualHeight, c.EqualWeight, c.StateWeight, c.Ordered, c.Minimum, c.Disordered, c.LatentHeat, c.LatentHeatByWeights, c.Barrier}, err
	})
	if err != nil {
		return value, deviation, err
	}
	deviation = Coexistence{
		EqualHeight: errs[0], EqualWeight: errs[1], StateWeight: errs[2],
		Ordered: errs[3], Minimum: errs[4], Disordered: errs[5], LatentHeat: errs[6], LatentHeatByWeights: errs[7], Barrier: errs[8],
	}
	if value.Barrier < minBarrier*deviation.Barrier {
		return value, deviation, fmt.Errorf("the minimum between two peaks of the energy distribution is %.2g(%.1g) deep in ln P, which may be noise", value.Barrier, deviation.Barrier)
	}
	return value, deviation, nil
}
