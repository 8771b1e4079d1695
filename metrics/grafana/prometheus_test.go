package grafana

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	prometheusFolder = flag.String("prometheus", "", "folder with the programs prometheus and promtool, for TestPrometheus")
	nwl              = flag.String("nwl", "", "the program nwl, for TestPrometheus")
	write            = flag.String("write", "", "folder for what TestPrometheus has seen: a table and pictures")
)

// scrapes is the time between two scrapes of the test, and window stands for the time that Grafana
// would take for rates.
const (
	scrapes = time.Second
	window  = "10s"
)

// explained are the expressions that have no answer once all runs have ended, and why.
var explained = map[string]string{
	"max by (run) (nwl_phase_left_seconds)": "nothing: all runs have ended",
}

// firing are the alerts that are to fire in the test; all others are to have nothing to say.
var firing = map[string]bool{"NwlSwapFailed": true}

// TestPrometheus has a real Prometheus watch a daemon with real runs: one whose network is trained
// and exchanged, one with another architecture and one with local moves alone. Every expression of
// every panel and alert is asked for.
func TestPrometheus(t *testing.T) {
	if *prometheusFolder == "" || *nwl == "" {
		t.Skip("SKIPPED: it needs a Prometheus and the program; make grafana-test fetches one and runs it")
	}
	d := startDaemon(t)
	p := startPrometheus(t, d)
	began := time.Now()
	common := []string{"system.size=5x5", "run.walkers=64", "trainer.export_every=200", "checkpoint.interval=2s"}
	d.submit("autoencoder", append(common, "run.max_time=40s", "wang_landau.final_ln_f=1e-12", "windows.count=2", "trainer.batch=64")...)
	d.submit("made", append(common, "run.max_time=25s", "wang_landau.final_ln_f=1e-12", "model.architecture=made", "trainer.batch=64")...)
	d.submit("local", append(common, "run.moves=local", "run.max_time=15s", "wang_landau.final_ln_f=1e-9")...)
	d.submit("waits", "run.moves=local", "system.q=3", "system.size=4x4", "wang_landau.final_ln_f=1e-3", "production.passes=200", "run.walkers=32")
	alone := startRun(t, append(common, "run.max_time=25s", "wang_landau.final_ln_f=1e-12", "model.architecture=made", "trainer.batch=64")...)
	time.Sleep(12 * time.Second)
	sameSeries(t, alone, d.url+"/metrics", "made")
	other := filepath.Join(t.TempDir(), "other")
	if out, err := d.nwl("run", "--out", other, "--set", "system.size=4x4", "--set", "model.architecture=made", "--set", "run.walkers=32", "--set", "run.max_time=2s", "--set", "metrics.listen="); err != nil && !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := d.nwl("networks", "add", filepath.Join(other, "models", "made-potts-q10-4x4")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := d.nwl("swap", "autoencoder", "made-potts-q10-4x4"); err == nil {
		t.Errorf("a network of another lattice is taken: %s", out)
	}
	if out, err := d.nwl("swap", "autoencoder", "pretrained/potts-q10"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.infer("potts-q2")
	for _, run := range []string{"autoencoder", "made", "local", "waits"} {
		if out, err := d.nwl("wait", run); err != nil && !strings.Contains(out, "exit status 3") && err.Error() != "exit status 3" {
			t.Fatalf("%s: %v: %s", run, err, out)
		}
	}
	time.Sleep(3 * scrapes)
	ended := time.Now()

	p.checkMetrics(d)
	var table []answered
	for _, f := range Files {
		dashboard := read(t, f.Name)
		for _, a := range expressions(t, dashboard) {
			table = append(table, p.answer(a, began, ended))
		}
		if *write != "" {
			p.draw(dashboard, filepath.Join(*write, "dashboard-"+strings.TrimSuffix(f.Name, ".json")+".png"), began, ended)
		}
	}
	for _, a := range table {
		if a.series == 0 && explained[a.expr] == "" {
			t.Errorf("%s, %s: no answer to %s", a.dashboard, a.panel, a.expr)
		}
		if a.series > 0 && explained[a.expr] != "" {
			t.Errorf("%s, %s: it was to be empty: %s", a.dashboard, a.panel, explained[a.expr])
		}
	}
	p.checkRules()
	for _, r := range rules(t) {
		a := p.answer(asked{"alerts", r.Alert, r.Expr, "", false}, began, ended)
		if (a.series > 0) != firing[r.Alert] {
			t.Errorf("%s: %d series for %s", r.Alert, a.series, r.Expr)
		}
		table = append(table, a)
	}
	if *write != "" {
		if err := os.WriteFile(filepath.Join(*write, "dashboards.md"), answersPage(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// daemon is one under test.
type daemon struct {
	t   *testing.T
	url string
}

// start starts a program that is ended after the test, with its output in a file.
func start(t *testing.T, output string, program string, arguments ...string) {
	t.Helper()
	f, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, arguments...)
	c.Stdout, c.Stderr = f, f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
		c.Wait()
		kill.Stop()
		f.Close()
		if t.Failed() {
			text, _ := os.ReadFile(output)
			t.Logf("%s:\n%s", program, text[max(0, len(text)-4000):])
		}
	})
}

func startDaemon(t *testing.T) *daemon {
	folder := t.TempDir()
	log := filepath.Join(folder, "log")
	start(t, log, *nwl, "serve", "--data", filepath.Join(folder, "data"), "--set", "server.listen=127.0.0.1:0", "--set", "server.jobs=3", "--set", "server.cores=1", "--set", "server.grace=5s")
	return &daemon{t, logged(t, log, `the daemon takes runs" url=(\S+)`)}
}

// startRun starts nwl run and returns the address of its metrics.
func startRun(t *testing.T, settings ...string) string {
	folder := t.TempDir()
	log := filepath.Join(folder, "log")
	arguments := []string{"run", "--out", filepath.Join(folder, "run"), "--set", "metrics.listen=127.0.0.1:0"}
	for _, s := range settings {
		arguments = append(arguments, "--set", s)
	}
	start(t, log, *nwl, arguments...)
	return logged(t, log, `metrics are served" url=(\S+)`)
}

// logged waits for a line of a log and returns what the expression finds there.
func logged(t *testing.T, log, expression string) string {
	t.Helper()
	e := regexp.MustCompile(expression)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(log)
		if m := e.FindSubmatch(text); m != nil {
			return string(m[1])
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s in the log: %s", expression, text)
		}
	}
}

// sameSeries compares the names and labels of a run by itself with those of one of a daemon.
func sameSeries(t *testing.T, alone, daemon, run string) {
	t.Helper()
	names := regexp.MustCompile(`(?m)^(nwl_\w+)\{(.*)\} `)
	keys := regexp.MustCompile(`(\w+)="[^"]*"`)
	series := func(url, of string) map[string]bool {
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		for _, m := range names.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[2], `run="`+of) {
				all[m[1]+keys.ReplaceAllString(m[2], "$1")] = true
			}
		}
		return all
	}
	one, other := series(alone, ""), series(daemon, run+`"`)
	for name := range one {
		if !other[name] {
			t.Errorf("nwl run has %s, the daemon has not", name)
		}
	}
	for name := range other {
		if !one[name] {
			t.Errorf("the daemon has %s, nwl run has not", name)
		}
	}
	if len(one) < 45 {
		t.Errorf("%d series", len(one))
	}
}

func (d *daemon) nwl(arguments ...string) (string, error) {
	c := exec.Command(*nwl, arguments...)
	c.Env = append(os.Environ(), "NWL_URL="+d.url)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (d *daemon) submit(id string, settings ...string) {
	d.t.Helper()
	arguments := []string{"submit", "--id", id}
	for _, s := range settings {
		arguments = append(arguments, "--set", s)
	}
	if out, err := d.nwl(arguments...); err != nil {
		d.t.Fatalf("%s: %v: %s", id, err, out)
	}
}

// infer serves a network that comes with the program, and asks for some proposals.
func (d *daemon) infer(name string) {
	d.t.Helper()
	if out, err := d.nwl("networks", "add", "pretrained/"+name); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	ask := func(method, path string, body any) []byte {
		text, err := json.Marshal(body)
		if err != nil {
			d.t.Fatal(err)
		}
		r, err := http.NewRequest(method, d.url+"/v2/"+path, bytes.NewReader(text))
		if err != nil {
			d.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			d.t.Fatal(err)
		}
		defer answer.Body.Close()
		if text, err = io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			d.t.Fatalf("%s: %d %v: %s", path, answer.StatusCode, err, text)
		}
		return text
	}
	ask("POST", "repository/models/"+name+".propose/load", struct{}{})
	type tensor struct {
		Name     string    `json:"name"`
		DataType string    `json:"datatype"`
		Shape    []int     `json:"shape"`
		Data     []float64 `json:"data,omitempty"`
	}
	var of struct{ Inputs []tensor }
	if err := json.Unmarshal(ask("GET", "models/"+name+".propose", nil), &of); err != nil {
		d.t.Fatal(err)
	}
	for i := range of.Inputs {
		in := &of.Inputs[i]
		size := 1
		for k := range in.Shape {
			in.Shape[k] = max(1, in.Shape[k]) // one row
			size *= in.Shape[k]
		}
		in.Data = make([]float64, size)
		for k := range in.Data {
			if in.Name == "uniform" {
				in.Data[k] = 0.5
			}
		}
	}
	for range 5 {
		ask("POST", "models/"+name+".propose/infer", map[string]any{"inputs": of.Inputs})
		time.Sleep(scrapes)
	}
}

// server is a Prometheus.
type server struct {
	t        *testing.T
	promtool string
	url      string
}

func startPrometheus(t *testing.T, d *daemon) *server {
	folder := t.TempDir()
	alerts, err := filepath.Abs("../prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: %v, evaluation_interval: %v}\nrule_files: [%s]\nscrape_configs:\n  - job_name: nwl\n    static_configs: [{targets: [%q]}]\n",
		scrapes, scrapes, alerts, strings.TrimPrefix(d.url, "http://"))
	path := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	p := &server{t, filepath.Join(*prometheusFolder, "promtool"), "http://" + address}
	start(t, filepath.Join(folder, "log"), filepath.Join(*prometheusFolder, "prometheus"), "--config.file="+path,
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address, "--log.level=warn")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if r, err := http.Get(p.url + "/-/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Prometheus does not start")
		}
	}
}

// series is one of an answer.
type series struct {
	labels map[string]string
	points [][2]float64 // time in Unix seconds, value
}

// ask asks Prometheus.
func (p *server) ask(path string, query url.Values) json.RawMessage {
	p.t.Helper()
	r, err := http.Get(p.url + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || answer.Status != "success" {
		p.t.Fatalf("%s: %v %s", query.Get("query"), err, answer.Error)
	}
	return answer.Data
}

// values asks for the values of an expression at the end or, unless instant, from a time to another.
func (p *server) values(expr string, instant bool, from, to time.Time) (all []series) {
	p.t.Helper()
	path, query := "query_range", url.Values{"query": {expr}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {"1"}}
	if instant {
		path, query = "query", url.Values{"query": {expr}, "time": {stamp(to)}}
	}
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
			Values [][2]any
		}
	}
	if err := json.Unmarshal(p.ask(path, query), &data); err != nil {
		p.t.Fatal(err)
	}
	for _, r := range data.Result {
		s := series{labels: r.Metric}
		if instant {
			r.Values = [][2]any{r.Value}
		}
		for _, v := range r.Values {
			x, err := strconv.ParseFloat(v[1].(string), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				s.points = append(s.points, [2]float64{v[0].(float64), x})
			}
		}
		if len(s.points) > 0 {
			all = append(all, s)
		}
	}
	return all
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// variables stand for what the user chooses.
var variables = strings.NewReplacer(
	"$__rate_interval", window, `run="$run"`, `run="autoencoder"`, "$run", ".+", "$system", ".+", "offset "+step, "offset 1s",
)

// answered is an expression with what Prometheus said.
type answered struct {
	asked
	series, points int
	example        string // the last of a series with most points
}

func (p *server) answer(a asked, from, to time.Time) answered {
	p.t.Helper()
	b := answered{asked: a}
	most := 0
	for _, s := range p.values(variables.Replace(a.expr), a.instant, from, to) {
		b.series++
		b.points += len(s.points)
		if len(s.points) > most {
			most = len(s.points)
			legend := a.named(s.labels)
			if legend != "" {
				legend += ": "
			}
			b.example = fmt.Sprintf("%s%.4g", legend, s.points[len(s.points)-1][1])
		}
	}
	return b
}

// named is the legend of a series.
func (a asked) named(labels map[string]string) string {
	if a.legend == "" {
		var all []string
		for name, value := range labels {
			if name != "__name__" && name != "job" && name != "instance" {
				all = append(all, value)
			}
		}
		return strings.Join(all, " ")
	}
	return legendNames.ReplaceAllStringFunc(a.legend, func(name string) string {
		return labels[legendNames.FindStringSubmatch(name)[1]]
	})
}

// checkMetrics has promtool lint what the daemon serves.
func (p *server) checkMetrics(d *daemon) {
	p.t.Helper()
	r, err := http.Get(d.url + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	c := exec.Command(p.promtool, "check", "metrics")
	c.Stdin = r.Body
	if out, err := c.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		p.t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// checkRules finds all rules evaluated without a fault, and the alerts that are to fire.
func (p *server) checkRules() {
	p.t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	if err := json.Unmarshal(p.ask("rules", nil), &data); err != nil {
		p.t.Fatal(err)
	}
	found := 0
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			found++
			if r.Health != "ok" || (r.State == "firing") != firing[r.Name] {
				p.t.Errorf("alert %s: %s, %s: %s", r.Name, r.State, r.Health, r.LastError)
			}
		}
	}
	if want := len(rules(p.t)); found != want {
		p.t.Errorf("Prometheus has %d alerts, there are %d", found, want)
	}
}

// answersPage is the table of all answers.
func answersPage(all []answered) []byte {
	var b strings.Builder
	b.WriteString("# What Prometheus answers to the dashboards\n\n" +
		"`make grafana-docs` writes this page and the pictures. A Prometheus, scraping every second, watched a daemon with four runs of\n" +
		"a minute: one whose autoencoder was trained and then exchanged for `pretrained/potts-q10`, after a network for\n" +
		"another lattice was refused; one with another architecture; one with local moves alone; and one that waited for a place. Another\n" +
		"program asked for proposals of a network. Then every expression of every panel, mark and alert was asked for, with the run, the time of rates (" + window + ") and the step of marks (1s) put in.\n\n" +
		"The last column is the last value of one of the series.\n")
	last := ""
	for _, a := range all {
		if a.dashboard != last {
			fmt.Fprintf(&b, "\n## %s\n\n| panel | expression | series | points | for example |\n|---|---|---|---|---|\n", a.dashboard)
			last = a.dashboard
		}
		example := a.example
		switch {
		case a.series == 0 && a.dashboard == "alerts":
			example = "nothing to say"
		case a.series == 0:
			example = explained[a.expr]
		}
		fmt.Fprintf(&b, "| %s | `%s` | %d | %d | %s |\n", a.panel, strings.ReplaceAll(a.expr, "|", `\|`), a.series, a.points, example)
	}
	return []byte(b.String())
}
