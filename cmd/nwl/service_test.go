//go:build linux

package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
)

const unitFile = "../../packaging/nwl.service"

// TestUnit has systemd judge the unit, and compares it with the defaults.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadServer("", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nTimeoutStopSec=")
	seconds, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(seconds)
	if least := c.Server.Grace + 10*time.Second; err != nil || time.Duration(n)*time.Second < least {
		t.Errorf("TimeoutStopSec=%s is less than %v", seconds, least)
	}
	for _, line := range []string{"Type=notify", "KillMode=mixed", "OOMPolicy=continue"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("it lacks %s", line)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: there is no systemd-analyze to judge the unit")
	}
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", unitFile).CombinedOutput(); err != nil {
		t.Errorf("its exposure is more than 1.5: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "verify", unitFile).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "is not executable") { // the program is not installed here
			t.Errorf("verify: %s", line)
		}
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
}

// TestManager tells the service manager that the daemon is ready, alive, reloads and stops.
func TestManager(t *testing.T) {
	// A short path: sockets have room for about 100 bytes.
	folder, err := os.MkdirTemp("", "nwl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	next := func(want string) {
		t.Helper()
		socket.SetReadDeadline(time.Now().Add(time.Minute))
		buffer := make([]byte, 4096)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			if got := string(buffer[:n]); got == want {
				return
			} else if got != "WATCHDOG=1" {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	}
	s := newServed(t)
	s.prefix = []string{"env", "NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=400000"}
	s.start()
	next("READY=1")
	next("WATCHDOG=1")
	next("WATCHDOG=1")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	next("RELOADING=1")
	next("READY=1")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	next("STOPPING=1")
	s.logged.Wait()
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	s.cmd = nil
}

// TestTwoSignals ends the daemon at once at a second signal, with a run that does not end as it
// is stopped; no process is left behind.
func TestTwoSignals(t *testing.T) {
	s := newServed(t, "server.grace=10m", "server.jobs=1")
	s.start()
	r, err := s.client.Submit(t.Context(), api.Submission{Set: []string{
		"run.moves=local", "run.workers=1", "wang_landau.final_ln_f=1e-12", "production.passes=1000000",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); r.State != job.Running || r.Progress == nil; time.Sleep(50 * time.Millisecond) {
		if r, err = s.client.Get(t.Context(), r.ID); err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	children := childrenOf(t, s.cmd.Process.Pid)
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	if err := syscall.Kill(children[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		s.logged.Wait()
		ended <- s.cmd.Wait()
	}()
	// Two in a moment count as one.
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	for began := time.Now(); s.cmd != nil; {
		s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if s.cmd = nil; err == nil {
				t.Error("it ended as if its run had ended")
			}
		case <-again.C:
			if time.Since(began) > time.Minute {
				t.Fatalf("it goes on\n%s", s.log)
			}
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err := syscall.Kill(children[0], 0); errors.Is(err, syscall.ESRCH) || zombie(children[0]) {
			break
		}
		if time.Now().After(deadline) {
			syscall.Kill(children[0], syscall.SIGKILL)
			t.Fatal("the run's process is left behind")
		}
	}
}

// childrenOf lists the children of a process.
func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Skipf("SKIPPED: this system does not list the children of a process: %v", err)
	}
	for _, path := range tasks {
		text, _ := os.ReadFile(path) // a thread may have ended
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// zombie reports whether a process is dead and nobody has asked for its end, as where process 1
// does not look after orphans.
func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, found := strings.Cut(string(text), ") ")
	return err == nil && found && strings.HasPrefix(state, "Z")
}
