package lattice

import "math/rand/v2"

// Frame is a symmetry of a Potts system: a lattice translation, a reflection
// and (on square lattices) a transposition, followed by a permutation of the
// colours. It maps the configuration s to s' with s'[i] = colour[s[site[i]]]
// and leaves the energy as it is. Transposition, reflections and translations
// together make the whole space group of the square torus.
//
// A proposal drawn in a frame that was itself drawn independently of the state
// keeps detailed balance frame by frame, and a network then need not learn the
// symmetries.
type Frame struct {
	site    []int32 // site[i] is where site i of the image is read
	colour  []int32
	inverse []int32 // of colour
	lx, ly  int
}

// NewFrame returns the identity of the system p, to be redrawn with Randomise.
func (p *Potts) NewFrame() *Frame {
	f := &Frame{
		site:    make([]int32, p.Sites()),
		colour:  make([]int32, p.q),
		inverse: make([]int32, p.q),
		lx:      p.lx, ly: p.ly,
	}
	for i := range f.site {
		f.site[i] = int32(i)
	}
	for c := range f.colour {
		f.colour[c], f.inverse[c] = int32(c), int32(c)
	}
	return f
}

// Randomise draws the frame uniformly from the symmetry group of the system.
func (f *Frame) Randomise(r *rand.Rand) {
	lx, ly := f.lx, f.ly
	dx, dy := r.IntN(lx), r.IntN(ly)
	flipX, flipY := r.IntN(2) == 1, r.IntN(2) == 1
	transpose := lx == ly && r.IntN(2) == 1
	i := 0
	for y := range ly {
		v := y
		if flipY {
			v = ly - 1 - y
		}
		if v += dy; v >= ly {
			v -= ly
		}
		for x := range lx {
			u := x
			if flipX {
				u = lx - 1 - x
			}
			if u += dx; u >= lx {
				u -= lx
			}
			if transpose {
				f.site[i] = int32(u*lx + v)
			} else {
				f.site[i] = int32(v*lx + u)
			}
			i++
		}
	}
	for c := range f.colour {
		f.colour[c] = int32(c) // so that the frame depends on r alone
	}
	for c := len(f.colour) - 1; c > 0; c-- {
		d := r.IntN(c + 1)
		f.colour[c], f.colour[d] = f.colour[d], f.colour[c]
	}
	for c, d := range f.colour {
		f.inverse[d] = int32(c)
	}
}

// Apply writes the image of src to dst.
func (f *Frame) Apply(dst []int32, src []uint8) {
	for i, j := range f.site {
		dst[i] = f.colour[src[j]]
	}
}

// Undo writes the configuration whose image is src to dst and returns at how many sites
// that changes dst. Colours outside 0..q-1 must have been excluded before.
func (f *Frame) Undo(dst []uint8, src []int32) (changed int) {
	for i, j := range f.site {
		c := uint8(f.inverse[src[i]])
		if c != dst[j] {
			changed++
		}
		dst[j] = c
	}
	return changed
}
