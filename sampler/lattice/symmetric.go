package lattice

import (
	"fmt"
	"math/rand/v2"
)

// Symmetric is a System whose configurations networks can propose: in frames, which are
// random symmetries of it. Potts and all systems made by New are Symmetric.
type Symmetric interface {
	System
	// NewFrame returns the identity, to be redrawn with Frame.Randomise.
	NewFrame() *Frame
	// Phases returns fixed frames that form a group, the identity first. They take ordered phases
	// that are alike by a symmetry of the colours to each other, in the Potts model every one to
	// every other. A system without such a symmetry has the identity alone.
	Phases() []*Frame
	// LevelInt32 is Level for a configuration held as int32, the element type of the
	// networks' tensors.
	LevelInt32(state []int32) int
}

// Symmetry is a set of maps of configurations that leave the energy unchanged, in general a
// group. Frames of a Model draw one map from each of its symmetries, all with the same
// probability, and apply those of the sites first and those of the colours then, each in the
// order given. They are drawn uniformly from the whole group of symmetries if each of its
// elements is as many such products as any other.
type Symmetry struct {
	sites   func(f *Frame, r *rand.Rand)
	colours func(f *Frame, r *rand.Rand)
	bySite  bool // colours depends on the site
	all     bool // these are all permutations of the colours
	// phases are maps of the colours, the identity first: all of them or, of permutations, the
	// cyclic ones.
	phases []func(f *Frame)
}

// Translations are all translations of the torus with the given sides. Site i has the
// coordinates i%sides[0], i/sides[0]%sides[1], and so on.
func Translations(sides ...int) Symmetry { return torus(sides, false) }

// SpaceGroup is the space group of the hypercubic torus with the given sides, each at least
// 3: translations, reflections of each axis and permutations of axes of equal sides. Site i
// has the coordinates i%sides[0], i/sides[0]%sides[1], and so on.
func SpaceGroup(sides ...int) Symmetry { return torus(sides, true) }

func torus(sides []int, points bool) Symmetry {
	strides := make([]int32, len(sides))
	sites := int32(1)
	var equal [][]int // axes by length of their sides
	axes := map[int]int{}
	for d, l := range sides {
		strides[d] = sites
		sites *= int32(l)
		k, known := axes[l]
		if !known {
			k = len(equal)
			axes[l] = k
			equal = append(equal, nil)
		}
		equal[k] = append(equal[k], d)
	}
	return Symmetry{sites: func(f *Frame, r *rand.Rand) {
		// read[d][x] is what the coordinate x along axis d contributes to the site that is read.
		read := make([][]int32, len(sides))
		for d, l := range sides {
			read[d] = make([]int32, l)
			shift, flip := r.IntN(l), points && r.IntN(2) == 1
			for x := range read[d] {
				u := x
				if flip {
					u = l - 1 - x
				}
				read[d][x] = int32((u + shift) % l)
			}
		}
		along := make([]int32, len(sides)) // axis along which each coordinate is read
		for _, group := range equal {
			order := make([]int32, len(group))
			for k, d := range group {
				order[k] = int32(d)
			}
			if points {
				shuffle(order, r)
			}
			for k, d := range group {
				along[d] = order[k]
			}
		}
		for d := range read {
			for x := range read[d] {
				read[d][x] *= strides[along[d]]
			}
		}
		f.permute(func(i int) int32 {
			j := int32(0)
			for d, l := range sides {
				j += read[d][i%l]
				i /= l
			}
			return j
		})
	}}
}

// SiteMaps are maps of a number of sites, the identity among them if they are a group: under
// a map, site i of the image is read at site m(i).
func SiteMaps(sites int, maps ...func(i int) int) Symmetry {
	tables := make([][]int32, len(maps))
	for k, m := range maps {
		tables[k] = make([]int32, sites)
		for i := range tables[k] {
			tables[k][i] = int32(m(i))
		}
	}
	return Symmetry{sites: func(f *Frame, r *rand.Rand) {
		table := tables[r.IntN(len(tables))]
		f.permute(func(i int) int32 { return table[i] })
	}}
}

// permute has site i of the image read where site m(i) was read before.
func (f *Frame) permute(m func(i int) int32) {
	if f.scratch == nil {
		f.scratch = make([]int32, len(f.site))
	}
	for i := range f.scratch {
		f.scratch[i] = f.site[m(i)]
	}
	f.site, f.scratch = f.scratch, f.site
}

// ColourPermutations are all permutations of a number of colours, the same at all sites.
func ColourPermutations(colours int) Symmetry {
	s := permutations(0, colours)
	s.all = true
	return s
}

// permutations are those of the colours from the first one on.
func permutations(first, colours int) Symmetry {
	s := Symmetry{colours: func(f *Frame, r *rand.Rand) {
		order := make([]int32, colours)
		for c := range order {
			order[c] = int32(c)
		}
		shuffle(order[first:], r)
		for k, c := range f.colour {
			f.colour[k] = order[c]
		}
	}}
	for k := range colours - first {
		s.phases = append(s.phases, func(f *Frame) { shiftColours(f, k, first, colours) })
	}
	return s
}

// ColourMaps are maps of the colours, the same at all sites. They are a group, the identity first.
func ColourMaps(maps ...func(colour int) int) Symmetry {
	var of []func(site, colour int) int
	for _, m := range maps {
		of = append(of, func(_, colour int) int { return m(colour) })
	}
	s := SiteColourMaps(of...)
	s.bySite = false
	return s
}

// SiteColourMaps are maps of the colours that depend on the site. They are a group, the identity
// first.
func SiteColourMaps(maps ...func(site, colour int) int) Symmetry {
	s := Symmetry{bySite: true}
	for _, m := range maps {
		s.phases = append(s.phases, func(f *Frame) {
			for k, c := range f.colour {
				site := 0
				if f.stride > 0 {
					site = k / f.stride
				}
				f.colour[k] = int32(m(site, int(c)))
			}
		})
	}
	s.colours = func(f *Frame, r *rand.Rand) { s.phases[r.IntN(len(s.phases))](f) }
	return s
}

// NewFrame returns the identity, to be redrawn with Randomise. Its frames are made of the
// symmetries of the model.
func (t *Terms) NewFrame() *Frame {
	bySite := false
	for _, s := range t.m.Symmetries {
		bySite = bySite || s.bySite
	}
	return newFrame(t.sites, t.m.Colours, bySite, t.drawFrame)
}

func (t *Terms) drawFrame(f *Frame, r *rand.Rand) {
	q := t.m.Colours
	for i := range f.site {
		f.site[i] = int32(i)
	}
	for k := range f.colour {
		f.colour[k] = int32(k % q)
	}
	for _, s := range t.m.Symmetries {
		if s.sites != nil {
			s.sites(f, r)
		}
	}
	for _, s := range t.m.Symmetries {
		if s.colours != nil {
			s.colours(f, r)
		}
	}
	f.invert(q)
}

// Phases returns the products of one map of each symmetry of the colours, of permutations a cyclic
// one.
func (t *Terms) Phases() []*Frame {
	frames := []*Frame{t.NewFrame()}
	for _, s := range t.m.Symmetries {
		var products []*Frame
		for _, m := range s.phases {
			for _, f := range frames {
				product := t.NewFrame()
				copy(product.colour, f.colour)
				m(product)
				products = append(products, product)
			}
		}
		if s.phases != nil {
			frames = products
		}
	}
	for _, f := range frames {
		f.invert(t.m.Colours)
		f.Fix()
	}
	return frames
}

// symmetryChecks is how many random configurations in random frames check the symmetries of
// a model.
const symmetryChecks = 8

// checkSymmetries returns an error if the symmetries that the model states change the energy
// of random configurations, or are no permutations.
func (t *Terms) checkSymmetries() error {
	if len(t.m.Symmetries) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(1, 2))
	f := t.NewFrame()
	state, image := make([]uint8, t.sites), make([]int32, t.sites)
	for range symmetryChecks {
		f.Randomise(r)
		for i := range state {
			state[i] = uint8(r.IntN(t.m.Colours))
		}
		read := make([]bool, t.sites)
		for i, j := range f.site {
			if read[j] {
				return fmt.Errorf("symmetries: a map reads site %d twice, among others at site %d", j, i)
			}
			read[j] = true
		}
		for k, c := range f.colour {
			if row := k - k%t.m.Colours; f.inverse[row+int(c)] != int32(k-row) {
				return fmt.Errorf("symmetries: a map takes two colours to %d", c)
			}
		}
		if f.Apply(image, state); gainOf(t, image) != gainOf(t, state) {
			return fmt.Errorf("symmetries: a map takes a configuration of energy %g to one of %g", t.energyOf(gainOf(t, state)), t.energyOf(gainOf(t, image)))
		}
	}
	return nil
}
