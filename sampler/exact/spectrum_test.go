package exact

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// TestSpectrum computes every kind of system: the numbers add up to that of all
// configurations, the file reads back as the same density of states, with errors of 0, and
// progress ends at its total.
func TestSpectrum(t *testing.T) {
	for name, make := range map[string]func() (lattice.System, error){
		"potts":       func() (lattice.System, error) { return lattice.NewPotts(3, 3, 4) },
		"potts 3d":    func() (lattice.System, error) { return lattice.NewPotts3D(2, 3, 3, 3) },
		"blume-capel": func() (lattice.System, error) { return lattice.NewBlumeCapel(1.97, 3, 4) },
		"ising field": func() (lattice.System, error) { return lattice.NewIsingField(0.25, 4, 5) },
		"random bond": func() (lattice.System, error) { return lattice.NewRandomBond(0.5, 7, 4, 4) },
		"baxter-wu":   func() (lattice.System, error) { return lattice.NewBaxterWu(3, 6) },
	} {
		system, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if name == "potts 3d" && testing.Short() {
			continue // seconds
		}
		done, total := 0, 0
		s, err := Of(context.Background(), system, Options{Progress: func(d, n int) { done, total = d, n }})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if done != total || total == 0 {
			t.Errorf("%s: progress ended at %d of %d", name, done, total)
		}
		all, states := new(big.Int), new(big.Int).Exp(big.NewInt(int64(system.Colours())), big.NewInt(int64(system.Sites())), nil)
		for _, g := range s.G {
			all.Add(all, g)
		}
		if all.Cmp(states) != 0 {
			t.Errorf("%s: %v configurations in all, want %v", name, all, states)
		}
		if lattice.GroundKnown(system) && (s.Energy[0] != system.Energy(system.GroundLevel()) || math.Abs(ln(s.G[0])-system.LnGroundStates()) > 1e-14) {
			t.Errorf("%s: %v ground states of energy %v", name, s.G[0], s.Energy[0])
		}
		var file bytes.Buffer
		if err := s.WriteCSV(&file); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(file.String(), system.String()) {
			t.Errorf("%s: %v is not in the file", name, system)
		}
		d, err := dos.ReadCSV(&file)
		if err != nil || !slices.Equal(d.Energy, s.Energy) || !slices.Equal(d.LnG, s.Density().LnG) || slices.Max(d.Error) != 0 {
			t.Errorf("%s: read back %+v, %v", name, d, err)
		}
	}
}

// TestSpectrumOfPotts compares the two ways to describe one system.
func TestSpectrumOfPotts(t *testing.T) {
	p, err := lattice.NewPotts(3, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := lattice.PottsTerms(p)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := Of(context.Background(), p, Options{Method: TransferMatrix})
	b, errB := Of(context.Background(), terms, Options{})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Energy, b.Energy) || !slices.EqualFunc(a.G, b.G, func(x, y *big.Int) bool { return x.Cmp(y) == 0 }) {
		t.Errorf("%v and %v", a, b)
	}
}

func TestSpectrumRefusals(t *testing.T) {
	blume := func(l int) lattice.System {
		s, err := lattice.NewBlumeCapel(1, l, l)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		system lattice.System
		opts   Options
		want   []string
		costly bool
	}{
		{blume(5), Options{Method: Enumeration}, []string{"blume-capel D=1 5x5", "enumeration needs about 5 h (limit 60 min)", "smaller system", "force"}, true},
		{blume(8), Options{Method: Enumeration, Force: true}, []string{"years", "2^63"}, true},
		{blume(12), Options{Force: true}, []string{"elimination needs", "interact across any cut"}, true},
		{blume(40), Options{}, []string{"elimination needs", "interact across any cut"}, true},
		{blume(3), Options{Method: Kaufman}, []string{"kaufman", "choose enumeration or elimination"}, false},
	} {
		_, err := Of(context.Background(), c.system, c.opts)
		if err == nil || errors.Is(err, ErrTooCostly) != c.costly {
			t.Errorf("%v: error %v", c.system, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: no %q in %v", c.system, want, err)
			}
		}
	}
}
