package dos

import (
	"errors"
	"math"
)

// pair is a level that two lists of energies have in common: its indices in both.
type pair struct{ a, b int }

// common lists the energies that ascending a and b have in common.
func common(a, b []float64) (pairs []pair) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case before(a[i], b[j]):
			i++
		case before(b[j], a[i]):
			j++
		default:
			pairs = append(pairs, pair{i, j})
			i++
			j++
		}
	}
	return pairs
}

// Deviation is ln g of a less that of b at the levels which both have, after a was
// shifted to the sum that b has over these. Its errors are the combined ones of both,
// which are taken as independent; b counts as exact where it has no error. shift is
// what was added to ln g of a.
func Deviation(a, b *Density) (deviation *Density, shift float64, err error) {
	pairs := common(a.Energy, b.Energy)
	if len(pairs) == 0 {
		return nil, 0, errors.New("they have no energy in common; are they of the same system?")
	}
	x, y := make([]float64, len(pairs)), make([]float64, len(pairs))
	deviation = &Density{}
	for k, p := range pairs {
		x[k], y[k] = a.LnG[p.a], b.LnG[p.b]
		combined := math.NaN()
		if a.Error != nil {
			combined = a.Error[p.a]
		}
		if b.Error != nil && !math.IsNaN(b.Error[p.b]) {
			combined = math.Hypot(combined, b.Error[p.b])
		}
		deviation.Energy = append(deviation.Energy, a.Energy[p.a])
		deviation.Error = append(deviation.Error, combined)
	}
	shift = LogSumExp(y) - LogSumExp(x)
	for k := range x {
		deviation.LnG = append(deviation.LnG, x[k]+shift-y[k])
	}
	return deviation, shift, deviation.Validate()
}
