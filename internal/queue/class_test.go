package queue

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"neuralwl/internal/job"
)

// taker is a worker on a machine of a class.
func taker(owner, class string) Taker {
	return Taker{Owner: owner, Classes: map[Resource]string{CPU: class}}
}

// TestClass lets a job begin anywhere and go on in the class of machines in which its first
// checkpoint was written: after it went back in order, after its worker was lost, and after a pause,
// until the user wishes otherwise.
func TestClass(t *testing.T) {
	q := open(t, t.TempDir())
	for _, class := range []string{"fast", "slow"} {
		if err := q.MakeConsumer(t.Context(), CPU, class); err != nil {
			t.Fatal(err)
		}
	}
	// takes has a worker of a class take the job, or not. Whoever gets it by an older message puts it
	// back, as the scheduler does here.
	takes := func(class string, want bool) *Lease {
		t.Helper()
		l, err := q.Take(t.Context(), taker("w-"+class, class), 1500*time.Millisecond)
		if want && err != nil || !want && !errors.Is(err, ErrEmpty) {
			t.Fatalf("%s: %+v, %v", class, l, err)
		}
		if _, err := q.Reconcile(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		return l
	}
	submit(t, q, "run-1")
	l := takes("fast", true)
	if err := l.Return(t.Context(), "before its first checkpoint", true); err != nil {
		t.Fatal(err)
	}
	l = takes("slow", true)
	if err := l.Checkpointed(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Return(t.Context(), "in order", true); err != nil {
		t.Fatal(err)
	}
	takes("fast", false)
	takes("slow", true) // and falls silent
	takes("fast", false)
	l = takes("slow", true)
	if l.Record.Class != "slow" || l.Epoch != 4 {
		t.Errorf("taken over: %+v", l.Record)
	}
	if err := q.AnyMachine(t.Context(), "run-1"); !errors.Is(err, job.ErrImpossible) {
		t.Errorf("another class while it runs: %v", err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.Stop}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Again(t.Context(), "run-1", nil); err != nil {
		t.Fatal(err)
	}
	takes("fast", false)
	if err := q.AnyMachine(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Reconcile(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	l = takes("fast", true)
	if err := l.Checkpointed(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if r, err := q.Get(t.Context(), "run-1"); err != nil || r.Class != "fast" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestResources hands jobs that need a GPU only to takers that have one to spare, who take them first.
func TestResources(t *testing.T) {
	q, err := Open(t.Context(), Options{Folder: t.TempDir(), Silence: time.Second, Resource: func(spec json.RawMessage) Resource {
		if string(spec) == `"gpu"` {
			return GPU
		}
		return CPU
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	for id, spec := range map[string]string{"plain": `"cpu"`, "first": `"gpu"`} {
		if _, err := q.Submit(t.Context(), id, json.RawMessage(spec)); err != nil {
			t.Fatal(err)
		}
	}
	both := Taker{Owner: "w", Classes: map[Resource]string{CPU: "c", GPU: "g"}}
	l, err := q.Take(t.Context(), both, 5*time.Second)
	if err != nil || l.ID != "first" || l.Resource != GPU || l.Class != "g" {
		t.Fatalf("%+v, %v", l, err)
	}
	if err := l.Return(t.Context(), "", true); err != nil {
		t.Fatal(err)
	}
	both.Busy = []Resource{GPU}
	if l, err = q.Take(t.Context(), both, 5*time.Second); err != nil || l.ID != "plain" || l.Class != "c" {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, err := q.Take(t.Context(), taker("v", "c"), 300*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a job for a GPU without one: %v", err)
	}
}

// TestFits leaves a job that does not fit to others.
func TestFits(t *testing.T) {
	q := open(t, t.TempDir())
	submit(t, q, "run-1")
	small := Taker{Owner: "small", Fits: func(*Record) error { return errors.New("too large") }}
	if _, err := q.Take(t.Context(), small, 500*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("it took what does not fit: %v", err)
	}
	if r, err := q.Get(t.Context(), "run-1"); err != nil || r.State != job.Queued || r.Epoch != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	take(t, q, "large")
}
