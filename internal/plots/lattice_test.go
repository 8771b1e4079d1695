package plots

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"testing"
)

func TestLatticePicture(t *testing.T) {
	for _, c := range []struct {
		sides         []int
		width, height int
		at            map[[2]int]int // pixel to site
	}{
		{[]int{3, 2}, 3, 2, map[[2]int]int{{0, 0}: 0, {2, 0}: 2, {0, 1}: 3, {2, 1}: 5}},
		{[]int{3, 2, 2}, 7, 2, map[[2]int]int{{0, 0}: 0, {2, 1}: 5, {4, 0}: 6, {6, 1}: 11}},
	} {
		state := make([]byte, 12)[:map[int]int{2: 6, 3: 12}[len(c.sides)]]
		for i := range state {
			state[i] = byte(i)
		}
		data, err := Lattice(state, c.sides, 12)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if w, h := LatticeSize(c.sides); picture.Bounds().Dx() != c.width || picture.Bounds().Dy() != c.height || w != c.width || h != c.height {
			t.Errorf("%v: %v, size %d, %d", c.sides, picture.Bounds(), w, h)
		}
		for pixel, site := range c.at {
			if got := color.RGBAModel.Convert(picture.At(pixel[0], pixel[1])); got != siteColours[site] {
				t.Errorf("%v: pixel %v is %v, want %v", c.sides, pixel, got, siteColours[site])
			}
		}
	}
	for name, c := range map[string]struct {
		state   []byte
		sides   []int
		colours int
	}{
		"sites too few": {make([]byte, 5), []int{3, 2}, 2}, "a colour too many": {[]byte{0, 1, 2, 0, 0, 0}, []int{3, 2}, 2},
		"one side": {make([]byte, 3), []int{3}, 2}, "no side": {nil, nil, 2}, "negative": {nil, []int{-1, 0}, 2}, "no colours": {nil, []int{0, 0}, 0},
	} {
		if _, err := Lattice(c.state, c.sides, c.colours); err == nil {
			t.Errorf("%s: it is drawn", name)
		}
	}
	if len(palette(255)) != 255 {
		t.Error("a palette of 255 colours")
	}
}

// visions turn linear RGB into what people with all cones, and without one kind of them, see
// (Machado, Oliveira, Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), severity 1).
var visions = map[string][3][3]float64{
	"all cones":    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// lab is a colour in CIELAB as a vision has it.
func lab(c color.RGBA, vision [3][3]float64) (l [3]float64) {
	times := func(m [3][3]float64, v [3]float64) (r [3]float64) {
		for i := range r {
			for j := range v {
				r[i] += m[i][j] * v[j]
			}
		}
		return r
	}
	var linear [3]float64
	for i, x := range []uint8{c.R, c.G, c.B} {
		if v := float64(x) / 255; v <= 0.04045 {
			linear[i] = v / 12.92
		} else {
			linear[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	linear = times(vision, linear)
	for i := range linear {
		linear[i] = min(1, max(0, linear[i]))
	}
	xyz := times([3][3]float64{{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}}, linear)
	f := func(x float64) float64 {
		if x > 0.008856 {
			return math.Cbrt(x)
		}
		return 7.787*x + 16.0/116
	}
	x, y, z := f(xyz[0]/0.95047), f(xyz[1]), f(xyz[2]/1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestSiteColours sees to it that everybody can tell the values of sites apart.
func TestSiteColours(t *testing.T) {
	for name, vision := range visions {
		least := math.Inf(1)
		for i, a := range siteColours {
			for _, b := range siteColours[:i] {
				x, y := lab(a, vision), lab(b, vision)
				least = min(least, math.Hypot(math.Hypot(x[0]-y[0], x[1]-y[1]), x[2]-y[2]))
			}
		}
		if least < 32 {
			t.Errorf("%s: two colours differ by %.1f, at least 32 is needed", name, least)
		}
		t.Logf("%s: any two of %d colours differ by at least %.1f", name, len(siteColours), least)
	}
}

// TestWheel draws directions by their hues: opposite ones complement each other, and neighbours hardly differ.
func TestWheel(t *testing.T) {
	picture, err := LatticePicture([]byte{0, 85, 171, 128, 255, 1}, []int{3, 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) [3]int {
		r, g, b, _ := picture.At(x, y).RGBA()
		return [3]int{int(r >> 8), int(g >> 8), int(b >> 8)}
	}
	for name, c := range map[string]struct{ got, want [3]int }{
		"red": {at(0, 0), [3]int{255, 40, 40}}, "green": {at(1, 0), [3]int{40, 255, 40}}, "blue": {at(2, 0), [3]int{40, 40, 255}},
		"cyan": {at(0, 1), [3]int{40, 255, 255}}, "red before the turn": {at(1, 1), at(2, 1)},
	} {
		for k := range 3 {
			if d := c.got[k] - c.want[k]; d > 6 || d < -6 {
				t.Errorf("%s is drawn as %v, want %v", name, c.got, c.want)
			}
		}
	}
}
