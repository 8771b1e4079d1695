package plots

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// siteColours are those of the sites' values. Any two of them differ by at least 32 in CIELAB,
// also as protanopes, deuteranopes and tritanopes see them; a test says so.
var siteColours = []color.RGBA{
	rgb(0x000044), rgb(0xffcc00), rgb(0xee6633), rgb(0x66ff99), rgb(0x6600ff), rgb(0xffffff),
	rgb(0xff77ee), rgb(0x8800aa), rgb(0x88aa99), rgb(0x880000), rgb(0x665577), rgb(0x330011),
}

func rgb(x uint32) color.RGBA {
	return color.RGBA{R: uint8(x >> 16), G: uint8(x >> 8), B: uint8(x), A: 0xff}
}

// palette has the colours of sites with q values: of more than len(siteColours) a ramp from dark
// blue to light yellow, of which neighbours cannot be told apart. With q = 0 it is a wheel of 256 hues.
func palette(q int) color.Palette {
	if q == 0 {
		return wheel()
	}
	p := make(color.Palette, 0, q+1)
	if q <= len(siteColours) {
		for _, c := range siteColours[:q] {
			p = append(p, c)
		}
		return p
	}
	for k := range q {
		t := float64(k) / float64(q-1)
		at := func(low, high float64) uint8 { return uint8(math.Round(low + t*(high-low))) }
		p = append(p, color.RGBA{R: at(0, 255), G: at(0x22, 0xee), B: at(0x66, 0x55), A: 0xff})
	}
	return p
}

// wheel has hues in 256ths of a turn, red first, then yellow, green, cyan, blue and magenta.
func wheel() color.Palette {
	p := make(color.Palette, 256)
	for k := range p {
		at := func(turn float64) uint8 { // a channel that is highest at this part of a turn
			_, off := math.Modf(math.Abs(float64(k)/256-turn) + 0.5)
			return uint8(math.Round(40 + 215*max(0, min(1, 2-6*math.Abs(off-0.5)))))
		}
		p[k] = color.RGBA{R: at(0), G: at(1. / 3), B: at(2. / 3), A: 0xff}
	}
	return p
}

// Lattice draws a configuration as LatticePicture does. It returns a PNG.
func Lattice(state []byte, sides []int, colours int) ([]byte, error) {
	picture, err := LatticePicture(state, sides, colours)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	err = png.Encode(&data, picture)
	return data.Bytes(), err
}

// LatticePicture draws a configuration in raster order, the first side being the fastest, with a
// pixel for each site; the layers of one with three sides stand side by side. Without colours sites hold
// directions in 256ths of a turn.
func LatticePicture(state []byte, sides []int, colours int) (image.Image, error) {
	if len(sides) < 2 || len(sides) > 3 || colours < 0 || colours > 256 {
		return nil, fmt.Errorf("a lattice of sides %v with %d colours cannot be drawn", sides, colours)
	}
	lx, ly, layers := sides[0], sides[1], 1
	if len(sides) == 3 {
		layers = sides[2]
	}
	if lx < 1 || ly < 1 || layers < 1 || len(state) != lx*ly*layers {
		return nil, fmt.Errorf("a lattice of sides %v has not %d sites", sides, len(state))
	}
	colour := palette(colours)
	gap := 0
	if layers > 1 {
		gap = 1
	}
	picture := image.NewNRGBA(image.Rect(0, 0, layers*(lx+gap)-gap, ly))
	for i, s := range state {
		if colours > 0 && int(s) >= colours {
			return nil, fmt.Errorf("site %d has the colour %d of %d", i, s, colours)
		}
		x, y, z := i%lx, i/lx%ly, i/(lx*ly)
		picture.Set(z*(lx+gap)+x, y, colour[s])
	}
	return picture, nil
}

// LatticeSize is the width and height of the picture of a lattice, zero if there is none.
func LatticeSize(sides []int) (width, height int) {
	switch len(sides) {
	case 2:
		return sides[0], sides[1]
	case 3:
		return sides[2]*(sides[0]+1) - 1, sides[1]
	}
	return 0, 0
}
