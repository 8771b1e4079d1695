package repository_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

// journal is a log that may be read while it is written.
type journal struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(text string) int {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return strings.Count(j.text.String(), text)
}

// TestWatch picks every new version of what is served, also one that is copied slowly, past a
// bad one, and none that is not wanted.
func TestWatch(t *testing.T) {
	folder := newFolder(t)
	factor := float32(1)
	add := func(name string) repository.Ref {
		factor *= 1.1
		return add(t, folder, weighted(t, models.Made, small, factor), name)
	}
	add("net")
	add("net")
	add("idle")
	log := &journal{}
	r := open(t, folder, repository.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	load(t, r, "net/1") // though there is a second
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Watch(ctx, 2*time.Millisecond)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	version := func() int {
		h := acquire(t, r, "net")
		defer h.Release()
		return h.Ref().Version
	}
	await := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); version() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("version %d is served, not %d", version(), want)
			}
		}
	}
	stays := func(want int) {
		t.Helper()
		for range 20 {
			if got := version(); got != want {
				t.Fatalf("version %d is served instead of %d", got, want)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	stays(1)
	await(add("net").Version)

	// The fourth is copied file by file, without regard for those who watch.
	source := filepath.Join(folder.Path(), "idle", "1")
	target := filepath.Join(folder.Path(), "net", "4")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{exporter.CardFile, exporter.GradientFile, exporter.ProposeFile, exporter.LogProbFile} {
		data, err := os.ReadFile(filepath.Join(source, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]byte{data[:len(data)/2], data} {
			stays(3)
			if err := os.WriteFile(filepath.Join(target, file), part, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(4)

	// A bad one neither stops it nor hides a good one below.
	bad := add("net")
	damaged := filepath.Join(folder.Path(), "net", fmt.Sprint(bad.Version), exporter.ProposeFile)
	await(bad.Version)
	if _, err := r.Rollback(context.Background(), "net"); err != nil {
		t.Fatal(err)
	}
	stays(4)
	damage(t, damaged)
	if err := os.MkdirAll(filepath.Join(folder.Path(), "net", "9"), 0o755); err != nil {
		t.Fatal(err)
	}
	stays(4)
	if ref := add("net"); ref.Version != 10 {
		t.Fatalf("%v", ref)
	}
	await(10)
	if err := os.MkdirAll(filepath.Join(folder.Path(), "net", "12"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(source, filepath.Join(folder.Path(), "net", "11")); err != nil {
		t.Fatal(err)
	}
	await(11)
	// Tries of the empty folder become rare.
	before := log.count("network=net/12")
	time.Sleep(200 * time.Millisecond)
	if more := log.count("network=net/12") - before; before == 0 || more > 30 {
		t.Errorf("version 12, which cannot be loaded, was tried %d and %d times", before, more)
	}
	if s := status(t, r, repository.Ref{Name: "net", Version: 12}); s.State != repository.Unavailable || !strings.Contains(s.Reason, exporter.CardFile) {
		t.Errorf("%v", s)
	}
	// Nothing is loaded again that was unloaded.
	h := acquire(t, r, "net")
	h.Release()
	if err := r.Unload(context.Background(), h.Digest()); err != nil {
		t.Fatal(err)
	}
	add("net")
	time.Sleep(40 * time.Millisecond)
	if h, err := r.Acquire("net"); err == nil {
		t.Errorf("%v is served, which was unloaded", h.Ref())
		h.Release()
	}
}
