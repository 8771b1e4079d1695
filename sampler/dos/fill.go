package dos

import "math"

// Fill adds to d the levels that only other has, with unknown errors, and returns
// their energies. ln g of other, which may be off by a constant, is shifted to
// agree with d at the nearest level that both have (not at all where there is no
// such level).
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
	for i, e := range other.Energy {
		if _, ok := own[e]; ok {
			continue
		}
		nearest, shift := math.Inf(1), 0.0
		for k, f := range other.Energy {
			if x, ok := own[f]; ok && math.Abs(f-e) < nearest {
				nearest, shift = math.Abs(f-e), x-other.LnG[k]
			}
		}
		filled = append(filled, e)
		d.Energy = append(d.Energy, e)
		d.LnG = append(d.LnG, other.LnG[i]+shift)
		d.Error = append(d.Error, math.NaN())
	}
	d.sort()
	return filled
}
