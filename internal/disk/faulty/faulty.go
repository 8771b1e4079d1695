// Package faulty injects file-system faults for tests.
package faulty

import (
	"errors"

	"neuralwl/internal/disk"
)

// Op is an operation on the file system.
type Op string

// The operations.
const (
	Read       Op = "read"
	Create     Op = "create"
	Append     Op = "append"
	Write      Op = "write"
	SyncFile   Op = "sync file"
	Rename     Op = "rename"
	MkdirAll   Op = "mkdir"
	RemoveAll  Op = "remove"
	SyncFolder Op = "sync folder"
)

// Ops lists all operations.
var Ops = []Op{Read, Create, Append, Write, SyncFile, Rename, MkdirAll, RemoveAll, SyncFolder}

// ErrShort makes a write silently write only half of its data.
var ErrShort = errors.New("short write")

// FS is the operating system's file system with faults. It does not wait until data is on
// disk, which makes no difference to a test and takes long.
type FS struct {
	// Fault, if not nil, is called before every operation, which fails with its error, if any.
	// A failing write writes half of its data.
	Fault func(op Op, path string) error
}

func (f FS) fault(op Op, path string) error {
	if f.Fault == nil {
		return nil
	}
	return f.Fault(op, path)
}

// ReadFile implements disk.FS, as do all methods below.
func (f FS) ReadFile(path string) ([]byte, error) {
	if err := f.fault(Read, path); err != nil {
		return nil, err
	}
	return disk.OS.ReadFile(path)
}

func (f FS) Create(path string) (disk.File, error) {
	if err := f.fault(Create, path); err != nil {
		return nil, err
	}
	file, err := disk.OS.Create(path)
	return &faultyFile{file, f, path}, err
}

func (f FS) Append(path string) (disk.File, error) {
	if err := f.fault(Append, path); err != nil {
		return nil, err
	}
	file, err := disk.OS.Append(path)
	return &faultyFile{file, f, path}, err
}

func (f FS) MkdirAll(path string) error {
	return errors.Join(f.fault(MkdirAll, path), disk.OS.MkdirAll(path))
}

func (f FS) Rename(from, to string) error {
	if err := f.fault(Rename, to); err != nil {
		return err
	}
	return disk.OS.Rename(from, to)
}

func (f FS) RemoveAll(path string) error {
	if err := f.fault(RemoveAll, path); err != nil {
		return err
	}
	return disk.OS.RemoveAll(path)
}

func (f FS) Sync(folder string) error {
	return f.fault(SyncFolder, folder)
}

type faultyFile struct {
	disk.File
	f    FS
	path string
}

func (f *faultyFile) Write(data []byte) (int, error) {
	err := f.f.fault(Write, f.path)
	if err == nil {
		return f.File.Write(data)
	}
	n, writeErr := f.File.Write(data[:len(data)/2])
	if errors.Is(err, ErrShort) {
		err = nil
	}
	return n, errors.Join(err, writeErr)
}

func (f *faultyFile) Sync() error {
	return f.f.fault(SyncFile, f.path)
}
