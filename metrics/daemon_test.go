package metrics

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"
)

// TestDaemonNames compares the metrics of a daemon with a list, and those that a run has by
// itself with that of runs: they must be the same.
func TestDaemonNames(t *testing.T) {
	r := NewRegistry()
	running := []Running{{Run: "one", System: "q3-4x4", Method: "m", Phase: "production", Passes: 3, Heard: time.Now()}}
	m, err := r.Daemon("v", func() State {
		return State{Runs: map[string]int{"running": 1, "done": 2}, Waiting: 1, Since: time.Now().Add(-time.Minute), Running: running}
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Request("GET /x", "GET", 200, time.Millisecond)
	m.Stream("GET /y", "GET", 200)
	m.Streams(1)
	m.Refused()
	checkNames(t, r, "testdata/daemon.txt")
	lines := func(path string) map[string]string {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all := map[string]string{}
		for s := bufio.NewScanner(f); s.Scan(); {
			name, rest, _ := strings.Cut(s.Text(), " ")
			all[name] = rest
		}
		return all
	}
	ofRuns := lines("testdata/names.txt")
	for name, rest := range lines("testdata/daemon.txt") {
		if want, ok := ofRuns[name]; ok && rest != want {
			t.Errorf("%s is %s in a daemon and %s in a run", name, rest, want)
		}
	}
	if _, err := r.Daemon("v", func() State { return State{} }); err == nil {
		t.Error("two daemons in one registry")
	}
	// A run that has ended leaves no series.
	running = nil
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				if l.GetName() == "run" {
					t.Errorf("%s of run %s is left", f.GetName(), l.GetValue())
				}
			}
		}
	}
}
