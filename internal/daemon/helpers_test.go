package daemon

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// helping waits until so many jobs make shards of the rounds of a run.
func (h *house) helping(id string, running int) {
	h.t.Helper()
	h.until("jobs help with "+id, func() bool {
		n := 0
		for k := range running {
			r, err := h.queue.Get(h.t.Context(), (&job.Shard{Of: id, Index: k, Helps: true}).ID())
			if err != nil && !errors.Is(err, queue.ErrNone) {
				h.t.Fatal(err)
			}
			if p := h.mirror.progress((&job.Shard{Of: id, Index: k, Helps: true}).ID()); err == nil && r.State == job.Running && p != nil && p.Passes > 0 {
				n++
			}
		}
		return n == running
	})
}

// TestHelpers makes an adaptation with jobs that help, one of which is ended, over a pause and a restart of the daemon:
// the results are to the last digit those of the run alone. Lists show the run alone, and nothing is left of the jobs.
func TestHelpers(t *testing.T) {
	long.Only(t, "an adaptation long enough that processes can come and go")
	t.Parallel()
	set := small("run.shards=4", "run.round=200", "wang_landau.final_ln_f=2e-7", "checkpoint.interval=50ms", "report.figures=false")
	whole := filepath.Join(t.TempDir(), "whole")
	runtest.Perform(t, whole, set...)
	data := t.TempDir()
	with := func(o *Options) { o.Jobs = 3 }
	h := open(t, data, with)
	h.submit(api.Submission{ID: "parts", Set: set})
	h.helping("parts", 2)
	if all := h.List(func(*api.Run) bool { return true }); len(all) != 1 || all[0].ID != "parts" || all[0].State != job.Running {
		t.Errorf("the list: %+v", all)
	}
	if err := h.queue.Want(t.Context(), "parts.h01", job.Cancel); err != nil {
		t.Fatal(err)
	}
	h.helping("parts", 2)
	h.change("parts", api.RunChange{Wish: job.Pause})
	h.state("parts", job.Paused)
	h.until("nobody helps a run that is paused", func() bool {
		return len(h.parts(&queue.Record{Job: job.Job{ID: "parts"}})) == 0
	})
	h.change("parts", api.RunChange{Wish: job.Run})
	h.helping("parts", 1)
	h.stop()
	h = open(t, data, with)
	h.state("parts", job.Done)
	for _, name := range []string{report.DensityFile, report.ObservablesFile} {
		if !bytes.Equal(runtest.Read(t, whole, name), runtest.Read(t, h.Folder("parts"), name)) {
			t.Errorf("%s is not that of the run alone", name)
		}
	}
	h.until("nobody helps a run that has ended", func() bool {
		return len(h.parts(&queue.Record{Job: job.Job{ID: "parts"}})) == 0
	})
	h.alone("parts")
	for _, name := range []string{run.RoundsFolder, run.ShardsFolder} {
		if _, err := os.Stat(filepath.Join(h.Folder("parts"), name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	h.stop()
}

// TestWindowsByWorkers makes a run in three energy windows by one, two and four processes at a time, which share the rounds of its
// adaptation and its production: the results are to the last digit those of the run alone.
func TestWindowsByWorkers(t *testing.T) {
	long.Only(t, "an adaptation long enough that processes can come")
	t.Parallel()
	set := small("run.shards=4", "run.round=200", "run.walkers=60", "windows.count=3", "wang_landau.final_ln_f=1e-6",
		"production.passes=6000", "checkpoint.interval=200ms", "report.figures=false")
	whole := filepath.Join(t.TempDir(), "whole")
	if s := runtest.Perform(t, whole, set...); s.Phases[0].Moves["exchange"].Trials == 0 || s.Phases[len(s.Phases)-1].Moves["exchange"].Trials == 0 {
		t.Error("walkers of different windows exchange nothing")
	}
	for _, jobs := range []int{1, 2, 4} {
		h := open(t, t.TempDir(), func(o *Options) { o.Jobs = jobs })
		h.submit(api.Submission{ID: "parts", Set: set})
		h.helping("parts", jobs-1)
		h.state("parts", job.Done)
		for _, name := range []string{report.DensityFile, report.ObservablesFile} {
			if !bytes.Equal(runtest.Read(t, whole, name), runtest.Read(t, h.Folder("parts"), name)) {
				t.Errorf("%d at a time: %s is not that of the run alone", jobs, name)
			}
		}
		h.stop()
	}
}
