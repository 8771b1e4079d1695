package setup

import (
	"fmt"
	"math"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Levels is ln g of a density of states by level, NaN at levels without. The error is about
// energies that the system has not.
func Levels(d *dos.Density, system lattice.System) ([]float64, error) {
	lnG, of := make([]float64, system.Levels()), map[float64]int{}
	for b := range lnG {
		lnG[b] = math.NaN()
		of[system.Energy(b)] = b
	}
	for i, e := range d.Energy {
		b, ok := of[e]
		if !ok {
			return nil, fmt.Errorf("the density of states has the energy %g, which %v has not; give that of the same system, with energies in units of J", e, system)
		}
		lnG[b] = d.LnG[i]
	}
	return lnG, nil
}
