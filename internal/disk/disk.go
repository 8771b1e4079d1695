// Package disk writes files and folders atomically, even across a power failure: under a
// temporary name first, forced to disk, then renamed. It also locks files.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// FS is the part of a file system that the program uses. OS is the real one; tests inject
// faults with another.
type FS interface {
	ReadFile(path string) ([]byte, error)
	// Create opens a new file for writing; it is an error if path exists.
	Create(path string) (File, error)
	// Append opens a file for writing at its end, creating it if necessary.
	Append(path string) (File, error)
	MkdirAll(path string) error
	Rename(from, to string) error
	RemoveAll(path string) error
	// Sync forces a folder's entries to disk.
	Sync(folder string) error
}

// File is a file being written.
type File interface {
	io.WriteCloser
	Sync() error
}

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
func (osFS) MkdirAll(path string) error           { return os.MkdirAll(path, 0o777) }
func (osFS) Rename(from, to string) error         { return os.Rename(from, to) }
func (osFS) RemoveAll(path string) error          { return os.RemoveAll(path) }

func (osFS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func (osFS) Append(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
}

func (osFS) Sync(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that cannot sync folders
	}
	return errors.Join(err, f.Close())
}

// Partial begins the names of incomplete files and folders. After a crash, anything with
// such a name may be deleted.
const Partial = ".partial-"

// Signed is a file system of one of several processes that may be about to write the same file: its incomplete files
// and folders have names of their own, so that no process renames or removes what another one is writing.
type Signed interface {
	FS
	// Signature is part of those names, and differs from that of the other processes.
	Signature() string
}

// temporary is the name of a file or folder while it is incomplete.
func temporary(f FS, path string) string {
	name := Partial
	if s, ok := f.(Signed); ok {
		name += s.Signature() + "-"
	}
	return filepath.Join(filepath.Dir(path), name+filepath.Base(path))
}

// WriteFile writes data to the file path, replacing any old contents. On an error the old
// file is unchanged, unless only the last step failed, forcing the new name to disk.
func WriteFile(f FS, path string, data []byte) (err error) {
	folder, temporary := filepath.Dir(path), temporary(f, path)
	defer func() {
		if err != nil {
			f.RemoveAll(temporary)
		}
	}()
	if err := f.RemoveAll(temporary); err != nil {
		return err
	}
	if err := write(f, temporary, data); err != nil {
		return err
	}
	if err := f.Rename(temporary, path); err != nil {
		return err
	}
	return f.Sync(folder)
}

// WriteFolder creates the folder path, which must not exist yet, with the given files. On
// an error there is no such folder, unless only the last step failed.
func WriteFolder(f FS, path string, files map[string][]byte) (err error) {
	parent, temporary := filepath.Dir(path), temporary(f, path)
	defer func() {
		if err != nil {
			f.RemoveAll(temporary)
		}
	}()
	if err := f.RemoveAll(temporary); err != nil {
		return err
	}
	if err := f.MkdirAll(temporary); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(f, filepath.Join(temporary, name), files[name]); err != nil {
			return err
		}
	}
	if err := f.Sync(temporary); err != nil {
		return err
	}
	if err := f.Rename(temporary, path); err != nil {
		return err
	}
	return f.Sync(parent)
}

// write creates a file and forces its contents to disk.
func write(f FS, path string, data []byte) error {
	file, err := f.Create(path)
	if err != nil {
		return err
	}
	n, err := file.Write(data)
	if err == nil && n < len(data) {
		err = fmt.Errorf("write %s: %w", path, io.ErrShortWrite)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Tidy removes what an interrupted WriteFile or WriteFolder left in folder and below.
func Tidy(f FS, folder string) error {
	var errs []error
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), Partial) {
			errs = append(errs, f.RemoveAll(path))
			if entry.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}
