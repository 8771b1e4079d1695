package plots

import (
	"bytes"
	"fmt"
	"io"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// svgCanvas is a canvas of SVG whose texts are as wide as they were laid out, whatever fonts there are
// where it is shown: Liberation Serif, by which they were, comes with few systems.
type svgCanvas struct {
	*vgsvg.Canvas
	widths []vg.Length // of the texts, in their order
}

func newSVG(width, height vg.Length) *svgCanvas {
	return &svgCanvas{Canvas: vgsvg.New(width, height)}
}

// FillString writes a text.
func (c *svgCanvas) FillString(face font.Face, at vg.Point, text string) {
	c.widths = append(c.widths, face.Width(text))
	c.Canvas.FillString(face, at, text)
}

// families are fonts of the same widths on other systems, and what is left.
var (
	family   = []byte("font-family:Liberation Serif;")
	families = []byte("font-family:Liberation Serif,Times New Roman,Nimbus Roman,Tinos,serif;")
)

// WriteTo writes the file.
func (c *svgCanvas) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	if _, err := c.Canvas.WriteTo(&b); err != nil {
		return 0, err
	}
	const text = "<text " // which no label has in it, as < is escaped there
	var fitted bytes.Buffer
	for i, part := range bytes.Split(b.Bytes(), []byte(text)) {
		if i > 0 {
			fitted.WriteString(text)
			if width := c.widths[i-1]; width > 0 {
				fmt.Fprintf(&fitted, `textLength="%.4g" lengthAdjust="spacingAndGlyphs" `, width.Points())
			}
		}
		fitted.Write(bytes.ReplaceAll(part, family, families))
	}
	return fitted.WriteTo(w)
}
