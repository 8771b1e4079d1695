package local

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/sampler/lattice"
)

// archLnG is a concave ln g from about N ln q at the peak to 0 at the ground state, good
// enough to send a walker over all levels.
func archLnG(p lattice.System) []float64 {
	lnG := make([]float64, p.Levels())
	peak, ground := float64(p.PeakLevel()), float64(p.GroundLevel())
	for b := range lnG {
		x := (float64(b) - peak) / (ground - peak)
		lnG[b] = p.LnStates() * (1 - x*x)
	}
	return lnG
}

// randomWalker returns a random configuration with its level and a generator.
func randomWalker(s lattice.System) (state []uint8, level int, rng *rand.PCG) {
	rng = rand.NewPCG(1, 2)
	r := rand.New(rng)
	state = make([]uint8, s.Sites())
	for i := range state {
		state[i] = uint8(r.IntN(s.Colours()))
	}
	return state, s.Level(state), rng
}

// BenchmarkLocal reports the time per trial (one attempted move of one site) of the local
// moves for q = 10 in the ordered phase, at beta = 1.6, and in the disordered phase, at 1.2. Of
// Cluster it is the time of both its moves for N trials of the heat bath.
func BenchmarkLocal(b *testing.B) {
	for _, move := range []Move{Metropolis, HeatBath, Cluster} {
		for _, l := range []int{8, 16, 32, 64} {
			p, err := lattice.NewPotts(10, l, l)
			if err != nil {
				b.Fatal(err)
			}
			for phase, beta := range map[string]float64{"ordered": 1.6, "disordered": 1.2} {
				b.Run(fmt.Sprintf("%s/%s/L=%d", move, phase, l), func(b *testing.B) {
					k := New(p, move, lattice.Window{Low: 0, High: p.Levels() - 1}, 1)
					situations := k.Transitions(1).Block(0)
					lnG := make([]float64, p.Levels())
					for level := range lnG {
						lnG[level] = beta * p.Energy(level)
					}
					k.Fill(lnG)
					state, level, rng := randomWalker(p)
					if phase == "ordered" {
						clear(state)
						level = p.GroundLevel()
					}
					hits := make([]int64, p.Levels())
					for range 100 {
						level, _ = k.Sweep(0, state, level, hits, situations, rng)
					}
					b.ReportAllocs()
					b.ResetTimer()
					for i := 0; i < b.N; i += p.Sites() {
						level, _ = k.Sweep(0, state, level, hits, situations, rng)
					}
					if level != p.Bonds(state) {
						b.Fatalf("level %d carried along, %d counted", level, p.Bonds(state))
					}
				})
			}
		}
	}
}

// BenchmarkTerms reports the time per trial of the kernels for systems made of terms, the
// Potts model among them, and of its own kernels, under flat-histogram weights.
func BenchmarkTerms(b *testing.B) {
	const l = 16
	must := terms(b)
	potts2, potts10 := mustPotts(b, 2, l, l), mustPotts(b, 10, l, l)
	for _, c := range []struct {
		name   string
		system lattice.System
	}{
		{"own_kernels_q=2", potts2},
		{"potts_q=2", must(lattice.PottsTerms(potts2))},
		{"own_kernels_q=10", potts10},
		{"potts_q=10", must(lattice.PottsTerms(potts10))},
		{"potts3d_q=3", must(lattice.NewPotts3D(3, 6, 6, 7))},
		{"blume_capel", must(lattice.NewBlumeCapel(1.5, l, l))},
		{"ising_field", must(lattice.NewIsingField(0.5, l, l))},
		{"random_bond", must(lattice.NewRandomBond(0.5, 1, l, l))},
		{"baxter_wu", must(lattice.NewBaxterWu(15, 15))},
	} {
		for _, move := range []Move{Metropolis, HeatBath, RandomHeatBath} {
			b.Run(fmt.Sprintf("%s/%s", c.name, strings.ReplaceAll(move.String(), " ", "_")), func(b *testing.B) {
				s := c.system
				k := New(s, move, lattice.Window{Low: 0, High: s.Levels() - 1}, 1)
				k.Fill(archLnG(s))
				state, level, rng := randomWalker(s)
				hits := make([]int64, s.Levels())
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i += s.Sites() {
					level, _ = k.Sweep(0, state, level, hits, nil, rng)
				}
				if level != s.Level(state) {
					b.Fatalf("level %d carried along, %d counted", level, s.Level(state))
				}
			})
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
	for _, move := range []Move{Metropolis, HeatBath, Cluster} {
		b.Run(move.String(), func(b *testing.B) {
			k := New(p, move, lattice.Window{Low: 0, High: p.Levels() - 1}, 1)
			lnG := archLnG(p)
			for i := 0; i < b.N; i += p.Levels() {
				k.Fill(lnG)
			}
		})
	}
}
