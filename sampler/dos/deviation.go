package dos

import (
	"errors"
	"math"
)

// pair is a level common to two lists of energies: its indices in both.
type pair struct{ a, b int }

// common lists the energies common to a and b, both ascending.
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

// Deviation returns ln g of a minus that of b at their common levels, after shifting a to
// the same sum as b over these. Its errors combine those of both, assumed independent; b
// counts as exact where it has no error. shift is the amount added to ln g of a.
func Deviation(a, b *Density) (deviation *Density, shift float64, err error) {
	if err := sameUnits(b.Energy, a.Energy, "the latter", "the former"); err != nil {
		return nil, 0, err
	}
	pairs := common(a.Energy, b.Energy)
	if len(pairs) == 0 {
		return nil, 0, errors.New("they have no energy in common; do they belong to the same system?")
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
