package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"neuralwl/internal/disk"
	"neuralwl/internal/report"
	"neuralwl/internal/shell"

	"github.com/gofrs/flock"
)

// LockFile of a run directory is locked by the process that works in it.
const LockFile = ".lock"

// openFolder makes the run directory and writes the complete configuration to it, or opens
// the directory of a run to resume. It refuses a folder that already holds a run, and one
// that another process has locked. The lock is held until unlock is called.
func (j *job) openFolder() (unlock func(), err error) {
	_, err = os.Stat(filepath.Join(j.folder, report.ConfigFile))
	switch {
	case j.o.Resume && err != nil:
		return nil, fmt.Errorf("resume %s: there is no run in it: %w; start one with nwl run --out %s", j.folder, err, shell.Quote(j.folder))
	case !j.o.Resume && err == nil:
		return nil, fmt.Errorf("run directory %s already holds a run; continue it with --resume, choose another with --out, or delete it", j.folder)
	}
	_, missing := os.Stat(j.folder)
	j.made = missing != nil
	if err := j.fs.MkdirAll(j.folder); err != nil {
		return nil, fmt.Errorf("run directory: %w; choose another with --out", err)
	}
	if err := j.writable(); err != nil {
		return nil, err
	}
	leave, err := Claim{Epoch: j.o.Epoch, Wait: max(j.o.Wait, glance), Log: j.log}.Lock(j.folder)
	if err != nil {
		return nil, err
	}
	if !j.o.Resume {
		if err := j.write(report.ConfigFile, j.yaml); err != nil {
			return nil, errors.Join(err, leave())
		}
	}
	return func() { leave() }, nil
}

// glance is how long a new process waits for one that does no more than to look who works there.
const glance = 100 * time.Millisecond

// worked reports whether a process works in a run directory; not where there are no locks.
func worked(folder string) bool {
	path := filepath.Join(folder, LockFile)
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock := flock.New(path)
	defer lock.Close()
	free, err := lock.TryRLock()
	return err == nil && !free
}

// writable returns an error if this user may not write to the run directory, as to that of
// another user. A run must not learn that at its first checkpoint. Other faults may pass.
func (j *job) writable() error {
	probe := filepath.Join(j.folder, ".partial-probe")
	f, err := j.fs.Create(probe)
	if err == nil {
		err = errors.Join(f.Close(), j.fs.RemoveAll(probe))
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("run directory %s cannot be written: %w; work in a copy of it", j.folder, err)
	}
	return nil
}

// abandon removes what a new run that could not start has written, so that the next try
// finds the folder as this one did.
func (j *job) abandon() {
	if j.o.Resume {
		return
	}
	for _, name := range []string{report.ConfigFile, report.EventsFile, ModelsFolder, LockFile} {
		if err := j.fs.RemoveAll(filepath.Join(j.folder, name)); err != nil {
			j.o.Log.Warn("a run that did not start left something behind", "reason", err)
		}
	}
	if j.made {
		os.Remove(j.folder) // only if it is empty
	}
}

// tidy removes what a killed run left unfinished and what it did after its last
// checkpoint, and writes the present configuration to config.yaml.
func (j *job) tidy(last *saved) error {
	if err := errors.Join(disk.Tidy(j.fs, j.folder), j.forgetModels(last), j.rewriteConfig()); err != nil {
		return fmt.Errorf("resume %s: %w", j.folder, err)
	}
	return nil
}

// write puts a file into the run directory, whole or not at all.
func (j *job) write(name string, data []byte) error {
	path := filepath.Join(j.folder, name)
	if err := disk.WriteFile(j.fs, path, data); err != nil {
		return fmt.Errorf("write %s: %w; make room or choose another disk with --out", path, err)
	}
	return nil
}
