//go:build linux

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
)

// lasting are settings of a run that takes a second or two.
func lasting(more ...string) []string {
	return least(append([]string{"run.walkers=64", "wang_landau.final_ln_f=1e-4", "production.passes=6000"}, more...)...)
}

// TestQueueGone kills the daemon and deletes its queue: runs under way go on, and a paused one
// goes on where somebody has brought it by hand.
func TestQueueGone(t *testing.T) {
	long.Only(t, "three runs")
	undisturbed := alone(t, lasting()...)
	s := newServed(t, "server.jobs=2")
	s.start()
	s.submit("going", lasting()...)
	s.submit("paused", lasting()...)
	s.moves("paused")
	s.wish("paused", job.Pause)
	s.becomes("paused", job.Paused, job.Done)
	s.moves("going")
	s.kill()
	if err := os.RemoveAll(filepath.Join(s.data, "queue")); err != nil {
		t.Fatal(err)
	}
	// By hand, with the daemon off.
	if _, stderr, exit := nwl(t, "run", "--resume", s.folder("paused")); exit != 0 && exit != exitUnconverged {
		t.Fatal(stderr)
	}
	s.start()
	s.becomes("paused", job.Done) // somebody has completed it
	s.becomes("going", job.Done)
	for _, id := range []string{"going", "paused"} {
		s.same(id, undisturbed)
	}
	s.stop()
}

// TestByHand resumes a paused run by hand while its daemon lives, and then by the daemon.
func TestByHand(t *testing.T) {
	long.Only(t, "three runs")
	s := newServed(t, "server.jobs=1")
	s.start()
	s.submit("run", lasting()...)
	s.moves("run")
	s.wish("run", job.Pause)
	s.becomes("run", job.Paused, job.Done)
	hand := exec.Command(binary, "run", "--resume", s.folder("run"), "--set", "run.max_time=1h")
	if out, err := hand.CombinedOutput(); code(err) != 0 && code(err) != exitUnconverged {
		t.Fatalf("%v\n%s", err, out)
	}
	if r := s.get("run"); r.State == job.Paused {
		s.wish("run", job.Run)
	}
	s.becomes("run", job.Done)
	s.same("run", alone(t, lasting()...))
	s.stop()
}

// TestTwoDaemons starts a second daemon in a data folder: it is refused, and the first goes on.
func TestTwoDaemons(t *testing.T) {
	s := newServed(t)
	s.start()
	second := &served{t: t, data: s.data, settings: s.settings}
	if err := second.begin(); err == nil || !strings.Contains(err.Error(), "another nwl serve uses the data folder "+s.data) {
		t.Errorf("the second daemon: %v", err)
	}
	s.submit("run", least()...)
	s.becomes("run", job.Done)
	s.stop()
}

// TestStoppedDaemon stops the daemon for longer than the queue waits for a word of a worker: the
// run goes on, once.
func TestStoppedDaemon(t *testing.T) {
	long.Only(t, "a daemon stopped for seconds")
	s := newServed(t, "server.jobs=2", "queue.silence=1s")
	s.start()
	s.submit("run", lasting("production.passes=20000", "checkpoint.interval=100ms")...)
	s.moves("run")
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if n := len(s.children()); n > 1 {
			t.Errorf("%d processes for a single run\n%s", n, s.log)
		}
	}
	r := s.becomes("run", job.Done, job.Failed)
	if r.State != job.Done || r.Submission != 1 {
		t.Errorf("%+v\n%s", r, s.log)
	}
	s.same("run", alone(t, lasting("production.passes=20000", "checkpoint.interval=100ms")...))
	s.stop()
}

// TestLostChildren lets a child crash, and stops another one, which does not outlive the daemon
// all the same.
func TestLostChildren(t *testing.T) {
	long.Only(t, "a run that loses its process twice")
	s := newServed(t, "server.jobs=1")
	s.start()
	settings := lasting("production.passes=12000", "checkpoint.interval=100ms")
	s.submit("run", settings...)
	s.moves("run")
	child := func() int {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if pids := s.children(); len(pids) == 1 {
				return pids[0]
			}
		}
		t.Fatalf("no child\n%s", s.log)
		return 0
	}
	first := child()
	if err := syscall.Kill(first, syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	r := s.until("run", "under way again", func(r *api.Run) bool {
		pids := s.children()
		return r.State.Final() || len(pids) == 1 && pids[0] != first
	})
	if r.State != job.Running || !strings.Contains(s.log.String(), "SIGABRT") {
		t.Fatalf("%+v\n%s", r, s.log)
	}
	second := child()
	if err := syscall.Kill(second, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.kill()
	for deadline := time.Now().Add(10 * time.Second); syscall.Kill(second, 0) == nil && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if syscall.Kill(second, 0) == nil {
		t.Errorf("the stopped child outlives the daemon")
		syscall.Kill(second, syscall.SIGKILL)
	}
	s.start()
	s.becomes("run", job.Done)
	s.same("run", alone(t, settings...))
	s.stop()
}

// TestOutOfMemory submits a run that needs more memory than it may have: it fails, with a reason,
// and another one is unharmed.
func TestOutOfMemory(t *testing.T) {
	long.Only(t, "runs under a limit of memory take seconds")
	s := newServed(t, "server.jobs=2")
	s.prefix = []string{"bash", "-c", `ulimit -v 3000000; exec "$@"`, "bash"}
	s.start()
	huge := least("system.size=128x128", "run.moves=[local, neural]", "model.encoder=16384", "run.walkers=8")
	if _, err := s.client.Submit(t.Context(), api.Submission{ID: "huge", Set: huge, Memory: 1}); err != nil {
		t.Fatal(err)
	}
	s.submit("small", least()...)
	r := s.becomes("huge", job.Failed, job.Done)
	if r.State != job.Failed || !strings.Contains(r.Reason, "memory") || !strings.Contains(r.Reason, "5 workers in a row") {
		t.Errorf("%+v", r)
	}
	s.becomes("small", job.Done)
	s.same("small", alone(t, least()...))
	s.stop()
}

// TestDeafClient reads nothing of a stream of events: runs and other clients are unharmed, and the
// daemon ends in time.
func TestDeafClient(t *testing.T) {
	long.Only(t, "many events")
	s := newServed(t, "server.jobs=1")
	s.start()
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.client.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(1024); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s/events HTTP/1.1\r\nHost: nwl\r\nLast-Event-ID: 0\r\n\r\n", api.Prefix)
	}
	s.submit("run", lasting()...)
	s.becomes("run", job.Done)
	s.same("run", alone(t, lasting()...))
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// TestDaemonDiskFull fills the disk under a daemon: it says so, nobody's run is lost, and with
// room it goes on by itself.
func TestDaemonDiskFull(t *testing.T) {
	long.Only(t, "a disk filled and emptied")
	s := newServed(t, "server.jobs=2", "storage.min_free=0")
	if err := os.MkdirAll(s.data, 0o777); err != nil {
		t.Fatal(err)
	}
	data := s.data
	s.prefix = []string{"unshare", "-Urm", "bash", "-c", `mount -t tmpfs -o size=32m nwl "$0" && exec "$@"`, data}
	if out, err := exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "nwl", data).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no disk can be made to be filled: %v %s", err, out)
	}
	s.start()
	// Its disk is seen through the daemon's eyes.
	s.data = filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "root", data)
	s.submit("run", lasting("production.passes=12000", "checkpoint.interval=100ms")...)
	s.moves("run")
	fill := filepath.Join(s.data, "fill")
	if out, err := exec.Command("dd", "if=/dev/zero", "of="+fill, "bs=4k").CombinedOutput(); err == nil {
		t.Fatalf("the disk is not full: %s", out)
	}
	get := func(path string) int {
		t.Helper()
		response, err := s.client.HTTP.Get(s.client.URL + path)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.log)
		}
		response.Body.Close()
		return response.StatusCode
	}
	_, err := s.client.Submit(t.Context(), api.Submission{ID: "late", Set: least()})
	if p, ok := err.(*api.Problem); !ok || p.Status < 500 || !strings.Contains(p.Detail, "space") && !strings.Contains(p.Detail, "disk") {
		t.Errorf("submitted to a full disk: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); get("/readyz") != http.StatusServiceUnavailable; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("a daemon with a full disk says that it is ready\n%s", s.log)
			break
		}
	}
	if got := get("/healthz"); got != http.StatusOK {
		t.Errorf("/healthz: %d", got)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); get("/readyz") != http.StatusOK; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("with room it is not ready again\n%s", s.log)
		}
	}
	s.submit("late", least()...)
	s.becomes("late", job.Done)
	// If it had no room for its results it says so, and makes them now.
	if r := s.becomes("run", job.Done, job.Failed); r.State == job.Failed {
		if !strings.Contains(r.Reason, "no space") {
			t.Errorf("%+v", r)
		}
		s.wish("run", job.Run)
	}
	s.becomes("run", job.Done)
	s.same("late", alone(t, least()...))
	s.same("run", alone(t, lasting("production.passes=12000", "checkpoint.interval=100ms")...))
	s.stop()
}
