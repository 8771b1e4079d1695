//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// served is a daemon under test, over all its lives.
type served struct {
	t        *testing.T
	data     string
	settings []string
	prefix   []string // a command that starts it, such as a shell with limits

	cmd    *exec.Cmd
	client *api.Client
	log    *record
	logged *sync.WaitGroup
}

// record is text that grows. It is safe for concurrent use.
type record struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (r *record) Write(data []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.Write(data)
}

func (r *record) String() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.String()
}

// newServed makes a data folder for a daemon that is yet to start.
func newServed(t *testing.T, settings ...string) *served {
	t.Helper()
	s := &served{t: t, data: filepath.Join(t.TempDir(), "data"), settings: append([]string{"server.listen=127.0.0.1:0", "server.cores=1"}, settings...)}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
	})
	return s
}

var servedAt = regexp.MustCompile(`msg="the daemon takes runs" url=(http://\S+)`)

// begin starts the daemon, and returns an error with its log if it does not take runs.
func (s *served) begin() error {
	s.t.Helper()
	args := []string{"serve", "--data", s.data}
	for _, a := range s.settings {
		args = append(args, "--set", a)
	}
	args = slices.Concat(s.prefix, []string{binary}, args)
	s.cmd = exec.Command(args[0], args[1:]...)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.log, s.logged = &record{}, &sync.WaitGroup{}
	for lines := bufio.NewReader(stderr); ; {
		line, err := lines.ReadString('\n')
		io.WriteString(s.log, line)
		if match := servedAt.FindStringSubmatch(line); match != nil {
			s.client = &api.Client{URL: match[1], HTTP: &http.Client{Timeout: time.Minute}}
			s.logged.Go(func() { io.Copy(s.log, lines) })
			return nil
		}
		if err != nil {
			err = s.cmd.Wait()
			s.cmd = nil
			return fmt.Errorf("the daemon did not start: %w\n%s", err, s.log)
		}
	}
}

func (s *served) start() {
	s.t.Helper()
	if err := s.begin(); err != nil {
		s.t.Fatal(err)
	}
}

// kill kills the daemon with SIGKILL.
func (s *served) kill() {
	s.cmd.Process.Kill()
	s.logged.Wait()
	s.cmd.Wait()
	s.cmd = nil
}

// stop ends the daemon in order.
func (s *served) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	s.logged.Wait()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the daemon ended with %v\n%s", err, s.log)
	}
	s.cmd = nil
}

func (s *served) folder(path ...string) string {
	return filepath.Join(append([]string{s.data, "runs"}, path...)...)
}

// submit submits a run.
func (s *served) submit(id string, settings ...string) {
	s.t.Helper()
	if _, err := s.client.Submit(s.t.Context(), api.Submission{ID: id, Set: settings}); err != nil {
		s.t.Fatalf("submit %s: %v\n%s", id, err, s.log)
	}
}

func (s *served) wish(id string, w job.Wish) {
	s.t.Helper()
	if _, err := s.client.Change(s.t.Context(), id, api.RunChange{Wish: w}); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", w, id, err, s.log)
	}
}

func (s *served) get(id string) *api.Run {
	s.t.Helper()
	r, err := s.client.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
	return r
}

// until waits until a run is as it should be.
func (s *served) until(id, what string, ok func(*api.Run) bool) *api.Run {
	s.t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(30 * time.Millisecond) {
		r := s.get(id)
		if ok(r) {
			return r
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not %s but %+v\n%s", id, what, r, s.log)
		}
	}
}

// becomes waits until a run is in one of some states.
func (s *served) becomes(id string, states ...job.State) *api.Run {
	s.t.Helper()
	return s.until(id, fmt.Sprint(states), func(r *api.Run) bool { return slices.Contains(states, r.State) })
}

// moves waits until a run makes passes.
func (s *served) moves(id string) {
	s.t.Helper()
	s.until(id, "under way", func(r *api.Run) bool {
		return r.State.Final() || r.State == job.Running && r.Progress != nil && r.Progress.Passes > 0
	})
}

// children are the processes of the daemon's runs.
func (s *served) children() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state parent
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(s.cmd.Process.Pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// same compares the results of a run with those of an undisturbed one.
func (s *served) same(id string, undisturbed []byte) {
	s.t.Helper()
	got, err := os.ReadFile(s.folder(id, "dos.csv"))
	if err != nil || !bytes.Equal(got, undisturbed) {
		s.t.Errorf("dos.csv of %s differs from that of the undisturbed run (%v)", id, err)
	}
}

// alone makes a run without a daemon and returns its dos.csv.
func alone(t *testing.T, settings ...string) []byte {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "alone")
	args := []string{"run", "--out", folder}
	for _, a := range settings {
		args = append(args, "--set", a)
	}
	if _, stderr, code := nwl(t, args...); code != 0 && code != exitUnconverged {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile(filepath.Join(folder, "dos.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// least are settings of a run of local moves in well under a second.
func least(more ...string) []string {
	return append([]string{
		"system.q=3", "system.size=3x3", "run.moves=[local]", "run.walkers=32", "run.workers=1", "wang_landau.final_ln_f=1e-3", "production.passes=200",
		"metrics.listen=", "checkpoint.interval=20ms", "log.level=warn", "report.figures=false",
	}, more...)
}

// unreachable reports whether an error is about a daemon that is gone, as opposed to an answer.
func unreachable(err error) bool {
	var p *api.Problem
	return err != nil && !errors.As(err, &p) && !errors.Is(err, context.Canceled)
}
