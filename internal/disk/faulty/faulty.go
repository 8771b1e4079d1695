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

// FS is the operating system's file system with faults.
type FS struct {
	// Fault is called before every operation, which fails with its error, if any. A failing
	// write writes half of its data.
	Fault func(op Op, path string) error
}

// ReadFile implements disk.FS, as do all methods below.
func (f FS) ReadFile(path string) ([]byte, error) {
	if err := f.Fault(Read, path); err != nil {
		return nil, err
	}
	return disk.OS.ReadFile(path)
}

func (f FS) Create(path string) (disk.File, error) {
	if err := f.Fault(Create, path); err != nil {
		return nil, err
	}
	file, err := disk.OS.Create(path)
	return &faultyFile{file, f, path}, err
}

func (f FS) Append(path string) (disk.File, error) {
	if err := f.Fault(Append, path); err != nil {
		return nil, err
	}
	file, err := disk.OS.Append(path)
	return &faultyFile{file, f, path}, err
}

func (f FS) MkdirAll(path string) error {
	return errors.Join(f.Fault(MkdirAll, path), disk.OS.MkdirAll(path))
}

func (f FS) Rename(from, to string) error {
	if err := f.Fault(Rename, to); err != nil {
		return err
	}
	return disk.OS.Rename(from, to)
}

func (f FS) RemoveAll(path string) error {
	if err := f.Fault(RemoveAll, path); err != nil {
		return err
	}
	return disk.OS.RemoveAll(path)
}

func (f FS) Sync(folder string) error {
	return errors.Join(f.Fault(SyncFolder, folder), disk.OS.Sync(folder))
}

type faultyFile struct {
	disk.File
	f    FS
	path string
}

func (f *faultyFile) Write(data []byte) (int, error) {
	err := f.f.Fault(Write, f.path)
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
	return errors.Join(f.f.Fault(SyncFile, f.path), f.File.Sync())
}
