package exact_test

import (
	"context"
	"slices"
	"testing"

	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// TestPossibleLevels compares the rules for empty levels with exact counting, on every
// lattice up to sides of 24 that is counted in a third of a second by prediction; in short
// mode a tenth of that.
func TestPossibleLevels(t *testing.T) {
	limit, longest := 0.3, 24
	if testing.Short() {
		limit, longest = 0.03, 14
	}
	lattices := 0
	for q := 2; q <= 12; q++ {
		for lx := lattice.MinSide; lx <= longest; lx++ {
			for ly := lx; ly <= longest; ly++ {
				plan, err := exact.Plan(q, lx, ly)
				if err != nil {
					t.Fatal(err)
				}
				if plan.Seconds > limit {
					continue
				}
				lattices++
				counts, err := exact.Compute(context.Background(), q, lx, ly, exact.Options{Workers: 2})
				if err != nil {
					t.Fatal(err)
				}
				p, err := lattice.NewPotts(q, lx, ly)
				if err != nil {
					t.Fatal(err)
				}
				for level := range p.Levels() {
					if has := slices.Contains(counts.Energies, -level); has != p.Possible(level) {
						t.Errorf("q = %d, %dx%d: level %d has states: %v, possible: %v", q, lx, ly, level, has, p.Possible(level))
					}
				}
			}
		}
	}
	if t.Logf("%d lattices", lattices); lattices < 80 {
		t.Errorf("only %d lattices were counted", lattices)
	}
}
