package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/disk"
	"neuralwl/internal/disk/faulty"
)

// failAt makes operation number k fail and reports whether it was reached.
func failAt(k int, fault error) (f faulty.FS, reached *bool) {
	reached = new(bool)
	count := 0
	return faulty.FS{Fault: func(faulty.Op, string) error {
		if count++; count-1 == k {
			*reached = true
			return fault
		}
		return nil
	}}, reached
}

var faults = []error{syscall.ENOSPC, syscall.EIO, faulty.ErrShort}

// TestWriteFile makes each operation fail: the file is either the old one or the new one,
// and the new one if no error is returned.
func TestWriteFile(t *testing.T) {
	for _, fault := range faults {
		for k := 0; ; k++ {
			folder := t.TempDir()
			path := filepath.Join(folder, "file")
			before, after := []byte("the old contents"), bytes.Repeat([]byte("new "), 1000)
			if err := disk.WriteFile(disk.OS, path, before); err != nil {
				t.Fatal(err)
			}
			f, reached := failAt(k, fault)
			err := disk.WriteFile(f, path, after)
			got, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if !bytes.Equal(got, after) && (err == nil || !bytes.Equal(got, before)) {
				t.Errorf("%v at operation %d: error %v, %d bytes left", fault, k, err, len(got))
			}
			if *reached && err == nil {
				t.Errorf("%v at operation %d was not reported", fault, k)
			}
			if err != nil && !errors.Is(fault, faulty.ErrShort) && !errors.Is(err, fault) {
				t.Errorf("%v at operation %d: the error is %v", fault, k, err)
			}
			if entries, _ := os.ReadDir(folder); err != nil && len(entries) != 1 && !errors.Is(err, syscall.ENOTEMPTY) {
				t.Errorf("%v at operation %d: left behind %v", fault, k, entries)
			}
			if !*reached {
				break
			}
		}
	}
}

// TestWriteFolder is TestWriteFile for folders.
func TestWriteFolder(t *testing.T) {
	files := map[string][]byte{"a": []byte("one"), "b": []byte("two")}
	for _, fault := range faults {
		for k := 0; ; k++ {
			path := filepath.Join(t.TempDir(), "folder")
			f, reached := failAt(k, fault)
			err := disk.WriteFolder(f, path, files)
			if _, statErr := os.Stat(path); statErr == nil {
				for name, want := range files {
					if got, err := os.ReadFile(filepath.Join(path, name)); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%v at operation %d: %s is %q, %v", fault, k, name, got, err)
					}
				}
			} else if err == nil {
				t.Errorf("%v at operation %d: no error and no folder", fault, k)
			}
			if *reached && err == nil {
				t.Errorf("%v at operation %d was not reported", fault, k)
			}
			if !*reached {
				break
			}
		}
	}
}

// signed is a file system of a process that calls it by a name.
type signed struct {
	disk.FS
	name string
}

func (s signed) Signature() string { return s.name }

// TestSigned has another process write a file before each operation by which this one writes it: neither sees an error,
// and the file is whole.
func TestSigned(t *testing.T) {
	for k := 0; ; k++ {
		folder := t.TempDir()
		path := filepath.Join(folder, "file")
		mine, others := bytes.Repeat([]byte("mine "), 100), bytes.Repeat([]byte("others "), 100)
		count, reached := 0, false
		between := func(faulty.Op, string) error {
			if count++; count-1 == k {
				reached = true
				if err := disk.WriteFile(signed{disk.OS, "other"}, path, others); err != nil {
					t.Errorf("the other before operation %d: %v", k, err)
				}
			}
			return nil
		}
		if err := disk.WriteFile(signed{faulty.FS{Fault: between}, "this"}, path, mine); err != nil {
			t.Errorf("this one, interrupted before operation %d: %v", k, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, mine) && !bytes.Equal(got, others) {
			t.Errorf("interrupted before operation %d: %d bytes, %v", k, len(got), err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("interrupted before operation %d: left behind %v, %v", k, entries, err)
		}
		if !reached {
			break
		}
	}
}

// TestTidy checks that only the remains of an interrupted write are removed.
func TestTidy(t *testing.T) {
	folder := t.TempDir()
	keep := filepath.Join(folder, "sub", "keep")
	if err := os.MkdirAll(filepath.Join(folder, "sub", ".partial-7", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{keep, filepath.Join(folder, ".partial-file"), filepath.Join(folder, "sub", ".partial-7", "deep", "x")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Tidy(disk.OS, folder); err != nil {
		t.Fatal(err)
	}
	var left []string
	filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		left = append(left, path)
		return err
	})
	if want := fmt.Sprint([]string{folder, filepath.Dir(keep), keep}); fmt.Sprint(left) != want {
		t.Errorf("left %v, want %v", left, want)
	}
}

// TestTryLock locks a file that another one has for a moment, and one that is kept.
func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.TryLock(path)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := disk.TryLock(path); err != nil || second != nil {
		t.Errorf("%v, %v while another has it", second, err)
	}
	time.AfterFunc(100*time.Millisecond, func() { first.Close() })
	second, err := disk.TryLock(path)
	if err != nil || second == nil {
		t.Fatal(second, err)
	}
	second.Close()
	if lock, err := disk.TryLock(filepath.Join(path, "none")); err == nil {
		t.Errorf("%v in no folder", lock)
	}
}
