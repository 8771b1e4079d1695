package lattice

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// symmetric are systems of every kind with the order of their symmetry groups.
func symmetric(t testing.TB) []struct {
	s     Symmetric
	order int
} {
	must := mustTerms(t)
	return []struct {
		s     Symmetric
		order int
	}{
		{mustPotts(t, 3, 4, 3), 4 * 12 * 6},
		{must(NewPotts3D(2, 3, 3, 3)), 27 * 8 * 6 * 2},
		{must(NewPotts3D(3, 3, 4, 3)), 36 * 8 * 2 * 6},
		{must(NewPotts3D(2, 3, 4, 5)), 60 * 8 * 2},
		{must(NewBlumeCapel(1.5, 3, 3)), 9 * 8 * 2},
		{must(NewBlumeCapel(0, 3, 4)), 12 * 4 * 2},
		{must(NewIsingField(0.5, 4, 4)), 16 * 8},
		{must(NewIsingField(0, 4, 3)), 12 * 4 * 2},
		{must(NewRandomBond(0.5, 1, 4, 3)), 2},
		{must(NewBaxterWu(3, 3)), 9 * 12 * 4},
		{must(NewBaxterWu(6, 3)), 18 * 4 * 4},
		{must(NewBaxterWu(3, 6)), 18 * 4 * 4},
		{must(NewBaxterWu(6, 6)), 36 * 12 * 4},
		{must(New(Model{Name: "asymmetric", Sides: []int{3}, Colours: 2, Kinds: []Kind{{2, ising}}, Terms: []Term{{0, [3]int{0, 1}}}})), 1},
	}
}

// element is a frame as a string: where each site is read, and its colours.
func element(f *Frame, sites, colours int) string {
	b := make([]byte, 0, sites*(1+colours))
	for i, j := range f.site {
		b = append(b, byte(j))
		for c := range colours {
			b = append(b, byte(f.colour[i*f.stride+c]))
		}
	}
	return string(b)
}

// compose returns the element that applies b after a.
func compose(a, b string, colours int) string {
	width := 1 + colours
	product := make([]byte, len(a))
	for i := 0; i < len(b); i += width {
		j := int(b[i]) * width // where b reads its argument, the image under a
		product[i] = a[j]
		for c := range colours {
			product[i+1+c] = b[i+1+int(a[j+1+c])]
		}
	}
	return string(product)
}

// TestSymmetries checks the frames of every system: they keep the energy of random
// configurations and are undone, make up a group of the known order, and are drawn evenly.
func TestSymmetries(t *testing.T) {
	for _, c := range symmetric(t) {
		t.Run(c.s.String(), func(t *testing.T) {
			s, f := c.s, c.s.NewFrame()
			sites, q := s.Sites(), s.Colours()
			r := rand.New(rand.NewPCG(3, 4))
			image, back := make([]int32, sites), make([]uint8, sites)
			identity := element(f, sites, q)
			const each = 20
			counts := map[string]int{}
			for k := range each * c.order {
				f.Randomise(r)
				counts[element(f, sites, q)]++
				if k >= 2000 {
					continue
				}
				state := make([]uint8, sites)
				for i := range state {
					state[i] = uint8(r.IntN(q))
				}
				f.Apply(image, state)
				if s.LevelInt32(image) != s.Level(state) {
					t.Fatalf("level %d becomes %d in the frame %+v", s.Level(state), s.LevelInt32(image), f)
				}
				copy(back, state)
				back[k%sites] = uint8(r.IntN(q))
				want := 0
				if back[k%sites] != state[k%sites] {
					want = 1
				}
				if changed := f.Undo(back, image); changed != want || !slices.Equal(back, state) {
					t.Fatalf("Undo(Apply(s)) is not s in the frame %+v, or changes %d sites instead of %d", f, changed, want)
				}
			}
			if counts[identity] == 0 && c.order < 5000 {
				t.Error("the identity was never drawn")
			}
			if c.order > 1 {
				checkUniform(t, "frames", counts, c.order, each*c.order)
			}
			elements := make([]string, 0, len(counts))
			for e := range counts {
				elements = append(elements, e)
			}
			slices.Sort(elements)
			for range 2000 {
				a, b := elements[r.IntN(len(elements))], elements[r.IntN(len(elements))]
				if counts[compose(a, b, q)] == 0 {
					t.Fatal("the product of two frames is none")
				}
			}
		})
	}
}

// TestFalseSymmetries finds that statements that are not true are refused.
func TestFalseSymmetries(t *testing.T) {
	for want, symmetry := range map[string]Symmetry{
		"energy":      ColourPermutations(2), // of a model in a field
		"reads site":  SiteMaps(12, func(i int) int { return i / 2 }),
		"two colours": ColourMaps(func(c int) int { return 0 }),
		"map takes":   SiteColourMaps(func(site, c int) int { return (c + site) % 2 }),
	} {
		_, err := New(Model{
			Name: "ising in a field", Sides: []int{4, 3}, Colours: 2, Kinds: []Kind{{2, ising}}, Terms: torusPairs([]int{4, 3}),
			Field: func(_, c int) int { return c }, Symmetries: []Symmetry{symmetry},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// BenchmarkFrame reports the time per site of drawing a frame, applying and undoing it.
func BenchmarkFrame(b *testing.B) {
	must := mustTerms(b)
	for _, s := range []Symmetric{
		mustPotts(b, 10, 16, 16), must(NewPotts3D(3, 6, 6, 7)), must(NewBlumeCapel(1.5, 16, 16)), must(NewRandomBond(0.5, 1, 16, 16)), must(NewBaxterWu(15, 15)),
	} {
		b.Run(strings.ReplaceAll(fmt.Sprint(s), " ", "_"), func(b *testing.B) {
			f, r := s.NewFrame(), rand.New(rand.NewPCG(1, 2))
			state, image := make([]uint8, s.Sites()), make([]int32, s.Sites())
			for i := 0; i < b.N; i += s.Sites() {
				f.Randomise(r)
				f.Apply(image, state)
				f.Undo(state, image)
			}
		})
	}
}
