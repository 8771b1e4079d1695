package lattice

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func mustXY(t testing.TB, bin, lowest, highest float64, sides ...int) *XY {
	t.Helper()
	s, err := NewXY(bin, lowest, highest, sides...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestXY compares energies, levels, places in them and observables with their definitions in random
// configurations and in such of low energy, on squares, rings and with odd sides.
func TestXY(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	for _, s := range []*XY{mustXY(t, 0.5, -2, 0, 4, 4), mustXY(t, 0.3, -2, 0, 3, 5), mustXY(t, 0.25, -1, 0, 7, 1), mustXY(t, 0.25, -1, 0, 1, 12)} {
		lx, ly := s.Sides()[0], s.Sides()[1]
		n := float64(s.Sites())
		state, wheel, values := make([]uint8, StateBytes(s)), make([]uint8, s.Sites()), make([]float64, len(s.Observables()))
		for k := range 300 {
			s.Randomise(state, r)
			if k%2 == 1 { // nearly aligned
				for i := range s.Sites() {
					SetAngle(state, i, Wrap(6+0.1*float64(k%10)*r.Float64()))
				}
			}
			if err := s.Validate(state); err != nil {
				t.Fatal(err)
			}
			angle := func(x, y int) float64 { return Angle(state, y%ly*lx+x%lx) }
			var e, mx, my float64
			var c, q [2]float64 // sums of cosines and sines along each axis
			for y := range ly {
				for x := range lx {
					mx, my = mx+math.Cos(angle(x, y)), my+math.Sin(angle(x, y))
					for axis, there := range []float64{angle(x+1, y), angle(x, y+1)} {
						if s.Sides()[axis] > 1 {
							c[axis] += math.Cos(there - angle(x, y))
							q[axis] += math.Sin(there - angle(x, y))
						}
					}
				}
			}
			e = -c[0] - c[1]
			level := s.Level(state)
			if math.Abs(s.Energy(level)+s.Place(state)*s.bin-e) > 1e-8 || math.Abs(s.Place(state)) > 0.5+1e-9 || !s.Possible(level) {
				t.Fatalf("%v: energy %v, on level %d at %v, place %v", s, e, level, s.Energy(level), s.Place(state))
			}
			s.Observe(values, state)
			m, beta, axes := math.Hypot(mx, my)/n, 0.7, float64(s.z/2)
			helicity := (c[0] + c[1] - beta*(q[0]*q[0]+q[1]*q[1])) / n / axes
			if math.Abs(values[0]-m) > 1e-12 || math.Abs(values[1]-m*m) > 1e-12 || math.Abs(values[2]-m*m*m*m) > 1e-12 || math.Abs(s.Helicity(beta, values)-helicity) > 1e-12 {
				t.Fatalf("%v: observables %v, m = %v, helicity %v", s, values, m, helicity)
			}
			for _, x := range values {
				if !(x >= 0 && x <= 1+1e-12) {
					t.Fatalf("%v: observables %v", s, values)
				}
			}
			if s.Wheel(wheel, state); math.Abs(float64(wheel[3])+0.5-Angle(state, 3)*256/(2*math.Pi)) > 0.5+1e-9 {
				t.Fatalf("an angle of %v at %d of the wheel", Angle(state, 3), wheel[3])
			}
		}
		if sites, colours := Pictured(s, state); colours != 0 || !slices.Equal(sites[:3], []uint8{pie(state, 0), pie(state, 1), pie(state, 2)}) {
			t.Errorf("%v: pictured by %v of %d colours", s, sites, colours)
		}
		for i := range s.Sites() {
			SetAngle(state, i, 1)
		}
		if level := s.Level(state); s.low == -float64(s.bonds) && level != s.GroundLevel() {
			t.Errorf("%v: aligned spins on level %d", s, level)
		}
		if p := s.Energy(s.PeakLevel()); math.Abs(p) > s.bin/2 {
			t.Errorf("%v: the peak is at %v", s, p)
		}
	}
}

// pie is the part of a circle, of 256, in which an angle lies.
func pie(state []uint8, site int) uint8 { return uint8(Angle(state, site) * 256 / (2 * math.Pi)) }

// TestXYRange checks which states a range of energies leaves out: they have no level, random states are
// within it, and of what it leaves out there is no more than the bound.
func TestXYRange(t *testing.T) {
	s := mustXY(t, 0.5, 0, 0, 4, 4)
	state := make([]uint8, s.StateBytes())
	if level := s.Level(state); level != -1 {
		t.Errorf("aligned spins have the level %d of the range", level)
	}
	r := rand.New(rand.NewPCG(37, 38))
	for range 500 {
		if s.Randomise(state, r); s.Level(state) < 0 || Angle(state, 0) >= 2*math.Pi {
			t.Fatal("a random state is outside of the range")
		}
	}
	// The share above 0.5 per site on 4x4, of 2,000 draws some 40.
	wide := mustXY(t, 0.5, -2, 0, 4, 4)
	outside := 0
	state = make([]uint8, wide.StateBytes())
	for range 2000 {
		if wide.Randomise(state, r); wide.Energy(wide.Level(state)) > 8.25 {
			outside++
		}
	}
	if bound := 2000 * math.Exp(wide.lnTail(8.25)); outside < 5 || float64(outside) > bound {
		t.Errorf("%d of 2000 states above E = 8.25, the bound is %.1f", outside, bound)
	}
	// A ring's bound is Chernoff's, with the exact mean: by I_n(1) = 1.26606588, 0.56515910, 0.13574767, 0.02216842.
	want := math.Log(math.Pow(1.2660658777520082, 3) + 2*math.Pow(0.565159103992485, 3) + 2*math.Pow(0.1357476697670383, 3) + 2*math.Pow(0.0221684249243319, 3))
	if x := lnRing(1, 3); math.Abs(x-want) > 1e-7 {
		t.Errorf("ln of the mean on a ring of three sites is %v, want %v", x, want)
	}
	for _, sides := range [][]int{{3, 3}, {4, 4}, {16, 16}, {64, 64}, {3, 1}, {100, 1}} {
		if s := mustXY(t, 0.5, 0, 0, sides...); s.MostOutside() > mostOutside {
			t.Errorf("%v leaves out %v", s, s.MostOutside())
		}
	}
}

// TestXYFaults finds what is wrong named.
func TestXYFaults(t *testing.T) {
	for want, err := range map[string]error{
		"two sides":                        CheckXY(0.5, 0, 0, 4, 4, 4),
		"each side must be at least 3":     CheckXY(0.5, 0, 0, 4, 2),
		"there are no bonds":               CheckXY(0.5, 0, 0, 1, 1),
		"bin = 1e-06":                      CheckXY(1e-6, 0, 0, 4, 4),
		"bin = NaN":                        CheckXY(math.NaN(), 0, 0, 4, 4),
		"lowest = 1":                       CheckXY(0.5, 1, 0, 4, 4),
		"highest = 1.6: ":                  CheckXY(0.5, 0, 1.6, 3, 4),
		"..0.3 per site leave out":         CheckXY(0.5, 0, 0.3, 8, 8),
		"energy levels, at most":           CheckXY(0.001, 0, 0, 256, 256),
		"size = 5000x5000: each side must": CheckXY(0.5, 0, 0, 5000, 5000),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	s := mustXY(t, 0.5, 0, 0, 4, 4)
	state := make([]uint8, s.StateBytes())
	for want, angle := range map[string]float64{"site 2 has the angle 7": 7, "site 2 has the angle NaN": math.NaN(), "site 2 has the angle -0.1": -0.1} {
		SetAngle(state, 2, angle)
		if err := s.Validate(state); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if err := s.Validate(state[:16]); err == nil || !strings.Contains(err.Error(), "16 angles have 128") {
		t.Error(err)
	}
	seven := 7.0
	for angle, want := range map[float64]float64{-1e-300: 0, 2 * math.Pi: 0, -math.Pi: math.Pi, 7: seven - 2*math.Pi, 1: 1} {
		if x := Wrap(angle); x != want {
			t.Errorf("%v is wrapped to %v", angle, x)
		}
	}
}
