package metrics

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"neuralwl/sampler"
	"neuralwl/trainer"
)

var update = flag.Bool("update", false, "rewrite testdata/names.txt")

func busy() *Metrics {
	m := New(Info{Version: "v", System: "s", Architecture: "a", Provider: "p"})
	p := sampler.Progress{Phase: sampler.WangLandau, Passes: 3, LnF: 0.5, Flatness: 0.7, Levels: 10, RoundTrips: 1.5}
	p.Moves[sampler.Local] = sampler.Count{Trials: 100, Accepted: 60}
	p.Moves[sampler.Neural] = sampler.Count{Trials: 10, Accepted: 2}
	p.Times.Local = 2 * time.Second
	m.Progress(p)
	m.Step(trainer.StepInfo{Loss: 4, Norm: 2, Duration: time.Second})
	m.Step(trainer.StepInfo{Dropped: true})
	m.Exported()
	m.Checkpoint(time.Second, 100, nil)
	return m
}

// TestNames compares names, types and labels with a list, so that dashboards do not
// break unnoticed, and has them linted as promtool does.
func TestNames(t *testing.T) {
	m := busy()
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "nwl_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		fmt.Fprintf(&list, "%s %s %v\n", f.GetName(), strings.ToLower(f.GetType().String()), labels)
	}
	const path = "testdata/names.txt"
	if *update {
		if err := os.WriteFile(path, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if list.String() != string(want) {
		t.Errorf("metrics differ from %s (go test ./metrics -update rewrites it):\n%s", path, list.String())
	}
}

// TestPhases finds counters by phase that go on from zero in the next phase.
func TestPhases(t *testing.T) {
	m := busy()
	p := sampler.Progress{Phase: sampler.WangLandau, Passes: 5, RoundTrips: 4}
	p.Moves[sampler.Local] = sampler.Count{Trials: 150, Accepted: 90}
	p.Moves[sampler.Neural] = sampler.Count{Trials: 20, Accepted: 4}
	p.Times.Local = 3 * time.Second
	m.Progress(p)
	p = sampler.Progress{Phase: sampler.Production, Passes: 1}
	p.Moves[sampler.Local] = sampler.Count{Trials: 7, Accepted: 7}
	m.Progress(p)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"passes", testutil.ToFloat64(m.passes.WithLabelValues("wang-landau")), 5},
		{"local trials", testutil.ToFloat64(m.trials.WithLabelValues("wang-landau", "local")), 150},
		{"neural trials accepted", testutil.ToFloat64(m.accepted.WithLabelValues("wang-landau", "neural")), 4},
		{"round trips", testutil.ToFloat64(m.roundTrips.WithLabelValues("wang-landau")), 4},
		{"local seconds", testutil.ToFloat64(m.seconds.WithLabelValues("wang-landau", "local")), 3},
		{"production trials", testutil.ToFloat64(m.trials.WithLabelValues("production", "local")), 7},
		{"phase wang-landau", testutil.ToFloat64(m.phase.WithLabelValues("wang-landau")), 0},
		{"phase production", testutil.ToFloat64(m.phase.WithLabelValues("production")), 1},
		{"steps applied", testutil.ToFloat64(m.steps.WithLabelValues(applied)), 1},
		{"steps dropped", testutil.ToFloat64(m.steps.WithLabelValues(dropped)), 1},
		{"loss", testutil.ToFloat64(m.loss), 4},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestServe(t *testing.T) {
	s, err := Serve("127.0.0.1:0", busy())
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), `nwl_trials_total{move="local",phase="wang-landau"} 100`) {
		t.Errorf("status %d, %v:\n%s", response.StatusCode, err, body)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/metrics")
	if _, err := Serve(address, busy()); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("an address in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("a closed server answers")
	}
}
