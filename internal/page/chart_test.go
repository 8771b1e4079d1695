package page

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// wellFormed checks a drawing as a reader of XML would.
func wellFormed(t *testing.T, c *chart) string {
	t.Helper()
	text := string(c.SVG())
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v:\n%s", c.Name, err, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("%s: not a number:\n%s", c.Name, text)
	}
	return text
}

func TestChart(t *testing.T) {
	nan := math.NaN()
	c := &chart{Name: "a", Title: "A <b> & c", X: axis{Label: "x"}, Y: axis{Label: "y"},
		Curves: []curve{
			{Name: "exact", Colour: exactColour, X: []float64{0, 1, 2}, Y: []float64{1, 2, 3}},
			{Name: "with a gap", X: []float64{0, 1, 2, 3, 4}, Y: []float64{1, 2, nan, 4, 5}, Low: []float64{0, 1, nan, 3, 4}, High: []float64{2, 3, nan, 5, 6}},
		},
		Marks: []mark{{1, "began"}, {99, "out of sight"}}}
	text := wellFormed(t, c)
	for want, n := range map[string]int{`class="line exact"`: 1, `class="band c0"`: 1, `class="mark"`: 1, "began": 1, "out of sight": 0, "A &lt;b&gt; &amp; c": 1} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%d times %s, want %d:\n%s", got, want, n, text)
		}
	}
	// The gap divides the line.
	line := text[strings.LastIndex(text, `class="line c0"`):]
	if strings.Count(line, "M") != 2 || strings.Count(line, "L") != 2 {
		t.Errorf("the gap: %s", line)
	}
	for name, c := range map[string]*chart{
		"nothing":     {},
		"all unknown": {Curves: []curve{{X: []float64{1}, Y: []float64{nan}}}},
		"below a log": {Y: axis{Log: true}, Curves: []curve{{X: []float64{1, 2}, Y: []float64{0, -1}}}},
	} {
		if text := c.SVG(); text != "" || !c.empty() {
			t.Errorf("%s: %s", name, text)
		}
	}
	for name, y := range map[string][]float64{"a single value": {3, 3, 3}, "huge": {1e300, -1e300, 2}, "tiny": {1e-12, 2e-12, 3e-12}, "zero": {0, 0, 0}} {
		wellFormed(t, &chart{Name: name, Curves: []curve{{X: []float64{1, 2, 3}, Y: y}}})
		wellFormed(t, &chart{Name: name + ", log", Y: axis{Log: true}, Curves: []curve{{X: []float64{1, 2, 3}, Y: y}}})
	}
	if text := wellFormed(t, &chart{Curves: []curve{{X: []float64{1}, Y: []float64{2}}}}); !strings.Contains(text, `class="points c0"`) {
		t.Errorf("a single point cannot be seen: %s", text)
	}
}

// TestThinned bounds what is sent of however many points.
func TestThinned(t *testing.T) {
	long := func(n int, shift float64) (x, y []float64) {
		for i := range n {
			x, y = append(x, float64(i)+shift), append(y, math.Sin(float64(i)))
		}
		return x, y
	}
	x, y := long(100000, 0)
	other, z := long(70000, 0.5)
	c := &chart{Name: "long", Curves: []curve{{Name: "a", X: x, Y: y, Low: y, High: y}, {Name: "b", X: x, Y: y}, {Name: "c", X: other, Y: z}}}
	data, err := c.json()
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		At     []float64
		Curves []struct{ Values, Low, High []*float64 }
	}
	if err := json.Unmarshal(data, &sent); err != nil {
		t.Fatal(err)
	}
	if n := len(sent.At); n > mostPoints || n < mostPoints*9/10 {
		t.Errorf("%d points are sent, at most %d may be", n, mostPoints)
	}
	if last := sent.At[len(sent.At)-1]; last != x[len(x)-1] {
		t.Errorf("the last point is at %v", last)
	}
	for _, k := range sent.Curves {
		if len(k.Values) != len(sent.At) {
			t.Errorf("a column of %d for %d X", len(k.Values), len(sent.At))
		}
	}
	for i, v := range sent.Curves[0].Values {
		if w := sent.Curves[1].Values[i]; (v == nil) != (w == nil) {
			t.Fatal("curves with the same X keep different ones")
		}
	}
	if text := wellFormed(t, c); len(text) > 40e3 {
		t.Errorf("the drawing has %d bytes", len(text))
	}
	if len(c.Curves[0].X) != 100000 {
		t.Error("the chart itself was thinned")
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		log       bool
		want      string
	}{
		{0, 10, false, "0 2 4 6 8 10"},
		{-50, 0, false, "−50 −40 −30 −20 −10 0"},
		{0, 0.3, false, "0 0.1 0.2 0.3"},
		{0, 14000, false, "0 5000 10000"},
		{1e-6, 1, true, "1e-6 1e-4 1e-2 1e0"},
		{1, 5, true, "1 2 3 4 5"},
	} {
		_, labels := newView(c.low, c.high, c.log, false).ticks(5)
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}
