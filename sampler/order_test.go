package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

func TestTally(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var counts tally
	for _, q := range []int{2, 3, 10, 255} {
		for _, n := range []int{9, 12, 64, 175, 1023} {
			for spread := 1; spread <= q; spread *= 2 {
				state, want := make([]uint8, n), make([]int, q)
				for i := range state {
					state[i] = uint8(q - 1 - r.IntN(spread))
					want[state[i]]++
				}
				if got := counts.most(state, q); got != slices.Max(want) {
					t.Errorf("%d of %d colours on %d sites: %d of the most frequent, want %d", spread, q, n, got, slices.Max(want))
				}
			}
		}
	}
	if counts != (tally{}) {
		t.Error("the tally is not left empty")
	}
}

// enumerateOrder visits all configurations: ln g by level, NaN at those without any, and
// the microcanonical means of |m|, m^2 and m^4 by power and level.
func enumerateOrder(p *lattice.Potts) (lnG []float64, means [powers][]float64) {
	n, q := p.Sites(), p.Q()
	g := make([]float64, p.Levels())
	for k := range means {
		means[k] = make([]float64, p.Levels())
	}
	state, colours := make([]uint8, n), make([]int, q)
	colours[0] = n
	for i := 0; i < n; {
		b := p.Bonds(state)
		m := (float64(q)*float64(slices.Max(colours))/float64(n) - 1) / float64(q-1)
		g[b]++
		means[0][b] += m
		means[1][b] += m * m
		means[2][b] += m * m * m * m
		for i = 0; i < n; i++ {
			colours[state[i]]--
			state[i] = (state[i] + 1) % uint8(q)
			colours[state[i]]++
			if state[i] > 0 {
				break
			}
		}
	}
	lnG = make([]float64, p.Levels())
	for b, x := range g {
		lnG[b] = math.NaN()
		if x > 0 {
			lnG[b] = math.Log(x)
		}
		for k := range means {
			means[k][b] /= x
		}
	}
	return lnG, means
}

// TestOrder measures under exact and under wrong weights, in one window and in two: the
// microcanonical means are those of all configurations, within their errors.
func TestOrder(t *testing.T) {
	for _, c := range []struct{ q, walkers, windows int }{{3, 64, 1}, {2, 64, 1}, {3, 80, 2}, {3, 40, 2}} {
		t.Run(fmt.Sprintf("q=%d, %d walkers in %d windows", c.q, c.walkers, c.windows), func(t *testing.T) {
			p := mustPotts(t, c.q, 4, 3)
			lnG, exact := enumerateOrder(p)
			known := 0
			for b := range lnG {
				if !math.IsNaN(lnG[b]) {
					lnG[b] += float64(known % 2)
					known++
				}
			}
			e, err := New(Options{
				System: p, Seed: 7, Walkers: c.walkers, Workers: 2, Local: local.HeatBath, Sweeps: 2, LnG: lnG,
				Windows: lattice.UniformWindows(p.Levels(), c.windows, 0.5),
			})
			if err != nil {
				t.Fatal(err)
			}
			e.Produce()
			const passes = 4000
			advance := func() {
				for i := range passes {
					e.Samples().Segment(float64(i) / passes)
					if err := e.Pass(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			advance()
			e.Produce()
			advance()
			m := dos.Measurements{}
			for b := range p.Levels() {
				m.Energy = append(m.Energy, float64(p.Energy(b)))
			}
			m.Count, m.Sums = e.Samples().Order()
			if got, want := len(m.Count), len(e.Samples().Windows[0].Blocks); got != want {
				t.Fatalf("%d blocks, the histograms have %d", got, want)
			}
			means, err := m.Means()
			if err != nil {
				t.Fatal(err)
			}
			total := int64(0)
			for _, n := range means.Count {
				total += n
			}
			if len(means.Energy) != known || total != passes*int64(c.walkers) {
				t.Errorf("%d levels of %d, %d measurements of %d", len(means.Energy), known, total, passes*c.walkers)
			}
			square, n := 0.0, 0.0
			for k, row := range means.Mean {
				for i, x := range row {
					want, deviation := exact[k][int(-means.Energy[i])], means.Error[k][i]
					if deviation < 1e-9 {
						// All configurations of the level have as many.
						if math.Abs(x-want) > 1e-12 {
							t.Errorf("power %d at E = %v: %v, want %v", k, means.Energy[i], x, want)
						}
						continue
					}
					z := (x - want) / deviation
					if !(math.Abs(z) < 5) || deviation > 0.02 {
						t.Errorf("power %d at E = %v: %v(%v), want %v", k, means.Energy[i], x, deviation, want)
					}
					square += z * z
					n++
				}
			}
			t.Logf("mean square deviation of %g means: %.2f errors squared", n, square/n)
			// The means of a level deviate together, and q = 2 has seven such levels.
			if square/n > 3 {
				t.Errorf("mean square deviation of %.2f errors squared", square/n)
			}
		})
	}
}

// TestOrderOfWaiting: walkers of a window that waits for others are not measured.
func TestOrderOfWaiting(t *testing.T) {
	e := snapshotEngine(t, 2, 2, local.HeatBath, WangLandau)
	e.Produce()
	e.windows[0].isOpen, e.windows[1].isOpen = true, false
	e.measure()
	want := make([]int64, e.o.System.Levels())
	for i := 0; i < e.Walkers(); i += 2 {
		_, level := e.State(i)
		want[level]++
	}
	count, _ := e.Samples().Order()
	for _, block := range count {
		for b, n := range block {
			want[b] -= n
		}
	}
	for b, n := range want {
		if n != 0 {
			t.Errorf("level %d: %d measurements too few", b, n)
		}
	}
}
