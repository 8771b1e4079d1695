package metrics

import (
	"testing"
	"time"

	"neuralwl/internal/oip"
)

// TestDaemonNames compares the metrics of a daemon beside those of its runs with a list.
func TestDaemonNames(t *testing.T) {
	r := NewRegistry()
	state := func() State {
		return State{Runs: map[string]int{"running": 1, "done": 2}, Groups: map[string]map[string]int{"many": {"running": 1}}, Slots: 2, Waiting: 1, Since: time.Now().Add(-time.Minute), Workers: []Worker{{Name: "one", Instance: "a-1", Heard: time.Now()}}}
	}
	m, err := r.Daemon(state)
	if err != nil {
		t.Fatal(err)
	}
	m.Request("GET /x", "GET", 200, time.Millisecond)
	m.Stream("GET /y", "GET", 200)
	m.Streams(1)
	m.Refused()
	if err := r.Models(func() []oip.ModelStatistics { return []oip.ModelStatistics{{Name: "net.propose", Version: "1"}} }); err != nil {
		t.Fatal(err)
	}
	checkNames(t, r, "testdata/daemon.txt")
	if _, err := r.Daemon(state); err == nil {
		t.Error("two daemons in one registry")
	}
}
