package dos

import "math"

// Chains are sums over the states of independent Markov chains of equal length, by chain.
type Chains struct {
	Steps    int64     // of each chain
	Accepted []int64   // moves
	Energy   []float64 // of E
	Squares  []float64 // of E^2
	Order    []float64 // of the order parameter |m|, 0 without
}

// NewChains returns those of a number of chains that have made no step.
func NewChains(n int) Chains {
	return Chains{Accepted: make([]int64, n), Energy: make([]float64, n), Squares: make([]float64, n), Order: make([]float64, n)}
}

// ChainEstimate holds what chains say, with errors from their scatter; NaN if unknown.
type ChainEstimate struct {
	Acceptance float64
	// Energy and Order are the averages of E and |m|.
	Energy, EnergyError, Order, OrderError float64
	// Autocorrelation is the integrated autocorrelation time of the energy in steps.
	Autocorrelation, AutocorrelationError float64
}

// Estimate makes averages over all chains.
func (c Chains) Estimate() ChainEstimate {
	n, steps := float64(len(c.Energy)), float64(c.Steps)
	e := ChainEstimate{Autocorrelation: math.NaN(), AutocorrelationError: math.NaN()}
	means := make([]float64, len(c.Energy))
	var sum, squares float64
	for i, x := range c.Energy {
		e.Acceptance += float64(c.Accepted[i]) / steps / n
		means[i] = x / steps
		sum += means[i]
		squares += c.Squares[i] / steps
	}
	e.Energy, e.EnergyError = meanOf(means)
	if tau, deviation, err := scatterTime(means, sum, squares, steps); err == nil {
		e.Autocorrelation, e.AutocorrelationError = tau, deviation
	}
	for i, x := range c.Order {
		means[i] = x / steps
	}
	e.Order, e.OrderError = meanOf(means)
	return e
}

// meanOf returns the mean of independent numbers with its standard error.
func meanOf(x []float64) (mean, deviation float64) {
	n := float64(len(x))
	for _, y := range x {
		mean += y / n
	}
	for _, y := range x {
		deviation += (y - mean) * (y - mean)
	}
	return mean, math.Sqrt(deviation / (n - 1) / n)
}
