package grafana

//lint:file-ignore SA1019 every version of Grafana reads the classic format from files; the new one is for version 12 and later

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"go.yaml.in/yaml/v3"
)

// read decodes a committed dashboard strictly: no field is unknown, of another type or missing.
func read(t *testing.T, path string) *dashboard.Dashboard {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := cog.NewRuntime()
	r.RegisterPanelcfgVariant(timeseries.VariantConfig())
	r.RegisterPanelcfgVariant(stat.VariantConfig())
	r.RegisterPanelcfgVariant(table.VariantConfig())
	r.RegisterDataqueryVariant(prometheus.VariantConfig())
	if err := strictly(text); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	d := &dashboard.Dashboard{}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// strictly decodes only to find faults: for want of them UnmarshalJSONStrict returns a list of errors
// that is empty and not nil, and leaves out what is within for that.
func strictly(text []byte) error {
	err := (&dashboard.Dashboard{}).UnmarshalJSONStrict(text)
	if list, ok := err.(cog.BuildErrors); ok && len(list) == 0 {
		return nil
	}
	return err
}

// TestStrictly finds faults at any depth.
func TestStrictly(t *testing.T) {
	text, err := os.ReadFile("run.json")
	if err != nil {
		t.Fatal(err)
	}
	read(t, "run.json")
	for name, change := range map[string][2]string{
		"an unknown field of a query": {`"expr":`, `"expression": 1, "expr":`},
		"a query without one":         {`"expr":`, `"legend":`},
		"a number for a text":         {`"titleFormat": "`, `"titleFormat": 5, "textFormat": "`},
		"an unknown option":           {`"graphMode":`, `"graph":`},
		"an unknown field":            {`"uid": "nwl-run"`, `"uid": "nwl-run", "uuid": ""`},
		"a custom field":              {`"lineWidth":`, `"lineThickness":`},
	} {
		changed := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, text) || strictly(changed) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// asked is an expression of a dashboard or an alert.
type asked struct {
	dashboard, panel string
	expr, legend     string
	instant          bool
}

// expressions are all those of a dashboard, of its annotations too.
func expressions(t *testing.T, d *dashboard.Dashboard) (all []asked) {
	t.Helper()
	for _, p := range d.Panels {
		if p.Panel == nil {
			continue
		}
		for _, target := range p.Panel.Targets {
			q, ok := target.(*prometheus.Dataquery)
			if !ok {
				t.Fatalf("%s: a query is %T", *p.Panel.Title, target)
			}
			if p.Panel.Title == nil || q.LegendFormat == nil {
				t.Fatalf("%s: a panel or a query without a name: %+v", *d.Title, q)
			}
			all = append(all, asked{*d.Title, *p.Panel.Title, q.Expr, *q.LegendFormat, q.Instant != nil && *q.Instant})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, asked{*d.Title, "marks: " + a.Name, *a.Expr, *a.TitleFormat, false})
	}
	return all
}

// rule is one of an alert.
type rule struct {
	Alert string
	Expr  string
	For   string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	decode(t, "../prometheus/alerts.yml", &file)
	return file.Groups[0].Rules
}

func decode(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestFiles finds the committed dashboards as they are generated, and each as Grafana can take it.
func TestFiles(t *testing.T) {
	uids := map[string]bool{}
	for _, f := range Files {
		want, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is generated (go generate ./metrics/grafana writes it): %v", f.Name, err)
		}
		d := read(t, f.Name)
		if uids[*d.Uid] {
			t.Errorf("%s has the uid of another dashboard", f.Name)
		}
		uids[*d.Uid] = true
		ids, taken := map[uint32]bool{}, map[[2]uint32]string{}
		for _, p := range d.Panels {
			var id uint32
			var title string
			var at dashboard.GridPos
			if p.Panel != nil {
				id, title, at = *p.Panel.Id, *p.Panel.Title, *p.Panel.GridPos
				refs := map[string]bool{}
				for _, target := range p.Panel.Targets {
					if ref := *target.(*prometheus.Dataquery).RefId; refs[ref] {
						t.Errorf("%s: %s has two queries %s", f.Name, title, ref)
					} else {
						refs[ref] = true
					}
				}
				if len(refs) == 0 || *p.Panel.Datasource.Uid != "${datasource}" {
					t.Errorf("%s: %s asks %d queries of %v", f.Name, title, len(refs), p.Panel.Datasource)
				}
			} else {
				id, title, at = p.RowPanel.Id, *p.RowPanel.Title, *p.RowPanel.GridPos
			}
			if ids[id] {
				t.Errorf("%s: %s has the number of another panel", f.Name, title)
			}
			ids[id] = true
			if at.X+at.W > 24 {
				t.Errorf("%s: %s does not fit", f.Name, title)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other, is := taken[[2]uint32{x, y}]; is {
						t.Fatalf("%s: %s lies over %s", f.Name, title, other)
					}
					taken[[2]uint32{x, y}] = title
				}
			}
		}
	}
}

// labels reads the metrics that there are, with their labels.
func labels(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate"}, "process_resident_memory_bytes": {}}
	for _, path := range []string{"../testdata/run.txt", "../testdata/daemon.txt"} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			var name, kind string
			fmt.Sscan(s.Text(), &name, &kind)
			_, list, _ := strings.Cut(strings.TrimSuffix(s.Text(), "]"), "[")
			names := strings.Fields(list)
			if kind != "histogram" {
				all[name] = names
				continue
			}
			all[name+"_sum"], all[name+"_count"], all[name+"_bucket"] = names, names, append(names, "le")
		}
	}
	return all
}

var (
	metricNames = regexp.MustCompile(`\b(?:nwl_\w+|process_\w+|up|ALERTS)\b`)
	legendNames = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
	labelNames  = regexp.MustCompile(`(\w+)(?:=~?|!=|!~)"`)
)

// TestExpressions asks only for metrics and labels that there are, and shows most of them.
func TestExpressions(t *testing.T) {
	there := labels(t)
	used := map[string]bool{}
	check := func(a asked) {
		var known []string
		for _, name := range metricNames.FindAllString(a.expr, -1) {
			names, ok := there[name]
			if !ok {
				t.Errorf("%s, %s: there is no metric %s", a.dashboard, a.panel, name)
			}
			known = append(known, append(names, "job", "instance", "process")...)
			used[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")] = true
		}
		for _, found := range append(legendNames.FindAllStringSubmatch(a.legend, -1), labelNames.FindAllStringSubmatch(a.expr, -1)...) {
			if !slices.Contains(known, found[1]) {
				t.Errorf("%s, %s: no metric of %s has a label %s", a.dashboard, a.panel, a.expr, found[1])
			}
		}
	}
	for _, f := range Files {
		for _, a := range expressions(t, read(t, f.Name)) {
			check(a)
		}
	}
	for _, r := range rules(t) {
		check(asked{dashboard: "alerts", panel: r.Alert, expr: r.Expr})
	}
	for name := range there {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if !used[name] && !slices.Contains(unshown, name) {
			t.Errorf("no dashboard shows %s, and no alert looks at it", name)
		}
	}
}

// unshown are metrics for people who look for something.
var unshown = []string{"nwl_run_began_timestamp_seconds", "nwl_group_runs", "nwl_onnxruntime_sessions", "nwl_onnxruntime_tensors"}

// TestAlerts has a test of every alert that sees it fire, and one that sees it quiet.
func TestAlerts(t *testing.T) {
	var file struct {
		Tests []struct {
			Tests []struct {
				Alert  string `yaml:"alertname"`
				Expect []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	decode(t, "../prometheus/alerts_test.yml", &file)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, group := range file.Tests {
		for _, one := range group.Tests {
			fires[one.Alert] = fires[one.Alert] || len(one.Expect) > 0
			quiet[one.Alert] = quiet[one.Alert] || len(one.Expect) == 0
		}
	}
	for _, r := range rules(t) {
		if !fires[r.Alert] || !quiet[r.Alert] || r.For == "" && !strings.Contains(r.Expr, "increase") {
			t.Errorf("%s: tested to fire %t, to be quiet %t, for %q", r.Alert, fires[r.Alert], quiet[r.Alert], r.For)
		}
	}
}
