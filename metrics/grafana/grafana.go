// Package grafana makes the dashboards in its folder, which Grafana reads as JSON. The program
// itself does not use it. After a change, go generate ./metrics/grafana writes them again.
package grafana

//lint:file-ignore SA1019 every version of Grafana reads the classic format from files; the new one is for version 12 and later

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

//go:generate go run ./generate

// File is a dashboard as a file.
type File struct {
	Name string
	make func() *page
}

// Files are all dashboards.
var Files = []File{{"overview.json", overview}, {"run.json", run}, {"architectures.json", architectures}}

// JSON is the dashboard as Grafana reads it.
func (f File) JSON() ([]byte, error) {
	d, err := f.make().Build()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

// page is a dashboard that grows by rows and panels, with numbers for its panels.
type page struct {
	*dashboard.DashboardBuilder
	panels uint32
}

// panel is one as far as they differ here.
type panel struct {
	title, about string
	unit         string // of Grafana, empty for a plain number
	width        uint32 // of 24
	queries      []query
	log          bool     // logarithmic axis
	stacked      bool     // areas on top of each other
	most         *float64 // upper end of the axis, nil for that of the data
}

// query asks Prometheus. The legend may name labels, as {{run}}.
type query struct{ expr, legend string }

func show(width uint32, title, about, unit string, queries ...query) panel {
	return panel{title: title, about: about, unit: unit, width: width, queries: queries}
}

func (g panel) onLog() panel {
	g.log = true
	return g
}

func (g panel) stack() panel {
	g.stacked = true
	return g
}

// share gives the axis of a share its upper end.
func (g panel) share() panel {
	g.most = cog.ToPtr(1.0)
	return g
}

// source is the data source that the user chooses.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// step is the time between two points of annotations; a change is marked once.
const step = "15s"

func newPage(uid, title, about string, variables ...cog.Builder[dashboard.VariableModel]) *page {
	p := &page{DashboardBuilder: dashboard.NewDashboardBuilder(title).
		Uid(uid).Description(about).Tags([]string{"neuralwl"}).Editable().Refresh("15s").Time("now-1h", "now").Timezone("browser").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(plainly(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"), ofOthers)).
		Link(dashboard.NewDashboardLinkBuilder("neuralwl").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"neuralwl"}).KeepTime(true))}
	for _, v := range variables {
		p.WithVariable(v)
	}
	return p
}

// variable is one with the values of a label; multiple ones are all at first.
func variable(name, label, series string, multiple bool) cog.Builder[dashboard.VariableModel] {
	text := "label_values(" + series + ", " + name + ")"
	v := dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": text, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1, "label": name, "metric": series}}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
	if multiple {
		v.Multi(true).IncludeAll(true).AllValue(".+").Current(dashboard.VariableOption{
			Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
	}
	return plainly(v, ofOthers)
}

// ofOthers takes from a variable what the SDK adds for intervals.
func ofOthers(v *dashboard.VariableModel) { v.Auto, v.AutoMin, v.AutoCount = nil, nil, nil }

// footless takes the footer from a table, which has none and of which Grafana's own types say nothing.
func footless(p *dashboard.Panel) { p.Options.(*table.Options).Footer = nil }

// changed is a builder whose product is changed at last.
type changed[T any] struct {
	cog.Builder[T]
	by func(*T)
}

func plainly[T any](b cog.Builder[T], by func(*T)) cog.Builder[T] { return changed[T]{b, by} }

// Build makes the product.
func (c changed[T]) Build() (T, error) {
	product, err := c.Builder.Build()
	if err == nil {
		c.by(&product)
	}
	return product, err
}

// mark draws a line where an expression has a value.
func (p *page) mark(name, colour, expr, title string) {
	p.Annotation(dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(source).Enable(true).IconColor(colour).
		Expr(expr).Step(step).TitleFormat(title).TagKeys("run"))
}

// id is the number of the next panel.
func (p *page) id() uint32 {
	p.panels++
	return p.panels
}

func (p *page) row(title string) { p.WithRow(dashboard.NewRowBuilder(title).Id(p.id())) }

// dataQuery asks for one query of a panel; at says that the present value is enough.
func (q query) dataQuery(number int, at bool, format prometheus.PromQueryFormat) cog.Builder[variants.Dataquery] {
	b := prometheus.NewDataqueryBuilder().Datasource(source).RefId(string(rune('A' + number))).Expr(q.expr).LegendFormat(q.legend).
		EditorMode(prometheus.QueryEditorModeCode).Format(format)
	if at {
		return b.Instant()
	}
	return b.Range()
}

func tooltip() cog.Builder[common.VizTooltipOptions] {
	return common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)
}

// graph adds a panel of curves over time.
func (p *page) graph(g panel) {
	b := timeseries.NewPanelBuilder().Id(p.id()).Title(g.title).Description(g.about).Datasource(source).Unit(g.unit).Height(8).Span(g.width).
		LineWidth(1).FillOpacity(0).ShowPoints(common.VisibilityModeNever).SpanNulls(common.BoolOrFloat64{Bool: cog.ToPtr(false)}).
		Tooltip(tooltip()).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true).Calcs([]string{}))
	switch {
	case g.log:
		b.ScaleDistribution(common.NewScaleDistributionConfigBuilder().Type(common.ScaleDistributionLog).Log(10))
	default:
		b.Min(0)
	}
	if g.most != nil {
		b.Max(*g.most)
	}
	if g.stacked {
		b.FillOpacity(30).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
	}
	for i, q := range g.queries {
		b.WithTarget(q.dataQuery(i, false, prometheus.PromQueryFormatTimeSeries))
	}
	p.WithPanel(b)
}

// number adds a panel of a single number, or of some.
func (p *page) number(g panel) {
	b := stat.NewPanelBuilder().Id(p.id()).Title(g.title).Description(g.about).Datasource(source).Unit(g.unit).Height(4).Span(g.width).
		Orientation(common.VizOrientationAuto).GraphMode(common.BigValueGraphModeNone).ColorMode(common.BigValueColorModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Values(false))
	if g.unit == asText {
		b.Unit("").TextMode(common.BigValueTextModeName)
	}
	for i, q := range g.queries {
		b.WithTarget(q.dataQuery(i, true, prometheus.PromQueryFormatTimeSeries))
	}
	p.WithPanel(b)
}

// asText is the unit of numbers whose legend is the message.
const asText = "text"

// list adds a table with a row for each value of a label. The legends of its queries are the
// headings of their columns; a query without one adds its labels.
func (p *page) list(g panel, label string, hidden ...string) {
	b := table.NewPanelBuilder().Id(p.id()).Title(g.title).Description(g.about).Datasource(source).Height(10).Span(g.width).ShowHeader(true)
	names, exclude := map[string]string{}, map[string]bool{"Time": true}
	for _, h := range append(hidden, "job", "instance", "__name__") {
		exclude[h] = true
		for n := range 9 { // as joining names labels that several queries have
			exclude[h+" "+string(rune('1'+n))] = true
		}
	}
	for n := range 9 {
		exclude["Time "+string(rune('1'+n))] = true
	}
	for i, q := range g.queries {
		b.WithTarget(q.dataQuery(i, true, prometheus.PromQueryFormatTable))
		value := "Value #" + string(rune('A'+i))
		if q.legend == "" {
			exclude[value] = true
			continue
		}
		names[value] = q.legend
	}
	b.WithTransformation(dashboard.DataTransformerConfig{Id: "joinByField", Options: map[string]any{"byField": label, "mode": "outer"}})
	b.WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"excludeByName": exclude, "renameByName": names, "indexByName": map[string]int{label: 0}}})
	p.WithPanel(plainly(b, footless))
}
