package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestBackup copies the data of a daemon under way: of the copy another daemon goes on with the
// run, to the numbers of the undisturbed one, and knows all others as they were.
func TestBackup(t *testing.T) {
	long.Only(t, "runs before and after take seconds")
	t.Parallel()
	data, copied, restored := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h := open(t, data)
	h.submit(api.Submission{ID: "done", Title: "a title"})
	h.state("done", job.Done)
	busy := small("checkpoint.interval=50ms", "wang_landau.final_ln_f=3e-6", "production.passes=6000")
	h.submit(api.Submission{ID: "busy", Set: busy})
	h.submit(api.Submission{ID: "waits", Priority: 3})
	h.submit(api.Submission{ID: "paused"})
	h.change("paused", api.RunChange{Wish: job.Pause})
	h.wait("busy", "past a checkpoint", func(r *api.Run) bool { return r.Progress != nil && r.Progress.Passes > 0 })
	b, err := MakeBackup(data, copied, log)
	if err != nil {
		t.Fatal(err)
	}
	if b.Runs != 4 || len(b.Files) < 10 {
		t.Errorf("%d runs, %d files", b.Runs, len(b.Files))
	}
	h.stop()
	if _, err := RestoreBackup(copied, restored); err != nil {
		t.Fatal(err)
	}
	h = open(t, restored)
	if r := h.state("done", job.Done); r.Title != "a title" || r.Outcome == nil {
		t.Errorf("%+v", r)
	}
	h.state("paused", job.Paused)
	h.state("busy", job.Done)
	if r := h.state("waits", job.Done); r.Priority != 3 {
		t.Errorf("%+v", r)
	}
	alone := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, alone, busy[len(runtest.Quick):]...)
	if !bytes.Equal(runtest.Read(t, h.runsFolder(), "busy", report.DensityFile), runtest.Read(t, alone, report.DensityFile)) {
		t.Error("the run has other numbers than the undisturbed one")
	}
}

// TestBackupPermissions keeps what others may not read from them also in a backup and in what is restored of it, and leaves out scratch.
func TestBackupPermissions(t *testing.T) {
	t.Parallel()
	data, copied, restored := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	folders := map[string]os.FileMode{".": 0o700, runsName: 0o750, "workers": 0o700, scratchName: 0o755}
	files := map[string]os.FileMode{"workers/server.key": 0o600, "runs/run-1/config.yaml": 0o644, "workers/read-only": 0o400, "scratch/big": 0o644}
	for name, mode := range folders {
		if err := errors.Join(os.MkdirAll(filepath.Join(data, name), 0o777), os.Chmod(filepath.Join(data, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range files {
		path := filepath.Join(data, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(name), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := MakeBackup(data, copied, slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreBackup(copied, restored); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{copied, restored} {
		for _, all := range []map[string]os.FileMode{folders, files} {
			for name, mode := range all {
				about, err := os.Stat(filepath.Join(to, name))
				if strings.HasPrefix(name, scratchName) {
					if !errors.Is(err, os.ErrNotExist) {
						t.Errorf("%s: %v", name, err)
					}
				} else if err != nil || about.Mode().Perm() != mode {
					t.Errorf("%s: %v, %v; want %v", name, about, err, mode)
				}
			}
		}
	}
}

// TestBadBackup refuses what is no whole backup, and folders that hold something.
func TestBadBackup(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	data := t.TempDir()
	folder := filepath.Join(data, runsName, "run-1")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(folder, "config.yaml"), "a")
	copied := filepath.Join(t.TempDir(), "backup")
	expect := func(err error, part string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
	_, err := MakeBackup(data, filepath.Join(data, "backup"), log)
	expect(err, "within each other")
	_, err = MakeBackup(filepath.Join(data, runsName), copied, log)
	expect(err, "no data folder")
	if _, err := MakeBackup(data, copied, log); err != nil {
		t.Fatal(err)
	}
	_, err = MakeBackup(data, copied, log)
	expect(err, "not empty")
	_, err = RestoreBackup(copied, data)
	expect(err, "not empty")
	_, err = RestoreBackup(t.TempDir(), filepath.Join(t.TempDir(), "new"))
	expect(err, "was not finished")
	write(filepath.Join(copied, runsName, "run-1", "config.yaml"), "b")
	restored := filepath.Join(t.TempDir(), "new")
	_, err = RestoreBackup(copied, restored)
	expect(err, "config.yaml is damaged")
	if entries, err := os.ReadDir(filepath.Dir(restored)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	for bad, part := range map[string]string{
		`{"version": 9}`: "version 9, this program knows versions up to 1", `{"files": [{"path": "../x"}]}`: "no path within", `{`: "damaged",
	} {
		write(filepath.Join(copied, BackupFile), bad)
		_, err = RestoreBackup(copied, filepath.Join(t.TempDir(), "new"))
		expect(err, part)
	}
}
