package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// journalLine is a line of the journal.
type journalLine map[string]any

// events reads the journal of a run, every line of which must be a JSON object with time,
// level and message.
func events(t *testing.T, folder string) (all []journalLine) {
	t.Helper()
	for line := range bytes.Lines(runtest.Read(t, folder, report.EventsFile)) {
		e := journalLine{}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, key := range []string{"time", "level", "msg"} {
			if s, ok := e[key].(string); !ok || s == "" {
				t.Errorf("%s: %s is missing", line, key)
			}
		}
		all = append(all, e)
	}
	return all
}

// find returns the events with a message.
func find(all []journalLine, message string) (found []journalLine) {
	for _, e := range all {
		if e["msg"] == message {
			found = append(found, e)
		}
	}
	return found
}

// TestJournal: a run logs all that happens into its directory, whatever the level of the
// log, goes on in the same file when it is resumed, and loses a line at most that a crash
// left without its end.
func TestJournal(t *testing.T) {
	t.Parallel()
	log, logged := runtest.Log(slog.LevelError)
	folder := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := runtest.Run(ctx, t, run.Options{Folder: folder, Log: log, Intercept: stopAfter(70, cancel)}, runtest.Brief...); err != nil {
		t.Fatal(err)
	}
	if logged.Len() > 0 {
		t.Errorf("below the level of the log:\n%s", logged)
	}
	all := events(t, folder)
	// The library reports to the run's log, not the program's.
	for message, n := range map[string]int{"ONNX Runtime": 1, "run begins": 1, "the run ends early with what it has": 1, "run ends": 1, "resuming": 0} {
		if found := find(all, message); len(found) != n {
			t.Errorf("%q is there %d times, want %d", message, len(found), n)
		}
	}
	if begins := find(all, "run begins"); begins[0]["system"] != "potts q=3 4x4" || begins[0]["walkers"] != 48.0 {
		t.Errorf("begin: %v", begins[0])
	}
	if len(find(all, "bundle exported")) < 2 || len(find(all, "levels found")) == 0 || len(find(all, "checkpoint written")) == 0 {
		t.Errorf("events at the level of debug are missing: %v", all)
	}

	path := filepath.Join(folder, report.EventsFile)
	torn := append(runtest.Read(t, path), `{"time":"2026-`...)
	if err := os.WriteFile(path, torn, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := resume(t, folder); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Replace(runtest.Read(t, path), []byte("{\"time\":\"2026-\n"), nil, 1)
	if err := os.WriteFile(path, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	again := events(t, folder)
	if len(find(again, "resuming")) != 1 || len(find(again, "run ends")) != 2 || len(again) < len(all)+3 {
		t.Errorf("resumed: %v", again[len(all):])
	}
	if end := again[len(again)-1]; end["msg"] != "run ends" || end["converged"] == nil {
		t.Errorf("the last event is %v", end)
	}
}

// TestJournalFaults: without a journal, or with one that lacks lines, the run goes on and says
// so; how a run fails is the last thing there.
func TestJournalFaults(t *testing.T) {
	t.Parallel()
	for op, message := range map[faulty.Op]string{faulty.Append: "not logged in its directory", faulty.Write: "an event is not logged"} {
		log, logged := runtest.Log(slog.LevelInfo)
		fs := faulty.FS{Fault: func(o faulty.Op, path string) error {
			if o == op && filepath.Base(path) == report.EventsFile {
				return syscall.ENOSPC
			}
			return nil
		}}
		if _, err := proceed(t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), FS: fs, Log: log}); err != nil {
			t.Errorf("%s: %v", op, err)
		}
		if !strings.Contains(logged.String(), message) {
			t.Errorf("%s: the log does not say so:\n%s", op, logged)
		}
	}

	folder := filepath.Join(t.TempDir(), "run")
	fs := faulty.FS{Fault: func(o faulty.Op, path string) error {
		if o == faulty.Create && strings.Contains(path, report.DensityFile) {
			return syscall.ENOSPC
		}
		return nil
	}}
	if _, err := proceed(t, run.Options{Folder: folder, FS: fs}); err == nil {
		t.Fatal("the run ended well without its results")
	}
	all := events(t, folder)
	if end := all[len(all)-1]; end["level"] != "ERROR" || !strings.Contains(end["reason"].(string), report.DensityFile) {
		t.Errorf("the last event is %v", end)
	}
}
