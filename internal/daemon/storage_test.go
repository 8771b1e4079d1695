package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// TestVersion reads the present layout, migrates an older one, and refuses others with both
// numbers.
func TestVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string // of the file, "none" for no file
		runs  bool   // there are run directories
		fault string
		steps int
	}{
		"new": {"none", false, "", 0}, "before versions": {"none", true, "", 1}, "present": {"1\n", true, "", 0},
		"newer": {"7\n", true, "is of version 7, this program knows versions up to 1", 0},
		"bad":   {"one\n", true, `holds "one"`, 0}, "negative": {"-1", false, `holds "-1"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			if c.runs {
				if err := os.MkdirAll(filepath.Join(data, runsName, "run-1"), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if c.text != "none" {
				if err := os.WriteFile(filepath.Join(data, VersionFile), []byte(c.text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			steps, err := checkVersion(data)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v lacks %q", err, c.fault)
				}
				return
			}
			if err != nil || len(steps) != c.steps {
				t.Errorf("%v, %v", steps, err)
			}
			if text, err := os.ReadFile(filepath.Join(data, VersionFile)); err != nil || string(text) != "1\n" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// TestFull refuses runs when the disk runs low, and begins none that wait; one under way goes on.
func TestFull(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(2 << 30)
	h := open(t, t.TempDir(), func(o *Options) {
		o.Storage = Storage{MinFree: 1 << 30, Free: func(string) (int64, error) { return free.Load(), nil }}
	})
	h.submit(api.Submission{ID: "first", Set: lengthy()})
	h.state("first", job.Running)
	h.submit(api.Submission{ID: "next"})
	free.Store(5 << 20)
	if _, err := h.Submit(t.Context(), api.Submission{Set: small()}, ""); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "5 MB are free and 1024 must stay free") {
		t.Errorf("%v", err)
	}
	h.change("first", api.RunChange{Wish: job.Pause})
	h.state("first", job.Paused) // and not failed
	h.wait("next", "waiting for the disk", func(r *api.Run) bool { return strings.Contains(r.Waits, "must stay free") })
	free.Store(2 << 30)
	h.state("next", job.Done)
}

// TestThin removes from a run what it needs only to go on, once that was kept long enough, and no
// result.
func TestThin(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir(), func(o *Options) { o.Storage.Keep = time.Hour })
	h.submit(api.Submission{ID: "run-1", Set: runtest.With(runtest.Quick, runtest.Brief...)})
	h.state("run-1", job.Done)
	folder := h.Folder("run-1")
	files := func() (all []string) {
		if err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if !entry.IsDir() && !strings.HasPrefix(entry.Name(), disk.Partial) {
				path, _ = filepath.Rel(folder, path)
				all = append(all, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := files()
	r, err := h.queue.Get(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.thinRun(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var checkpoints, versions, gone int
	after := files()
	for _, f := range before {
		switch left := slices.Contains(after, f); {
		case strings.HasPrefix(f, run.CheckpointFolder) && left:
			t.Errorf("%s is left", f)
		case strings.HasPrefix(f, run.CheckpointFolder):
			checkpoints++
		case strings.HasPrefix(f, run.ModelsFolder) && !left:
			gone++
		case strings.HasPrefix(f, run.ModelsFolder):
			versions++
		case !left:
			t.Errorf("%s was removed", f)
		}
	}
	if checkpoints == 0 || gone == 0 || versions == 0 {
		t.Errorf("%d checkpoints and %d files of networks are gone, %d are left", checkpoints, gone, versions)
	}
	s, err := report.ReadSummary(filepath.Join(folder, report.SummaryFile))
	if err != nil || s.Network == nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, run.ModelsFolder, filepath.Base(filepath.Dir(s.Network.Bundle)), filepath.Base(s.Network.Bundle))); err != nil {
		t.Errorf("the network that the results name: %v", err)
	}
	if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
		t.Errorf("%+v", failed)
	}
	if err := h.thinRun(t.Context(), r); err != nil || !slices.Equal(files(), after) {
		t.Errorf("again: %v", err)
	}
}

// TestEstimate refuses what can never have enough memory, with both numbers, lets what has to
// wait wait, and takes the user's word for it.
func TestEstimate(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir(), func(o *Options) { o.Jobs, o.Memory = 2, 100<<20 })
	if _, err := h.Submit(t.Context(), api.Submission{Set: small("system.size=64x64")}, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "may have 100 MB (server.memory)") {
		t.Errorf("%v", err)
	}
	r := h.submit(api.Submission{ID: "first", Set: lengthy()})
	if r.Memory < 40 || r.Memory > 60 {
		t.Errorf("the estimate is %d MB", r.Memory)
	}
	h.state("first", job.Running)
	h.submit(api.Submission{ID: "large", Memory: 70})
	h.wait("large", "waiting for memory", func(r *api.Run) bool { return strings.HasPrefix(r.Waits, "memory: it is to need 70 MB") })
	less := int64(10)
	h.change("large", api.RunChange{Memory: &less})
	h.state("large", job.Done)
}
