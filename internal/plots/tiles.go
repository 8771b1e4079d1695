package plots

import (
	"image"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Tile is a picture with what is written below it.
type Tile struct {
	Picture image.Image
	Label   string
}

// NewTiles returns a panel without axes, of pictures side by side in two rows, four in each.
func NewTiles(title string, all []Tile) *Panel {
	p := NewPanel(title, "", "")
	p.plot.HideAxes()
	p.plot.Add(tiles{all, p.plot.X.Tick.Label})
	return p
}

// tiles draws them.
type tiles struct {
	all   []Tile
	style draw.TextStyle
}

const (
	tilesPerRow = 4
	// dotsPerTile is how many dots the longer side of a small picture is to have: it is enlarged by
	// a whole number, since viewers smooth what they enlarge.
	dotsPerTile = 256
)

// Plot fits every picture into its place without distorting it.
func (t tiles) Plot(c draw.Canvas, _ *plot.Plot) {
	rows := (len(t.all) + tilesPerRow - 1) / tilesPerRow
	if rows == 0 {
		return
	}
	const gap, text = 3 * vg.Millimeter, 6 * vg.Millimeter
	width := (c.Max.X-c.Min.X)/tilesPerRow - gap
	height := (c.Max.Y-c.Min.Y)/vg.Length(rows) - text - gap
	for k, tile := range t.all {
		size := tile.Picture.Bounds().Size()
		w, h := width, width*vg.Length(size.Y)/vg.Length(size.X)
		if h > height {
			w, h = height*vg.Length(size.X)/vg.Length(size.Y), height
		}
		middle := c.Min.X + (vg.Length(k%tilesPerRow)+0.5)*(width+gap)
		top := c.Max.Y - vg.Length(k/tilesPerRow)*(height+text+gap)
		c.DrawImage(vg.Rectangle{Min: vg.Point{X: middle - w/2, Y: top - h}, Max: vg.Point{X: middle + w/2, Y: top}}, enlarged(tile.Picture))
		style := t.style
		style.XAlign, style.YAlign = draw.XCenter, draw.YTop
		c.FillText(style, vg.Point{X: middle, Y: top - h - vg.Millimeter}, tile.Label)
	}
}

// enlarged repeats every dot of a small picture.
func enlarged(p image.Image) image.Image {
	size := p.Bounds().Size()
	factor := max(1, dotsPerTile/max(size.X, size.Y))
	big := image.NewNRGBA(image.Rect(0, 0, size.X*factor, size.Y*factor))
	for y := range size.Y * factor {
		for x := range size.X * factor {
			big.Set(x, y, p.At(p.Bounds().Min.X+x/factor, p.Bounds().Min.Y+y/factor))
		}
	}
	return big
}
