package lattice

import "math/rand/v2"

// Frame is a symmetry of a system: a permutation of the sites followed by permutations of the
// colours, the same at all sites or one for each. It maps the configuration s to s' with
// s'[i] = colour_i[s[site[i]]] and leaves the energy unchanged.
//
// A proposal made in a frame that was drawn independently of the state keeps detailed balance
// frame by frame, and a network then need not learn the symmetries.
type Frame struct {
	site    []int32 // site[i] is where site i of the image is read
	colour  []int32 // at [c], or at [i*stride + c] for site i of the image
	inverse []int32 // of colour
	stride  int     // the number of colours if colour depends on the site, else 0
	draw    func(f *Frame, r *rand.Rand)
	scratch []int32
}

// newFrame returns the identity on a number of sites and colours; draw redraws site, colour
// and inverse.
func newFrame(sites, colours int, bySite bool, draw func(f *Frame, r *rand.Rand)) *Frame {
	f := &Frame{site: make([]int32, sites), draw: draw}
	rows := 1
	if bySite {
		rows, f.stride = sites, colours
	}
	f.colour, f.inverse = make([]int32, rows*colours), make([]int32, rows*colours)
	for i := range f.site {
		f.site[i] = int32(i)
	}
	for k := range f.colour {
		f.colour[k], f.inverse[k] = int32(k%colours), int32(k%colours)
	}
	return f
}

// Randomise draws the frame uniformly from the symmetry group of its system, as far as that
// is known. The new frame depends on r alone.
func (f *Frame) Randomise(r *rand.Rand) { f.draw(f, r) }

// Fix has the frame stay as it is: Randomise no longer redraws it.
func (f *Frame) Fix() { f.draw = func(*Frame, *rand.Rand) {} }

// Apply writes the image of src to dst.
func (f *Frame) Apply(dst []int32, src []uint8) {
	colour, stride := f.colour, f.stride
	if stride > 0 {
		for i, j := range f.site {
			dst[i] = colour[i*stride+int(src[j])]
		}
		return
	}
	for i, j := range f.site {
		dst[i] = colour[src[j]]
	}
}

// Undo writes the configuration whose image is src to dst and returns how many sites of dst
// that changes. The colours of src must be valid.
func (f *Frame) Undo(dst []uint8, src []int32) (changed int) {
	inverse, stride := f.inverse, f.stride
	row := 0 // of site i in inverse
	for i, j := range f.site {
		c := uint8(inverse[row+int(src[i])])
		if c != dst[j] {
			changed++
		}
		dst[j] = c
		row += stride
	}
	return changed
}

// NewFrame returns the identity of the system p, to be redrawn with Randomise. Its frames
// are the translations, reflections and (on square lattices) transposition of the torus,
// which make up its whole space group, together with all permutations of the colours.
func (p *Potts) NewFrame() *Frame { return newFrame(p.Sites(), p.q, false, p.drawFrame) }

func (p *Potts) drawFrame(f *Frame, r *rand.Rand) {
	lx, ly, site := p.lx, p.ly, f.site
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
				site[i] = int32(u*lx + v)
			} else {
				site[i] = int32(v*lx + u)
			}
			i++
		}
	}
	for c := range f.colour {
		f.colour[c] = int32(c)
	}
	shuffle(f.colour, r)
	for c, d := range f.colour {
		f.inverse[d] = int32(c)
	}
}

// Phases returns the q cyclic shifts of the colours, which take every ordered phase to every
// other.
func (p *Potts) Phases() []*Frame {
	frames := make([]*Frame, p.q)
	for k := range frames {
		frames[k] = p.NewFrame()
		shiftColours(frames[k], k, 0, p.q)
		frames[k].invert(p.q)
		frames[k].Fix()
	}
	return frames
}

// shiftColours takes every colour that the frame has, from a first one on, to the k-th after it, round
// to the first one after q-1.
func shiftColours(f *Frame, k, first, q int) {
	for i, c := range f.colour {
		if int(c) >= first {
			f.colour[i] = int32((int(c)-first+k)%(q-first) + first)
		}
	}
}

// invert makes inverse from colour, with q colours.
func (f *Frame) invert(q int) {
	for k, c := range f.colour {
		f.inverse[k/q*q+int(c)] = int32(k % q)
	}
}

// shuffle permutes x at random, all permutations with the same probability (Fisher, Yates).
func shuffle(x []int32, r *rand.Rand) {
	for c := len(x) - 1; c > 0; c-- {
		d := r.IntN(c + 1)
		x[c], x[d] = x[d], x[c]
	}
}
