package dos

import "fmt"

// Order holds canonical averages of an order parameter m of a system of N sites, at the
// inverse temperature beta.
type Order struct {
	Beta           float64
	Mean           float64 // <|m|>
	Square         float64 // <m^2>
	Fourth         float64 // <m^4>
	Susceptibility float64 // chi = beta N (<m^2> - <|m|>^2)
	// Binder is the fourth-order cumulant U4 = 1 - <m^4> / (3 <m^2>^2) (Binder, Z. Phys. B
	// 43, 119 (1981)).
	Binder float64
}

// OrderEstimate holds averages of an order parameter with one standard error each, NaN if
// unknown.
type OrderEstimate struct {
	Order
	MeanError, SquareError, FourthError, SusceptibilityError, BinderError float64
}

// Order estimates averages of an order parameter at each of the inverse temperatures. The
// first three observables must be |m|, m^2 and m^4. For levels without a measurement see
// Canonical.
func (m *Means) Order(e *Ensemble, betas []float64, sites int) ([]OrderEstimate, error) {
	if len(m.Mean) < 3 {
		return nil, fmt.Errorf("order parameter: the means of |m|, m^2 and m^4 are needed, %d were measured", len(m.Mean))
	}
	values, deviations, err := m.Canonical(e, betas, func(beta float64, x []float64) []float64 {
		return []float64{x[0], x[1], x[2], beta * float64(sites) * (x[1] - x[0]*x[0]), 1 - x[2]/(3*x[1]*x[1])}
	})
	if err != nil && values == nil {
		return nil, err
	}
	estimates := make([]OrderEstimate, len(betas))
	for i, beta := range betas {
		v, d := values[i], deviations[i]
		estimates[i] = OrderEstimate{Order{beta, v[0], v[1], v[2], v[3], v[4]}, d[0], d[1], d[2], d[3], d[4]}
	}
	return estimates, err
}
