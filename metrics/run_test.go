package metrics

import (
	"errors"
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

	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

var update = flag.Bool("update", false, "rewrite testdata/names.txt")

func newRun(t *testing.T, r *Registry, name string) *Run {
	t.Helper()
	m, err := r.Run(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// busy lets a run report one event of each kind.
func busy(t *testing.T, r *Registry, name string) (*Run, event.Listener) {
	t.Helper()
	m := newRun(t, r, name)
	l := m.Listener()
	l.RunBegan(event.RunBegan{Version: "v", System: "s", Method: "m"})
	p := sampler.Progress{Phase: sampler.WangLandau, Passes: 3, LnF: 0.5, Flatness: 0.7, Levels: 10, RoundTrips: 1.5}
	p.Moves[sampler.Local] = sampler.Count{Trials: 100, Accepted: 60}
	p.Moves[sampler.Neural] = sampler.Count{Trials: 10, Accepted: 2}
	p.Times.Local = 2 * time.Second
	l.Pass(event.Pass{Progress: p})
	l.GradientStep(trainer.StepInfo{Loss: 4, Norm: 2, Duration: time.Second})
	l.GradientStep(trainer.StepInfo{Dropped: true})
	l.BundleExported(event.BundleExported{})
	l.BundleExported(event.BundleExported{Err: errors.New("disk full")})
	l.NetworkSwapped(event.NetworkSwapped{Took: time.Second, Pause: time.Millisecond})
	l.NetworkSwapped(event.NetworkSwapped{Err: errors.New("damaged")})
	l.CheckpointWritten(event.CheckpointWritten{Took: time.Second, Bytes: 100})
	l.CheckpointWritten(event.CheckpointWritten{Err: errors.New("disk full")})
	return m, l
}

// TestNames compares names, types and labels with a list, so that dashboards do not
// break unnoticed, and has them linted as promtool does.
func TestNames(t *testing.T) {
	r := NewRegistry()
	busy(t, r, "one")
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

// TestPhases finds counters by phase that go on from zero in the next phase, and rise further
// where production begins anew.
func TestPhases(t *testing.T) {
	m, l := busy(t, NewRegistry(), "one")
	p := sampler.Progress{Phase: sampler.WangLandau, Passes: 5, RoundTrips: 4}
	p.Moves[sampler.Local] = sampler.Count{Trials: 150, Accepted: 90}
	p.Moves[sampler.Neural] = sampler.Count{Trials: 20, Accepted: 4}
	p.Times.Local = 3 * time.Second
	l.Pass(event.Pass{Progress: p})
	p = sampler.Progress{Phase: sampler.Production, Passes: 1}
	p.Moves[sampler.Local] = sampler.Count{Trials: 7, Accepted: 7}
	l.Pass(event.Pass{Progress: p})
	l.PhaseBegan(event.PhaseBegan{Phase: sampler.Production}) // anew
	p.Moves[sampler.Local] = sampler.Count{Trials: 3, Accepted: 3}
	l.Pass(event.Pass{Progress: p})
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"passes", testutil.ToFloat64(m.passes.WithLabelValues("wang-landau")), 5},
		{"local trials", testutil.ToFloat64(m.trials.WithLabelValues("wang-landau", "local")), 150},
		{"neural trials accepted", testutil.ToFloat64(m.accepted.WithLabelValues("wang-landau", "neural")), 4},
		{"round trips", testutil.ToFloat64(m.roundTrips.WithLabelValues("wang-landau")), 4},
		{"local seconds", testutil.ToFloat64(m.seconds.WithLabelValues("wang-landau", "local")), 3},
		{"production trials", testutil.ToFloat64(m.trials.WithLabelValues("production", "local")), 7 + 3},
		{"production passes", testutil.ToFloat64(m.passes.WithLabelValues("production")), 1 + 1},
		{"phase wang-landau", testutil.ToFloat64(m.phase.WithLabelValues("wang-landau")), 0},
		{"phase production", testutil.ToFloat64(m.phase.WithLabelValues("production")), 1},
		{"steps applied", testutil.ToFloat64(m.steps.WithLabelValues(applied)), 1},
		{"steps dropped", testutil.ToFloat64(m.steps.WithLabelValues(dropped)), 1},
		{"loss", testutil.ToFloat64(m.loss), 4},
		{"exported", testutil.ToFloat64(m.exported), 1},
		{"swaps", testutil.ToFloat64(m.swaps.WithLabelValues(applied)), 1},
		{"swaps failed", testutil.ToFloat64(m.swaps.WithLabelValues(failed)), 1},
		{"checkpoints written", testutil.ToFloat64(m.checkpoints.WithLabelValues(written)), 1},
		{"checkpoints failed", testutil.ToFloat64(m.checkpoints.WithLabelValues(failed)), 1},
		{"info", testutil.ToFloat64(m.info.WithLabelValues("v", "s", "m", "0", "none", "none")), 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestRuns keeps the series of two runs in one registry apart, refuses a name that is in
// use, and has none left of a run that was closed.
func TestRuns(t *testing.T) {
	r := NewRegistry()
	one, _ := busy(t, r, "one")
	two := newRun(t, r, "two")
	series := func(name string) (n int) {
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "run" && l.GetValue() == name {
						n++
					}
				}
			}
		}
		return n
	}
	if series("one") <= series("two") || series("two") == 0 {
		t.Errorf("%d series of the busy run, %d of the other", series("one"), series("two"))
	}
	if _, err := r.Run("one"); err == nil {
		t.Error("two runs of one name")
	}
	if testutil.ToFloat64(two.loss) != 0 || testutil.ToFloat64(one.loss) != 4 {
		t.Errorf("loss %g and %g", testutil.ToFloat64(one.loss), testutil.ToFloat64(two.loss))
	}
	one.Close()
	if n := series("one"); n != 0 {
		t.Errorf("%d series of a run that was closed", n)
	}
	if series("two") == 0 {
		t.Error("the series of the other run are gone")
	}
	newRun(t, r, "one")
}

func TestServe(t *testing.T) {
	r := NewRegistry()
	busy(t, r, "one")
	s, err := Serve("127.0.0.1:0", r)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), `nwl_trials_total{move="local",phase="wang-landau",run="one"} 100`) {
		t.Errorf("status %d, %v:\n%s", response.StatusCode, err, body)
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
