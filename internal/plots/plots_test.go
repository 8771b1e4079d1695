package plots_test

import (
	"bytes"
	"image/color"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
)

func reference(t *testing.T) *dos.Density {
	t.Helper()
	d, err := dos.ReadFile(filepath.Join("..", "..", "sampler", "exact", "testdata", "potts_q10_4x4.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// estimate returns the exact density with errors, shifted by a constant.
func estimate(t *testing.T) *dos.Density {
	d := reference(t)
	for i := range d.LnG {
		d.LnG[i] += 7 + 0.01*math.Sin(float64(i))
		d.Error = append(d.Error, 0.01)
	}
	d.Error[3] = math.NaN()
	return d
}

func TestLnG(t *testing.T) {
	for name, c := range map[string]struct {
		curves []plots.Curve
		exact  *dos.Density
		panels int
		want   []string // in the SVG file
	}{
		"one":              {[]plots.Curve{{"run A", estimate(t)}}, nil, 2, []string{"run A", "standard error of ln g"}},
		"without errors":   {[]plots.Curve{{"run A", reference(t)}}, nil, 1, []string{"run A", "ln g(E)"}},
		"exact alone":      {[]plots.Curve{{"run A", &dos.Density{Energy: []float64{-2, -1}, LnG: []float64{3, 4}, Error: []float64{0, 0}}}}, nil, 1, []string{"run A", "ln g(E)"}},
		"two":              {[]plots.Curve{{"run A", estimate(t)}, {"run B", reference(t)}}, nil, 2, []string{"run A", "run B", "deviation of ln g"}},
		"exact":            {[]plots.Curve{{"run A", estimate(t)}}, reference(t), 2, []string{"run A", "exact", "deviation of ln g"}},
		"single level":     {[]plots.Curve{{"run A", &dos.Density{Energy: []float64{-2}, LnG: []float64{3}}}}, nil, 1, []string{"run A"}},
		"huge":             {[]plots.Curve{{"run A", &dos.Density{Energy: []float64{-math.MaxFloat64, math.MaxFloat64}, LnG: []float64{3, 5}}}}, nil, 1, []string{"run A"}},
		"single deviation": {[]plots.Curve{{"run A", &dos.Density{Energy: []float64{-2}, LnG: []float64{3}}}}, reference(t), 2, []string{"exact"}},
	} {
		figure, err := plots.LnG(c.curves, c.exact)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(figure) != c.panels {
			t.Errorf("%s: %d panels, want %d", name, len(figure), c.panels)
		}
		var svg, picture bytes.Buffer
		if err := figure.Encode(&svg, "a.svg"); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !bytes.Contains(svg.Bytes(), []byte(want)) {
				t.Errorf("%s: no %q in the plot", name, want)
			}
		}
		if bytes.Contains(svg.Bytes(), []byte("NaN")) {
			t.Errorf("%s: NaN in the plot", name)
		}
		if err := figure.Encode(&picture, "a.PNG"); err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(&picture); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var document bytes.Buffer
		if err := figure.Encode(&document, "a.pdf"); err != nil || !bytes.HasPrefix(document.Bytes(), []byte("%PDF-")) || !bytes.Contains(document.Bytes(), []byte("%%EOF")) {
			t.Errorf("%s: no PDF: %v", name, err)
		}
	}
}

// TestLnGOfASystem names the system in the title and draws energies per site, unless two densities
// are of different systems.
func TestLnGOfASystem(t *testing.T) {
	of := func(name string) *dos.Density {
		d := reference(t)
		d.Origin = &dos.Origin{System: dos.System{Name: name}, Sites: 16}
		return d
	}
	for _, c := range []struct {
		other *dos.Density
		title string
		axis  string
	}{
		{reference(t), "Density of states, potts q=10 4x4", "E / N"},
		{of("potts q=10 4x4"), "Density of states, potts q=10 4x4", "E / N"},
		{of("potts q=9 4x4"), "Densities of states", "E"},
	} {
		figure, err := plots.LnG([]plots.Curve{{"A", of("potts q=10 4x4")}, {"B", c.other}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var svg bytes.Buffer
		if err := figure.Encode(&svg, "a.svg"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{">" + c.title + "<", ">" + c.axis + "<"} {
			if !strings.Contains(svg.String(), want) {
				t.Errorf("no %q in the plot", want)
			}
		}
		if perSite := strings.Contains(svg.String(), ">-1.5<"); perSite != (c.axis == "E / N") {
			t.Errorf("%s: a tick at -1.5: %v", c.axis, perSite)
		}
	}
}

// TestTiles draws pictures of any shape in their places, large enough not to be smoothed, with labels.
func TestTiles(t *testing.T) {
	var all []plots.Tile
	for k, sides := range [][]int{{4, 4}, {16, 2}, {2, 16}, {3, 3, 3}, {5, 5}} {
		sites := 1
		for _, side := range sides {
			sites *= side
		}
		picture, err := plots.LatticePicture(make([]byte, sites), sides, 2)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, plots.Tile{Picture: picture, Label: "label " + string(rune('A'+k))})
	}
	var svg, dots bytes.Buffer
	figure := plots.Figure{plots.NewTiles("some states", all)}
	if err := figure.Encode(&svg, "a.svg"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(svg.String(), "<image"); n != len(all) {
		t.Errorf("%d pictures", n)
	}
	for _, want := range []string{"some states", "label A", "label E"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if err := figure.Encode(&dots, "a.png"); err != nil {
		t.Fatal(err)
	}
	// A square lattice is a square.
	picture, err := png.Decode(&dots)
	if err != nil {
		t.Fatal(err)
	}
	wide, high := 0, 0
	blue := func(x, y int) bool {
		r, g, b, _ := picture.At(x, y).RGBA()
		return r == 0 && g == 0 && b == 0x4444
	}
	size := picture.Bounds().Size()
	for y := range size.Y / 2 {
		n := 0
		for x := range size.X / 4 {
			if blue(x, y) {
				n++
			}
		}
		if wide = max(wide, n); n > 0 {
			high++
		}
	}
	if wide < 100 || math.Abs(float64(wide-high)) > 2 {
		t.Errorf("a square lattice is %d dots wide and %d high", wide, high)
	}
	if err := (plots.Figure{plots.NewTiles("", nil)}).Encode(io.Discard, "a.svg"); err != nil {
		t.Errorf("no pictures: %v", err)
	}
}

// TestMarkerAlone marks a place in a panel in which there is nothing else.
func TestMarkerAlone(t *testing.T) {
	p := plots.NewPanel("", "T", "m")
	p.Marker("the transition", 1.5)
	if err := (plots.Figure{p}).Encode(io.Discard, "a.png"); err != nil {
		t.Error(err)
	}
}

func TestLnGNamesTheFault(t *testing.T) {
	other := &dos.Density{Energy: []float64{-0.5}, LnG: []float64{0}}
	for _, exact := range []*dos.Density{nil, reference(t)} {
		_, err := plots.LnG([]plots.Curve{{"run A", reference(t)}, {"run B", other}}, exact)
		if err == nil || !strings.Contains(err.Error(), "run B") || !strings.Contains(err.Error(), "same system") {
			t.Errorf("another system: %v", err)
		}
	}
	if err := (plots.Figure{}).Encode(io.Discard, "a.gif"); err == nil || !strings.Contains(err.Error(), ".png, .svg or .pdf") {
		t.Errorf("a.gif: %v", err)
	}
}

func TestPanelDrawsWhatIsKnown(t *testing.T) {
	p := plots.NewPanel("title of the panel", "T", "U")
	half := plots.Series{{1, 2, 0.5}, {2, 3, math.NaN()}, {3, 4, 0.25}}
	p.Band(half, color.Black)
	p.Band(half.Errors(), color.Black) // has no errors
	p.Line("the line", half, color.Black, 1)
	p.Marker("the marker", 1.5)
	var svg bytes.Buffer
	if err := (plots.Figure{p}).Encode(&svg, "a.svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"title of the panel", "the line", "the marker"} {
		if !bytes.Contains(svg.Bytes(), []byte(want)) {
			t.Errorf("no %q in the plot", want)
		}
	}
	if bytes.Contains(svg.Bytes(), []byte("NaN")) {
		t.Error("NaN in the plot")
	}
	if want := (plots.Series{{1, 2, 0.5}, {3, 4, 0.25}}); !slices.Equal(half.Known(), want) {
		t.Errorf("known are %v, want %v", half.Known(), want)
	}
}

// TestInset draws a panel within another, with its own axes, and returns its fault.
func TestInset(t *testing.T) {
	spike := plots.Series{{0, 0, math.NaN()}, {500, 1, math.NaN()}, {1000, 0, math.NaN()}}
	draw := func(inner plots.Series) (string, error) {
		outer, inset := plots.NewPanel("", "T", "C"), plots.NewPanel("", "", "")
		outer.Line("", spike, color.Black, 1)
		inset.Line("", inner, color.Black, 1)
		outer.Inset(inset, true)
		var svg bytes.Buffer
		err := (plots.Figure{outer}).Encode(&svg, "a.svg")
		return svg.String(), err
	}
	svg, err := draw(plots.Series{{498, 0, math.NaN()}, {502, 1, math.NaN()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tick := range []string{">498<", ">800<"} {
		if !strings.Contains(svg, tick) {
			t.Errorf("no mark %s", tick)
		}
	}
	if _, err := draw(plots.Series{{1, math.NaN(), 0}}); err == nil {
		t.Error("the fault of an inset is not returned")
	}
}

func TestEncodeReturnsTheFaultOfAPanel(t *testing.T) {
	p := plots.NewPanel("", "T", "U")
	p.Line("", plots.Series{{1, math.Inf(1), 0}}, color.Black, 1)
	p.Points("", plots.Series{{1, 2, 0.5}}, color.Black)
	if err := (plots.Figure{p}).Encode(io.Discard, "a.png"); err == nil || !strings.Contains(err.Error(), "a.png") {
		t.Errorf("an infinite value: %v", err)
	}
}

// TestColoured draws points in the colours of their values, the least and the largest among them, and
// names each colour that is used once.
func TestColoured(t *testing.T) {
	var s plots.Series
	var values []float64
	for i := range 60 {
		s = append(s, plots.Point{X: float64(i % 7), Y: float64(i % 5)})
		values = append(values, float64(i))
	}
	p := plots.NewPanel("", "x", "y")
	p.Coloured(s, values, "v = %.1f")
	var svg bytes.Buffer
	if err := (plots.Figure{p}).Encode(&svg, "a.svg"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"v = 4.9", "v = 14.8", "v = 54.1", "#440154", "#FDE725"} {
		if n := strings.Count(svg.String(), text); n == 0 || strings.HasPrefix(text, "v") && n != 1 {
			t.Errorf("%s is drawn %d times", text, n)
		}
	}
	p = plots.NewPanel("", "x", "y")
	p.Coloured(s, make([]float64, len(s)), "all")
	p.Coloured(nil, nil, "none")
	if err := (plots.Figure{p}).Encode(&svg, "b.svg"); err != nil {
		t.Errorf("equal values: %v", err)
	}
}

// TestLogOfOneValue draws a logarithmic axis of which all values are alike.
func TestLogOfOneValue(t *testing.T) {
	for _, x := range []float64{1e-3, 0.1, 7} {
		p := plots.NewPanel("", "x", "y")
		p.LogY()
		p.Line("", plots.Series{{X: 0, Y: x}, {X: 1, Y: x}}, color.Black, 1)
		if err := (plots.Figure{p}).Encode(io.Discard, "figure.png"); err != nil {
			t.Errorf("%g: %v", x, err)
		}
	}
}
