package metrics

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"neuralwl/internal/telemetry"
)

var update = flag.Bool("update", false, "rewrite the lists of names in testdata")

// busy is a run that has something of everything.
func busy() *telemetry.State {
	at, rms := time.Now(), 0.5
	s := &telemetry.State{
		Heard: at, Began: at, Version: "v", System: "s", Method: "m", Architecture: "made", Provider: "cpu", Network: "net/2", Known: 12,
		Phase: "wang-landau", Done: 0.5, Left: 3, LnF: 0.5, Flatness: 0.7, Levels: 10, Acceptance: 0.2,
		Phases: map[string]telemetry.Phase{"wang-landau": {
			Passes: 3, RoundTrips: 1.5, Moves: map[string]telemetry.Moves{"local": {Trials: 100, Accepted: 60}, "neural": {Trials: 10, Accepted: 2}},
			Seconds: map[string]float64{"local": 2},
		}},
		Training:    telemetry.TrainingCounts{Steps: 1, Dropped: 1, Loss: 4, Norm: 2, Seconds: 1, Replay: 0.5, Published: 1, PublishedAt: at, Exported: 1},
		Swaps:       telemetry.Swaps{Applied: 1, Failed: 2},
		Checkpoints: telemetry.Checkpoints{Written: 1, Failed: 1, Seconds: 2, Bytes: 100, At: at},
		Evaluations: map[string]telemetry.Histogram{},
		End:         &telemetry.End{Converged: true},
		Regions:     map[string]telemetry.Region{"ordered": {Trials: 10, Accepted: 5, Changed: 0.125}}, LnGError: &rms,
		Windows: map[string]telemetry.Window{"0": {LnF: 0.5}, "1": {Flatness: 0.25}},
	}
	h := s.Evaluations["propose"]
	h.Observe(telemetry.EvaluationBounds, 0.01)
	s.Evaluations["propose"] = h
	s.Swaps.Pause.Observe(telemetry.PauseBounds, 1e-3)
	return s
}

// registry has runs.
func registry(t *testing.T, list func() []Run) *Registry {
	t.Helper()
	r := NewRegistry()
	if err := r.Runs(list); err != nil {
		t.Fatal(err)
	}
	return r
}

// text is what a registry serves.
func text(t *testing.T, r *Registry) string {
	t.Helper()
	s, err := Serve("127.0.0.1:0", r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	response, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", response.StatusCode, err, body)
	}
	return string(body)
}

// TestNames compares names, types and labels with a list, so that dashboards do not
// break unnoticed, and has them linted as promtool does.
func TestNames(t *testing.T) {
	checkNames(t, registry(t, func() []Run { return []Run{{"one", busy()}} }), "testdata/run.txt")
}

func checkNames(t *testing.T, r *Registry, path string) {
	t.Helper()
	problems, err := testutil.GatherAndLint(r.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list, table strings.Builder
	table.WriteString("\n| name | type | labels | |\n|---|---|---|---|\n")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "nwl_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		kind := strings.ToLower(f.GetType().String())
		fmt.Fprintf(&list, "%s %s %v\n", f.GetName(), kind, labels)
		labels = slices.DeleteFunc(labels, func(l string) bool { return l == "run" })
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.GetName(), kind, strings.Join(labels, ", "), f.GetHelp())
	}
	table.WriteString("\n")
	if *update {
		if err := os.WriteFile(path, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	checkTable(t, filepath.Base(path), table.String())
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if list.String() != string(want) {
		t.Errorf("metrics differ from %s (go test ./metrics -update rewrites it):\n%s", path, list.String())
	}
}

// checkTable compares a table with that of docs/watching.md.
func checkTable(t *testing.T, name, table string) {
	t.Helper()
	const path = "../docs/watching.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), "<!-- "+name+" -->\n")
	there, after, ended := strings.Cut(rest, "<!-- end -->\n")
	if !found || !ended {
		t.Fatalf("%s has no place for the table of %s", path, name)
	}
	if *update && there != table {
		if err := os.WriteFile(path, []byte(before+"<!-- "+name+" -->\n"+table+"<!-- end -->\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		there = table
	}
	if there != table {
		t.Errorf("%s differs from the metrics (go test ./metrics -update rewrites it); they are\n%s", path, table)
	}
}

// TestRun shows what a run has counted.
func TestRun(t *testing.T) {
	list := []Run{{"one", busy()}}
	r := registry(t, func() []Run { return list })
	got := text(t, r)
	for _, line := range []string{
		`nwl_run_info{architecture="made",method="m",provider="cpu",run="one",seed="0",system="s",version="v"} 1`,
		`nwl_run_network_info{network="net",run="one",version="2"} 1`,
		`nwl_run_end_info{result="converged",run="one"} 1`,
		`nwl_phase{phase="wang-landau",run="one"} 1`,
		`nwl_phase{phase="production",run="one"} 0`,
		`nwl_window_flatness_ratio{run="one",window="1"} 0.25`,
		`nwl_region_acceptance_ratio{region="ordered",run="one"} 0.5`,
		`nwl_region_changed_ratio{region="ordered",run="one"} 0.125`,
		`nwl_levels_known{run="one"} 12`,
		`nwl_ln_g_error_nats{run="one"} 0.5`,
		`nwl_trials_total{move="local",phase="wang-landau",run="one"} 100`,
		`nwl_trials_accepted_total{move="neural",phase="wang-landau",run="one"} 2`,
		`nwl_round_trips_total{phase="wang-landau",run="one"} 1.5`,
		`nwl_activity_seconds_total{activity="local",phase="wang-landau",run="one"} 2`,
		`nwl_training_steps_total{result="dropped",run="one"} 1`,
		`nwl_training_replay_fill_ratio{run="one"} 0.5`,
		`nwl_network_swaps_total{result="failed",run="one"} 2`,
		`nwl_network_swap_pause_seconds_count{run="one"} 1`,
		`nwl_network_swap_loading_seconds_count{run="one"} 0`,
		`nwl_inference_duration_seconds_bucket{graph="propose",provider="cpu",run="one",le="0.005"} 0`,
		`nwl_inference_duration_seconds_bucket{graph="propose",provider="cpu",run="one",le="+Inf"} 1`,
		`nwl_inference_duration_seconds_count{graph="gradient",provider="cpu",run="one"} 0`,
		`nwl_checkpoints_total{result="written",run="one"} 1`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%s is missing in\n%s", line, got)
		}
	}
	// A run without a network has no series of one, and one that is gone has none at all.
	list = []Run{{"two", &telemetry.State{System: "s", Phase: "weights"}}}
	got = text(t, r)
	if strings.Contains(got, `run="one"`) || strings.Contains(got, "nwl_training") || strings.Contains(got, "nwl_run_end_info") || strings.Contains(got, "nwl_checkpoint_timestamp") {
		t.Errorf("too much in\n%s", got)
	}
	if !strings.Contains(got, `nwl_phase{phase="weights",run="two"} 1`) {
		t.Errorf("no phase in\n%s", got)
	}
	if err := r.Runs(func() []Run { return nil }); err == nil {
		t.Error("two lists of runs in one registry")
	}
}

// TestForeign shows what a worker of another version may tell, whatever its histograms are.
func TestForeign(t *testing.T) {
	s := busy()
	s.Swaps.Pause = telemetry.Histogram{Counts: []uint64{1, 2}}
	s.Evaluations["other"] = telemetry.Histogram{Counts: make([]uint64, 99)}
	s.Phases["new"] = telemetry.Phase{Passes: 1}
	got := text(t, registry(t, func() []Run { return []Run{{"one", s}} }))
	for _, line := range []string{`nwl_network_swap_pause_seconds_count{run="one"} 0`, `graph="other"`, `nwl_passes_total{phase="new",run="one"} 1`} {
		if !strings.Contains(got, line) {
			t.Errorf("%s is missing in\n%s", line, got)
		}
	}
}

func TestNetwork(t *testing.T) {
	for name, want := range map[string]string{
		"a/12": "a 12", "pretrained/potts-q10": "pretrained/potts-q10 none", "a": "a none", "/srv/nets/b/3": "/srv/nets/b 3", "/3": "/3 none",
	} {
		if got := strings.Join(network(name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestServe(t *testing.T) {
	r := NewRegistry()
	s, err := Serve("127.0.0.1:0", r)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/metrics")
	if _, err := Serve(address, r); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("an address in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("a closed server answers")
	}
}
