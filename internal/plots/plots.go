// Package plots draws densities of states and derived quantities as PNG, SVG and PDF.
package plots

import (
	"fmt"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
)

const (
	width       = 17 * vg.Centimeter
	panelHeight = 8 * vg.Centimeter
	lowHeight   = 5.5 * vg.Centimeter // of a panel in a column of more than two
	resolution  = 144                 // dots per inch of PNG
)

// Figure is a column of panels with aligned axes.
type Figure []*Panel

// CheckPath returns an error unless path has the extension of a format known to Encode.
func CheckPath(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png", ".svg", ".pdf":
		return nil
	}
	return fmt.Errorf("file %q: the name of a plot must end in .png, .svg or .pdf", path)
}

// Encode draws the figure to w in the format given by the extension of path. It also
// returns an error if something could not be drawn in a panel.
func (f Figure) Encode(w io.Writer, path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	for _, p := range f {
		if p.err != nil {
			return fmt.Errorf("plot %s: %w", path, p.err)
		}
	}
	height := vg.Length(len(f)) * panelHeight
	if len(f) > 2 {
		height = vg.Length(len(f)) * lowHeight
	}
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".svg":
		canvas := newSVG(width, height)
		f.draw(draw.New(canvas))
		_, err = canvas.WriteTo(w)
	case ".pdf":
		canvas := vgpdf.New(width, height)
		canvas.EmbedFonts(true)
		f.draw(draw.New(canvas))
		_, err = canvas.WriteTo(w)
	default:
		canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(resolution))
		f.draw(draw.New(canvas))
		// Better compression takes longer and saves a per cent.
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, canvas.Image())
	}
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	return nil
}

func (f Figure) draw(c draw.Canvas) {
	column := make([][]*plot.Plot, len(f))
	for i, p := range f {
		p.widen()
		column[i] = []*plot.Plot{p.plot}
	}
	const margin = 3 * vg.Millimeter
	tiles := draw.Tiles{Rows: len(f), Cols: 1, PadX: margin, PadY: margin,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin}
	for i, row := range plot.Align(column, tiles, c) {
		f[i].plot.Draw(row[0])
		if f[i].inset != nil {
			f[i].drawInset(row[0])
		}
	}
}
