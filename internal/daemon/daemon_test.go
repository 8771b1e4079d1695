package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/runtest"
)

// TestMain also serves as the child that the daemon starts.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_CHILD") != "" {
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))))
	}
	os.Setenv("TEST_CHILD", "yes") // of all children
	os.Exit(m.Run())
}

// house is a daemon under test.
type house struct {
	*Daemon
	t    *testing.T
	stop func() // ends it, and waits for that
}

// open opens a daemon in a folder, which performs runs one at a time.
func open(t *testing.T, data string, change ...func(*Options)) *house {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Data: data, Program: []string{program}, Jobs: 1, Cores: 1, Grace: 30 * time.Second, Renew: 100 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&o)
	}
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Daemon: d, t: t}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	h.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(h.stop)
	return h
}

// small are the settings of a run of a moment, by local moves.
func small(settings ...string) []string {
	return runtest.With(append(slices.Clone(runtest.Quick), "run.moves=local"), settings...)
}

// lengthy are the settings of a run that ends only if it is told to.
func lengthy() []string {
	return small("checkpoint.interval=100ms", "wang_landau.final_ln_f=1e-8", "production.passes=1000000")
}

// submit submits a run of a moment unless the submission says otherwise.
func (h *house) submit(s api.Submission) *api.Run {
	h.t.Helper()
	if s.Set == nil {
		s.Set = small()
	}
	r, err := h.Submit(h.t.Context(), s, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// wait waits until a run is as it should be.
func (h *house) wait(id, what string, ok func(*api.Run) bool) *api.Run {
	h.t.Helper()
	var r *api.Run
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var err error
		if r, err = h.Get(h.t.Context(), id); err != nil {
			h.t.Fatal(err)
		}
		if ok(r) {
			return r
		}
	}
	h.t.Fatalf("%s is not %s: %+v", id, what, r)
	return nil
}

func (h *house) state(id string, s job.State) *api.Run {
	h.t.Helper()
	return h.wait(id, string(s), func(r *api.Run) bool { return r.State == s })
}

func (h *house) change(id string, c api.RunChange) {
	h.t.Helper()
	if _, err := h.Change(h.t.Context(), id, c); err != nil {
		h.t.Fatal(err)
	}
}

// TestOrder begins runs by priority, which may change while they wait, and after those that
// they follow; one that follows a cancelled run fails and names it, with all that follow.
func TestOrder(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.submit(api.Submission{ID: "first", Set: lengthy()})
	h.state("first", job.Running)
	h.submit(api.Submission{ID: "low", Priority: -1})
	h.submit(api.Submission{ID: "usual"})
	h.submit(api.Submission{ID: "follower", Priority: 10, After: []string{"low"}})
	h.submit(api.Submission{ID: "orphan", After: []string{"first"}})
	h.submit(api.Submission{ID: "orphans-child", After: []string{"orphan"}})
	h.submit(api.Submission{ID: "any", Priority: -2, AfterAny: []string{"orphan"}})
	h.submit(api.Submission{ID: "urgent", Priority: -10})
	urgent := 10
	h.change("urgent", api.RunChange{Priority: &urgent})
	h.wait("low", "waiting for its turn", func(r *api.Run) bool { return strings.Contains(r.Waits, "its turn") })
	h.wait("follower", "waiting for low", func(r *api.Run) bool { return r.Waits == "the end of low" && r.State == job.Submitted })
	h.change("first", api.RunChange{Wish: job.Cancel})
	if r := h.state("orphan", job.Failed); !strings.Contains(r.Reason, "first, which is cancelled") {
		t.Errorf("reason %q", r.Reason)
	}
	if r := h.state("orphans-child", job.Failed); !strings.Contains(r.Reason, "orphan, which is failed") {
		t.Errorf("reason %q", r.Reason)
	}
	var began []string
	for _, id := range []string{"any", "low", "follower", "usual", "urgent"} {
		h.state(id, job.Done)
	}
	runs := h.List(func(r *api.Run) bool { return r.State == job.Done })
	slices.SortFunc(runs, func(a, b api.Run) int { return a.Began.Compare(b.Began) })
	for _, r := range runs {
		began = append(began, r.ID)
	}
	if want := []string{"urgent", "usual", "low", "follower", "any"}; !slices.Equal(began, want) {
		t.Errorf("they began as %v, want %v", began, want)
	}
	for field, s := range map[string]api.Submission{
		"priority": {Priority: 11}, "after: there is no run nobody": {After: []string{"nobody"}},
		"orphan is failed": {After: []string{"orphan"}}, "after_any": {AfterAny: []string{"../x"}},
	} {
		s.Set = small()
		if _, err := h.Submit(t.Context(), s, ""); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	// What was refused left nothing behind.
	if entries, err := os.ReadDir(h.runsFolder()); err != nil || len(entries) != 8 {
		t.Errorf("%d run directories, %v", len(entries), err)
	}
}

// TestStopped lets the daemon stop with runs that wait: the next one goes on with them, the one
// under way first.
func TestStopped(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	h := open(t, data)
	h.submit(api.Submission{ID: "first", Set: lengthy()})
	h.wait("first", "past a checkpoint", func(r *api.Run) bool { return r.State == job.Running && r.Progress != nil && r.Progress.Passes > 0 })
	for i := range 3 {
		h.submit(api.Submission{ID: fmt.Sprintf("run-%d", i), Priority: 5})
	}
	h.stop()
	h = open(t, data)
	began := time.Now()
	h.state("first", job.Running)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it went on after %v, as if its worker had fallen silent", took)
	}
	h.change("first", api.RunChange{Wish: job.Cancel})
	for i := range 3 {
		h.state(fmt.Sprintf("run-%d", i), job.Done)
	}
	if _, err := os.Stat(filepath.Join(data, "runs", "run-2", "dos.csv")); err != nil {
		t.Error(err)
	}
}
