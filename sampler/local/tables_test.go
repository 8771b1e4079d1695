package local

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

// TestHeatBathTable compares the table with the conditional probabilities computed
// with the largest weight taken out, for mild and for extreme ln g, and with every
// other level at 0 as it is for q = 2, where only even levels have states.
func TestHeatBathTable(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	for _, q := range []int{2, 3, 10} {
		for _, scale := range []float64{1, 300, 3000} {
			for _, gaps := range []bool{false, true} {
				lnG := make([]float64, 60)
				for b := range lnG {
					if lnG[b] = scale * r.Float64(); gaps && b%2 == 1 {
						lnG[b] = 0
					}
				}
				table := make(siteTable, len(lnG))
				table.fill(lnG, q, lattice.Window{Low: 0, High: len(lnG) - 1})
				for b0 := range len(lnG) - 4 {
					for pattern := range patterns {
						if runs[pattern] > q {
							continue // more different neighbours than colours
						}
						others := q - runs[pattern]
						ln := []float64{math.Inf(-1)}
						if others > 0 {
							ln[0] = math.Log(float64(others)) - lnG[b0]
						}
						for _, n := range runStart[pattern] {
							x := math.Inf(-1)
							if n > 0 {
								x = -lnG[b0+int(n)]
							}
							ln = append(ln, x)
						}
						top := math.Inf(-1)
						for _, x := range ln {
							top = max(top, x)
						}
						sum := 0.0
						for _, x := range ln {
							sum += math.Exp(x - top)
						}
						cumulative := 0.0
						for k := range 4 {
							cumulative += math.Exp(ln[k]-top) / sum
							if got := float64(table[b0][pattern][k]) / (1 << 64); math.Abs(got-cumulative) > 1e-12 {
								t.Fatalf("q=%d scale %g gaps %v: level %d pattern %d border %d is %v, want %v", q, scale, gaps, b0, pattern, k, got, cumulative)
							}
						}
					}
				}
			}
		}
	}
}
