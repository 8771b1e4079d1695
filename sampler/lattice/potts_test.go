package lattice

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// sizes are tori with odd, even, equal and unequal sides, among them the smallest.
var sizes = [][2]int{{3, 3}, {3, 4}, {4, 3}, {4, 4}, {5, 3}, {5, 7}, {6, 6}, {3, 16}, {13, 4}}

func mustPotts(t testing.TB, q, lx, ly int) *Potts {
	t.Helper()
	p, err := NewPotts(q, lx, ly)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func randomState(p *Potts, r *rand.Rand) []uint8 {
	state := make([]uint8, p.Sites())
	for i := range state {
		state[i] = uint8(r.IntN(p.Q()))
	}
	return state
}

// bruteForceBonds counts equal pairs among all pairs of sites that are one step
// apart on the torus.
func bruteForceBonds(lx, ly int, state []uint8) int {
	distance := func(a, b, l int) int {
		d := max(a-b, b-a)
		return min(d, l-d)
	}
	count := 0
	for i, s := range state {
		for j := range i {
			apart := distance(i%lx, j%lx, lx) + distance(i/lx, j/lx, ly)
			if apart == 1 && s == state[j] {
				count++
			}
		}
	}
	return count
}

func TestBonds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range sizes {
		for _, q := range []int{2, 3, 10, MaxColours} {
			p := mustPotts(t, q, size[0], size[1])
			for range 50 {
				state := randomState(p, r)
				wide := make([]int32, len(state))
				twice := 0 // satisfied bonds seen from both ends
				for i, s := range state {
					wide[i] = int32(s)
					for _, j := range p.Neighbours()[Coordination*i : Coordination*(i+1)] {
						if s == state[j] {
							twice++
						}
					}
				}
				want := bruteForceBonds(size[0], size[1], state)
				if p.Bonds(state) != want || p.BondsInt32(wide) != want || twice != 2*want {
					t.Fatalf("%v: Bonds = %d, BondsInt32 = %d, by neighbour table %g; the pairs are %d",
						p, p.Bonds(state), p.BondsInt32(wide), float64(twice)/2, want)
				}
			}
			uniform := slices.Repeat([]uint8{uint8(q - 1)}, p.Sites())
			if p.Bonds(uniform) != p.GroundLevel() {
				t.Errorf("%v: a uniform configuration has %d bonds, the ground level is %d", p, p.Bonds(uniform), p.GroundLevel())
			}
		}
	}
}

// TestNeighbours finds four different neighbours in the documented order, none of
// them the site itself, and every relation mutual.
func TestNeighbours(t *testing.T) {
	opposite := [Coordination]int{1, 0, 3, 2}
	for _, size := range sizes {
		p := mustPotts(t, 2, size[0], size[1])
		lx, ly := p.Size()
		table := p.Neighbours()
		for i := range p.Sites() {
			x, y := i%lx, i/lx
			at := func(x, y int) int32 { return int32((y+ly)%ly*lx + (x+lx)%lx) }
			want := []int32{at(x+1, y), at(x-1, y), at(x, y+1), at(x, y-1)}
			got := table[Coordination*i : Coordination*(i+1)]
			if !slices.Equal(got, want) {
				t.Fatalf("%v: neighbours of site %d are %v, want %v", p, i, got, want)
			}
			sorted := slices.Sorted(slices.Values(got))
			if len(slices.Compact(sorted)) != Coordination || slices.Contains(sorted, int32(i)) {
				t.Fatalf("%v: neighbours of site %d are %v: not four other sites", p, i, got)
			}
			for d, j := range got {
				if back := table[Coordination*int(j)+opposite[d]]; back != int32(i) {
					t.Fatalf("%v: site %d has neighbour %d, whose neighbour the other way is %d", p, i, j, back)
				}
			}
		}
	}
}

// occupied counts by complete enumeration which levels have configurations. Site 0
// keeps its colour: permuting colours changes no level.
func occupied(p *Potts) []bool {
	has := make([]bool, p.Levels())
	state := make([]uint8, p.Sites())
	for {
		has[p.Bonds(state)] = true
		i := 1
		for ; i < len(state); i++ {
			if state[i]++; int(state[i]) < p.Q() {
				break
			}
			state[i] = 0
		}
		if i == len(state) {
			return has
		}
	}
}

// checkPossible compares Possible with the levels that have configurations. Every
// one of them must be possible. The converse is only demanded where the rules are
// complete, except at the levels named.
func checkPossible(t *testing.T, p *Potts, has []bool, converse bool, except ...int) {
	t.Helper()
	for b, states := range has {
		switch possible := p.Possible(b); {
		case states && !possible:
			t.Errorf("%v: level %d has configurations but counts as impossible", p, b)
		case converse && !states && possible && !slices.Contains(except, b):
			t.Errorf("%v: level %d has no configuration but counts as possible", p, b)
		}
	}
	for _, b := range []int{-1, math.MinInt, p.Levels(), math.MaxInt} {
		if p.Possible(b) {
			t.Errorf("%v: level %d counts as possible", p, b)
		}
	}
}

// bipartiteGap is the level that Possible leaves open for q = 2 on two even sides
// although it is empty: turning over every other spin maps B to 2N-B there, so
// that B = 2 is as impossible as B = 2N-2.
const bipartiteGap = 2

func TestPossibleAgainstReferences(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "exact", "testdata", "potts_*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files: %v", err)
	}
	for _, file := range files {
		var q, lx, ly int
		if _, err := fmt.Sscanf(filepath.Base(file), "potts_q%d_%dx%d.csv", &q, &lx, &ly); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		d, err := dos.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := mustPotts(t, q, lx, ly)
		has := make([]bool, p.Levels())
		for _, e := range d.Energy {
			b := int(-e)
			if p.Energy(b) != e {
				t.Fatalf("%v: energy of level %d is %v, not %v", p, b, p.Energy(b), e)
			}
			has[b] = true
		}
		switch {
		case q == 2: // two even sides, all of them
			checkPossible(t, p, has, true, bipartiteGap)
		default:
			checkPossible(t, p, has, min(lx, ly) >= 4)
		}
	}
}

// TestPossibleAgainstEnumeration covers q = 2 on odd sides, for which there are no
// reference files and the rules are complete, and sides of three for more colours,
// where they are not.
func TestPossibleAgainstEnumeration(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		converse  bool
	}{
		{2, 3, 3, true}, {2, 3, 4, true}, {2, 4, 3, true}, {2, 3, 5, true}, {2, 4, 5, true}, {2, 3, 6, true},
		{3, 3, 3, false}, {3, 3, 4, false}, {4, 3, 3, false},
	} {
		p := mustPotts(t, c.q, c.lx, c.ly)
		checkPossible(t, p, occupied(p), c.converse)
	}
}

// TestPeakLevel finds the largest density of states near the documented level.
func TestPeakLevel(t *testing.T) {
	for _, c := range []struct{ q, lx, ly int }{{3, 6, 6}, {10, 5, 5}, {10, 4, 16}, {8, 4, 4}, {2, 16, 16}} {
		p := mustPotts(t, c.q, c.lx, c.ly)
		d, err := dos.ReadFile(filepath.Join("..", "exact", "testdata", fmt.Sprintf("potts_q%d_%dx%d.csv", c.q, c.lx, c.ly)))
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for i := range d.LnG {
			if d.LnG[i] > d.LnG[at] {
				at = i
			}
		}
		if b := int(-d.Energy[at]); max(b-p.PeakLevel(), p.PeakLevel()-b) > 2 {
			t.Errorf("%v: the density of states peaks at level %d, PeakLevel says %d", p, b, p.PeakLevel())
		}
		if got := dos.LogSumExp(d.LnG); math.Abs(got-p.LnStates()) > 1e-9*got {
			t.Errorf("%v: all levels together hold exp(%v) configurations, LnStates says %v", p, got, p.LnStates())
		}
		if got := d.LnG[0]; math.Abs(got-p.LnGroundStates()) > 1e-12 {
			t.Errorf("%v: the ground level holds exp(%v) configurations, LnGroundStates says %v", p, got, p.LnGroundStates())
		}
	}
}

func TestNewPottsReportsEveryFault(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		words     []string // all of them must be in the error
	}{
		{1, 8, 8, []string{"q = 1", "2..255"}},
		{256, 8, 8, []string{"q = 256", "2..255"}},
		{-3, 2, 8, []string{"q = -3", "size = 2x8", "at least 3"}},
		{0, 8, -1, []string{"q = 0", "size = 8x-1"}},
		{300, 1 << 13, 1 << 13, []string{"q = 300", "size = 8192x8192", "sites"}},
		{2, math.MaxInt, math.MaxInt, []string{"sites"}},
		{2, math.MinInt, math.MaxInt, []string{"at least 3"}},
	} {
		_, err := NewPotts(c.q, c.lx, c.ly)
		if err == nil {
			t.Errorf("q = %d, %dx%d: no error", c.q, c.lx, c.ly)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("q = %d, %dx%d: %q is not in the error: %v", c.q, c.lx, c.ly, word, err)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	p := mustPotts(t, 3, 4, 5)
	good := randomState(p, rand.New(rand.NewPCG(3, 4)))
	if err := p.Validate(good); err != nil {
		t.Error(err)
	}
	bad := slices.Clone(good)
	bad[17] = 3
	if err := p.Validate(bad); err == nil || !strings.Contains(err.Error(), "site 17") {
		t.Errorf("colour 3 of 0..2 at site 17: %v", err)
	}
	if err := p.Validate(good[:19]); err == nil || !strings.Contains(err.Error(), "19") {
		t.Errorf("19 of 20 sites: %v", err)
	}
}
