// Package daemon is nwl serve without its HTTP interface: a queue, a worker that performs its
// jobs in child processes, and what users may ask of runs. Everything that it keeps is in one
// data folder: the queue, and a run directory for each run.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/worker"
)

// Names within the data folder.
const (
	queueName = "queue"
	runsName  = "runs"
)

// Options of a daemon.
type Options struct {
	Data  string // the data folder, made if it is not there
	Queue queue.Options
	// Program calls child.Serve, with its arguments.
	Program []string
	// Jobs is how many runs go on side by side; Cores how many threads each has.
	Jobs, Cores int
	Grace       time.Duration // for runs to end in order
	Limits      child.Limits
	Renew       time.Duration // how often a worker renews its leases
	Log         *slog.Logger
}

// Daemon is a queue with a worker. Its methods are safe for concurrent use.
type Daemon struct {
	o      Options
	log    *slog.Logger
	queue  *queue.Queue
	mirror *mirror
	feed   *feed
	faults atomic.Int64 // of the queue

	editing sync.Mutex
}

// Open opens the data folder, with a worker yet to be started by Run.
func Open(ctx context.Context, o Options) (*Daemon, error) {
	d := &Daemon{o: o, log: o.Log, mirror: newMirror(), feed: newFeed()}
	if err := os.MkdirAll(d.runsFolder(), 0o777); err != nil {
		return nil, fmt.Errorf("data folder: %w; choose another with --data", err)
	}
	o.Queue.Folder, o.Queue.Log = filepath.Join(o.Data, queueName), o.Log
	var err error
	if d.queue, err = queue.Open(ctx, o.Queue); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Daemon) runsFolder() string { return filepath.Join(d.o.Data, runsName) }

// Queue is the daemon's queue.
func (d *Daemon) Queue() *queue.Queue { return d.queue }

// reconcileEvery is how often jobs are looked for that are on record and not in the queue, and
// how old they are at least.
const reconcileEvery = time.Minute

// Run performs runs until ctx ends; those under way then end in order.
func (d *Daemon) Run(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "nwl"
	}
	var wait sync.WaitGroup
	follow := func(what string, f func() error) {
		wait.Go(func() {
			for ctx.Err() == nil {
				if err := f(); ctx.Err() == nil {
					d.faults.Add(1)
					d.log.Warn("the daemon lost touch with its queue and will try again", "with", what, "reason", err)
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
				}
			}
		})
	}
	follow("runs", func() error {
		return d.queue.Watch(ctx, func(id string, r *queue.Record) {
			d.mirror.changed(id, r)
			if r == nil {
				d.feed.deleted(id)
			}
		})
	})
	follow("wishes", func() error { return d.queue.WatchWanted(ctx, d.mirror.want) })
	follow("events", func() error {
		return d.queue.Latest(ctx, func(e queue.Event) error {
			d.mirror.happened(e)
			d.feed.happened(e)
			return nil
		})
	})
	wait.Go(func() { d.reconcile(ctx) })
	err = worker.Run(ctx, worker.Options{
		Queue: d.queue, Folder: d.runsFolder(), Owner: fmt.Sprintf("%s-%d", host, os.Getpid()), Program: d.o.Program,
		Jobs: d.o.Jobs, Cores: d.o.Cores, Renew: d.o.Renew, Grace: d.o.Grace, Limits: d.o.Limits, Log: d.log,
	})
	wait.Wait()
	return err
}

// reconcile looks after jobs that fell out of the queue.
func (d *Daemon) reconcile(ctx context.Context) {
	for tick := time.NewTicker(reconcileEvery); ; {
		if n, err := d.queue.Reconcile(ctx, reconcileEvery); err != nil && ctx.Err() == nil {
			d.faults.Add(1)
			d.log.Warn("the queue cannot be compared with the list of runs", "reason", err)
		} else if n > 0 {
			d.log.Warn("runs that had fallen out of the queue were put back", "runs", n)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// Close ends the queue, after Run.
func (d *Daemon) Close() error { return d.queue.Close() }

// Missing reports whether an error says that there is no such run.
func Missing(err error) bool { return errors.Is(err, queue.ErrNone) }

// Taken reports whether an error says that there is a run of that name.
func Taken(err error) bool { return errors.Is(err, queue.ErrExists) }

// Impossible reports whether an error says that the state of a run forbids what was asked.
func Impossible(err error) bool { return errors.Is(err, job.ErrImpossible) }

// Ready returns an error unless the daemon can take runs.
func (d *Daemon) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := d.queue.Ping(ctx); err != nil {
		d.faults.Add(1)
		return fmt.Errorf("the queue does not answer: %w", err)
	}
	return nil
}
