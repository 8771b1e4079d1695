package run

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/dos"
)

// TransitionSummary tells where the transition is in this finite system, by several
// criteria, and how sharp. Inverse temperatures are in units of 1/J.
type TransitionSummary struct {
	// Infinite is the exact inverse temperature of the infinite lattice, 0 where it is not
	// known; of the Potts model in two dimensions it is ln(1 + sqrt q).
	Infinite float64 `json:"beta_infinite,omitempty"`
	// HeatMaximum is where the specific heat is largest, Height how large per site.
	HeatMaximum *Estimate `json:"beta_specific_heat_maximum,omitempty"`
	Height      *Estimate `json:"specific_heat_maximum,omitempty"`
	// Order is the order parameter at Infinite.
	Order *OrderSummary `json:"order_at_beta_infinite,omitempty"`
	// Coexistence is absent where the energy distribution has no double peak.
	Coexistence *CoexistenceSummary `json:"coexistence,omitempty"`
	// Zero is the Fisher zero nearest to the real axis, absent for large systems.
	Zero *ZeroSummary `json:"leading_fisher_zero,omitempty"`
	// Remarks say why something is absent.
	Remarks []string `json:"remarks,omitempty"`
}

// CoexistenceSummary is what the two peaks of the energy distribution tell.
type CoexistenceSummary struct {
	EqualHeight Estimate `json:"beta_equal_height"`
	EqualWeight Estimate `json:"beta_equal_weight"`
	// StateWeight is where the ordered phase has as many times the weight of the other as
	// there are ground states, q in the Potts model.
	StateWeight Estimate `json:"beta_weight_ratio_q"`
	States      float64  `json:"ground_states"`
	// LatentHeat is the distance of the peaks per site, in units of J.
	LatentHeat Estimate `json:"latent_heat"`
	// LatentHeatByWeights follows from the weights of the phases: ln q over N times the
	// difference of StateWeight and EqualWeight. It is much nearer to the infinite
	// lattice's.
	LatentHeatByWeights Estimate `json:"latent_heat_by_weights"`
	// InterfaceTension is 2 sigma = ln(P_max/P_min)/A with the area A of an interface, in
	// two dimensions the shorter side L.
	InterfaceTension Estimate `json:"interface_tension_2sigma"`
	// Resolution is the half width, in units of J, of the kernel through which the
	// energy distribution was seen.
	Resolution float64 `json:"resolution"`
}

// ZeroSummary is a complex inverse temperature.
type ZeroSummary struct {
	Real      Estimate `json:"real"`
	Imaginary Estimate `json:"imaginary"`
}

// Estimate is a number with one standard error, nil where that is unknown.
type Estimate struct {
	Value float64  `json:"value"`
	Error *float64 `json:"error"`
}

func newEstimate(value, deviation float64) Estimate {
	if math.IsNaN(deviation) {
		return Estimate{Value: value}
	}
	return Estimate{value, &deviation}
}

// String writes the number with the error of its last digits, 1.4142(21), two of them.
func (e Estimate) String() string {
	if e.Error == nil || !(*e.Error > 0) {
		return fmt.Sprintf("%.6g", e.Value)
	}
	digits := 1 - int(math.Floor(math.Log10(*e.Error)))
	if digits < 1 {
		return fmt.Sprintf("%.1f(%.1f)", e.Value, *e.Error)
	}
	return fmt.Sprintf("%.*f(%.0f)", digits, e.Value, *e.Error*math.Pow10(digits))
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

// maxZeroSites is up to how many sites Fisher zeros are computed, a third of a second
// for 256.
const maxZeroSites = 256

// transition analyses the density of states near its transition.
func (j *job) transition(d *dos.Ensemble) *TransitionSummary {
	s := &TransitionSummary{Infinite: j.system.InfiniteTransition()}
	n := float64(j.system.Sites())
	heat, heatError, err := d.HeatMaximum(j.searched())
	if err != nil {
		s.Remarks = append(s.Remarks, err.Error())
		return s
	}
	beta, height := newEstimate(heat.Beta, heatError.Beta), newEstimate(heat.Height/n, heatError.Height/n)
	s.HeatMaximum, s.Height = &beta, &height

	step := float64(j.system.MaxStep()) * (j.system.Energy(0) - j.system.Energy(1))
	resolution := step * max(finestResolution, coarseResolution*math.Sqrt(n))
	states := math.Round(math.Exp(j.system.LnGroundStates()))
	if !(states > 1) {
		s.Remarks = append(s.Remarks, "no analysis of two phases: the number of ordered phases is not known, or one")
	} else if c, e, err := d.Coexistence(heat.Beta, resolution, states); err != nil {
		s.Remarks = append(s.Remarks, err.Error())
	} else {
		area := n / float64(slices.Max(j.system.Sides()))
		s.Coexistence = &CoexistenceSummary{
			EqualHeight:         newEstimate(c.EqualHeight, e.EqualHeight),
			EqualWeight:         newEstimate(c.EqualWeight, e.EqualWeight),
			StateWeight:         newEstimate(c.StateWeight, e.StateWeight),
			States:              states,
			LatentHeat:          newEstimate(c.LatentHeat/n, e.LatentHeat/n),
			LatentHeatByWeights: newEstimate(c.LatentHeatByWeights/n, e.LatentHeatByWeights/n),
			InterfaceTension:    newEstimate(c.Barrier/area, e.Barrier/area),
			Resolution:          resolution,
		}
	}
	if j.system.Sites() > maxZeroSites {
		return s
	}
	if zero, e, err := d.LeadingZero(); err != nil {
		s.Remarks = append(s.Remarks, err.Error())
	} else {
		s.Zero = &ZeroSummary{newEstimate(real(zero), real(e)), newEstimate(imag(zero), imag(e))}
	}
	return s
}
