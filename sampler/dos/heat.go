package dos

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// HeatMaximum is the maximum of the specific heat over temperature.
type HeatMaximum struct {
	Beta   float64 // inverse temperature of the maximum
	Height float64 // C at the maximum, of the whole system
}

// HeatMaximum finds the largest maximum of C(beta) between the first and the last of the
// ascending inverse temperatures, which must be dense enough to show it. It then solves
// dC/dbeta = 0 for the position. It returns an error if C is largest at an end.
func (d *Density) HeatMaximum(betas []float64) (HeatMaximum, error) {
	betas = d.within(betas)
	k, err := d.hottest(betas)
	if err != nil {
		return HeatMaximum{}, err
	}
	// C falls with beta beyond the maximum.
	beta := bisect(d.heatSlope, betas[k+1], betas[k-1])
	return HeatMaximum{beta, d.At(beta).SpecificHeat}, nil
}

// hottest returns the index of the inverse temperature with the largest specific heat.
func (d *Density) hottest(betas []float64) (int, error) {
	if len(betas) == 0 {
		return 0, errors.New("the specific heat has no maximum: there are no inverse temperatures to look at")
	}
	at, largest, buffer := 0, -1.0, make([]float64, d.Len())
	for k, beta := range betas {
		if c := d.at(beta, buffer).SpecificHeat; c > largest {
			at, largest = k, c
		}
	}
	if at == 0 || at == len(betas)-1 {
		return 0, fmt.Errorf("the specific heat has no maximum within beta = %.6g..%.6g%s", betas[0], betas[len(betas)-1], d.why())
	}
	return at, nil
}

// within are those inverse temperatures that are within Reach.
func (d *Density) within(betas []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(betas), func(beta float64) bool { return math.Abs(beta) > d.Reach() })
}

// why says why there is nothing to be known at larger inverse temperatures, if that is for bins.
func (d *Density) why() string {
	if d.Bins == nil {
		return ""
	}
	return fmt.Sprintf(", beyond which levels as wide as %g say nothing; take a smaller system.bin", d.Bins.Width)
}

// heatSlope returns dC/dbeta = 2 beta k2 - beta^2 k3 with the second and third cumulants of
// the energy. With bins, k3 = <x^3> + 3 <x V>, where x is the energy in a bin relative to the mean.
func (d *Density) heatSlope(beta float64) float64 {
	from, p, _ := d.distribution(beta, make([]float64, d.Len()))
	energy, inside := d.Inside(beta)
	energy = energy[from:][:len(p)]
	mean, second, third := 0.0, 0.0, 0.0
	for i, e := range energy {
		mean += p[i] * e
	}
	for i, e := range energy {
		x := e - mean
		second += p[i] * x * x
		third += p[i] * x * x * x
		if inside != nil {
			v := inside[from+i]
			second += p[i] * v
			third += 3 * p[i] * x * v
		}
	}
	return beta * (2*second - beta*third)
}

// HeatMaximum estimates the maximum of the specific heat with one standard error of its
// position and height.
func (e *Ensemble) HeatMaximum(betas []float64) (value, deviation HeatMaximum, err error) {
	if value, err = e.Density.HeatMaximum(betas); err != nil {
		return value, deviation, err
	}
	betas = e.within(betas)
	k, _ := e.hottest(betas)
	// Omitting one block moves the maximum only a little.
	near := betas[max(0, k-2):min(len(betas), k+3)]
	_, errs, err := e.Estimate(func(d *Density) ([]float64, error) {
		m, err := d.HeatMaximum(near)
		return []float64{m.Beta, m.Height}, err
	})
	if err != nil {
		return value, deviation, err
	}
	return value, HeatMaximum{errs[0], errs[1]}, nil
}
