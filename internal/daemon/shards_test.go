package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// shards are the records of a run's shards that there are.
func (h *house) shards(id string, of int) (all []*queue.Record) {
	h.t.Helper()
	for k := range of {
		r, err := h.queue.Get(h.t.Context(), job.ShardID(id, k))
		if errors.Is(err, queue.ErrNone) {
			continue
		}
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// under waits until so many shards of a run are running with a checkpoint behind them.
func (h *house) under(id string, of, running int) {
	h.t.Helper()
	h.until("shards of "+id+" run", func() bool {
		n := 0
		for _, r := range h.shards(id, of) {
			if p := h.mirror.progress(r.ID); r.State == job.Running && p != nil && p.Passes > 0 {
				n++
			}
		}
		return n >= running
	})
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("not so: %s", what)
		}
	}
}

// inShards are the settings of a run whose production is a matter of seconds, in so many shards.
var inShards = small("run.shards=3", "windows.count=2", "wang_landau.final_ln_f=1e-2", "production.passes=6000", "checkpoint.interval=50ms")

// TestShards makes runs in shards with one slot and with several, over a pause and a restart of the
// daemon: the results are to the last digit those of a run that makes its shards itself. Lists show
// the run alone, with the progress of all shards, and nothing is left of them.
func TestShards(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "whole")
	runtest.Perform(t, whole, inShards...)
	for _, jobs := range long.Or([]int{1, 4}, []int{1}) { // TestShardsTogether has several
		data := t.TempDir()
		with := func(o *Options) { o.Jobs = jobs }
		h := open(t, data, with)
		h.submit(api.Submission{ID: "parts", Set: inShards})
		h.under("parts", 3, min(jobs, 3))
		if all := h.List(func(*api.Run) bool { return true }); len(all) != 1 || all[0].ID != "parts" || all[0].State != job.Submitted {
			t.Errorf("the list: %+v", all)
		}
		h.wait("parts", "waiting for its shards", func(r *api.Run) bool { return strings.Contains(r.Waits, "of 3 are done") })
		h.wait("parts", "told of its progress", func(r *api.Run) bool {
			return r.Progress != nil && r.Progress.Phase == "production" && r.Progress.Done > 0
		})
		if _, err := h.Change(t.Context(), job.ShardID("parts", 0), api.RunChange{Wish: job.Cancel}); err == nil || !strings.Contains(err.Error(), "shard of parts") {
			t.Errorf("a shard is cancelled: %v", err)
		}
		h.change("parts", api.RunChange{Wish: job.Pause})
		h.state("parts", job.Paused)
		h.until("all shards are paused or done", func() bool {
			for _, r := range h.shards("parts", 3) {
				if r.State != job.Paused && r.State != job.Done {
					return false
				}
			}
			return true
		})
		h.change("parts", api.RunChange{Wish: job.Run})
		h.until("a shard goes on", func() bool {
			for _, r := range h.shards("parts", 3) {
				if r.State == job.Running || r.State == job.Done {
					return true
				}
			}
			return false
		})
		h.stop()
		h = open(t, data, with)
		h.state("parts", job.Done)
		for _, name := range []string{report.DensityFile, report.ObservablesFile} {
			if !bytes.Equal(runtest.Read(t, whole, name), runtest.Read(t, h.Folder("parts"), name)) {
				t.Errorf("%d at a time: %s is not that of a run that makes its shards itself", jobs, name)
			}
		}
		h.until("the shards are forgotten", func() bool { return len(h.shards("parts", 3)) == 0 })
		h.alone("parts")
		if _, err := os.Stat(filepath.Join(h.Folder("parts"), run.ShardsFolder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folders of the shards are left: %v", err)
		}
		h.stop()
	}
}

// TestShardsTogether resumes a run that failed when it had put its shards together: those that are submitted
// again end at once, and nothing is left of them.
func TestShardsTogether(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir(), func(o *Options) { o.Jobs = 3 })
	h.submit(api.Submission{ID: "parts", Set: inShards})
	h.under("parts", 3, 1)
	inTheWay := filepath.Join(h.Folder("parts"), report.DensityFile)
	if err := os.Mkdir(inTheWay, 0o777); err != nil {
		t.Fatal(err)
	}
	if r := h.state("parts", job.Failed); !strings.Contains(r.Reason, report.DensityFile) {
		t.Errorf("reason %q", r.Reason)
	}
	h.until("the shards are forgotten", func() bool { return len(h.shards("parts", 3)) == 0 })
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	h.change("parts", api.RunChange{Wish: job.Run})
	if r := h.wait("parts", "at its end", func(r *api.Run) bool { return r.State.Final() }); r.State != job.Done {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if _, err := os.Stat(filepath.Join(h.Folder("parts"), run.ShardsFolder)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folders of the shards are left: %v", err)
	}
}

// TestShardName has a run whose shard cannot be submitted, as another run has its name: it waits and says why, others
// go on, and its end is not that of the other run. A folder of such a name is not taken for a run.
func TestShardName(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	copied := filepath.Join(data, runsName, "copied.s01")
	runtest.Perform(t, copied, small()...)
	h := open(t, data)
	if _, err := h.queue.Get(t.Context(), "copied.s01"); !errors.Is(err, queue.ErrNone) {
		t.Errorf("a folder of the name of a shard: %v", err)
	}
	if _, err := h.queue.Submit(t.Context(), job.ShardID("held", 1), json.RawMessage(`{"config":"nosuch: 1"}`)); err != nil {
		t.Fatal(err)
	}
	h.submit(api.Submission{ID: "held", Set: inShards})
	h.wait("held", "held", func(r *api.Run) bool { return strings.Contains(r.Waits, "its shard 2: submit held.s02") })
	h.submit(api.Submission{ID: "other"})
	h.state("other", job.Done)
	h.change("held", api.RunChange{Wish: job.Cancel})
	h.state("held", job.Cancelled)
	if err := h.Delete(t.Context(), "held"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.queue.Get(t.Context(), job.ShardID("held", 1)); err != nil {
		t.Error(err)
	}
}

// TestShardsFollow has the shards of a run follow a change of its priority, and go on on any machine when it may, but
// for the one that is running.
func TestShardsFollow(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.submit(api.Submission{ID: "parts", Set: runtest.With(inShards, "production.passes=100000000")})
	h.under("parts", 3, 1)
	priority := 7
	h.change("parts", api.RunChange{Priority: &priority})
	h.until("the shards have the priority of the run", func() bool {
		return !slices.ContainsFunc(h.shards("parts", 3), func(r *queue.Record) bool { return h.spec(r).Priority != priority })
	})
	class := func(r *queue.Record) bool { return r.Class != "" }
	if all := h.shards("parts", 3); len(slices.DeleteFunc(all, func(r *queue.Record) bool { return !class(r) })) != 3 {
		t.Fatalf("not all shards have a class: %+v", all)
	}
	h.change("parts", api.RunChange{Wish: job.Run, AnyMachine: true})
	if all := h.shards("parts", 3); !class(all[0]) || class(all[1]) || class(all[2]) {
		t.Errorf("%+v, %+v, %+v", all[0].Job, all[1].Job, all[2].Job)
	}
	if r, err := h.queue.Get(t.Context(), "parts"); err != nil || class(r) {
		t.Errorf("%+v, %v", r, err)
	}
}

// alone fails the test if there are other run directories.
func (h *house) alone(ids ...string) {
	h.t.Helper()
	entries, err := os.ReadDir(h.runsFolder())
	if err != nil {
		h.t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			there = append(there, e.Name())
		}
	}
	if !slices.Equal(there, ids) {
		h.t.Errorf("run directories %v, want %v", there, ids)
	}
}

// TestShardsEnd cancels, deletes and fails runs whose shards go on: the shards end with them, and a run that is
// resumed takes them up where they were.
func TestShardsEnd(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir(), func(o *Options) { o.Jobs = 3 })
	endless := runtest.With(inShards, "production.passes=100000000")
	h.submit(api.Submission{ID: "parts", Set: endless})
	h.under("parts", 3, 3)
	h.change("parts", api.RunChange{Wish: job.Cancel})
	h.state("parts", job.Cancelled)
	h.until("the shards are forgotten", func() bool { return len(h.shards("parts", 3)) == 0 })
	h.change("parts", api.RunChange{Wish: job.Run})
	h.under("parts", 3, 3)
	resumed := slices.ContainsFunc(h.events("parts.s02"), func(e queue.Event) bool {
		var d child.BeganData
		return e.Kind == string(child.Began) && json.Unmarshal(e.Data, &d) == nil && d.Resumed
	})
	if !resumed {
		t.Error("a shard does not go on where it was")
	}
	// A shard that cannot go on is the end of the run, and of the others; once it can, the run goes on.
	h.change("parts", api.RunChange{Wish: job.Pause})
	h.until("the shards are paused", func() bool {
		return !slices.ContainsFunc(h.shards("parts", 3), func(r *queue.Record) bool { return r.State != job.Paused })
	})
	spoilt := filepath.Join(run.ShardFolder(h.Folder("parts"), 1), run.CheckpointFolder)
	files, err := filepath.Glob(filepath.Join(spoilt, "*.checkpoint"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if err := os.WriteFile(path, []byte("spoilt"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	h.change("parts", api.RunChange{Wish: job.Run})
	if r := h.state("parts", job.Failed); !strings.Contains(r.Reason, "shard 2 is failed: none of the") {
		t.Errorf("reason %q", r.Reason)
	}
	if err := os.RemoveAll(spoilt); err != nil {
		t.Fatal(err)
	}
	h.until("the shards are forgotten", func() bool { return len(h.shards("parts", 3)) == 0 })

	h.change("parts", api.RunChange{Wish: job.Run})
	h.under("parts", 3, 3)
	h.change("parts", api.RunChange{Wish: job.Cancel})
	h.until("the shards are forgotten", func() bool { return len(h.shards("parts", 3)) == 0 })

	h.submit(api.Submission{ID: "gone", Set: endless})
	h.under("gone", 3, 3)
	if err := h.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	h.until("the shards are forgotten", func() bool { return len(h.shards("gone", 3)) == 0 })
	h.alone("parts")
	for id, want := range map[string]string{"some.s01": "name of shards", strings.Repeat("x", 62): "2 characters fewer"} {
		if _, err := h.Submit(t.Context(), api.Submission{ID: id, Set: inShards}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// events are all events of a run.
func (h *house) events(id string) []queue.Event {
	h.t.Helper()
	events, _, err := h.queue.History(h.t.Context(), id, 0, 10000)
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}
