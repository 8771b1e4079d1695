package report

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// TransitionSummary is where the transition of this finite system lies, by several
// criteria, and how sharp it is. Inverse temperatures are in units of 1/J.
type TransitionSummary struct {
	// Infinite is the exact inverse temperature of the infinite lattice, 0 where it is not
	// known; of the Potts model in two dimensions it is ln(1 + sqrt q).
	Infinite float64 `json:"beta_infinite,omitempty"`
	// HeatMaximum is where the specific heat is largest, Height how large per site.
	HeatMaximum *dos.Estimate `json:"beta_specific_heat_maximum,omitempty"`
	Height      *dos.Estimate `json:"specific_heat_maximum,omitempty"`
	// Order is the order parameter at Infinite.
	Order *OrderSummary `json:"order_at_beta_infinite,omitempty"`
	// Coexistence is absent where the energy distribution has no double peak.
	Coexistence *CoexistenceSummary `json:"coexistence,omitempty"`
	// Zero is the Fisher zero nearest to the real axis, absent for large systems.
	Zero *ZeroSummary `json:"leading_fisher_zero,omitempty"`
	// Remarks say why something is absent.
	Remarks []string `json:"remarks,omitempty"`
}

// CoexistenceSummary is what follows from the two peaks of the energy distribution.
type CoexistenceSummary struct {
	EqualHeight dos.Estimate `json:"beta_equal_height"`
	EqualWeight dos.Estimate `json:"beta_equal_weight"`
	// StateWeight is where the ordered phase has as many times the weight of the other as
	// there are ground states, q in the Potts model.
	StateWeight dos.Estimate `json:"beta_weight_ratio_q"`
	States      float64      `json:"ground_states"`
	// LatentHeat is the distance of the peaks per site, in units of J.
	LatentHeat dos.Estimate `json:"latent_heat"`
	// LatentHeatByWeights follows from the weights of the phases: ln q over N times the
	// difference of StateWeight and EqualWeight. It is much nearer to the infinite
	// lattice's.
	LatentHeatByWeights dos.Estimate `json:"latent_heat_by_weights"`
	// InterfaceTension is 2 sigma = ln(P_max/P_min)/A with the area A of an interface, in
	// two dimensions the shorter side L.
	InterfaceTension dos.Estimate `json:"interface_tension_2sigma"`
	// Resolution is the half width, in units of J, of the kernel through which the
	// energy distribution was seen.
	Resolution float64 `json:"resolution"`
}

// ZeroSummary is a complex inverse temperature.
type ZeroSummary struct {
	Real      dos.Estimate `json:"real"`
	Imaginary dos.Estimate `json:"imaginary"`
}

// maxZeroSites is up to how many sites Fisher zeros are computed, a third of a second
// for 256.
const maxZeroSites = 256

// findTransition analyses the density of states near its transition.
func (r *Result) findTransition() *TransitionSummary {
	return findTransition(r.System, r.density, r.leaveOut)
}

// FindTransition analyses the density of states of a system near its transition.
func FindTransition(system lattice.System, d *dos.Ensemble) *TransitionSummary {
	return findTransition(system, d, func(string, error) bool { return false })
}

// findTransition asks leaveOut about the error of each part: whether there was no time for it,
// which needs no remark.
func findTransition(system lattice.System, d *dos.Ensemble, leaveOut func(what string, err error) bool) *TransitionSummary {
	s := &TransitionSummary{Infinite: system.InfiniteTransition()}
	n := float64(system.Sites())
	remark := func(what string, err error) {
		if !leaveOut(what, err) {
			s.Remarks = append(s.Remarks, err.Error())
		}
	}
	heat, heatError, err := d.HeatMaximum(transition.Betas(system, d.Density))
	if err != nil {
		if _, high := Support(system, d.Density); lattice.Truncated(system) && high < d.Reach() {
			err = fmt.Errorf("the specific heat has no maximum up to beta = %.6g, beyond which energies below the range of levels matter; take a lower system.lowest", high)
		}
		remark("the transition", err)
		return s
	}
	beta, height := dos.NewEstimate(heat.Beta, heatError.Beta), dos.NewEstimate(heat.Height/n, heatError.Height/n)
	s.HeatMaximum, s.Height = &beta, &height

	resolution := transition.Resolution(system)
	states := math.Round(math.Exp(system.LnGroundStates()))
	if !(states > 1) {
		s.Remarks = append(s.Remarks, "no analysis of two phases: the number of ordered phases is not known, or one")
	} else if c, e, err := d.Coexistence(heat.Beta, resolution, states); err != nil {
		remark("analysis of two phases", err)
	} else {
		area := n / float64(slices.Max(system.Sides()))
		s.Coexistence = &CoexistenceSummary{
			EqualHeight:         dos.NewEstimate(c.EqualHeight, e.EqualHeight),
			EqualWeight:         dos.NewEstimate(c.EqualWeight, e.EqualWeight),
			StateWeight:         dos.NewEstimate(c.StateWeight, e.StateWeight),
			States:              states,
			LatentHeat:          dos.NewEstimate(c.LatentHeat/n, e.LatentHeat/n),
			LatentHeatByWeights: dos.NewEstimate(c.LatentHeatByWeights/n, e.LatentHeatByWeights/n),
			InterfaceTension:    dos.NewEstimate(c.Barrier/area, e.Barrier/area),
			Resolution:          resolution,
		}
	}
	if system.Sites() > maxZeroSites {
		return s
	}
	if zero, e, err := d.LeadingZero(); err != nil {
		remark("leading Fisher zero", err)
	} else {
		s.Zero = &ZeroSummary{dos.NewEstimate(real(zero), real(e)), dos.NewEstimate(imag(zero), imag(e))}
	}
	return s
}
