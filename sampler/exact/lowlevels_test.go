package exact

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"neuralwl/internal/long"
	"neuralwl/sampler/lattice"
)

// TestLowestCounts compares the lowest levels with exact counting for all levels that the series
// gives, and finds that it ends where walls around the torus begin.
func TestLowestCounts(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		long      bool
	}{
		{q: 2, lx: 3, ly: 3}, {q: 2, lx: 4, ly: 5}, {q: 2, lx: 8, ly: 8}, {q: 2, lx: 14, ly: 14}, {q: 2, lx: 20, ly: 15, long: true},
		{q: 3, lx: 3, ly: 3}, {q: 3, lx: 3, ly: 7}, {q: 3, lx: 5, ly: 5}, {q: 3, lx: 6, ly: 6}, {q: 3, lx: 7, ly: 8, long: true},
		{q: 4, lx: 4, ly: 4}, {q: 4, lx: 5, ly: 6}, {q: 4, lx: 6, ly: 6, long: true},
		{q: 5, lx: 5, ly: 5}, {q: 6, lx: 5, ly: 5}, {q: 10, lx: 4, ly: 7}, {q: 10, lx: 5, ly: 5}, {q: 255, lx: 4, ly: 4},
		{q: 7, lx: 6, ly: 6, long: true},
	} {
		if testing.Short() && c.long {
			continue
		}
		t.Run(fmt.Sprintf("q=%d %dx%d", c.q, c.lx, c.ly), func(t *testing.T) {
			t.Parallel()
			exact, err := Compute(context.Background(), c.q, c.lx, c.ly, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[int]*big.Int{}
			for i, e := range exact.Energies {
				want[2*c.lx*c.ly+e] = exact.G[i]
			}
			got := LowestCounts(c.q, c.lx, c.ly)
			if len(got) != min(2*min(c.lx, c.ly), maxSeries+1) {
				t.Fatalf("%d levels", len(got))
			}
			for u, g := range got {
				if want[u] == nil {
					want[u] = new(big.Int)
				}
				if g.Cmp(want[u]) != 0 {
					t.Errorf("%d unsatisfied bonds: %v configurations, counted %v", u, g, want[u])
				}
			}
			if around := 2 * min(c.lx, c.ly); around <= maxSeries {
				if g := seriesCounts(c.q, c.lx*c.ly, around)[around]; g.Cmp(want[around]) >= 0 {
					t.Errorf("%d unsatisfied bonds: %v configurations without walls around the torus, counted %v with them", around, g, want[around])
				}
			}
		})
	}
}

// TestLowestCountsByHand has the first levels in closed form: one site, two neighbours of the same
// colour or of different ones, then pairs of sites apart, three neighbours and squares.
func TestLowestCountsByHand(t *testing.T) {
	for _, q := range []int64{2, 3, 10, 255} {
		const n = 12 * 17
		want := map[int]int64{
			0: q, 4: q * (q - 1) * n, 6: q * (q - 1) * 2 * n, 7: q * (q - 1) * (q - 2) * 2 * n,
			8: q*(q-1)*7*n + q*(q-1)*(q-1)*n*(n-5)/2,
		}
		for u, g := range LowestCounts(int(q), 12, 17)[:9] {
			if g.Int64() != want[u] {
				t.Errorf("q=%d: %v configurations with %d unsatisfied bonds, by hand %d", q, g, u, want[u])
			}
		}
	}
}

// TestLowestCubicCounts compares with all configurations in which up to four sites differ from all
// others, and with exact counting in the long form.
func TestLowestCubicCounts(t *testing.T) {
	for _, c := range []struct {
		q     int
		sides []int
	}{{2, []int{3, 3, 3}}, {2, []int{3, 3, 4}}, {4, []int{3, 3, 3}}, {3, []int{4, 3, 3}}} {
		s, err := lattice.NewPotts3D(c.q, c.sides...)
		if err != nil {
			t.Fatal(err)
		}
		want, state := make([]int64, 13), make([]uint8, s.Sites())
		var choose func(from, more int)
		choose = func(from, more int) {
			if u := s.GroundLevel() - s.Level(state); u < len(want) {
				want[u] += int64(c.q)
			}
			for i := from; i < len(state) && more > 0; i++ {
				for colour := 1; colour < c.q; colour++ {
					state[i] = uint8(colour)
					choose(i+1, more-1)
				}
				state[i] = 0
			}
		}
		choose(0, long.Or(4, 3))
		got := LowestCubicCounts(c.q, c.sides...)
		for u, g := range got {
			if g.Int64() != want[u] {
				t.Errorf("q=%d %v: %v configurations with %d unsatisfied bonds, counted %d", c.q, c.sides, g, u, want[u])
			}
		}
		if len(got) != 12 || want[12] == 0 {
			t.Errorf("q=%d %v: %d levels, of the next one there are %d configurations", c.q, c.sides, len(got), want[12])
		}
	}
	if testing.Short() {
		return
	}
	s, err := lattice.NewPotts3D(2, 3, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Density(context.Background(), s, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range Pins(s) {
		if i := slices.Index(d.Energy, s.Energy(pin.Level)); i < 0 || math.Abs(d.LnG[i]-pin.LnG) > 1e-12 {
			t.Errorf("level %d: ln g = %v is not the exact one", pin.Level, pin.LnG)
		}
	}
}

// TestPins gives as many levels as are known of every system.
func TestPins(t *testing.T) {
	must := func(s lattice.System, err error) lattice.System {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		system lattice.System
		pins   int
	}{
		{must(lattice.NewPotts(10, 3, 8)), 2},   // 0, 4 unsatisfied bonds
		{must(lattice.NewPotts(10, 8, 8)), 12},  // 0, 4, 6..15
		{must(lattice.NewPotts(2, 8, 8)), 7},    // 0, 4, 6, 8, 10, 12, 14
		{must(lattice.NewPotts(3, 64, 64)), 24}, // 0, 4, 6..27
		{must(lattice.NewIsingField(0, 8, 8)), 7},
		{must(lattice.NewRandomBond(0, 1, 8, 8)), 7},
		{must(lattice.NewRandomBond(1, 1, 8, 8)), 7}, // antiferromagnetic, with even sides
		{must(lattice.NewRandomBond(1, 1, 7, 8)), 0},
		{must(lattice.NewRandomBond(0.5, 1, 8, 8)), 0},
		{must(lattice.NewIsingField(0.5, 8, 8)), 1},
		{must(lattice.NewPotts3D(3, 4, 4, 4)), 4}, // 0, 6, 10, 11
		{must(lattice.NewPotts3D(2, 3, 4, 5)), 3},
		{must(lattice.NewBlumeCapel(1.5, 8, 8)), 1},
		{must(lattice.NewBaxterWu(6, 6)), 1},
	} {
		pins := Pins(c.system)
		if len(pins) != c.pins {
			t.Errorf("%v: %d levels are known, want %d", c.system, len(pins), c.pins)
		}
		for i, pin := range pins {
			if i == 0 && (pin.Level != c.system.GroundLevel() || pin.LnG != c.system.LnGroundStates()) || i > 0 && pin.Level >= pins[i-1].Level {
				t.Errorf("%v: %+v", c.system, pins)
			}
		}
	}
	// Those of a system made of terms against its enumeration.
	for _, s := range []lattice.System{must(lattice.NewRandomBond(1, 1, 4, 4)), must(lattice.NewIsingField(0, 4, 5))} {
		d, err := Density(context.Background(), s, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, pin := range Pins(s) {
			found := false
			for i, e := range d.Energy {
				if e == s.Energy(pin.Level) {
					found = true
					if math.Abs(d.LnG[i]-pin.LnG) > 1e-12 {
						t.Errorf("%v: ln g(%g) = %v, enumerated %v", s, e, pin.LnG, d.LnG[i])
					}
				}
			}
			if !found {
				t.Errorf("%v has no level %d", s, pin.Level)
			}
		}
	}
}

// BenchmarkPins reports the time for the most levels.
func BenchmarkPins(b *testing.B) {
	p, err := lattice.NewPotts(10, 32, 32)
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		Pins(p)
	}
}
