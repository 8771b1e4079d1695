//go:build linux

package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
)

// TestStore performs runs by workers that share no folder with their head, over an object store: one
// is killed and the other goes on at the last checkpoint; each run has the dos.csv of an undisturbed
// one in the head's folder, and nothing of it is left on the workers.
func TestStore(t *testing.T) {
	long.Only(t, "workers one after another, of which one is killed")
	backend := s3mem.New()
	if err := backend.CreateBucket("runs"); err != nil {
		t.Fatal(err)
	}
	objects := httptest.NewServer(gofakes3.New(backend).Server())
	defer objects.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": objects.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, value)
	}
	settings := least("run.walkers=64", "wang_landau.final_ln_f=1e-5", "production.passes=20000", "checkpoint.interval=100ms")
	undisturbed := alone(t, settings...)
	s := newServed(t, "server.work=false", "queue.listen=127.0.0.1:0", "queue.silence=2s", "storage.files=s3://runs/of/mine")
	s.start()
	key := filepath.Join(t.TempDir(), "key")
	if _, stderr, code := nwl(t, "worker", "invite", "far", "--data", s.data, "--file", key); code != 0 {
		t.Fatal(stderr)
	}
	scratch := t.TempDir()
	begin := func() (*exec.Cmd, *record) {
		w, log := exec.Command(binary, "worker", "--key", key, "--jobs", "1", "--cores", "1", "--scratch", scratch), &record{}
		w.Stderr = log
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Process.Kill() })
		return w, log
	}
	one, log := begin()
	s.submit("run-1", settings...)
	s.until("run-1", "beyond a checkpoint in the store", func(r *api.Run) bool {
		if r.State.Final() {
			t.Fatalf("it ended too early: %+v\n%s", r, log)
		}
		checkpoints, _ := filepath.Glob(s.folder("run-1", "checkpoints", "*"))
		return len(checkpoints) > 0
	})
	if err := one.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	one.Wait()
	two, log := begin()
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", log, s.log)
		}
	}()
	s.becomes("run-1", job.Done)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until the head has brought it
		if got, err := os.ReadFile(s.folder("run-1", "dos.csv")); err == nil && bytes.Equal(got, undisturbed) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the head has not the results of the undisturbed run: %v", err)
		}
	}
	if !regexp.MustCompile(`run=run-1 epoch=2`).MatchString(log.String()) || !bytes.Contains(read(t, s.folder("run-1", "events.jsonl")), []byte(`"resuming"`)) {
		t.Error("it did not go on at a checkpoint of the first worker")
	}
	// One that is paused goes back, and on.
	s.submit("run-2", settings...)
	s.moves("run-2")
	s.wish("run-2", job.Pause)
	s.becomes("run-2", job.Paused)
	s.wish("run-2", job.Run)
	// Who waits for it sees its results, which come after its end.
	if stdout, stderr, _ := (desk{s}).ask("wait", "run-2"); !strings.Contains(stdout, "run-2") {
		t.Errorf("what waits for the run prints %q\n%s", stdout, stderr)
	}
	s.becomes("run-2", job.Done)
	if got := read(t, s.folder("run-2", "dos.csv")); !bytes.Equal(got, undisturbed) {
		t.Error("the head has not the results of the second run when the waiting ends")
	}
	if err := two.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := two.Wait(); err != nil {
		t.Errorf("the worker ended with %v\n%s", err, log)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got, err := os.ReadFile(s.folder("run-2", "dos.csv")); err == nil && bytes.Equal(got, undisturbed) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the head has not the results of the second run: %v", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(scratch, "*", "*"))
	if err != nil || len(left) > 2 { // of the worker that was killed, the run and its files
		t.Errorf("left on the workers: %v, %v", left, err)
	}
	if err := s.client.Delete(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	prefix := gofakes3.NewPrefix(new(string), nil)
	prefix.HasPrefix, prefix.Prefix = true, "of/mine/run-1/"
	list, err := backend.ListBucket("runs", &prefix, gofakes3.ListBucketPage{})
	if err != nil || len(list.Contents) != 0 {
		t.Errorf("%d objects of a deleted run are left, %v", len(list.Contents), err)
	}
	s.stop()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
