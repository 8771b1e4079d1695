package grafana

//lint:file-ignore SA1019 see grafana.go

import (
	"fmt"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Measures of a picture: a column and a row of Grafana's grid.
const (
	column  = 0.95 * vg.Centimeter
	gridRow = 0.62 * vg.Centimeter
	margin  = 2 * vg.Millimeter
)

var (
	ink     = color.Gray{Y: 0x22}
	pale    = color.Gray{Y: 0xd8}
	colours = []color.Color{
		color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff}, color.RGBA{0xcc, 0x79, 0xa7, 0xff},
		color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff}, color.RGBA{0x66, 0x66, 0x66, 0xff}, color.RGBA{0x00, 0x00, 0x00, 0xff},
	}
)

// picture is a dashboard being drawn.
type picture struct {
	p        *server
	c        draw.Canvas
	from, to time.Time
	marks    []mark
}

// mark is a vertical line at a time, in seconds from the beginning.
type mark struct {
	at   float64
	text string
}

// draw draws what Prometheus answers to a dashboard, where its panels lie.
func (p *server) draw(d *dashboard.Dashboard, path string, from, to time.Time) {
	p.t.Helper()
	rows := uint32(0)
	for _, panel := range d.Panels {
		if panel.Panel != nil {
			rows = max(rows, panel.Panel.GridPos.Y+panel.Panel.GridPos.H)
		}
	}
	const head = 1.4 * vg.Centimeter
	canvas := vgimg.NewWith(vgimg.UseWH(24*column, vg.Length(rows)*gridRow+head), vgimg.UseDPI(96))
	c := draw.New(canvas)
	a := &picture{p: p, c: c, from: from, to: to}
	for _, annotation := range d.Annotations.List {
		of := asked{legend: *annotation.TitleFormat}
		for _, s := range p.values(variables.Replace(*annotation.Expr), false, from, to) {
			for _, point := range s.points {
				a.marks = append(a.marks, mark{point[0] - float64(from.Unix()), of.named(s.labels)})
			}
		}
	}
	a.text(c.Rectangle.Min.X+margin, c.Max.Y-0.6*vg.Centimeter, 14, *d.Title)
	a.text(c.Rectangle.Min.X+margin, c.Max.Y-1.1*vg.Centimeter, 9,
		"Drawn by make grafana-docs from Prometheus' answers to the dashboard's expressions; not a picture of Grafana. Dashed: changes of phase and exchanges of networks.")
	for _, panel := range d.Panels {
		var at *dashboard.GridPos
		if panel.Panel != nil {
			at = panel.Panel.GridPos
		} else {
			at = panel.RowPanel.GridPos
		}
		top := c.Max.Y - head - vg.Length(at.Y)*gridRow
		box := draw.Crop(c, 0, 0, 0, 0)
		box.Min.X, box.Max.X = c.Min.X+vg.Length(at.X)*column+margin/2, c.Min.X+vg.Length(at.X+at.W)*column-margin/2
		box.Min.Y, box.Max.Y = top-vg.Length(at.H)*gridRow+margin/2, top-margin/2
		switch {
		case panel.Panel == nil:
			a.text(box.Min.X, box.Min.Y+margin/2, 11, *panel.RowPanel.Title)
		case panel.Panel.Type == "timeseries":
			a.frame(box)
			a.graph(box, panel.Panel)
		case panel.Panel.Type == "stat":
			a.frame(box)
			a.number(box, panel.Panel)
		default:
			a.frame(box)
			a.list(box, panel.Panel)
		}
	}
	f, err := os.Create(path)
	if err == nil {
		if err = png.Encode(f, canvas.Image()); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (a *picture) frame(c draw.Canvas) {
	c.StrokeLines(draw.LineStyle{Color: pale, Width: vg.Points(0.7)}, []vg.Point{
		c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min,
	})
}

func style(size float64) text.Style {
	return text.Style{Color: ink, Font: font.From(plot.DefaultFont, vg.Points(size)), Handler: plot.DefaultTextHandler, YAlign: draw.YBottom}
}

func (a *picture) text(x, y vg.Length, size float64, line string) {
	a.c.FillText(style(size), vg.Point{X: x, Y: y}, line)
}

// asks are the expressions of a panel.
func asks(p *dashboard.Panel) (all []asked) {
	for _, target := range p.Targets {
		q := target.(*prometheus.Dataquery)
		all = append(all, asked{expr: q.Expr, legend: *q.LegendFormat, instant: q.Instant != nil && *q.Instant})
	}
	return all
}

// shown is the unit in which a panel shows its numbers, and how many of it one is.
func shown(p *dashboard.Panel) (unit string, factor float64) {
	if p.FieldConfig != nil && p.FieldConfig.Defaults.Unit != nil {
		unit = *p.FieldConfig.Defaults.Unit
	}
	switch unit {
	case "percentunit":
		return "%", 100
	case "bytes":
		return "MiB", 1.0 / (1 << 20)
	case "reqps":
		return "", 1
	}
	return unit, 1
}

// value is a number in the unit of a panel.
func value(p *dashboard.Panel, x float64) string {
	unit, factor := shown(p)
	return strings.TrimSpace(fmt.Sprintf("%.4g %s", factor*x, unit))
}

// number draws a stat: its value, or the legend where that is the message.
func (a *picture) number(c draw.Canvas, p *dashboard.Panel) {
	a.text(c.Min.X+margin, c.Max.Y-0.5*vg.Centimeter, 9, *p.Title)
	named := p.Options.(*stat.Options).TextMode == common.BigValueTextModeName
	var lines []string
	for _, q := range asks(p) {
		all := a.p.values(variables.Replace(q.expr), true, a.from, a.to)
		for _, s := range all {
			line := value(p, s.points[len(s.points)-1][1])
			switch {
			case named:
				line = q.named(s.labels)
			case len(all) > 1:
				line = q.named(s.labels) + ": " + line
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	line := strings.Join(lines, ", ")
	size := 15.0
	for style(size).Width(line) > c.Max.X-c.Min.X-2*margin && size > 5 {
		size--
	}
	a.text(c.Min.X+margin, c.Min.Y+0.6*vg.Centimeter, size, line)
}

// graph draws curves over the time since the beginning, with the marks.
func (a *picture) graph(c draw.Canvas, p *dashboard.Panel) {
	l := plot.New()
	unit, factor := shown(p)
	l.Title.Text = *p.Title
	if unit != "" {
		l.Title.Text += ", " + unit
	}
	l.Title.TextStyle.Font.Size = vg.Points(9)
	for _, axis := range []*plot.Axis{&l.X, &l.Y} {
		axis.Tick.Label.Font.Size = vg.Points(7)
		axis.Label.TextStyle.Font.Size = vg.Points(7)
	}
	l.X.Label.Text = "seconds"
	l.Legend.TextStyle.Font.Size, l.Legend.Top, l.Legend.ThumbnailWidth = vg.Points(7), true, vg.Points(10)
	onLog := p.FieldConfig.Defaults.Custom.(*timeseries.FieldConfig).ScaleDistribution != nil
	n := 0
	low, high := 0.0, 0.0
	for _, q := range asks(p) {
		for _, s := range a.p.values(variables.Replace(q.expr), q.instant, a.from, a.to) {
			var points plotter.XYs
			for _, point := range s.points {
				if x := factor * point[1]; !onLog || x > 0 {
					points = append(points, plotter.XY{X: point[0] - float64(a.from.Unix()), Y: x})
					if n == 0 && len(points) == 1 {
						low, high = x, x
					}
					low, high = min(low, x), max(high, x)
				}
			}
			if len(points) == 0 {
				continue
			}
			line, err := plotter.NewLine(points)
			if err != nil {
				a.p.t.Fatal(err)
			}
			line.Color, line.Width = colours[n%len(colours)], vg.Points(1.2)
			l.Add(line)
			if n < 9 {
				l.Legend.Add(q.named(s.labels), line)
			}
			n++
		}
	}
	// Room for the legend above the curves.
	room := 0.09 * float64(min(n, 9))
	if onLog && low > 0 && high > 1.01*low {
		l.Y.Scale, l.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
		l.Y.Max = high * math.Pow(high/low, room)
	} else {
		l.Y.Min = min(0, low)
		if high <= l.Y.Min {
			high = l.Y.Min + 1
		}
		l.Y.Max = high + room*(high-l.Y.Min)
	}
	l.X.Min, l.X.Max = 0, a.to.Sub(a.from).Seconds()
	for _, m := range a.marks {
		line, err := plotter.NewLine(plotter.XYs{{X: m.at, Y: l.Y.Min}, {X: m.at, Y: l.Y.Max}})
		if err != nil {
			a.p.t.Fatal(err)
		}
		line.Color, line.Dashes = color.Gray{Y: 0x99}, []vg.Length{vg.Points(2), vg.Points(2)}
		l.Add(line)
	}
	l.Draw(draw.Crop(c, margin/2, -margin, margin/2, -margin/2))
}

// logTicks labels 1, 2 and 5 times powers of ten, or only these where there are many.
func logTicks(low, high float64) (marks []plot.Tick) {
	factors := []float64{1, 2, 5}
	if high > 100*low {
		factors = factors[:1]
	}
	for k := math.Floor(math.Log10(low)); k <= math.Ceil(math.Log10(high)); k++ {
		for _, factor := range factors {
			if x := factor * math.Pow(10, k); x >= low && x <= high {
				marks = append(marks, plot.Tick{Value: x, Label: fmt.Sprintf("%.3g", x)})
			}
		}
	}
	return marks
}

// list draws a table: a line for each run.
func (a *picture) list(c draw.Canvas, p *dashboard.Panel) {
	a.text(c.Min.X+margin, c.Max.Y-0.5*vg.Centimeter, 9, *p.Title)
	cells, headings := map[string]map[string]string{}, []string{"run"}
	put := func(run, heading, text string) {
		if cells[run] == nil {
			cells[run] = map[string]string{"run": run}
		}
		if !slices.Contains(headings, heading) {
			headings = append(headings, heading)
		}
		cells[run][heading] = text
	}
	for _, q := range asks(p) {
		for _, s := range a.p.values(variables.Replace(q.expr), true, a.from, a.to) {
			if q.legend != "" {
				put(s.labels["run"], q.legend, fmt.Sprintf("%.4g", s.points[len(s.points)-1][1]))
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(s.labels)) {
				if name != "run" {
					put(s.labels["run"], name, s.labels[name])
				}
			}
		}
	}
	width := (c.Max.X - c.Min.X - 2*margin) / vg.Length(len(headings))
	y := c.Max.Y - 1.2*vg.Centimeter
	for i, heading := range headings {
		a.text(c.Min.X+margin+vg.Length(i)*width, y, 7, heading)
	}
	for _, run := range slices.Sorted(maps.Keys(cells)) {
		y -= 0.55 * vg.Centimeter
		for i, heading := range headings {
			a.text(c.Min.X+margin+vg.Length(i)*width, y, 7, cells[run][heading])
		}
	}
}
