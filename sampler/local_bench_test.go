package sampler

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

// archLnG is a concave ln g with the right range, N ln q at the peak and ln q at
// the ground state, good enough to send a walker over all levels.
func archLnG(p *lattice.Potts) []float64 {
	lnG := make([]float64, p.Levels())
	peak, ground := float64(p.PeakLevel()), float64(p.GroundLevel())
	for b := range lnG {
		x := (float64(b) - peak) / (ground - peak)
		lnG[b] = p.LnStates() * (1 - x*x)
	}
	return lnG
}

// BenchmarkLocal reports the time per trial (one attempted move of one site) of
// the local moves for q = 10 under flat-histogram weights.
func BenchmarkLocal(b *testing.B) {
	for _, move := range []LocalMove{Metropolis, HeatBath} {
		for _, l := range []int{8, 16, 32, 64} {
			p, err := lattice.NewPotts(10, l, l)
			if err != nil {
				b.Fatal(err)
			}
			for _, collect := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/L=%d/transitions=%v", move, l, collect), func(b *testing.B) {
					var situations []int64
					if collect {
						situations = newTransitions(p, move, 1).situations[0]
					}
					t := newTables(p, move, Window{0, p.Levels() - 1})
					t.fill(archLnG(p))
					w := walker{state: make([]uint8, p.Sites()), rng: rand.NewPCG(1, 2)}
					w.level = p.Bonds(w.state)
					hits := make([]int64, p.Levels())
					b.ReportAllocs()
					b.ResetTimer()
					for i := 0; i < b.N; i += p.Sites() {
						t.sweep(&w, hits, situations)
					}
					if w.level != p.Bonds(w.state) {
						b.Fatalf("level %d carried along, %d counted", w.level, p.Bonds(w.state))
					}
				})
			}
		}
	}
}

// BenchmarkTables reports the time per level of recomputing the tables, which
// happens once per update of ln g.
func BenchmarkTables(b *testing.B) {
	p, err := lattice.NewPotts(10, 16, 16)
	if err != nil {
		b.Fatal(err)
	}
	for _, move := range []LocalMove{Metropolis, HeatBath} {
		b.Run(move.String(), func(b *testing.B) {
			t := newTables(p, move, Window{0, p.Levels() - 1})
			lnG := archLnG(p)
			for i := 0; i < b.N; i += p.Levels() {
				t.fill(lnG)
			}
		})
	}
}
