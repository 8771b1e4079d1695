// Package rotate writes logs that do not grow without bound.
package rotate

import (
	"fmt"
	"os"
	"sync"
)

// File is a log at a path. A write that would make it longer than its limit begins it anew: what
// there was becomes path.1, that becomes path.2, and so on; the oldest is removed. A write is
// never split. It is safe for concurrent use.
type File struct {
	path  string
	limit int64
	keep  int

	mutex sync.Mutex
	file  *os.File
	size  int64
}

// Open opens or begins a log of at most limit bytes, beside which as many older ones are kept.
func Open(path string, limit int64, keep int) (*File, error) {
	f := &File{path: path, limit: limit, keep: keep}
	return f, f.open()
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	about, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("log: %w", err)
	}
	f.file, f.size = file, about.Size()
	return nil
}

// Write appends to the log. Where it cannot be begun anew it goes on as it is, rather than lose
// what is to be logged.
func (f *File) Write(data []byte) (int, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.size > 0 && f.size+int64(len(data)) > f.limit {
		if err := f.rotate(); err != nil && f.file == nil {
			return 0, err
		}
	}
	n, err := f.file.Write(data)
	f.size += int64(n)
	return n, err
}

// rotate begins the log anew.
func (f *File) rotate() error {
	for i := f.keep; i > 0; i-- {
		from := f.path
		if i > 1 {
			from = f.old(i - 1)
		}
		if err := os.Rename(from, f.old(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if f.keep == 0 {
		if err := os.Remove(f.path); err != nil {
			return err
		}
	}
	former := f.file
	if err := f.open(); err != nil {
		return err // the former goes on under its new name
	}
	return former.Close()
}

func (f *File) old(i int) string { return fmt.Sprintf("%s.%d", f.path, i) }

// Close ends the log.
func (f *File) Close() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.file.Close()
}
