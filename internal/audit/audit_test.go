package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLog writes from many sides at once, moves the file away, and goes on after a line that was
// cut short: every entry is a line of its own.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(path, []byte(`{"what":"cut sh`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const writers, each = 8, 20
	write := func() {
		var wait sync.WaitGroup
		for range writers {
			wait.Go(func() {
				for range each {
					if err := l.Write(Entry{At: time.Now(), By: "alice", What: "change", Run: "run-1", Details: map[string]any{"wish": "pause"}, Status: 200}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
	}
	write()
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write()
	for path, first := range map[string]int{moved: 1, path: 0} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")[first:]
		if len(lines) != writers*each {
			t.Errorf("%s: %d lines", path, len(lines))
		}
		for _, line := range lines {
			var e Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.By != "alice" || e.Details["wish"] != "pause" {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	if about, err := os.Stat(path); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", about, err)
	}
}
