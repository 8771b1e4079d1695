//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"neuralwl/sampler/dos"
)

// endless are the arguments of a run that does not end by itself.
func endless(out string) []string {
	return append(tiny("wang_landau.final_ln_f=1e-12", "run.moves=local"), "--out", out)
}

// underWay starts a command and returns when the run is in its first phase. What it logs
// afterwards is read and collected until it ends.
func underWay(t *testing.T, c *exec.Cmd) (log *bytes.Buffer, logged *sync.WaitGroup) {
	t.Helper()
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	log, logged = &bytes.Buffer{}, &sync.WaitGroup{}
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		log.WriteString(line)
		if strings.Contains(line, "phase begins") {
			break
		}
		if err != nil {
			t.Fatalf("the run did not begin: %v\n%s", err, log)
		}
	}
	logged.Go(func() { io.Copy(log, lines) })
	return log, logged
}

// code is the exit code of a command that has ended.
func code(err error) int {
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// TestEndings ends a run by each signal: it ends in order, with its results.
func TestEndings(t *testing.T) {
	for _, s := range endings {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "run")
			c := exec.Command(binary, endless(out)...)
			var stdout bytes.Buffer
			c.Stdout = &stdout
			log, logged := underWay(t, c)
			if err := c.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			logged.Wait()
			if got := code(c.Wait()); got != exitInterrupted {
				t.Fatalf("exit code %d, want %d\n%s", got, exitInterrupted, log)
			}
			if !strings.Contains(stdout.String(), "NOT converged") || !strings.Contains(stdout.String(), s.String()) || !strings.Contains(stdout.String(), "--resume "+out) {
				t.Errorf("table:\n%s", stdout.String())
			}
			if _, err := dos.ReadFile(filepath.Join(out, "dos.csv")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSecondSignal sends a signal twice in a moment, which counts as one, and once more after a
// while, when the run is done and only waits for a reader of its table: it ends at once.
func TestSecondSignal(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	c := exec.Command(binary, endless(out)...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	full := make(chan struct{})
	go func() {
		defer close(full)
		write.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		write.Write(make([]byte, 1<<20)) // fills the pipe
	}()
	<-full
	c.Stdout = write
	log, logged := underWay(t, c)
	write.Close()
	for range 2 {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	wait(t, filepath.Join(out, "summary.json"), "terminated")
	var killed error
	for deadline := time.Now().Add(time.Minute); killed == nil && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		killed = c.Process.Signal(syscall.SIGTERM) // an error once it is gone
		var status syscall.WaitStatus
		if pid, _ := syscall.Wait4(c.Process.Pid, &status, syscall.WNOHANG, nil); pid > 0 {
			if !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Errorf("it ended by %v\n%s", status, log)
			}
			logged.Wait()
			return
		}
	}
	t.Error("the second signal did not end it")
}

// TestClosedOutput interrupts runs whose readers have gone away, or that never had any: they
// end in order all the same.
func TestClosedOutput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "pipes")
	c := exec.Command(binary, endless(out)...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = write, write
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	write.Close()
	for lines := bufio.NewScanner(read); lines.Scan() && !strings.Contains(lines.Text(), "phase begins"); {
	}
	read.Close()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := code(c.Wait()); got != exitInterrupted {
		t.Errorf("without readers: exit code %d, want %d", got, exitInterrupted)
	}
	if _, err := dos.ReadFile(filepath.Join(out, "dos.csv")); err != nil {
		t.Error(err)
	}

	out = filepath.Join(t.TempDir(), "closed")
	c = exec.Command("bash", append([]string{"-c", `exec "$@" <&- >&- 2>&-`, "bash", binary}, append(tiny("production.passes=50"), "--out", out)...)...)
	if got := code(c.Run()); got != 0 && got != exitUnconverged {
		t.Errorf("without any files: exit code %d", got)
	}
	if _, err := dos.ReadFile(filepath.Join(out, "dos.csv")); err != nil {
		t.Error(err)
	}
}

// TestNohup goes on when a terminal goes away whose signal the run was told to ignore.
func TestNohup(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	c := exec.Command("bash", append([]string{"-c", `trap "" HUP; exec "$@"`, "bash", binary}, endless(out)...)...)
	log, logged := underWay(t, c)
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	logged.Wait()
	if got := code(c.Wait()); got != exitInterrupted || !strings.Contains(log.String(), "terminated") {
		t.Errorf("exit code %d\n%s", got, log)
	}
}

// TestBackground interrupts a background job of a script, for which shells ignore SIGINT.
func TestBackground(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	c := exec.Command("bash", append([]string{"-c", `trap "" INT; exec "$@"`, "bash", binary}, endless(out)...)...)
	log, logged := underWay(t, c)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	logged.Wait()
	if got := code(c.Wait()); got != exitInterrupted {
		t.Errorf("exit code %d\n%s", got, log)
	}
}

// TestEarly ends a run at once, while its network is put to the test: it is to be started
// again, and leaves nothing that stands in the way.
func TestEarly(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	c := exec.Command(binary, append(tiny("system.size=6x6", "run.moves=[local,neural]", "log.level=debug"), "--out", out)...)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil { // metrics are served
		t.Fatalf("%v: %s", err, line)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log, _ := io.ReadAll(lines)
	if got := code(c.Wait()); got != exitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", got, exitInterrupted, log)
	}
	again := []string{"run", "--resume", out}
	if _, err := os.Stat(out); err != nil {
		again = append(tiny("production.passes=20"), "--out", out)
	}
	if _, stderr, got := nwl(t, again...); got != 0 && got != exitUnconverged {
		t.Errorf("exit code %d the second time\n%s", got, stderr)
	}
}

// TestExitCodes tells scripts how a run ended.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		settings []string
		want     int
	}{
		{[]string{"run.moves=local", "system.size=3x3", "production.passes=2000", "wang_landau.final_ln_f=1e-4", "run.walkers=64"}, 0},
		{[]string{"run.moves=local", "production.passes=1", "wang_landau.final_ln_f=0.5"}, exitUnconverged},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		stdout, stderr, got := nwl(t, append(tiny(c.settings...), "--out", folder)...)
		if got != c.want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", c.settings, got, c.want, stdout, stderr)
		}
		if again, stderr, got := nwl(t, "finish", folder); got != c.want || !strings.Contains(again, "verdict") {
			t.Errorf("finish: exit code %d, want %d\n%s%s", got, c.want, again, stderr)
		}
	}
}

// TestStartsAtOnce starts runs at the same moment in one directory: each gets a folder.
func TestStartsAtOnce(t *testing.T) {
	const starts = 6
	directory := t.TempDir()
	var all sync.WaitGroup
	for seed := range starts {
		all.Go(func() {
			c := exec.Command(binary, tiny("run.moves=local", "metrics.listen=", "production.passes=50", fmt.Sprintf("run.seed=%d", seed))...)
			c.Dir = directory
			if text, err := c.CombinedOutput(); code(err) != 0 && code(err) != exitUnconverged {
				t.Errorf("seed %d: %v\n%s", seed, err, text)
			}
		})
	}
	all.Wait()
	if found, err := filepath.Glob(filepath.Join(directory, "runs", "*", "dos.csv")); err != nil || len(found) != starts {
		t.Errorf("%d results of %d starts: %v %v", len(found), starts, found, err)
	}
	// A run that cannot start claims no folder.
	c := exec.Command(binary, tiny("inference.library=/does/not/exist.so")...)
	c.Dir = directory
	if err := c.Run(); code(err) != exitFailure {
		t.Errorf("without a library: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(directory, "runs", "*")); err != nil || len(found) != starts {
		t.Errorf("%d folders after a run that could not start: %v", len(found), found)
	}
}
