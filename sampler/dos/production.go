package dos

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// FromHistograms estimates ln g from histograms taken under constant weights
// exp(-lnWeight(E)),
//
//	ln g(E) = ln H(E) + lnWeight(E) + const,
//
// normalised to a sum of exp(lnTotal), with errors from a jackknife over the blocks.
// Blocks must be independent of each other, or at least much longer than the
// autocorrelation time.
//
// energy, lnWeight and every block are indexed by level. Levels without a visit
// are left out. An error is NaN where there are fewer than two blocks or where
// one block holds all visits of a level. The replicas are kept for the errors of what
// follows from ln g.
func FromHistograms(energy, lnWeight []float64, blocks [][]int64, lnTotal float64) (*Ensemble, error) {
	total := make([]int64, len(energy))
	for _, block := range blocks {
		for b, n := range block {
			total[b] += n
		}
	}
	var levels []int
	for b, n := range total {
		if n > 0 {
			levels = append(levels, b)
		}
	}
	if len(levels) == 0 {
		return nil, errors.New("density of states from histograms: no level was visited")
	}
	slices.SortFunc(levels, func(a, b int) int { return cmp.Compare(energy[a], energy[b]) })
	estimate := func(counts func(level int) int64) *Density {
		d := &Density{Energy: make([]float64, 0, len(levels)), LnG: make([]float64, 0, len(levels))}
		for _, b := range levels {
			if n := counts(b); n > 0 {
				d.Energy = append(d.Energy, energy[b])
				d.LnG = append(d.LnG, math.Log(float64(n))+lnWeight[b])
			}
		}
		d.Normalise(lnTotal)
		return d
	}
	e := &Ensemble{Density: estimate(func(b int) int64 { return total[b] })}
	for _, block := range blocks {
		e.Replicas = append(e.Replicas, estimate(func(b int) int64 { return total[b] - block[b] }))
	}
	if len(blocks) < 2 || slices.ContainsFunc(e.Replicas, func(d *Density) bool { return d.Len() == 0 }) {
		e.Replicas = nil
	}
	e.estimateErrors()
	return e, nil
}
