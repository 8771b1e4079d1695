package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// TestSVGWidths writes texts of two sizes and reads back how wide each is to be shown.
func TestSVGWidths(t *testing.T) {
	c := newSVG(10*vg.Centimeter, 10*vg.Centimeter)
	type label struct {
		size vg.Length
		text string
	}
	labels := []label{{12, "Order <parameter> & more"}, {10, "0.8"}, {10, ""}, {10, "transition of the infinite lattice"}}
	var want []vg.Length
	for _, l := range labels {
		face := font.DefaultCache.Lookup(plot.DefaultFont, l.size)
		want = append(want, face.Width(l.text))
		c.FillString(face, vg.Point{X: 1, Y: 1}, l.text)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok || e.Name.Local != "text" {
			continue
		}
		got, style := 0., ""
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "textLength":
				if got, err = strconv.ParseFloat(a.Value, 64); err != nil {
					t.Fatal(err)
				}
			case "style":
				style = a.Value
			}
		}
		if w := want[seen].Points(); math.Abs(got-w) > 1e-3*w {
			t.Errorf("%q is to be %g wide, was laid out for %g", labels[seen].text, got, w)
		}
		if !strings.Contains(style, ",Times New Roman,") || !strings.Contains(style, ",serif;") {
			t.Errorf("%q has no other fonts: %s", labels[seen].text, style)
		}
		seen++
	}
	if seen != len(labels) {
		t.Errorf("%d texts of %d", seen, len(labels))
	}
}
