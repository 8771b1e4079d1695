package dos

import (
	"math"
	"slices"
)

// Fill adds to d the levels that only other has, with unknown errors, and returns their
// energies. ln g of other, which may be off by a constant, is shifted to agree with d at
// the nearest common level; it is not shifted if there is none.
func (d *Density) Fill(other *Density) (filled []float64) {
	own := make(map[float64]float64, d.Len())
	for i, e := range d.Energy {
		own[e] = d.LnG[i]
	}
	if d.Error == nil {
		d.Error = make([]float64, d.Len())
		for i := range d.Error {
			d.Error[i] = math.NaN()
		}
	}
	// The common levels, ascending, and the shift at each.
	var common, shifts []float64
	for i, e := range other.Energy {
		if x, ok := own[e]; ok {
			common = append(common, e)
			shifts = append(shifts, x-other.LnG[i])
		}
	}
	for i, e := range other.Energy {
		if _, ok := own[e]; ok {
			continue
		}
		shift := 0.0
		if above, _ := slices.BinarySearch(common, e); len(common) > 0 {
			nearest := min(above, len(common)-1)
			if above > 0 && e-common[above-1] <= math.Abs(common[nearest]-e) {
				nearest = above - 1
			}
			shift = shifts[nearest]
		}
		filled = append(filled, e)
		d.Energy = append(d.Energy, e)
		d.LnG = append(d.LnG, other.LnG[i]+shift)
		d.Error = append(d.Error, math.NaN())
	}
	d.sort()
	return filled
}
