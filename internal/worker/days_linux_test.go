package worker

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// bad is a queue with a worker for bad days, whose options change makes worse.
func bad(t *testing.T, silence time.Duration, change func(*Options)) *office {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Folder: filepath.Join(t.TempDir(), "queue"), Silence: silence})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Queue: q, Folder: filepath.Join(t.TempDir(), "runs"), Owner: "worker", Program: []string{program}, Jobs: 2, Cores: 1, Renew: 100 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	change(&options)
	o := &office{t: t, queue: q, folder: options.Folder}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

// processes are the children of this process.
func processes() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ") // state, parent
		if f := strings.Fields(rest); len(f) > 1 && f[0] != "Z" && f[1] == strconv.Itoa(os.Getpid()) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// TestSilentChild stops a child: it is killed after its limit, and the run goes on.
func TestSilentChild(t *testing.T) {
	long.Only(t, "a silence must last to be one")
	o := bad(t, 10*time.Second, func(o *Options) {
		o.Limits = child.Limits{Loading: time.Minute, Pass: 2 * time.Second, Evaluating: time.Minute}
	})
	o.submit("run-1", lengthy...)
	o.event("run-1", child.Pass, 0)
	for _, pid := range processes() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if r := o.wait("run-1", job.Done, job.Failed); r.State != job.Done || r.Epoch < 2 {
		t.Errorf("%+v", r)
	}
	if !bytes.Equal(runtest.Read(t, o.folder, "run-1", report.DensityFile), undisturbed(t, lengthy...)) {
		t.Error("it has other numbers than the undisturbed run")
	}
}

// TestHandedOutTwice renews no lease, as if the clock had jumped or the process had been stopped:
// the queue hands the run to the same worker again and again, which never performs it twice at a
// time.
func TestHandedOutTwice(t *testing.T) {
	long.Only(t, "a run begun again and again")
	o := bad(t, 2*time.Second, func(o *Options) { o.Renew = time.Hour })
	settings := runtest.With(lengthy, "production.passes=12000")
	o.submit("run-1", settings...)
	most := 0
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		most = max(most, len(processes()))
		if r, err := o.queue.Get(t.Context(), "run-1"); err != nil || r.State.Final() {
			break
		}
	}
	r := o.wait("run-1", job.Done, job.Failed)
	if r.State != job.Done || most != 1 {
		t.Errorf("%d processes at once, %+v", most, r)
	}
	t.Logf("handed out %d times", r.Epoch)
	if !bytes.Equal(runtest.Read(t, o.folder, "run-1", report.DensityFile), undisturbed(t, settings...)) {
		t.Error("it has other numbers than the undisturbed run")
	}
}

// TestCrashes fails a run whose process crashes before it has come any further, however many
// checkpoints it writes of where it was.
func TestCrashes(t *testing.T) {
	o := bad(t, 10*time.Second, func(o *Options) {
		o.Program = []string{"bash", "-c", `read task
			echo '{"kind":"began","data":{}}'
			echo '{"kind":"checkpoint","data":{"passes":0,"bytes":1}}'
			echo "panic: so bad" >&2
			for i in {1..3000}; do echo "a frame of the stack"; done >&2
			exit 2`}
	})
	o.submit("run-1")
	r := o.wait("run-1", job.Failed, job.Done)
	if r.State != job.Failed || !strings.Contains(r.Reason, "5 workers in a row") || !strings.Contains(r.Reason, "panic: so bad") {
		t.Errorf("%+v", r)
	}
}

// TestStoppedEarly stops the worker while a run loads its network: it waits for the next one.
func TestStoppedEarly(t *testing.T) {
	long.Only(t, "loading takes seconds")
	o := newOffice(t)
	o.submit("run-1", "run.moves=[local, neural]", "production.passes=50", "wang_landau.final_ln_f=1e-2")
	o.wait("run-1", job.Running)
	o.stop()
	r, err := o.queue.Get(t.Context(), "run-1")
	if err != nil || r.State != job.Queued {
		t.Fatalf("%+v, %v", r, err)
	}
	o.start("second")
	if r := o.wait("run-1", job.Done, job.Failed); r.State != job.Done {
		t.Errorf("%+v", r)
	}
}
