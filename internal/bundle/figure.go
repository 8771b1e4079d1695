package bundle

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"neuralwl/internal/plots"
)

// colours of sizes of the lattice. They can be told apart with colour blindness.
var colours = []color.RGBA{
	{R: 0x00, G: 0x5a, B: 0xb5, A: 0xff},
	{R: 0xe6, G: 0x92, B: 0x46, A: 0xff},
	{R: 0x00, G: 0x8f, B: 0x6b, A: 0xff},
	{R: 0x8a, G: 0x3f, B: 0x8f, A: 0xff},
}

// Figure draws what training has left: the loss per site over the gradient steps, by size of the
// lattice, with a running mean, and, by energy, the divergence of the proposals from the states of that energy, the
// share of proposals that hit their target, and the effective share of these.
func (d *Description) Figure() (plots.Figure, error) {
	var f plots.Figure
	title := fmt.Sprintf("%s version %d (%s, %v)", d.Card.Name, d.Card.Version, d.Card.Architecture, d.Card.System.System())
	if p := d.lossPanel(title); p != nil {
		f = append(f, p)
		title = ""
	}
	if len(d.Evaluation) > 0 {
		f = append(f, d.evaluationPanels(title)...)
	}
	if f == nil {
		return nil, fmt.Errorf("bundle %s: %w", d.Path, errNothing)
	}
	return f, nil
}

// lossPanel draws the loss over the steps, that of versions where there is no other record; nil
// without either.
func (d *Description) lossPanel(title string) *plots.Panel {
	var sizes []string
	bySize := map[string]plots.Series{}
	add := func(size string, step int64, loss float64) {
		if !slices.Contains(sizes, size) {
			sizes = append(sizes, size)
		}
		bySize[size] = append(bySize[size], plots.Point{X: float64(step), Y: loss / float64(sitesOf(size)), Error: math.NaN()})
	}
	for _, l := range d.Losses {
		if l.Loss != nil {
			add(l.Size, l.Step, *l.Loss)
		}
	}
	if len(d.Losses) == 0 {
		for _, v := range d.Versions {
			if v.Steps > 0 && v.Fault == "" {
				add(d.Card.System.System().Size(), v.Steps, v.Loss)
			}
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	p := plots.NewPanel(title, "gradient steps", "loss per site, nats")
	p.LegendRight()
	for i, size := range sizes {
		s, colour := bySize[size], colours[i%len(colours)]
		p.Points("", s, pale(colour))
		low, high := extent(s)
		p.IncludeY(high + 0.3*(high-low)) // room for the legend
		if mean := smoothed(s); len(mean) > 1 {
			p.Line(size, mean, colour, 1.5)
		}
	}
	return p
}

// pale is a colour with a third of its weight.
func pale(c color.RGBA) color.RGBA { return color.RGBA{R: c.R / 3, G: c.G / 3, B: c.B / 3, A: c.A / 3} }

func extent(s plots.Series) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range s {
		low, high = min(low, p.Y), max(high, p.Y)
	}
	return low, high
}

// smoothed is the mean over about a tenth of the steps around each.
func smoothed(s plots.Series) plots.Series {
	mean := make(plots.Series, len(s))
	for i, p := range s {
		half := min(len(s)/20, i, len(s)-1-i)
		sum := 0.0
		for _, near := range s[i-half : i+half+1] {
			sum += near.Y
		}
		mean[i] = plots.Point{X: p.X, Y: sum / float64(2*half+1), Error: math.NaN()}
	}
	return mean
}

// sitesOf is the number of sites of a size such as 8x8, 1 for what is no size.
func sitesOf(size string) int {
	sites, side := 1, 0
	for _, c := range size + "x" {
		switch {
		case c >= '0' && c <= '9' && side < 1<<20:
			side = 10*side + int(c-'0')
		case c == 'x' && side > 0:
			sites, side = sites*side, 0
		default:
			return 1
		}
	}
	return sites
}

func (d *Description) evaluationPanels(title string) []*plots.Panel {
	n := float64(d.Card.System.System().Sites())
	series := func(value func(Level) *float64) plots.Series {
		var s plots.Series
		for _, l := range d.Evaluation {
			if y := value(l); y != nil {
				s = append(s, plots.Point{X: l.Energy / n, Y: *y, Error: math.NaN()})
			}
		}
		return s
	}
	kl := plots.NewPanel(title, "", "divergence, nats")
	kl.Points("", series(func(l Level) *float64 { return l.KL }), colours[0])
	kl.IncludeY(0)
	share := plots.NewPanel("", "E / N", "share of proposals")
	share.Points("hit their target", series(func(l Level) *float64 { return l.HitRate }), colours[0])
	share.Points("effective", series(func(l Level) *float64 { return l.EffectiveShare }), colours[1])
	share.IncludeY(0, 1)
	share.LegendBottom()
	return []*plots.Panel{kl, share}
}
