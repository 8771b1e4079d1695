package rotate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestFile writes lines of which the last ones are kept, whole and in order, over a restart.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	written := 0
	write := func(lines int) {
		f, err := Open(path, 100, 2)
		if err != nil {
			t.Fatal(err)
		}
		for range lines {
			if _, err := fmt.Fprintf(f, "line %04d\n", written); err != nil {
				t.Fatal(err)
			}
			written++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(7)
	write(48)
	all := ""
	for _, name := range []string{path + ".2", path + ".1", path} {
		data, err := os.ReadFile(name)
		if err != nil || len(data) > 100 {
			t.Errorf("%s has %d bytes, %v", name, len(data), err)
		}
		all += string(data)
	}
	lines := strings.Split(strings.TrimSpace(all), "\n")
	for i, line := range lines {
		if want := fmt.Sprintf("line %04d", written-len(lines)+i); line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if len(lines) != 25 {
		t.Errorf("%d lines are kept", len(lines))
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third old log")
	}
	if _, err := Open(t.TempDir(), 100, 1); err == nil {
		t.Error("a folder served as a log")
	}
}

// TestHindered goes on where the log cannot be begun anew.
func TestHindered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.MkdirAll(filepath.Join(path+".1", "not empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if _, err := f.Write([]byte("nine bytes")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if data, err := os.ReadFile(path); err != nil || len(data) != 30 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
