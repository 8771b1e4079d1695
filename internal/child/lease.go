package child

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"neuralwl/internal/disk"
)

// Fenced is the exit code of a child whose lease is over.
const Fenced = 10

// Tenure is how a worker has a job by a lease.
type Tenure struct {
	Epoch int // of the lease
	// Silence is how long any lease of the queue lasts, in seconds.
	Silence float64
	// Until is when it ends unless it is renewed, by the clock of the machine.
	Until time.Duration
}

// At is a time of this process, by its monotonic clock, as a time of the machine's clock, or a
// little before.
func At(t time.Time) time.Duration {
	now := clock() // first: this process may be stopped in between
	return now + time.Until(t)
}

// lease is until when a child may write. Its worker says so whenever the queue has confirmed that
// nobody else is given the job before; if the worker is stopped, cut off or gone, the time runs out
// here, by a clock that runs on while either is stopped.
type lease struct{ until atomic.Int64 }

func (l *lease) extend(until time.Duration) {
	if d := int64(until); d > l.until.Load() {
		l.until.Store(d)
	}
}

// left is how long it still lasts.
func (l *lease) left() time.Duration { return time.Duration(l.until.Load()) - clock() }

// watch ends the process when its lease is over.
func (l *lease) watch(log *slog.Logger) {
	for {
		left := l.left()
		if left <= 0 {
			log.Error("the lease of the run is over: another worker may go on with it, and this process ends")
			os.Exit(Fenced)
		}
		time.Sleep(left)
	}
}

// fenced is a file system in which a process whose lease is over changes nothing more: it ends. One that is stopped after it
// was asked for something here still does that when it wakes, beside the process that has the job then. So each has
// names of its own for what is incomplete.
type fenced struct {
	disk.FS
	lease *lease
	epoch int
}

// Signature implements disk.Signed.
func (f fenced) Signature() string { return fmt.Sprint("epoch-", f.epoch) }

func (f fenced) check() {
	if f.lease.left() <= 0 {
		os.Exit(Fenced)
	}
}

func (f fenced) Create(path string) (disk.File, error) { f.check(); return f.FS.Create(path) }
func (f fenced) Append(path string) (disk.File, error) { f.check(); return f.FS.Append(path) }
func (f fenced) MkdirAll(path string) error            { f.check(); return f.FS.MkdirAll(path) }
func (f fenced) Rename(from, to string) error          { f.check(); return f.FS.Rename(from, to) }
func (f fenced) RemoveAll(path string) error           { f.check(); return f.FS.RemoveAll(path) }

// hold has the process keep to the lease of a task, and returns the file system that it is to use
// and how orders extend the lease. A task without one may write for ever.
func hold(t Task, log *slog.Logger) (fs disk.FS, extend func(time.Duration)) {
	if t.Tenure == nil {
		return disk.OS, func(time.Duration) {}
	}
	l := &lease{}
	l.extend(t.Tenure.Until)
	go l.watch(log)
	return fenced{disk.OS, l, t.Tenure.Epoch}, l.extend
}
