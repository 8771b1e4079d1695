package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The inverse temperatures of observables.csv and of the energy plot: gridPoints of
// them around the infinite lattice's transition, or where that is not known around the
// maximum of the specific heat, within a factor of gridReach. Their
// distances grow exponentially with that from the transition, by gridSharpness in all:
// as the transition of a finite lattice is the wider the farther off it is, it is
// resolved at any size.
const (
	gridPoints    = 161
	gridReach     = 1.4
	gridSharpness = 5
)

// betaGrid lists inverse temperatures, ascending, around that of the transition.
func betaGrid(transition float64) []float64 {
	betas := make([]float64, gridPoints)
	for i := range betas {
		u := 2*float64(i)/(gridPoints-1) - 1
		betas[i] = transition * math.Pow(gridReach, math.Sinh(gridSharpness*u)/math.Sinh(gridSharpness))
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

// searched lists inverse temperatures among which to look for the maximum of the specific
// heat, ascending: around the transition, all over the range where it is not known.
func (r *Result) searched() (betas []float64) {
	if beta := r.System.InfiniteTransition(); beta > 0 {
		return betaGrid(beta)
	}
	for beta := coarseFirst; beta < coarseLast; beta *= coarseRatio {
		betas = append(betas, beta)
	}
	return betas
}

// centre is the inverse temperature around which observables are computed. Where
// neither the transition is known nor the specific heat has a maximum it is 1.
func (r *Result) centre() float64 {
	if beta := r.System.InfiniteTransition(); beta > 0 {
		return beta
	}
	maximum, err := r.density.Density.HeatMaximum(r.searched())
	if err != nil {
		r.Log.Warn("observables are computed around the inverse temperature 1", "reason", "the specific heat has no maximum")
		return 1
	}
	return maximum.Beta
}

// writeObservables writes observables.csv: canonical averages per site over the inverse
// temperature, and the order parameter with its susceptibility per site and its fourth-order
// cumulant, each with its standard error, an empty field where something is unknown.
func (r *Result) writeObservables(w io.Writer) error {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "beta,temperature,energy,energy_error,specific_heat,specific_heat_error,free_energy,free_energy_error,entropy,entropy_error,"+
		"order_parameter,order_parameter_error,susceptibility,susceptibility_error,fourth_order_cumulant,fourth_order_cumulant_error")
	n := float64(r.System.Sites())
	for i, c := range r.canonical {
		fmt.Fprintf(&buf, "%s,%s", field(c.Beta, -1), field(1/c.Beta, -1))
		for _, x := range []struct{ value, deviation float64 }{
			{c.Energy, c.EnergyError}, {c.SpecificHeat, c.SpecificHeatError},
			{c.FreeEnergy(), c.FreeEnergyError}, {c.Entropy, c.EntropyError},
		} {
			fmt.Fprintf(&buf, ",%s,%s", field(x.value/n, -1), field(x.deviation/n, 6))
		}
		if r.order == nil {
			fmt.Fprintln(&buf, ",,,,,,")
			continue
		}
		o := r.order[i]
		fmt.Fprintf(&buf, ",%s,%s,%s,%s,%s,%s\n", field(o.Mean, -1), field(o.MeanError, 6),
			field(o.Susceptibility, -1), field(o.SusceptibilityError, 6), field(o.Binder, -1), field(o.BinderError, 6))
	}
	_, err := buf.WriteTo(w)
	return err
}

// field is a number of a table with so many digits, -1 for all, empty for what is unknown or
// infinite.
func field(x float64, digits int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', digits, 64)
}
