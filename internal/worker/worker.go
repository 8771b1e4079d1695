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
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/event"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/rotate"
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
	Log         *slog.Logger

	holds *holds
}

// Run performs jobs until ctx ends. The runs under way then end in order, and their jobs go
// back to the queue.
func Run(ctx context.Context, o Options) error {
	if o.Renew == 0 {
		o.Renew = 10 * time.Second
	}
	if o.SpareMemory == 0 {
		o.SpareMemory = 256 << 20
	}
	o.holds = &holds{runs: map[string]*hold{}}
	var wait sync.WaitGroup
	faults := make([]error, o.Jobs)
	for i := range o.Jobs {
		wait.Go(func() { faults[i] = o.loop(ctx) })
	}
	wait.Wait()
	return errors.Join(faults...)
}

// pause is how long a worker waits after a fault of the queue.
const pause = time.Second

// loop performs one job after the other. Faults of the queue are reported and may pass.
func (o *Options) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		l, err := o.Queue.Take(ctx, o.Owner, 2*time.Second)
		switch {
		case errors.Is(err, queue.ErrEmpty):
			continue
		case err != nil && ctx.Err() == nil:
			o.Log.Warn("no job can be taken", "reason", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		case err != nil:
			return nil
		}
		if err := o.perform(ctx, l); err != nil {
			o.Log.Error("the end of a job is not on record; it will be handed out again", "run", l.ID, "reason", err)
		}
	}
	return nil
}

// The reasons for which a run is asked to end.
var (
	errPaused    = errors.New("paused by the user")
	errCancelled = errors.New("cancelled by the user")
	errStopped   = errors.New("the worker stops")
)

// perform performs a job.
func (o *Options) perform(ctx context.Context, l *queue.Lease) error {
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
	stop := context.AfterFunc(ctx, func() { end(errStopped) })
	defer stop()
	finished := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { o.renew(record, l, end, h.end, finished, log) })
	swaps := make(chan child.Swap)
	stopAnswers, err := l.Controls(answer(swaps, finished))
	if err != nil {
		log.Warn("the run's network cannot be exchanged", "reason", err)
		stopAnswers = func() {}
	}
	log.Info("a run is taken", "epoch", l.Epoch, "attempt", l.Attempts)
	stderr, closeLog := o.childLog(l.ID, log)
	defer closeLog()
	number, lost := l.Checkpoint, 0
	e, err := child.Run(running, h.kill, child.Options{
		Program: o.Program, Grace: o.Grace, Limits: o.Limits, Swaps: swaps,
		Task: child.Task{
			Folder: filepath.Join(o.Folder, l.ID), Config: spec.Config, Changes: spec.Changes, Workers: o.Cores,
			Work: spec.Work, Train: spec.Train, Bench: spec.Bench, Compare: spec.Compare,
		},
		Stderr: stderr,
		Started: func(pid int) {
			watching.Go(func() {
				o.guard(filepath.Join(o.Folder, l.ID), spec.Memory).watch(pid, end, finished, log)
			})
		},
		Report: func(r child.Report) {
			emit := o.Queue.Emit
			if r.Kind == child.Counts { // larger than others, and of no use once there are newer ones
				emit = o.Queue.EmitLatest
			}
			if err := emit(record, l.ID, string(r.Kind), r.Data); err != nil {
				if lost++; event.Often(lost) {
					log.Warn("an event is lost", "reason", err, "times", lost)
				}
			}
			var c child.CheckpointData
			if r.Kind == child.Checkpoint && json.Unmarshal(r.Data, &c) == nil && c.Error == "" && c.Passes > 0 {
				number++ // of those that come further
				if err := l.Checkpointed(record, number); err != nil {
					log.Warn("a checkpoint is not on record", "reason", err)
				}
			}
		},
	})
	close(finished)
	stopAnswers()
	watching.Wait()
	if err != nil {
		return errors.Join(err, l.Return(record, err.Error(), false))
	}
	return o.conclude(record, l, e, context.Cause(running), log)
}

// renew keeps a lease and follows the user's wishes until the child has finished.
func (o *Options) renew(ctx context.Context, l *queue.Lease, end context.CancelCauseFunc, kill func(), finished <-chan struct{}, log *slog.Logger) {
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
func (o *Options) conclude(ctx context.Context, l *queue.Lease, e *child.End, why error, log *slog.Logger) error {
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
func (o *Options) childLog(id string, log *slog.Logger) (io.Writer, func() error) {
	folder := filepath.Join(o.Folder, id)
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
