package run

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"neuralwl/sampler/dos"
)

// ObservablesFile holds the canonical averages, in the run directory.
const ObservablesFile = "observables.csv"

// The inverse temperatures of observables.csv and of the energy plot: gridPoints of
// them around the infinite lattice's transition, within a factor of gridReach. Their
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

// infiniteTransition is the inverse temperature beta_t = ln(1 + sqrt q) of the Potts
// model's transition on the infinite square lattice, by self-duality (Potts, Proc. Camb.
// Phil. Soc. 48, 106 (1952)).
func (j *job) infiniteTransition() float64 { return math.Log(1 + math.Sqrt(float64(j.system.Q()))) }

// observablesTable is the content of observables.csv: canonical averages per site over
// the inverse temperature, each with its standard error, an empty field where that is
// unknown.
func (j *job) observablesTable(canonical []dos.CanonicalEstimate) []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "beta,temperature,energy,energy_error,specific_heat,specific_heat_error,free_energy,free_energy_error,entropy,entropy_error")
	n := float64(j.system.Sites())
	field := func(x float64, digits int) string {
		if math.IsNaN(x) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', digits, 64)
	}
	for _, c := range canonical {
		fmt.Fprintf(&buf, "%s,%s", field(c.Beta, -1), field(1/c.Beta, -1))
		for _, x := range []struct{ value, deviation float64 }{
			{c.Energy, c.EnergyError}, {c.SpecificHeat, c.SpecificHeatError},
			{c.FreeEnergy(), c.FreeEnergyError}, {c.Entropy, c.EntropyError},
		} {
			fmt.Fprintf(&buf, ",%s,%s", field(x.value/n, -1), field(x.deviation/n, 6))
		}
		fmt.Fprintln(&buf)
	}
	return buf.Bytes()
}
