package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"neuralwl/internal/job"
)

// open opens a queue with a server of its own in a folder. Its workers may be silent for a
// second.
func open(t *testing.T, folder string) *Queue {
	t.Helper()
	q, err := Open(t.Context(), Options{Folder: folder, Silence: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

var spec = json.RawMessage(`{"config":"system: {q: 3}"}`)

func submit(t *testing.T, q *Queue, id string) {
	t.Helper()
	if _, err := q.Submit(t.Context(), id, spec); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, q *Queue, owner string) *Lease {
	t.Helper()
	l, err := q.Take(t.Context(), Taker{Owner: owner}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func state(t *testing.T, q *Queue, id string) job.State {
	t.Helper()
	r, err := q.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

// TestLife takes a job through its life, over a restart of the server.
func TestLife(t *testing.T) {
	folder := t.TempDir()
	q := open(t, folder)
	submit(t, q, "run-1")
	if _, err := q.Submit(t.Context(), "run-1", spec); !errors.Is(err, ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	if _, err := q.Submit(t.Context(), "../run", spec); err == nil {
		t.Error("a name with a path was accepted")
	}
	l := take(t, q, "w")
	if string(l.Spec) != string(spec) || l.State != job.Running || l.Epoch != 1 {
		t.Errorf("took %+v", l.Record)
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "v"}, 200*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a job was handed out twice: %v", err)
	}
	if err := l.Checkpointed(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	q.Close()

	q = open(t, folder) // the worker died with the server
	l = take(t, q, "v")
	if l.Epoch != 2 || l.Checkpoint != 3 || l.Attempts != 2 {
		t.Errorf("took over %+v", l.Record)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.End, Outcome: job.Outcome{Converged: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "v"}, 1500*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a job that ended was handed out: %v", err)
	}
	if r, err := q.Get(t.Context(), "run-1"); err != nil || r.State != job.Done || !r.Outcome.Converged {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := q.Again(t.Context(), "run-1", nil); err != nil {
		t.Fatal(err)
	}
	if l = take(t, q, "v"); l.Submission != 2 {
		t.Errorf("took %+v", l.Record)
	}
	if err := q.Delete(t.Context(), "run-1"); err == nil || !strings.Contains(err.Error(), "running") {
		t.Errorf("a running job was deleted: %v", err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.Abandon}); err != nil {
		t.Fatal(err)
	}
	if err := q.Delete(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Get(t.Context(), "run-1"); !errors.Is(err, ErrNone) {
		t.Errorf("a deleted job: %v", err)
	}
	submit(t, q, "run-1")
}

// TestSilence hands a job out again whose worker falls silent, and fences that one off when it
// wakes; a worker that renews its lease keeps it.
func TestSilence(t *testing.T) {
	q := open(t, t.TempDir())
	submit(t, q, "run-1")
	l := take(t, q, "w")
	for range 6 {
		time.Sleep(300 * time.Millisecond)
		if next, err := l.Renew(t.Context()); err != nil || next != job.GoOn {
			t.Fatalf("%s, %v", next, err)
		}
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "v"}, 100*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a job of a worker that is alive was handed out: %v", err)
	}
	second := take(t, q, "v")
	if second.Epoch != 2 {
		t.Errorf("took over %+v", second.Record)
	}
	if next, err := l.Renew(t.Context()); err != nil || next != job.Yield {
		t.Errorf("the first worker is to %s, %v", next, err)
	}
	if err := l.Checkpointed(t.Context(), 9); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the first worker wrote: %v", err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.End}); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the first worker ended the job: %v", err)
	}
	if err := second.Leave(t.Context(), job.Event{Kind: job.End}); err != nil {
		t.Fatal(err)
	}
}

// TestWishes pauses, resumes and cancels jobs in every state.
func TestWishes(t *testing.T) {
	q := open(t, t.TempDir())
	submit(t, q, "run-1")
	want := func(w job.Wish) {
		t.Helper()
		if err := q.Want(t.Context(), "run-1", w); err != nil {
			t.Fatal(err)
		}
	}
	want(job.Pause)
	if s := state(t, q, "run-1"); s != job.Paused {
		t.Errorf("a waiting job is %s", s)
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "w"}, 300*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a paused job was handed out: %v", err)
	}
	// A quick pause and resume must not look like a duplicate to the queue.
	if _, err := q.Again(t.Context(), "run-1", nil); err != nil {
		t.Fatal(err)
	}
	l := take(t, q, "w")
	want(job.Pause)
	if next, err := l.Renew(t.Context()); err != nil || next != job.EndPaused {
		t.Errorf("%s, %v", next, err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.Stop}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Again(t.Context(), "run-1", json.RawMessage(`{"more":true}`)); err != nil {
		t.Fatal(err)
	}
	if l = take(t, q, "w"); string(l.Spec) != `{"more":true}` {
		t.Errorf("spec %s", l.Spec)
	}
	want(job.Cancel)
	if next, err := l.Renew(t.Context()); err != nil || next != job.EndCancel {
		t.Errorf("%s, %v", next, err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.Abandon}); err != nil {
		t.Fatal(err)
	}
	if err := q.Want(t.Context(), "run-1", job.Pause); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("a cancelled job was paused: %v", err)
	}
	if err := q.Want(t.Context(), "run-9", job.Pause); !errors.Is(err, ErrNone) {
		t.Errorf("an unknown job was paused: %v", err)
	}
}

// TestReturn puts a job back at once, five times at most.
func TestReturn(t *testing.T) {
	q := open(t, t.TempDir())
	submit(t, q, "run-1")
	for range job.MaxAttempts {
		if err := take(t, q, "w").Return(t.Context(), "its process was killed", false); err != nil {
			t.Fatal(err)
		}
	}
	r, err := q.Get(t.Context(), "run-1")
	if err != nil || r.State != job.Failed || !strings.Contains(r.Reason, "killed") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := q.Take(t.Context(), Taker{Owner: "w"}, 1500*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("a failed job was handed out: %v", err)
	}
}

// TestManyWorkers lets workers race for jobs, some of which fall silent: each job is done once.
func TestManyWorkers(t *testing.T) {
	q := open(t, t.TempDir())
	const jobs = 30
	for i := range jobs {
		submit(t, q, fmt.Sprintf("run-%d", i))
	}
	var mutex sync.Mutex
	done := map[string]int{}
	var wait sync.WaitGroup
	for w := range 6 {
		wait.Go(func() {
			for n := 0; ; n++ {
				l, err := q.Take(t.Context(), Taker{Owner: fmt.Sprintf("worker-%d", w)}, 2*time.Second)
				if errors.Is(err, ErrEmpty) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n == 2 && w%2 == 0 {
					continue // falls silent
				}
				if err := l.Leave(t.Context(), job.Event{Kind: job.End}); err != nil {
					t.Error(err)
					return
				}
				mutex.Lock()
				done[l.ID]++
				mutex.Unlock()
			}
		})
	}
	wait.Wait()
	if len(done) != jobs {
		t.Errorf("%d of %d jobs are done", len(done), jobs)
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("%s was done %d times", id, n)
		}
	}
	records, err := q.List(t.Context())
	if err != nil || len(records) != jobs {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// TestReconcile finds jobs without a message: one whose submitter died, and all after the work
// queue was lost.
func TestReconcile(t *testing.T) {
	q := open(t, t.TempDir())
	orphan, err := job.New("orphan", time.Now().Add(-time.Hour))
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
	submit(t, q, "run-1")
	if n, err := q.Reconcile(t.Context(), time.Minute); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := q.Reconcile(t.Context(), time.Minute); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	stream, err := q.js.Stream(t.Context(), jobsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Reconcile(t.Context(), time.Minute); n != 2 || err != nil {
		t.Errorf("after a loss: %d, %v", n, err)
	}
	var ids []string
	for range 2 {
		l := take(t, q, "w")
		ids = append(ids, l.ID)
		if err := l.Leave(t.Context(), job.Event{Kind: job.End}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"orphan", "run-1"}) {
		t.Errorf("took %v", ids)
	}
}

// TestEvents reads events from any place on, over a restart of the server.
func TestEvents(t *testing.T) {
	folder := t.TempDir()
	q := open(t, folder)
	for i := range 5 {
		for _, run := range []string{"a.1", "b"} {
			if err := q.Emit(t.Context(), run, "pass", map[string]int{"n": i}); err != nil {
				t.Fatal(err)
			}
		}
	}
	errEnough := errors.New("enough")
	read := func(q *Queue, run string, after uint64, n int) (events []Event) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := q.Events(ctx, run, after, func(e Event) error {
			if events = append(events, e); len(events) == n {
				return errEnough
			}
			return nil
		})
		if err != errEnough {
			t.Fatal(err)
		}
		return events
	}
	all := read(q, "a.1", 0, 5)
	for i, e := range all {
		if e.Run != "a.1" || e.Kind != "pass" || string(e.Data) != fmt.Sprintf(`{"n":%d}`, i) || i > 0 && e.Sequence <= all[i-1].Sequence {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if rest := read(q, "a.1", all[2].Sequence, 2); rest[0].Sequence != all[3].Sequence {
		t.Errorf("went on with %+v", rest[0])
	}
	if both := read(q, "", 0, 10); both[9].Run != "b" {
		t.Errorf("all: %+v", both[9])
	}
	// Of some kinds only the latest of a run is kept.
	for i := range 3 {
		for _, run := range []string{"a.1", "b"} {
			if err := q.EmitLatest(t.Context(), run, "counts", i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if latest := read(q, "", 0, 12)[10:]; string(latest[0].Data) != "2" || string(latest[1].Data) != "2" || latest[0].Run == latest[1].Run {
		t.Errorf("the latest are %+v", latest)
	}
	q.Close()
	q = open(t, folder)
	if rest := read(q, "a.1", all[3].Sequence, 1); rest[0].Sequence != all[4].Sequence {
		t.Errorf("after a restart: %+v", rest[0])
	}
}

// TestOneServer refuses a second server in a folder, and leaves nothing running behind.
func TestOneServer(t *testing.T) {
	existing := goleak.IgnoreCurrent()
	folder := t.TempDir()
	q := open(t, folder)
	if _, err := Open(t.Context(), Options{Folder: folder}); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("a second server: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for goleak.Find(existing) != nil && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	q = open(t, folder)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{URL: "nats://127.0.0.1:1"}); err == nil {
		t.Error("connected to no server")
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Folder: file}); err == nil {
		t.Error("a file served as a folder")
	}
}

// TestSameName submits jobs of one name one after the other, each deleted before it was taken: the
// last one is handed out, once, in spite of the messages of the others.
func TestSameName(t *testing.T) {
	q := open(t, t.TempDir())
	for range 2 {
		submit(t, q, "run.1")
		if err := q.Want(t.Context(), "run.1", job.Cancel); err != nil {
			t.Fatal(err)
		}
		if err := q.Delete(t.Context(), "run.1"); err != nil {
			t.Fatal(err)
		}
	}
	submit(t, q, "run.1")
	l := take(t, q, "w")
	if _, err := q.Take(t.Context(), Taker{Owner: "v"}, 300*time.Millisecond); !errors.Is(err, ErrEmpty) {
		t.Errorf("handed out twice: %v", err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.Divide, Parts: 3}); err != nil {
		t.Fatal(err)
	}
	// A job that waits for its shards is not in the queue.
	if r, err := q.Get(t.Context(), "run.1"); err != nil || r.State != job.Submitted || r.Parts != 3 || r.Submission != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLeftUnheard ends and returns jobs when the answer to the queue's message does not arrive: it is on record, and
// the message that comes again does no harm.
func TestLeftUnheard(t *testing.T) {
	q := open(t, t.TempDir())
	submit(t, q, "run-1")
	l := take(t, q, "w")
	l.message = deaf{l.message}
	if err := l.Return(t.Context(), "in order", true); err != nil || state(t, q, "run-1") != job.Queued {
		t.Errorf("%v", err)
	}
	l = take(t, q, "v")
	l.message = deaf{l.message}
	if err := l.Leave(t.Context(), job.Event{Kind: job.End}); err != nil || state(t, q, "run-1") != job.Done {
		t.Errorf("%v", err)
	}
	if l, err := q.Take(t.Context(), Taker{Owner: "w"}, 3*time.Second); !errors.Is(err, ErrEmpty) {
		t.Errorf("taken once more: %+v, %v", l, err)
	}
}

// deaf is a message whose answers do not arrive.
type deaf struct{ jetstream.Msg }

func (deaf) DoubleAck(context.Context) error { return errors.New("the line is dead") }
func (deaf) Nak() error                      { return errors.New("the line is dead") }
