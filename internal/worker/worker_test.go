package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/internal/store"
)

// TestMain also serves as the child that a worker starts.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_CHILD") != "" {
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))))
	}
	os.Setenv("TEST_CHILD", "yes") // of all children
	os.Exit(m.Run())
}

// office is a queue with a worker.
type office struct {
	t      *testing.T
	queue  *queue.Queue
	folder string
	spare  int64 // Options.SpareMemory
	store  *store.Store
	stop   func() // the worker, and waits for it
}

func newOffice(t *testing.T, change ...func(*office)) *office {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Folder: filepath.Join(t.TempDir(), "queue"), Silence: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	o := &office{t: t, queue: q, folder: filepath.Join(t.TempDir(), "runs")}
	for _, c := range change {
		c(o)
	}
	o.start("first")
	return o
}

// start starts a worker.
func (o *office) start(owner string) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	program, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	go func() {
		defer close(ended)
		if err := Run(ctx, Options{
			Queue: o.queue, Folder: o.folder, Owner: owner, Program: []string{program}, Jobs: 2, Cores: 1, Renew: 100 * time.Millisecond,
			SpareMemory: o.spare, Store: o.store,
			Log: slog.New(slog.NewTextHandler(o.t.Output(), nil)),
		}); err != nil {
			o.t.Error(err)
		}
	}()
	o.stop = func() {
		cancel()
		<-ended
	}
	o.t.Cleanup(o.stop)
}

// submit submits a run of local moves, with further settings.
func (o *office) submit(id string, settings ...string) {
	o.t.Helper()
	text, err := runtest.Load(o.t, runtest.With([]string{"run.moves=local", "checkpoint.interval=20ms"}, settings...)...).YAML()
	if err != nil {
		o.t.Fatal(err)
	}
	spec, err := json.Marshal(job.Spec{Config: string(text)})
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.queue.Submit(o.t.Context(), id, spec); err != nil {
		o.t.Fatal(err)
	}
}

// wait waits until a job is in one of the states.
func (o *office) wait(id string, states ...job.State) *queue.Record {
	o.t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r, err := o.queue.Get(o.t.Context(), id)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, s := range states {
			if r.State == s {
				return r
			}
		}
	}
	r, _ := o.queue.Get(o.t.Context(), id)
	o.t.Fatalf("%s is still %s, waiting for %v: %s", id, r.State, states, r.Reason)
	return nil
}

// event waits for an event of a run.
func (o *office) event(id string, kind child.Kind, after uint64) queue.Event {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 4*time.Minute)
	defer cancel()
	var found queue.Event
	enough := fmt.Errorf("enough")
	if err := o.queue.Events(ctx, id, after, func(e queue.Event) error {
		if found = e; e.Kind == string(kind) {
			return enough
		}
		return nil
	}); err != enough {
		o.t.Fatalf("no event %s of %s: %v", kind, id, err)
	}
	return found
}

// undisturbed is dos.csv of the same run without a queue.
func undisturbed(t *testing.T, settings ...string) []byte {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, folder, runtest.With([]string{"run.moves=local"}, settings...)...)
	return runtest.Read(t, folder, report.DensityFile)
}

// lengthy are settings for a run of some seconds.
var lengthy = []string{"run.walkers=64", "wang_landau.final_ln_f=3e-5", "production.passes=4000"}

// TestJobs performs jobs side by side: each gives the numbers of the run by itself.
func TestJobs(t *testing.T) {
	o := newOffice(t)
	jobs := long.Or(4, 2)
	for seed := range jobs {
		o.submit(fmt.Sprintf("run-%d", seed), fmt.Sprintf("run.seed=%d", seed))
	}
	for seed := range jobs {
		id := fmt.Sprintf("run-%d", seed)
		r := o.wait(id, job.Done, job.Failed)
		if r.State != job.Done || r.Outcome == nil || r.Epoch != 1 {
			t.Errorf("%s: %+v", id, r)
			continue
		}
		if !bytes.Equal(runtest.Read(t, o.folder, id, report.DensityFile), undisturbed(t, fmt.Sprintf("run.seed=%d", seed))) {
			t.Errorf("%s has other numbers than the run by itself", id)
		}
	}
	var end child.EndedData
	if e := o.event("run-0", child.Ended, 0); json.Unmarshal(e.Data, &end) != nil || end.Seconds <= 0 {
		t.Errorf("event %+v", e)
	}
}

// TestDisturbed pauses a run, resumes it, and stops the worker under it: another one ends it
// with the numbers of the undisturbed run.
func TestDisturbed(t *testing.T) {
	o := newOffice(t)
	o.submit("run-1", lengthy...)
	at := o.event("run-1", child.Pass, 0)
	if err := o.queue.Want(t.Context(), "run-1", job.Pause); err != nil {
		t.Fatal(err)
	}
	if r := o.wait("run-1", job.Paused, job.Done); r.State != job.Paused {
		t.Fatalf("it ended before it was paused: %+v", r)
	}
	if failed, _ := runtest.Verify(t, filepath.Join(o.folder, "run-1")); len(failed) > 0 {
		t.Errorf("paused: %+v", failed)
	}
	if _, err := o.queue.Again(t.Context(), "run-1", nil); err != nil {
		t.Fatal(err)
	}
	o.event("run-1", child.Began, o.event("run-1", child.Ended, at.Sequence).Sequence)
	o.stop()
	if r, err := o.queue.Get(t.Context(), "run-1"); err != nil || r.State != job.Queued {
		t.Fatalf("after its worker stopped it is %+v, %v", r, err)
	}
	o.start("second")
	if r := o.wait("run-1", job.Done, job.Failed); r.State != job.Done || r.Submission != 2 {
		t.Fatalf("%+v", r)
	}
	if !bytes.Equal(runtest.Read(t, o.folder, "run-1", report.DensityFile), undisturbed(t, lengthy...)) {
		t.Error("it has other numbers than the undisturbed run")
	}
}

// TestCancel cancels a run that goes on.
func TestCancel(t *testing.T) {
	o := newOffice(t)
	o.submit("run-1", lengthy...)
	o.event("run-1", child.Pass, 0)
	if err := o.queue.Want(t.Context(), "run-1", job.Cancel); err != nil {
		t.Fatal(err)
	}
	if r := o.wait("run-1", job.Cancelled, job.Done); r.State != job.Cancelled || !strings.Contains(r.Reason, "user") {
		t.Errorf("%+v", r)
	}
}

// TestFailing fails a run that cannot start, with the reason, and harms no other.
func TestFailing(t *testing.T) {
	o := newOffice(t)
	o.submit("bad", "run.moves=[local, neural]", "model.bundle=/does/not/exist")
	o.submit("good")
	if r := o.wait("bad", job.Failed, job.Done); r.State != job.Failed || !strings.Contains(r.Reason, "/does/not/exist") {
		t.Errorf("%+v", r)
	}
	o.wait("good", job.Done)
	if _, err := o.queue.Submit(t.Context(), "damaged", json.RawMessage(`"no"`)); err != nil {
		t.Fatal(err)
	}
	if r := o.wait("damaged", job.Failed); !strings.Contains(r.Reason, "specification") {
		t.Errorf("%+v", r)
	}
}
