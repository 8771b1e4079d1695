package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/run"
)

// BackupFile in a backup is written last: it lists all that the backup holds.
const BackupFile = "backup.json"

// Backup is what it holds.
type Backup struct {
	Made    time.Time    `json:"made"`
	Version int          `json:"version"` // of the data folder
	Runs    int          `json:"runs"`
	Files   []BackupPart `json:"files"`
}

// BackupPart is a file of a backup.
type BackupPart struct {
	Path   string `json:"path"` // within the data folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// backupTries is how often a run is copied anew that changes while it is copied.
const backupTries = 10

// MakeBackup copies a data folder, of a daemon that may be running, to a folder that does not exist
// or is empty. Each run is as it was at some time during the copy. The queue is not copied: a
// daemon makes it again of the run directories, which say what their jobs are. Past events are
// left out, and so is what a worker has only for the time of a run. Who may read a file may read its copy, no others.
func MakeBackup(data, to string, log *slog.Logger) (*Backup, error) {
	if err := unrelated(data, to); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(data, runsName)); err != nil {
		return nil, fmt.Errorf("backup: %s is no data folder: %w", data, err)
	}
	if err := claimEmpty(to, data); err != nil {
		return nil, err
	}
	b := &Backup{Made: time.Now().UTC(), Version: dataVersion}
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == runsName || name == queueName || name == scratchName || strings.HasPrefix(name, queueName+".") || strings.HasPrefix(name, ".") {
			continue
		}
		parts, err := copyTree(data, to, name, log)
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		b.Files = append(b.Files, parts...)
	}
	if err := copyFolder(data, to, runsName); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	runs, err := os.ReadDir(filepath.Join(data, runsName))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, entry := range runs {
		if !entry.IsDir() || job.CheckID(entry.Name()) != nil {
			continue
		}
		parts, err := backUpRun(data, to, filepath.Join(runsName, entry.Name()), log)
		if errors.Is(err, fs.ErrNotExist) {
			log.Info("a run was deleted meanwhile", "run", entry.Name())
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("backup: %s: %w", entry.Name(), err)
		}
		b.Files, b.Runs = append(b.Files, parts...), b.Runs+1
	}
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return nil, err
	}
	return b, disk.WriteFile(disk.OS, filepath.Join(to, BackupFile), append(text, '\n'))
}

// backUpRun copies a run directory. Its job and its checkpoints come first: as long as they are
// the newest ones, nothing else is removed that they name.
func backUpRun(data, to, name string, log *slog.Logger) (parts []BackupPart, err error) {
	for try := 1; ; try++ {
		if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			return nil, err
		}
		was, err := newest(filepath.Join(data, name))
		if err != nil {
			return nil, err
		}
		parts = nil
		for _, first := range []string{job.File, run.CheckpointFolder, "."} {
			var some []BackupPart
			if some, err = copyTree(data, to, filepath.Join(name, first), log, parts...); err != nil {
				break
			}
			parts = append(parts, some...)
		}
		if err == nil {
			var is moment
			if is, err = newest(filepath.Join(data, name)); err == nil && is.equal(was) {
				return parts, nil
			}
		}
		if _, gone := os.Stat(filepath.Join(data, name)); gone != nil {
			return nil, errors.Join(gone, os.RemoveAll(filepath.Join(to, name)))
		}
		if try == backupTries {
			return nil, errors.Join(err, fmt.Errorf("it changed %d times while it was copied; pause it, or raise its checkpoint.interval", try))
		}
	}
}

// moment is what a run directory holds that changes.
type moment struct {
	job        []byte
	checkpoint string
}

func (m moment) equal(other moment) bool {
	return bytes.Equal(m.job, other.job) && m.checkpoint == other.checkpoint
}

func newest(folder string) (m moment, err error) {
	if m.job, err = os.ReadFile(filepath.Join(folder, job.File)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if _, err = os.Stat(folder); err != nil {
		return m, err
	}
	paths, err := checkpoint.Folder{FS: disk.OS, Path: filepath.Join(folder, run.CheckpointFolder)}.Paths()
	if len(paths) > 0 {
		m.checkpoint = paths[0]
	}
	return m, err
}

// copyTree copies a file or folder within one folder to the same place in another, without what
// was copied already, locks and incomplete files. What is not there is left out, and so is,
// with a warning, what is no file.
func copyTree(data, to, name string, log *slog.Logger, done ...BackupPart) (parts []BackupPart, err error) {
	err = filepath.WalkDir(filepath.Join(data, name), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		within, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(within)
		switch {
		case strings.HasPrefix(entry.Name(), disk.Partial):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			if err := copyFolder(data, to, within); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return fs.SkipDir // it disappeared
		case entry.Name() == run.LockFile || slices.ContainsFunc(done, func(p BackupPart) bool { return p.Path == slashed }):
			return nil
		case !entry.Type().IsRegular():
			log.Warn("it is no file and is left out", "path", path)
			return nil
		}
		part, err := copyFile(data, to, within)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it disappeared; whether that matters, the run's moment says
		}
		if err != nil {
			return err
		}
		part.Path = slashed
		parts = append(parts, part)
		return nil
	})
	return parts, err
}

// copyFolder makes a folder within another one, and those above it, with the permissions that they have in a third one.
func copyFolder(from, to, within string) error {
	if _, err := os.Stat(filepath.Join(to, within)); err == nil || within == "." {
		return err
	}
	if err := copyFolder(from, to, filepath.Dir(within)); err != nil {
		return err
	}
	return makeLike(filepath.Join(to, within), filepath.Join(from, within))
}

// makeLike makes a folder with the permissions of another one. Its owner may always write to it.
func makeLike(folder, other string) error {
	about, err := os.Stat(other)
	if err != nil {
		return err
	}
	return os.Mkdir(folder, about.Mode().Perm()|0o700)
}

// copyFile copies a file within a folder to the same place in another one, as long as it is when it is opened, with its permissions.
func copyFile(from, to, within string) (p BackupPart, err error) {
	in, err := os.Open(filepath.Join(from, within))
	if err != nil {
		return p, err
	}
	defer in.Close()
	about, err := in.Stat()
	if err != nil {
		return p, err
	}
	if err := copyFolder(from, to, filepath.Dir(within)); err != nil {
		return p, err
	}
	out, err := os.OpenFile(filepath.Join(to, within), os.O_WRONLY|os.O_CREATE|os.O_EXCL, about.Mode().Perm())
	if err != nil {
		return p, err
	}
	digest := sha256.New()
	p.Bytes, err = io.Copy(io.MultiWriter(out, digest), io.LimitReader(in, about.Size()))
	if err == nil {
		err = out.Sync()
	}
	p.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return p, errors.Join(err, out.Close())
}

// RestoreBackup makes a data folder, which must not exist yet or be empty, of a backup. Every
// file is compared with its digest; of a backup that is damaged or incomplete nothing is
// restored.
func RestoreBackup(from, data string) (*Backup, error) {
	text, err := os.ReadFile(filepath.Join(from, BackupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("restore: %s is no backup, or one that was not finished: it has no %s", from, BackupFile)
	}
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	b := &Backup{}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("restore: %s is damaged: %w", filepath.Join(from, BackupFile), err)
	}
	if b.Version > dataVersion {
		return nil, fmt.Errorf("restore: %s is of version %d, this program knows versions up to %d; take the newer program that made it", from, b.Version, dataVersion)
	}
	if err := unrelated(from, data); err != nil {
		return nil, err
	}
	if err := claimEmpty(data, from); err != nil {
		return nil, err
	}
	making := filepath.Join(filepath.Dir(filepath.Clean(data)), disk.Partial+filepath.Base(filepath.Clean(data)))
	if err := os.RemoveAll(making); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := makeLike(making, data); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := restoreInto(from, making, b); err != nil {
		return nil, errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(making))
	}
	if err := errors.Join(os.Remove(data), os.Rename(making, data)); err != nil { // it is empty
		return nil, errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(making))
	}
	return b, nil
}

func restoreInto(from, making string, b *Backup) error {
	err := copyFolder(from, making, runsName)
	if errors.Is(err, fs.ErrNotExist) { // there were no runs
		err = os.Mkdir(filepath.Join(making, runsName), 0o777)
	}
	if err != nil {
		return err
	}
	for _, want := range b.Files {
		within := filepath.FromSlash(want.Path)
		if !filepath.IsLocal(within) {
			return fmt.Errorf("%s lists %q, which is no path within a data folder", BackupFile, want.Path)
		}
		got, err := copyFile(from, making, within)
		if err != nil {
			return err
		}
		if got.Bytes != want.Bytes || got.SHA256 != want.SHA256 {
			return fmt.Errorf("%s is damaged: %d bytes with SHA-256 %s, %d with %s were written", filepath.Join(from, within), got.Bytes, got.SHA256, want.Bytes, want.SHA256)
		}
	}
	return nil
}

// claimEmpty makes a folder with the permissions of another one, or accepts an empty one.
func claimEmpty(folder, like string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o777); err != nil {
		return err
	}
	if err := makeLike(folder, like); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty; name a folder that does not exist yet", folder)
	}
	return err
}

// unrelated returns an error if one folder is within the other.
func unrelated(a, b string) error {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	within := func(x, y string) bool {
		relative, err := filepath.Rel(y, x)
		return err == nil && filepath.IsLocal(relative)
	}
	if within(a, b) || within(b, a) {
		return fmt.Errorf("%s and %s lie within each other; name another folder", a, b)
	}
	return nil
}
