package lattice

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestBins finds every configuration in the bin to which its energy belongs by definition: level k of
// width w holds the energies in (E_k - w/2, E_k + w/2], where E_k is a multiple of w.
func TestBins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range []float64{1.9655, -0.3, 1. / 3, 0.1234567} {
		sharp := func(state []uint8) float64 { // in units of J
			e := 0.0
			for y := range 4 {
				for x := range 5 {
					s := func(x, y int) float64 { return float64(state[y%4*5+x%5]) - 1 }
					e += math.Round(d*resolution)/resolution*s(x, y)*s(x, y) - s(x, y)*(s(x+1, y)+s(x, y+1))
				}
			}
			return e
		}
		for _, width := range []float64{0.001, 0.05, 0.7, 1, 2, 5} {
			t.Run(fmt.Sprintf("D=%g/%g", d, width), func(t *testing.T) {
				s := mustTerms(t)(NewBlumeCapelInBins(d, width, 5, 4))
				binned := d != -0.3 || width > 0.1 // whose energies are 0.1 apart
				if binned && BinWidth(s) != width || s.Binned() != binned {
					t.Fatalf("the levels have the width %v, binned: %v", BinWidth(s), s.Binned())
				}
				for range 500 {
					state := randomColours(s, r)
					level, e := s.Level(state), sharp(state)
					centre := s.Energy(level)
					const tiny = 1e-6 // what rounding of the couplings may change
					if level < 0 || level >= s.Levels() || e > centre+width/2+20*tiny || e < centre-width/2-20*tiny {
						t.Fatalf("energy %v is in level %d of %d, %v +- %v", e, level, s.Levels(), centre, width/2)
					}
					if k := centre / width; binned && math.Abs(k-math.Round(k)) > 1e-9 {
						t.Fatalf("the centre %v is no multiple of %v", centre, width)
					}
					site := r.IntN(s.Sites())
					state[site] = uint8(r.IntN(3))
					if change := s.Level(state) - level; max(change, -change) > s.MaxStep() {
						t.Fatalf("a site changes the level by %d, at most %d", change, s.MaxStep())
					}
				}
			})
		}
	}
}

// TestBinOfGain divides exactly for gains and widths of every size.
func TestBinOfGain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		width, highest := 2+r.IntN(1<<r.IntN(30)), r.IntN(1<<20)-1<<19
		b := newBin(width, highest, 1, 1)
		gain := r.IntN(1 << (1 + r.IntN(31)))
		k := floorDiv(highest-gain-(width/2)-1, width) + 1 // the bin of the energy, by its centre over the width
		if want := b.highest - k; b.Of(gain) != want {
			t.Fatalf("width %d, energy %d - %d: level %d, want %d", width, highest, gain, b.Of(gain), want)
		}
	}
}

// TestNarrowBins makes levels of single energies of bins that are as wide as the energies are apart.
func TestNarrowBins(t *testing.T) {
	sharp := mustTerms(t)(NewIsingField(0.5, 4, 3))
	narrow := mustTerms(t)(NewIsingFieldInBins(0.5, 1, 4, 3))
	if narrow.Binned() || narrow.Levels() != sharp.Levels() || narrow.Energy(3) != sharp.Energy(3) || narrow.LnGroundStates() != sharp.LnGroundStates() {
		t.Errorf("%d levels, binned %v, ln of the ground states %v", narrow.Levels(), narrow.Binned(), narrow.LnGroundStates())
	}
}
