// Package worker takes jobs from a queue and performs each in a child process.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/rotate"
	"neuralwl/internal/run"
	"neuralwl/internal/store"
)

// Options of a worker.
type Options struct {
	Queue  *queue.Queue
	Folder string // with a run directory for each job, named like it
	Owner  string // this worker's name, another one in every process
	// Program calls child.Serve, with its arguments.
	Program []string
	// Jobs is how many jobs it performs side by side, and Cores how many threads each has.
	Jobs, Cores int
	// Renew is how often it tells the queue that it is alive, by default 10 s; less than a
	// third of the queue's Silence.
	Renew  time.Duration
	Grace  time.Duration // for a run to end in order, by default 30 s
	Limits child.Limits
	// RunBytes bounds the directory of a run, 0 for no limit.
	RunBytes int64
	// SpareMemory is how many bytes a run may take beyond twice what it was to need, by default
	// 256 MiB. Where nobody said what it was to need, nothing bounds it.
	SpareMemory int64
	// Classes are the classes of this machine by the resources that it offers, nil for any job and no
	// class; Memory bounds what its jobs may need together, in bytes, 0 for no limit.
	Classes map[queue.Resource]string
	Memory  int64
	// Until is the end of the machine's allocation, zero for none: no job is taken within its
	// checkpoint.margin.
	Until time.Time
	// Idle is how long the worker may have nothing to do until it ends, 0 for ever.
	Idle time.Duration
	// Store keeps run directories, where Folder is this machine's alone; nil where Folder is the
	// head's.
	Store *store.Store
	// Self is announced to the queue, nil for a worker that nobody needs to know.
	Self *queue.Worker
	Log  *slog.Logger
}

// worker is a worker under way.
type worker struct {
	Options
	holds    *holds
	room     *room
	draining atomic.Bool
	changed  chan struct{} // something that is announced
	failures atomic.Int32  // to bring files from the store, in a row
	busy     atomic.Int64  // when a job last began or ended, in Unix nanoseconds
	said     said
}

// Run performs jobs until ctx ends, or nothing was to do for Idle. The runs under way then end in
// order, and their jobs go back to the queue.
func Run(ctx context.Context, options Options) error {
	o := &worker{
		Options: options, holds: &holds{runs: map[string]*hold{}}, room: newRoom(options.Memory, options.Until), changed: make(chan struct{}, 1),
	}
	if o.Renew == 0 {
		o.Renew = 10 * time.Second
	}
	if o.SpareMemory == 0 {
		o.SpareMemory = 256 << 20
	}
	o.busy.Store(time.Now().UnixNano())
	var wait, announcing sync.WaitGroup
	if o.Self != nil {
		if o.Self.Name != queue.Own { // which has the log of the head
			o.Log = o.said.log(o.Log)
		}
		known, stop := context.WithCancel(context.WithoutCancel(ctx)) // until the last run has ended
		defer announcing.Wait()
		defer stop()
		o.announceOnce(ctx) // whether to drain is known before the first job
		announcing.Go(func() { o.announce(known) })
	}
	faults := make([]error, o.Jobs)
	for i := range o.Jobs {
		wait.Go(func() { faults[i] = o.loop(ctx, i) })
	}
	wait.Wait()
	return errors.Join(faults...)
}

const (
	// pause is how long a worker waits after a fault of the queue.
	pause = time.Second
	// offers is how long it waits for a job of any machine before it looks for those of its own
	// class again.
	offers = time.Second
)

// idle reports whether nothing was to do for too long.
func (o *worker) idle() bool {
	return o.Idle > 0 && o.room.running() == 0 && time.Since(time.Unix(0, o.busy.Load())) > o.Idle
}

// loop performs one job after the other in a slot. Faults of the queue are reported and may pass.
func (o *worker) loop(ctx context.Context, slot int) error {
	rest := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	for ctx.Err() == nil && !o.idle() {
		if o.draining.Load() {
			rest(pause)
			continue
		}
		l, err := o.take(ctx, slot)
		switch {
		case errors.Is(err, queue.ErrEmpty):
			o.room.leave(slot)
			continue
		case err != nil && ctx.Err() == nil:
			o.room.leave(slot)
			o.Log.Warn("no job can be taken", "reason", err)
			rest(pause)
			continue
		case err != nil:
			return nil
		}
		o.room.began(slot, o.Classes != nil && l.Resource == queue.GPU)
		o.busy.Store(time.Now().UnixNano())
		o.kick()
		if err := o.perform(ctx, l); err != nil {
			o.Log.Error("the end of a job is not on record; it will be handed out again", "run", l.ID, "reason", err)
		}
		o.room.ended(slot)
		o.busy.Store(time.Now().UnixNano())
		o.kick()
	}
	return nil
}

// take takes a job for a slot.
func (o *worker) take(ctx context.Context, slot int) (*queue.Lease, error) {
	t := queue.Taker{Owner: o.Owner, Classes: o.Classes, Fits: func(r *queue.Record) error { return o.room.fits(slot, r) }}
	if _, has := o.Classes[queue.GPU]; has && !o.room.wantGPU(slot) {
		t.Busy = []queue.Resource{queue.GPU}
	}
	return o.Queue.Take(ctx, t, offers)
}

// The reasons for which a run is asked to end.
var (
	errPaused    = errors.New("paused by the user")
	errCancelled = errors.New("cancelled by the user")
	errStopped   = errors.New("the worker stops")
)

// perform performs a job.
func (o *worker) perform(ctx context.Context, l *queue.Lease) error {
	log := o.Log.With("run", l.ID)
	var spec job.Spec
	if err := json.Unmarshal(l.Spec, &spec); err != nil {
		return l.Leave(context.WithoutCancel(ctx), job.Event{Kind: job.Fail, Reason: "its specification is damaged: " + err.Error()})
	}
	// Whatever ends the worker, the end of the job goes on record.
	record := context.WithoutCancel(ctx)
	h := o.holds.enter(l.ID)
	defer o.holds.leave(l.ID, h)
	// The wish may be older than the lease.
	switch next, err := l.Renew(record); {
	case err != nil:
		return err
	case next == job.EndPaused:
		return l.Leave(record, job.Event{Kind: job.Stop, Reason: errPaused.Error()})
	case next == job.EndCancel:
		return l.Leave(record, job.Event{Kind: job.Abandon, Reason: errCancelled.Error()})
	case next == job.Yield:
		return nil
	}
	running, end := context.WithCancelCause(record)
	defer end(nil)
	o.holds.begin(h, end)
	stop := context.AfterFunc(ctx, func() { end(errStopped) })
	defer stop()
	finished := make(chan struct{})
	leases := make(chan time.Time, 1)
	var watching sync.WaitGroup
	watching.Go(func() { o.renew(record, l, end, h.end, leases, finished, log) })
	watching.Go(func() { o.fence(l, h.end, finished, log) })
	swaps := make(chan child.Swap)
	stopAnswers, err := l.Controls(answer(swaps, finished))
	if err != nil {
		log.Warn("the run's network cannot be exchanged", "reason", err)
		stopAnswers = func() {}
	}
	log.Info("a run is taken", "epoch", l.Epoch, "attempt", l.Attempts)
	e, err := o.run(running, l, &spec, h, leases, swaps, end, log)
	close(finished)
	stopAnswers()
	watching.Wait()
	if errors.Is(err, job.ErrFenced) {
		log.Warn("the run is another worker's by now; its files here do not count")
		return nil
	}
	if errors.As(err, new(away)) {
		delay := o.delay()
		log.Warn("a run is left to others, or for later", "reason", err, "delay", delay)
		if err = l.Postpone(record, err.Error(), delay); errors.Is(err, job.ErrFenced) {
			return nil
		}
		return err
	}
	if err != nil {
		return errors.Join(err, l.Return(record, err.Error(), false))
	}
	return o.conclude(record, l, e, context.Cause(running), log)
}

// run runs the child of a job, with its files, and returns how it ended. The error is about what is
// before and after that, ErrFenced if the job is another's by now.
func (o *worker) run(ctx context.Context, l *queue.Lease, spec *job.Spec, h *hold, leases <-chan time.Time, swaps <-chan child.Swap, end context.CancelCauseFunc, log *slog.Logger) (*child.End, error) {
	record := context.WithoutCancel(ctx)
	files, err := o.bring(ctx, l, spec.Weights(), h.kill, log)
	if err != nil && ctx.Err() != nil { // asked to end meanwhile
		return &child.End{Early: true, Failed: context.Cause(ctx).Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	task := o.task(l, spec)
	if files != nil {
		task.Weights = files.weights
	}
	stderr, closeLog := o.childLog(task.Folder, log)
	defer closeLog()
	reports := o.reports(record, l, files, log)
	var watching sync.WaitGroup
	defer watching.Wait()
	over := make(chan struct{})
	defer close(over)
	e, err := child.Run(ctx, h.kill, child.Options{
		Program: o.Program, Grace: o.Grace, Limits: o.Limits, Swaps: swaps, Leases: leases,
		Task: task, Stderr: stderr,
		Started: func(pid int) {
			watching.Go(func() {
				o.guard(task.Folder, spec.Memory).watch(pid, end, over, log)
			})
		},
		Report: reports.add,
	})
	reports.end()
	if err != nil {
		return nil, errors.Join(err, files.remove())
	}
	return e, files.finish(record)
}

// task is what a child is to do for a job.
func (o *worker) task(l *queue.Lease, spec *job.Spec) child.Task {
	t := child.Task{
		Folder: filepath.Join(o.Folder, l.ID), Config: spec.Config, Changes: spec.Changes, Workers: o.Cores,
		Work: spec.Work, Train: spec.Train, Bench: spec.Bench, Compare: spec.Compare,
		Divide: l.Parts == 0 && o.Store == nil, // shards of a run find each other in a shared folder
		Tenure: &child.Tenure{Epoch: l.Epoch, Silence: o.Queue.Silence().Seconds(), Until: child.At(l.Until())}, Class: l.Class,
	}
	if s := spec.Shard; s != nil {
		t.Folder, t.Shard, t.Helps = run.ShardFolder(filepath.Join(o.Folder, s.Of), s.Index), &s.Index, s.Helps
		if s.Helps {
			t.Folder = run.HelperFolder(filepath.Join(o.Folder, s.Of), s.Index)
		}
	}
	return t
}

// fence kills the run once its lease is over, as the queue may have given it to another worker
// that does not hear of this one, until the child has finished. The child also does so by itself,
// in case this process is stopped.
func (o *worker) fence(l *queue.Lease, kill func(), finished <-chan struct{}, log *slog.Logger) {
	for {
		left := time.Until(l.Until())
		if left <= 0 {
			log.Error("the queue has not heard for too long that the run goes on; it is killed here, and goes on elsewhere at its last checkpoint")
			kill()
			return
		}
		select {
		case <-finished:
			return
		case <-time.After(left):
		}
	}
}

// renew keeps a lease and follows the user's wishes until the child has finished.
func (o *worker) renew(ctx context.Context, l *queue.Lease, end context.CancelCauseFunc, kill func(), leases chan time.Time, finished <-chan struct{}, log *slog.Logger) {
	tick := time.NewTicker(o.Renew)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			return
		case <-tick.C:
		}
		next, err := l.Renew(ctx)
		if err != nil {
			log.Warn("the queue does not hear that the run goes on", "reason", err)
			continue
		}
		select {
		case <-leases: // the child has not been told of the one before
		default:
		}
		leases <- l.Until()
		switch next {
		case job.EndPaused:
			end(errPaused)
		case job.EndCancel:
			end(errCancelled)
		case job.Yield:
			log.Warn("the run is another worker's by now; it is killed here")
			kill()
			return
		}
	}
}

// conclude records the end of a job: why is the reason for which it was asked to end, nil if it
// was not.
func (o *worker) conclude(ctx context.Context, l *queue.Lease, e *child.End, why error, log *slog.Logger) error {
	log.Info("a run ended", "code", e.Code, "failed", e.Failed, "lost", e.Lost, "reason", why)
	unlessFenced := func(err error) error {
		if errors.Is(err, job.ErrFenced) {
			log.Warn("the run is another worker's by now; its end here does not count")
			return nil
		}
		return err
	}
	leave := func(event job.Event) error { return unlessFenced(l.Leave(ctx, event)) }
	back := func(reason string, inOrder bool) error { return unlessFenced(l.Return(ctx, reason, inOrder)) }
	var much excess
	switch {
	case errors.As(why, &much) && (e.Lost != "" || e.Failed != "" || e.Ended.Interrupted != ""):
		return leave(job.Event{Kind: job.Fail, Reason: much.Error()})
	case e.Lost != "" && errors.Is(why, errPaused):
		return leave(job.Event{Kind: job.Stop, Reason: fmt.Sprintf("%v at its last checkpoint: %s", why, e.Lost)})
	case e.Code == child.Fenced || e.Lost != "" && time.Until(l.Until()) <= 0: // not the run's fault
		return back("its worker lost touch with the queue", true)
	case e.Lost != "" && !errors.Is(why, errCancelled):
		reason := e.Lost
		if e.Tail != nil {
			reason = fmt.Sprintf("%s; its last words: %s", reason, strings.Join(e.Tail, " | "))
		}
		log.Warn("a run lost its process", "reason", reason)
		return back(reason, false)
	case errors.Is(why, errCancelled):
		return leave(job.Event{Kind: job.Abandon, Reason: why.Error()})
	case e.Early && errors.Is(why, errPaused):
		return leave(job.Event{Kind: job.Stop, Reason: why.Error()})
	case e.Early:
		return back(e.Failed, true)
	case e.Failed != "":
		return leave(job.Event{Kind: job.Fail, Reason: e.Failed})
	case e.Ended.Divided > 0 && why == nil:
		return leave(job.Event{Kind: job.Divide, Parts: e.Ended.Divided})
	case e.Ended.Interrupted != "" && errors.Is(why, errPaused):
		return leave(job.Event{Kind: job.Stop, Reason: why.Error()})
	case e.Ended.Interrupted != "":
		return back(e.Ended.Interrupted, true)
	}
	return leave(job.Event{Kind: job.End, Outcome: job.Outcome{Code: e.Code, Converged: e.Ended.Converged}})
}

const (
	// ChildLog is the file in a run directory with what its processes wrote to standard error, a
	// crash of one among it.
	ChildLog = "child.log"
	// childLogBytes bounds it; one older file is kept.
	childLogBytes = 8 << 20
)

// childLog opens the log of a run's processes. Without one, the run goes on.
func (o *worker) childLog(folder string, log *slog.Logger) (io.Writer, func() error) {
	err := os.MkdirAll(folder, 0o777)
	if err == nil {
		var f *rotate.File
		if f, err = rotate.Open(filepath.Join(folder, ChildLog), childLogBytes, 1); err == nil {
			return f, f.Close
		}
	}
	log.Warn("the run has no log of its processes", "reason", err)
	return io.Discard, func() error { return nil }
}
