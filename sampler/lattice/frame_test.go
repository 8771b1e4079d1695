package lattice

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFrameKeepsEnergyAndIsUndone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range sizes {
		for _, q := range []int{2, 3, 10} {
			p := mustPotts(t, q, size[0], size[1])
			f := p.NewFrame()
			image, back := make([]int32, p.Sites()), make([]uint8, p.Sites())
			state := randomState(p, r)
			f.Apply(image, state)
			for i, s := range state {
				if image[i] != int32(s) {
					t.Fatalf("%v: a new frame is not the identity", p)
				}
			}
			for range 200 {
				state := randomState(p, r)
				f.Randomise(r)
				f.Apply(image, state)
				if p.BondsInt32(image) != p.Bonds(state) {
					t.Fatalf("%v: the frame %+v takes level %d to %d", p, f, p.Bonds(state), p.BondsInt32(image))
				}
				f.Undo(back, image)
				if !slices.Equal(back, state) {
					t.Fatalf("%v: Undo(Apply(s)) is not s in the frame %+v", p, f)
				}
			}
		}
	}
}

// siteSymmetries lists the space group of the torus as site permutations, built
// from its generators: the unit translations, one reflection of each axis and, on
// a square, the exchange of the axes.
func siteSymmetries(lx, ly int) map[string]bool {
	generators := []func(x, y int) (int, int){
		func(x, y int) (int, int) { return (x + 1) % lx, y },
		func(x, y int) (int, int) { return x, (y + 1) % ly },
		func(x, y int) (int, int) { return lx - 1 - x, y },
		func(x, y int) (int, int) { return x, ly - 1 - y },
	}
	if lx == ly {
		generators = append(generators, func(x, y int) (int, int) { return y, x })
	}
	identity := make([]byte, lx*ly)
	for i := range identity {
		identity[i] = byte(i)
	}
	group := map[string]bool{string(identity): true}
	for open := []string{string(identity)}; len(open) > 0; open = open[1:] {
		for _, generator := range generators {
			product := make([]byte, lx*ly)
			for i := range product {
				x, y := generator(i%lx, i/lx)
				product[i] = open[0][y*lx+x]
			}
			if !group[string(product)] {
				group[string(product)] = true
				open = append(open, string(product))
			}
		}
	}
	return group
}

func factorial(n int) int {
	if n < 2 {
		return 1
	}
	return n * factorial(n-1)
}

func bytesOf(permutation []int32) string {
	b := make([]byte, len(permutation))
	for i, j := range permutation {
		b[i] = byte(j)
	}
	return string(b)
}

// checkUniform fails if counts of n equally likely outcomes deviate from equal
// counts by more, or scatter around them by less, than chance allows: chi-square
// has the mean n-1 and the variance 2(n-1).
func checkUniform(t *testing.T, what string, counts map[string]int, n, draws int) {
	t.Helper()
	if len(counts) != n {
		t.Errorf("%s: %d different ones were drawn, there are %d", what, len(counts), n)
		return
	}
	mean := float64(draws) / float64(n)
	chi2 := 0.0
	for _, count := range counts {
		chi2 += (float64(count) - mean) * (float64(count) - mean) / mean
	}
	if z := (chi2 - float64(n-1)) / math.Sqrt(2*float64(n-1)); math.Abs(z) > 4 {
		t.Errorf("%s: chi-square %.1f for %d degrees of freedom", what, chi2, n-1)
	}
}

// TestFramesAreUniform draws frames and finds every element of the space group,
// every colour permutation and every pair of them equally often.
func TestFramesAreUniform(t *testing.T) {
	for _, c := range []struct{ q, lx, ly, order int }{
		{3, 3, 3, 8 * 3 * 3},
		{3, 3, 4, 4 * 3 * 4},
		{2, 4, 3, 4 * 4 * 3},
		{4, 3, 3, 8 * 3 * 3},
		{2, 4, 4, 8 * 4 * 4},
	} {
		p := mustPotts(t, c.q, c.lx, c.ly)
		group := siteSymmetries(c.lx, c.ly)
		if len(group) != c.order {
			t.Fatalf("%v: the generators make %d symmetries, want %d", p, len(group), c.order)
		}
		colours := factorial(c.q)
		const each = 50 // draws per pair
		draws := each * c.order * colours
		sites, permutations, pairs := map[string]int{}, map[string]int{}, map[string]int{}
		f, r := p.NewFrame(), rand.New(rand.NewPCG(7, uint64(c.order*c.q)))
		for range draws {
			f.Randomise(r)
			s, d := bytesOf(f.site), bytesOf(f.colour)
			if !group[s] {
				t.Fatalf("%v: the frame %+v is not in the space group", p, f)
			}
			sites[s]++
			permutations[d]++
			pairs[s+d]++
		}
		checkUniform(t, p.String()+": site symmetries", sites, c.order, draws)
		if c.q > 2 {
			checkUniform(t, p.String()+": colour permutations", permutations, colours, draws)
		}
		checkUniform(t, p.String()+": pairs", pairs, c.order*colours, draws)
	}
}

// TestSuccessiveFramesAreIndependent finds no trace of a frame in the next one,
// which is made by permuting the colours of the one before.
func TestSuccessiveFramesAreIndependent(t *testing.T) {
	p := mustPotts(t, 4, 3, 3)
	f, r := p.NewFrame(), rand.New(rand.NewPCG(8, 9))
	counts := map[string]int{}
	f.Randomise(r)
	const draws = 50 * 24 * 24
	for range draws {
		before := bytesOf(f.colour)
		f.Randomise(r)
		counts[before+bytesOf(f.colour)]++
	}
	checkUniform(t, "pairs of successive colour permutations", counts, 24*24, draws)
}
