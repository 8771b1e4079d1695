package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/telemetry"
)

// TestCopies copies a run with what was changed when it went on, and refuses what does not go
// with a copy.
func TestCopies(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.submit(api.Submission{ID: "first", Title: "a title", Tags: []string{"x"}, Notes: "n"})
	h.state("first", job.Done)
	h.change("first", api.RunChange{Wish: job.Run, Set: []string{"production.passes=601"}})
	h.state("first", job.Done)
	h.submit(api.Submission{ID: "second", From: "first", Set: []string{"run.seed=7"}, Tags: []string{}, Notes: "m"})
	r := h.state("second", job.Done)
	if !strings.Contains(r.Config, "passes: 601\n") || !strings.Contains(r.Config, "seed: 7\n") || !strings.Contains(r.Config, "q: 3\n") {
		t.Errorf("the copy has the configuration\n%s", r.Config)
	}
	if r.Title != "a title" || len(r.Tags) > 0 || r.Notes != "m" || r.Changes != nil {
		t.Errorf("the copy is described by %+v", r)
	}
	for want, s := range map[string]api.Submission{
		"there is no run":     {From: "none"},
		"config:":             {From: "first", Config: "system: {q: 3}"},
		"kind:":               {From: "first", Kind: job.WorkTrain},
		"bench:":              {From: "first", Bench: &job.Benchmark{}},
		"weights:":            {Kind: job.WorkTrain, Train: &job.Training{Weights: "none"}},
		"system.model":        {Kind: job.WorkTrain, Set: []string{"system.model=blume_capel"}},
		"bench.mixes":         {Kind: job.WorkBench, Bench: &job.Benchmark{Mixes: []string{"1"}}},
		`"lunch" is none of`:  {Kind: "lunch"},
		"system.q: 1 colours": {From: "first", Set: []string{"system.q=1"}},
		"did you mean run.se": {From: "first", Set: []string{"run.seat=1"}},
	} {
		if _, err := h.Submit(t.Context(), s, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}

// TestEdits describes a run from several sides while its worker writes to its record: nothing
// is lost, and the run's numbers do not change.
func TestEdits(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.submit(api.Submission{ID: "one", Set: lengthy()})
	h.wait("one", "under way", func(r *api.Run) bool { return r.Progress != nil && r.Progress.Passes > 0 })
	var all sync.WaitGroup
	for what, c := range map[string]func(text string) api.RunChange{
		"title": func(text string) api.RunChange { return api.RunChange{Title: &text} },
		"notes": func(text string) api.RunChange { return api.RunChange{Notes: &text} },
		"tags":  func(text string) api.RunChange { return api.RunChange{Tags: &[]string{text}} },
	} {
		all.Go(func() {
			for n := range 10 {
				if _, err := h.Change(t.Context(), "one", c(fmt.Sprint(what, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r, err := h.Get(t.Context(), "one")
	if err != nil || r.Title != "title9" || r.Notes != "notes9" || len(r.Tags) != 1 || r.Tags[0] != "tags9" || r.State != job.Running || r.Attempts > 1 {
		t.Errorf("%+v, %v", r, err)
	}
	kept, err := readKept(h.Folder("one"))
	var spec job.Spec
	if err != nil || json.Unmarshal(kept.Spec, &spec) != nil || spec.Title != "title9" || spec.Notes != "notes9" {
		t.Errorf("in its directory: %+v, %v", spec, err)
	}
	h.change("one", api.RunChange{Wish: job.Cancel})
	h.state("one", job.Cancelled)
}

// TestHappened takes in what events tell, in their order.
func TestHappened(t *testing.T) {
	t.Parallel()
	m := newMirror()
	at, sequence := time.Now().Add(-time.Hour), uint64(0)
	happen := func(kind child.Kind, data any) *api.Progress {
		t.Helper()
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		at, sequence = at.Add(time.Second), sequence+1
		m.happened(queue.Event{Sequence: sequence, Time: at, Run: "run", Kind: string(kind), Data: text})
		return m.progress("run")
	}
	happen(child.Began, child.BeganData{System: "s", Seed: 7})
	happen(child.Phase, child.PhaseData{Phase: "wang-landau"})
	p := happen(child.Pass, child.PassData{Phase: "wang-landau", Done: 0.25, Left: 30, Levels: 5})
	if p.System != "s" || p.Seed != 7 || p.Phase != "wang-landau" || p.Done != 0.25 || p.Left != 30 || p.Levels != 5 {
		t.Errorf("%+v", p)
	}
	happen(child.Counts, telemetry.State{System: "s", Levels: 5})
	if p := happen(child.Evaluating, struct{}{}); p.Phase != "evaluating" || p.Left != 0 || p.Levels != 5 || !p.At.Equal(at) {
		t.Errorf("%+v", p)
	}
	if last := m.lastEvent("run"); last != sequence {
		t.Errorf("the last event is %d, want %d", last, sequence)
	}
	// The metrics show it while it runs, and for minutes after its last word.
	seen := func(state job.State, now time.Time) *telemetry.State {
		m.runs["run"] = &queue.Record{Job: job.Job{ID: "run", State: state}}
		if all := m.watched(now, func(string) bool { return false }); len(all) == 1 && all[0].Name == "run" {
			return all[0].State
		}
		return nil
	}
	for _, c := range []struct {
		state job.State
		after time.Duration
		want  bool
	}{{job.Running, time.Hour, true}, {job.Done, watchedFor - time.Second, true}, {job.Done, watchedFor, false}, {job.Paused, watchedFor, false}} {
		if s := seen(c.state, at.Add(c.after)); (s != nil) != c.want || s != nil && (s.Levels != 5 || !s.Heard.Equal(at)) {
			t.Errorf("%s, %v after its last event: %+v", c.state, c.after, s)
		}
	}
	m.runs["run"] = &queue.Record{Job: job.Job{ID: "run", State: job.Running}}
	if all := m.watched(at, func(id string) bool { return id == "run" }); len(all) > 0 {
		t.Errorf("a member that is to be left out: %+v", all)
	}
	m.drop("run")
	if all := m.watched(at, func(string) bool { return false }); len(all) > 0 {
		t.Errorf("a run that was deleted: %+v", all)
	}
}

// TestLost counts a run that was taken from a silent worker, and one that was given back after its
// process was lost.
func TestLost(t *testing.T) {
	t.Parallel()
	q, err := queue.Open(t.Context(), queue.Options{Folder: t.TempDir(), Silence: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	m := newMirror()
	see := func(restarts, lost int64) {
		t.Helper()
		r, err := q.Get(t.Context(), "run")
		if err != nil {
			t.Fatal(err)
		}
		m.put("run", r)
		if m.restarts != restarts || m.lost != lost {
			t.Errorf("%d restarts and %d leases lost, want %d and %d", m.restarts, m.lost, restarts, lost)
		}
	}
	take := func() *queue.Lease {
		t.Helper()
		l, err := q.Take(t.Context(), queue.Taker{Owner: "worker"}, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if _, err := q.Submit(t.Context(), "run", json.RawMessage("{}")); err != nil {
		t.Fatal(err)
	}
	see(0, 0)
	take()
	see(0, 0)
	l := take() // once the first worker was silent for too long
	see(1, 1)
	if err := l.Return(t.Context(), "its process ended", false); err != nil {
		t.Fatal(err)
	}
	see(1, 1)
	take()
	see(2, 1)
}
