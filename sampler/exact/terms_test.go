package exact

import (
	"context"
	"errors"
	"math"
	"testing"

	"neuralwl/sampler/lattice"
)

// TestEnumerate compares the enumeration of the Potts model as terms with the one that
// recolours one site at a time, and the numbers of states and ground states of other
// systems with known values.
func TestEnumerate(t *testing.T) {
	for _, c := range []struct{ q, lx, ly int }{{2, 3, 4}, {3, 3, 3}} {
		p, err := lattice.NewPotts(c.q, c.lx, c.ly)
		if err != nil {
			t.Fatal(err)
		}
		s, err := lattice.PottsTerms(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Enumerate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := enumerate(context.Background(), c.q, c.lx, c.ly, &tracker{})
		if err != nil {
			t.Fatal(err)
		}
		for b, n := range want {
			if got[b] != n.Int64() {
				t.Errorf("%v: %d configurations of %d bonds, want %d", s, got[b], b, n)
			}
		}
	}
	for name, make := range map[string]func() (*lattice.Terms, error){
		"baxter-wu": func() (*lattice.Terms, error) { return lattice.NewBaxterWu(6, 3) },
		"blume":     func() (*lattice.Terms, error) { return lattice.NewBlumeCapel(1.5, 3, 4) },
	} {
		s, err := make()
		if err != nil {
			t.Fatal(err)
		}
		g, err := Enumerate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		all := int64(0)
		for _, n := range g {
			all += n
		}
		if want := math.Round(math.Exp(s.LnStates())); float64(all) != want {
			t.Errorf("%s: %d configurations, want %v", name, all, want)
		}
		if n := g[s.GroundLevel()]; math.Abs(math.Log(float64(n))-s.LnGroundStates()) > 1e-12 {
			t.Errorf("%s: %d ground states, known exp(%v)", name, n, s.LnGroundStates())
		}
	}
	s, err := lattice.NewBlumeCapel(1, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Enumerate(context.Background(), s); !errors.Is(err, ErrTooCostly) || Enumerable(s) {
		t.Errorf("8x8: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err = lattice.NewBlumeCapel(1, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Enumerate(ctx, s); !errors.Is(err, context.Canceled) || !Enumerable(s) {
		t.Errorf("4x4, cancelled: %v", err)
	}
}
