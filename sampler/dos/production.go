package dos

// FromHistograms estimates ln g from histograms taken under constant weights
// exp(-lnWeight(E)),
//
//	ln g(E) = ln H(E) + lnWeight(E) + const,
//
// normalised to a sum of exp(lnTotal), with errors from a jackknife over the blocks. Blocks
// must be independent of each other, or at least much longer than the autocorrelation time.
//
// energy, lnWeight and every block are indexed by level. Levels without a visit are
// omitted. An error is NaN with fewer than two blocks, or if one block holds all visits of
// a level. The replicas are kept for the errors of derived quantities.
func FromHistograms(energy, lnWeight []float64, blocks [][]int64, lnTotal float64) (*Ensemble, error) {
	whole := Window{Low: 0, High: len(energy) - 1, LnWeight: lnWeight, Blocks: blocks}
	e, _, err := FromWindows(energy, []Window{whole}, lnTotal)
	return e, err
}
