package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestGuard ends what takes more than it may, and nothing else.
func TestGuard(t *testing.T) {
	if _, err := resident(os.Getpid()); err != nil {
		t.Skipf("SKIPPED: no /proc to read the resident size from: %v", err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	for name, c := range map[string]struct {
		guard
		want string // part of the reason, empty for none
	}{
		"memory":    {guard{memory: 1 << 20}, "MB of memory and may take 1,"},
		"directory": {guard{room: 2 << 20}, "its directory took 3 MB and may take 2 (storage.run_megabytes)"},
		"enough":    {guard{memory: 1 << 40, room: 4 << 20}, ""},
		"no limit":  {guard{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.folder, c.every = folder, time.Millisecond
			ctx, end := context.WithCancelCause(t.Context())
			finished := make(chan struct{})
			time.AfterFunc(200*time.Millisecond, func() { close(finished) })
			c.watch(os.Getpid(), end, finished, log)
			switch why := context.Cause(ctx); {
			case c.want == "" && why != nil:
				t.Errorf("it was ended: %v", why)
			case c.want != "" && (why == nil || !strings.Contains(why.Error(), c.want)):
				t.Errorf("%v lacks %q", why, c.want)
			}
		})
	}
}

// TestExcess ends a run in order that takes more memory than it may; with more it goes on, to
// the numbers of the undisturbed run. What its processes logged is in its directory.
func TestExcess(t *testing.T) {
	if _, err := resident(os.Getpid()); err != nil {
		t.Skipf("SKIPPED: no /proc to read the resident size from: %v", err)
	}
	o := newOffice(t)
	o.stop()
	o.spare = 1
	o.start("frugal")
	text, err := runtest.Load(t, runtest.With([]string{"run.moves=local"}, lengthy...)...).YAML()
	if err != nil {
		t.Fatal(err)
	}
	with := func(memory int64) json.RawMessage {
		spec, err := json.Marshal(job.Spec{Config: string(text), Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		return spec
	}
	if _, err := o.queue.Submit(t.Context(), "run-1", with(1)); err != nil {
		t.Fatal(err)
	}
	r := o.wait("run-1", job.Failed, job.Done)
	if r.State != job.Failed || !strings.Contains(r.Reason, "MB of memory and may take 0") || r.Attempts > 1 {
		t.Fatalf("%+v", r)
	}
	if failed, _ := runtest.Verify(t, filepath.Join(o.folder, "run-1")); len(failed) > 0 {
		t.Errorf("%+v", failed)
	}
	if _, err := o.queue.Again(t.Context(), "run-1", with(1<<40)); err != nil {
		t.Fatal(err)
	}
	o.wait("run-1", job.Done)
	if !bytes.Equal(runtest.Read(t, o.folder, "run-1", report.DensityFile), undisturbed(t, lengthy...)) {
		t.Error("it has other numbers than the undisturbed run")
	}
	if log := runtest.Read(t, o.folder, "run-1", ChildLog); !bytes.Contains(log, []byte("may take 0")) {
		t.Errorf("%s: %s", ChildLog, log)
	}
}
