package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
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
		"system.model":        {Kind: job.WorkTrain, Set: []string{"system.model=xy"}},
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

// TestLeft guesses the time that is left of a phase by what was done since the run began, or
// went on, in it.
func TestLeft(t *testing.T) {
	t.Parallel()
	m := newMirror()
	at, sequence := time.Now(), uint64(0)
	happen := func(after time.Duration, kind child.Kind, data any) float64 {
		t.Helper()
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		at, sequence = at.Add(after), sequence+1
		m.happened(queue.Event{Sequence: sequence, Time: at, Run: "run", Kind: string(kind), Data: text})
		return m.progress("run").Left
	}
	pass := func(after time.Duration, phase string, done, want float64) {
		t.Helper()
		if got := happen(after, child.Pass, child.PassData{Phase: phase, Done: done}); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s, %g done: %g s left, want %g", phase, done, got, want)
		}
	}
	happen(0, child.Began, child.BeganData{})
	happen(0, child.Phase, child.PhaseData{Phase: "wang-landau"})
	pass(time.Second, "wang-landau", 0.1, 0)
	pass(10*time.Second, "wang-landau", 0.2, 80)
	pass(10*time.Second, "wang-landau", 0.15, 340) // a guess may fall
	pass(10*time.Second, "wang-landau", 0.1, 0)
	happen(0, child.Phase, child.PhaseData{Phase: "production"})
	pass(time.Second, "production", 0, 0)
	pass(time.Second, "production", 0.5, 1)
	// After a pause of hours it goes on.
	happen(5*time.Hour, child.Began, child.BeganData{Resumed: true})
	happen(0, child.Phase, child.PhaseData{Phase: "production"})
	pass(time.Second, "production", 0.5, 0)
	pass(time.Second, "production", 0.75, 1)
	if left := happen(time.Second, child.Evaluating, struct{}{}); left != 0 {
		t.Errorf("%g s left of the evaluation", left)
	}
	if last := m.lastEvent("run"); last != sequence {
		t.Errorf("the last event is %d, want %d", last, sequence)
	}
}
