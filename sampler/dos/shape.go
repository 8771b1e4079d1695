package dos

import "math"

// Grid lists energies over the whole range, a fraction of a width apart, for Smoothed and
// MicrocanonicalBeta.
func (d *Density) Grid(width float64) (energies []float64) {
	for k := 0; ; k++ {
		e := d.Energy[0] + width/kernelSteps*float64(k)
		if e > d.Energy[d.Len()-1] {
			return energies
		}
		energies = append(energies, e)
	}
}

// kernelArea is the integral of the kernel of Coexistence, in units of its width.
const kernelArea = 16. / 15

// Smoothed is ln P(E; beta), the probability of the energy per unit of it, at ascending energies. It is
// seen through the kernel of Coexistence, which reaches to width on either side; -Inf where
// there is no level.
func (d *Density) Smoothed(beta, width float64, energies []float64) []float64 {
	p, _ := d.Distribution(beta)
	lnP := make([]float64, len(energies))
	d.around(width, energies, func(k int, kernel func(i int) float64, low, high int) {
		sum := 0.0
		for i := low; i < high; i++ {
			sum += p[i] * kernel(i)
		}
		lnP[k] = math.Log(sum / (kernelArea * width))
	})
	return lnP
}

// MicrocanonicalBeta is the inverse temperature d ln g/dE at ascending energies, the slope of a straight
// line fitted to ln g with the kernel of Coexistence as the weight; NaN with fewer than two
// levels within width. At a first-order transition in a finite system it rises
// with the energy (D. H. E. Gross, Microcanonical Thermodynamics (2001)).
func (d *Density) MicrocanonicalBeta(width float64, energies []float64) []float64 {
	beta := make([]float64, len(energies))
	d.around(width, energies, func(k int, kernel func(i int) float64, low, high int) {
		var w, wx, wy, wxx, wxy float64
		for i := low; i < high; i++ {
			u, x, y := kernel(i), d.Energy[i]-energies[k], d.LnG[i]-d.LnG[low]
			w, wx, wy, wxx, wxy = w+u, wx+u*x, wy+u*y, wxx+u*x*x, wxy+u*x*y
		}
		beta[k] = math.NaN()
		if determinant := w*wxx - wx*wx; determinant > 1e-12*w*wxx {
			beta[k] = (w*wxy - wx*wy) / determinant
		}
	})
	return beta
}

// around calls f with the levels nearer than width to each energy, low up to high, and the kernel.
func (d *Density) around(width float64, energies []float64, f func(k int, kernel func(i int) float64, low, high int)) {
	low, high := 0, 0
	for k, e := range energies {
		for low < d.Len() && d.Energy[low] <= e-width {
			low++
		}
		for high = max(low, high); high < d.Len() && d.Energy[high] < e+width; {
			high++
		}
		f(k, func(i int) float64 {
			u := (d.Energy[i] - e) / width
			return (1 - u*u) * (1 - u*u)
		}, low, high)
	}
}
