package setup

import (
	"fmt"
	"math"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Levels is ln g of a density of states by level, NaN at levels without. The error is about
// energies that the system has not.
func Levels(d *dos.Density, system *lattice.Potts) ([]float64, error) {
	lnG := make([]float64, system.Levels())
	for b := range lnG {
		lnG[b] = math.NaN()
	}
	for i, e := range d.Energy {
		b := -int(e)
		if e != math.Trunc(e) || b < 0 || b >= len(lnG) {
			return nil, fmt.Errorf("the density of states has the energy %g, which %v has not; give that of the same system, with energies in units of J", e, system)
		}
		lnG[b] = d.LnG[i]
	}
	return lnG, nil
}
