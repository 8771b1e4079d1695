package queue

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"neuralwl/internal/job"
)

// TestRecover opens a queue after its process was killed: runs wait at once, whatever the clock
// says, or are as the user wished; messages of before are worth nothing.
func TestRecover(t *testing.T) {
	folder := t.TempDir()
	q, err := Open(t.Context(), Options{Folder: folder, Silence: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"running", "to-pause", "to-cancel", "tried"} {
		submit(t, q, id)
		take(t, q, "w")
	}
	for id, w := range map[string]job.Wish{"to-pause": job.Pause, "to-cancel": job.Cancel} {
		if err := q.Want(t.Context(), id, w); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.change(t.Context(), "tried", func(r *Record) error { r.Attempts = job.MaxAttempts; return nil }); err != nil {
		t.Fatal(err)
	}
	submit(t, q, "waiting")
	// Submitted by a clock that was ahead, and never published.
	orphan, err := job.New("orphan", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(Record{Job: orphan, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.runs.Create(t.Context(), "orphan", data); err != nil {
		t.Fatal(err)
	}
	q.Close()
	if q, err = Open(t.Context(), Options{Folder: folder, Silence: time.Hour}); err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]job.State{
		"running": job.Queued, "to-pause": job.Paused, "to-cancel": job.Cancelled, "tried": job.Failed, "waiting": job.Queued, "orphan": job.Queued,
	} {
		if s := state(t, q, id); s != want {
			t.Errorf("%s is %s, want %s", id, s, want)
		}
	}
	taken := map[string]int{}
	for range 3 {
		l := take(t, q, "v")
		taken[l.ID]++
		if err := l.Leave(t.Context(), job.Event{Kind: job.End}); err != nil {
			t.Fatal(err)
		}
	}
	if taken["running"] != 1 || taken["waiting"] != 1 || taken["orphan"] != 1 {
		t.Errorf("took %v", taken)
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "v"}, 500*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a job was handed out twice: %v", err)
	}
}

// TestReconcileClock sets the clock back after a submission whose message is missing.
func TestReconcileClock(t *testing.T) {
	q := open(t, t.TempDir())
	j, err := job.New("orphan", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(Record{Job: j, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.runs.Create(t.Context(), "orphan", data); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Reconcile(t.Context(), time.Minute); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestAdopt puts jobs on record as they were.
func TestAdopt(t *testing.T) {
	q := open(t, t.TempDir())
	was := func(id string, s job.State) job.Job {
		return job.Job{ID: id, Created: time.Now().Add(-time.Hour).UTC(), State: s, Submission: 3, Epoch: 5, Checkpoint: 7, Owner: "w"}
	}
	for _, c := range []struct {
		id   string
		was  job.State
		wish job.Wish
		want job.State
	}{
		{"running", job.Running, job.Run, job.Queued}, {"queued", job.Queued, job.Run, job.Queued},
		{"to-pause", job.Running, job.Pause, job.Paused}, {"to-cancel", job.Queued, job.Cancel, job.Cancelled},
		{"paused", job.Paused, job.Pause, job.Paused}, {"to-go-on", job.Paused, job.Run, job.Queued},
		{"done", job.Done, job.Run, job.Done}, {"failed", job.Failed, job.Pause, job.Failed},
	} {
		j := was(c.id, c.was)
		r, err := q.Adopt(t.Context(), j, spec, "1-2.json", c.wish)
		if err != nil || r.State != c.want || r.Epoch != 5 || r.Files != "1-2.json" || r.Checkpoint != 7 || !r.Created.Equal(j.Created) || (c.want == job.Queued) != (r.Submission == 4) {
			t.Errorf("%s: %+v, %v", c.id, r, err)
		}
		if w, err := q.Wanted(t.Context(), c.id); err != nil || w != c.wish {
			t.Errorf("%s is wished to %s, %v", c.id, w, err)
		}
	}
	if _, err := q.Adopt(t.Context(), was("done", job.Done), spec, "", job.Run); !errors.Is(err, ErrExists) {
		t.Errorf("adopted twice: %v", err)
	}
	if l := take(t, q, "v"); l.ID != "running" || l.Epoch != 6 {
		t.Errorf("took %+v", l.Record)
	}
}
