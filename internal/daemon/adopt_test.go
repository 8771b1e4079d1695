package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// idle opens a daemon that performs nothing, so that runs stay as they are, and follows its
// queue until it is closed.
func idle(t *testing.T, data string, change ...func(*Options)) (d *Daemon, log fmt.Stringer, closed func()) {
	t.Helper()
	l, text := runtest.Log(slog.LevelInfo)
	o := Options{Data: data, Log: l}
	for _, c := range change {
		c(&o)
	}
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // t's ends before closed is called
	var watching sync.WaitGroup
	d.watch(ctx, &watching)
	done := false
	closed = func() {
		t.Helper()
		if done {
			return
		}
		done = true
		remembered(t, d)
		cancel()
		watching.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(closed)
	return d, text, closed
}

// remembered waits until the run directories remember what is on record.
func remembered(t *testing.T, d *Daemon) {
	t.Helper()
	records, err := d.Queue().List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(records) > 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		r := records[0]
		w, err := d.Queue().Wanted(context.Background(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := readKept(d.Folder(r.ID)); err == nil && k.Job.State == r.State && k.Wish == w && k.Queue == d.Queue().Identity() && k.Job.Submission == r.Submission {
			records = records[1:]
		}
	}
	if len(records) > 0 {
		t.Errorf("the run directory does not know of %+v", records[0].Job)
	}
}

func submit(t *testing.T, d *Daemon, id string) {
	t.Helper()
	if _, err := d.Submit(t.Context(), api.Submission{ID: id, Set: append([]string{"run.moves=[local]"}, runtest.Quick...)}, ""); err != nil {
		t.Fatal(err)
	}
}

func wish(t *testing.T, d *Daemon, id string, w job.Wish) {
	t.Helper()
	if _, err := d.Change(t.Context(), id, api.RunChange{Wish: w}); err != nil {
		t.Fatal(err)
	}
}

// check compares states of runs, and counts them.
func check(t *testing.T, d *Daemon, log fmt.Stringer, want map[string]job.State) {
	t.Helper()
	for id, state := range want {
		if r, err := d.Get(t.Context(), id); err != nil || r.State != state {
			t.Errorf("%s is to be %s: %+v, %v\n%s", id, state, r, err, log)
		}
	}
	if records, err := d.Queue().List(t.Context()); err != nil || len(records) != len(want) {
		t.Errorf("%d runs on record, want %d (%v)", len(records), len(want), err)
	}
}

// populate makes runs in every state and returns what they are to be after the queue was lost.
func populate(t *testing.T, d *Daemon) map[string]job.State {
	t.Helper()
	ctx := t.Context()
	take := func(id string) func(job.Event) {
		submit(t, d, id)
		r, err := d.Queue().Get(ctx, id)
		if err == nil {
			_, err = d.Queue().Release(ctx, r)
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.Queue().Take(ctx, queue.Taker{Owner: "worker"}, 5*time.Second)
		if err != nil || l.ID != id {
			t.Fatalf("took %+v, %v", l, err)
		}
		return func(e job.Event) {
			if err := l.Leave(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	take("done")(job.Event{Kind: job.End, Outcome: job.Outcome{Code: 3}})
	take("failed")(job.Event{Kind: job.Fail, Reason: "it was bad"})
	take("running")
	take("complete")
	runtest.Perform(t, d.Folder("complete"), "run.moves=[local]")
	take("to-pause")
	wish(t, d, "to-pause", job.Pause)
	take("to-cancel")
	wish(t, d, "to-cancel", job.Cancel)
	submit(t, d, "paused")
	wish(t, d, "paused", job.Pause)
	submit(t, d, "resumed")
	wish(t, d, "resumed", job.Pause)
	wish(t, d, "resumed", job.Run)
	submit(t, d, "cancelled")
	wish(t, d, "cancelled", job.Cancel)
	submit(t, d, "waiting")
	return map[string]job.State{
		"done": job.Done, "failed": job.Failed, "running": job.Submitted, "complete": job.Done, "to-pause": job.Paused, "to-cancel": job.Cancelled,
		"paused": job.Paused, "resumed": job.Submitted, "cancelled": job.Cancelled, "waiting": job.Submitted,
	}
}

// TestLostQueue deletes the queue: runs come back as they were, those that were under way wait,
// and directories that were put there are adopted.
func TestLostQueue(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, _, closed := idle(t, data)
	want := populate(t, d)
	before, err := d.Get(t.Context(), "failed")
	if err != nil {
		t.Fatal(err)
	}
	closed()
	if err := os.RemoveAll(filepath.Join(data, queueName)); err != nil {
		t.Fatal(err)
	}
	runtest.Perform(t, d.Folder("by-hand"), "run.moves=[local]")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := runtest.Run(ctx, t, run.Options{
		Folder: d.Folder("by-hand-stopped"), Listener: runtest.StopAt(sampler.Production, 5, cancel),
	}, "run.moves=[local]"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "claimed", "no-run", "No Name"} {
		if err := os.Mkdir(d.Folder(name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"claimed/.partial-job.json", "no-run/notes.txt", "No Name/notes.txt"} {
		if err := os.WriteFile(d.Folder(name), []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// One whose file is damaged has its configuration left, and waits for its user.
	runtest.Perform(t, d.Folder("damaged"), "run.moves=[local]", "production.passes=20")
	if err := errors.Join(os.Remove(d.Folder("damaged/"+report.SummaryFile)), os.WriteFile(d.Folder("damaged/"+job.File), []byte("{"), 0o666)); err != nil {
		t.Fatal(err)
	}
	want["by-hand"], want["by-hand-stopped"], want["damaged"] = job.Done, job.Paused, job.Paused
	d, log, closed := idle(t, data)
	check(t, d, log, want)
	for id, outcome := range map[string]job.Outcome{"done": {Code: 3}, "by-hand": {Converged: true}, "complete": {Converged: true}} {
		if r, err := d.Get(t.Context(), id); err != nil || r.Outcome == nil || r.Outcome.Converged != outcome.Converged || (r.Outcome.Code == 0) != outcome.Converged {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	after, err := d.Get(t.Context(), "failed")
	if err != nil || after.Reason != before.Reason || !after.Created.Equal(before.Created) || !after.Ended.Equal(before.Ended) {
		t.Errorf("%+v, before %+v, %v", after, before, err)
	}
	for _, text := range []string{"adopted", "No Name", "no-run", "job.json is damaged"} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("nothing is said of %s:\n%s", text, log)
		}
	}
	if strings.Contains(log.String(), "DAMAGED") {
		t.Errorf("a queue that is not there was taken for a damaged one:\n%s", log)
	}
	// Names that were claimed in vain are free.
	submit(t, d, "empty")
	submit(t, d, "claimed")
	if _, err := d.Submit(t.Context(), api.Submission{ID: "no-run"}, ""); !Taken(err) {
		t.Errorf("the name of a folder that is there: %v", err)
	}
	want["empty"], want["claimed"] = job.Submitted, job.Submitted
	closed()
	// Again without a loss: all stays as it is.
	d, log, _ = idle(t, data)
	check(t, d, log, want)
	if strings.Contains(log.String(), "adopted") {
		t.Errorf("adopted again:\n%s", log)
	}
}

// TestDamagedQueue damages each file of a queue in several ways: whatever NATS makes of it, runs
// are what they were, and a folder that lost something is set aside, with a word.
func TestDamagedQueue(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, _, closed := idle(t, data)
	want := populate(t, d)
	closed()
	// After a start without damage those that were running wait, or are as was wished.
	var files []string
	queue := filepath.Join(data, queueName)
	if err := filepath.Walk(queue, func(path string, about os.FileInfo, err error) error {
		if err == nil && about.Mode().IsRegular() && about.Size() > 0 {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ways := map[string]func([]byte) []byte{
		"garbled": func(b []byte) []byte {
			for i := range 16 {
				b[i*len(b)/16] ^= 0x5a
			}
			return b
		},
		"half":  func(b []byte) []byte { return b[:len(b)/2] },
		"short": func(b []byte) []byte { return b[:len(b)-min(5, len(b))] },
		"empty": func([]byte) []byte { return nil },
		"gone":  nil,
	}
	aside := 0
	for _, file := range files {
		name, _ := filepath.Rel(data, file)
		for way, damage := range ways {
			if testing.Short() && !strings.HasSuffix(name, "KV_nwl_runs/msgs/1.blk") {
				continue
			}
			t.Run(name+" "+way, func(t *testing.T) {
				copied := t.TempDir()
				if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(copied, name)
				if damage == nil {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(path, damage(runtest.Read(t, path)), 0o600); err != nil {
					t.Fatal(err)
				}
				d, log, closed := idle(t, copied)
				states := map[string]job.State{}
				for id, state := range want {
					if states[id] = state; id == "complete" && !strings.Contains(log.String(), "run=complete") {
						states[id] = job.Submitted // its record is there, and it is performed again
					}
				}
				check(t, d, log, states)
				// What the user wished is not forgotten either.
				if r, err := d.Get(t.Context(), "paused"); err != nil || r.Wish != job.Pause {
					t.Errorf("%+v, %v", r, err)
				}
				set, _ := filepath.Glob(filepath.Join(copied, queueName+".damaged-*"))
				if len(set) != strings.Count(log.String(), "THE QUEUE IS DAMAGED") || len(set) > 1 {
					t.Errorf("set aside %v\n%s", set, log)
				}
				aside += len(set)
				submit(t, d, "another")
				closed()
			})
		}
	}
	if aside < 3 {
		t.Errorf("a folder was set aside %d times", aside)
	}
	t.Logf("%d files, set aside %d times", len(files), aside)
}

// TestDeletedHalf kills the daemon while it deletes a run: the next one brings that to its end,
// and deletes nothing else.
func TestDeletedHalf(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, _, closed := idle(t, data)
	for _, id := range []string{"both", "record", "folder", "kept"} {
		submit(t, d, id)
		wish(t, d, id, job.Cancel)
	}
	if err := d.Delete(t.Context(), "folder"); err != nil {
		t.Fatal(err)
	}
	submit(t, d, "folder") // another of that name
	closed()
	for _, id := range []string{"both", "record"} {
		if err := os.Rename(d.Folder(id), d.hidden(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.RemoveAll(d.hidden("record")), os.Mkdir(d.hidden("record"), 0o777), os.Mkdir(d.hidden("folder"), 0o777)); err != nil {
		t.Fatal(err)
	}
	d, log, _ := idle(t, data)
	check(t, d, log, map[string]job.State{"kept": job.Cancelled, "folder": job.Submitted})
	if left, err := os.ReadDir(d.runsFolder()); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}
