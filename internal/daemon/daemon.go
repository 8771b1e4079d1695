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

	"github.com/gofrs/flock"

	"neuralwl/internal/child"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/repository"
	"neuralwl/internal/store"
	"neuralwl/internal/worker"
)

// Names within the data folder.
const (
	queueName = "queue"
	runsName  = "runs"
	lockName  = ".lock"

	workersName = "workers" // who may be one
)

// Roster is the list of the workers of a data folder.
func Roster(data string) queue.Roster { return queue.Roster(filepath.Join(data, workersName)) }

// RunsFolder is the folder of the run directories of a data folder.
func RunsFolder(data string) string { return filepath.Join(data, runsName) }

// Options of a daemon.
type Options struct {
	Data  string // the data folder, made if it is not there
	Queue queue.Options
	// Program calls child.Serve, with its arguments.
	Program []string
	// Jobs is how many runs go on side by side in this process, 0 for one that leaves them to workers
	// elsewhere; Cores how many threads each has.
	Jobs, Cores int
	// Memory that those runs together may be estimated to need, in bytes, 0 for no limit; GPU says
	// that there is one, for one run at a time.
	Memory  int64
	GPU     bool
	Storage Storage
	// Store keeps run directories for workers that share no folder with this process; nil if they do.
	Store   *store.Store
	Webhook Webhook
	Grace   time.Duration // for runs to end in order
	Limits  child.Limits
	Renew   time.Duration // how often a worker renews its leases
	// ServingThreads is how many requests to networks are evaluated at the same time, 0 for one per
	// core.
	ServingThreads int
	Log            *slog.Logger
}

// Daemon is a queue with a worker. Its methods are safe for concurrent use.
type Daemon struct {
	o      Options
	log    *slog.Logger
	queue  *queue.Queue
	mirror *mirror
	keeper *keeper
	feed   *feed
	faults atomic.Int64 // of the queue
	lock   *flock.Flock // of the data folder, if the queue is in it
	// changed wakes the scheduler.
	changed chan struct{}
	unsure  unsure
	members members
	puller  puller
	machine atomic.Pointer[child.Machine] // this one, nil before anybody looked

	groups   *groups
	networks *repository.Repository
	offers   offers
	living   context.Context // ends when the daemon is closed
	die      context.CancelFunc
	low      atomic.Bool  // the disk runs low
	beat     atomic.Int64 // when the scheduler last looked, in Unix seconds
}

// Open opens the data folder, with a worker yet to be started by Run.
func Open(ctx context.Context, o Options) (*Daemon, error) {
	d := &Daemon{o: o, log: o.Log, mirror: newMirror(), feed: newFeed(), members: members{live: map[string]member{}}, puller: newPuller(), changed: make(chan struct{}, 1), groups: newGroups(), offers: offers{more: map[string]bool{}}}
	if err := os.MkdirAll(d.runsFolder(), 0o777); err != nil {
		return nil, fmt.Errorf("data folder: %w; choose another with --data", err)
	}
	d.o.Queue.Folder, d.o.Queue.Log, d.o.Queue.Scheduled = filepath.Join(o.Data, queueName), o.Log, true
	d.o.Queue.Resource = d.resource
	d.living, d.die = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.openGroups(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.openNetworks(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open opens the queue. One in the data folder is this process' alone, and what the processes
// before left behind is put right.
func (d *Daemon) open(ctx context.Context) (err error) {
	alone := d.o.Queue.URL == ""
	if alone {
		if d.lock, err = disk.TryLock(filepath.Join(d.o.Data, lockName)); err != nil {
			return fmt.Errorf("data folder: %w; choose another with --data", err)
		} else if d.lock == nil {
			return fmt.Errorf("another nwl serve uses the data folder %s; stop it, or choose another folder with --data", d.o.Data)
		}
	}
	migrated, err := checkVersion(d.o.Data)
	if err != nil {
		return err
	}
	if len(migrated) > 0 {
		d.log.Info("the data folder was migrated", "versions", migrated)
	}
	found := d.scan()
	if d.queue, err = d.openQueue(ctx, found); err != nil {
		return err
	}
	if d.o.Queue.Listen != nil || d.o.Queue.URL != "" {
		where, mark, err := d.mark(ctx)
		if err == nil {
			err = d.queue.KeepsFiles(ctx, where, mark)
		}
		if err != nil {
			return err
		}
	}
	d.keeper = &keeper{queue: d.queue, folder: d.Folder, last: map[string]job.Kept{}}
	for _, f := range found {
		if f.kept != nil {
			d.keeper.last[f.id] = *f.kept
		}
	}
	if alone {
		if err := d.queue.Recover(ctx); err != nil {
			return err
		}
		if err := d.adopt(ctx, found); err != nil {
			return err
		}
	}
	return d.prime(ctx)
}

// prime fills the mirror, so that the first answer is a true one.
func (d *Daemon) prime(ctx context.Context) error {
	records, err := d.queue.List(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		w, err := d.queue.Wanted(ctx, r.ID)
		if err != nil {
			return err
		}
		d.mirror.put(r.ID, r)
		d.mirror.want(r.ID, w)
	}
	return nil
}

func (d *Daemon) runsFolder() string { return RunsFolder(d.o.Data) }

// Queue is the daemon's queue.
func (d *Daemon) Queue() *queue.Queue { return d.queue }

// reconcileEvery is how often jobs are looked for that are on record and not in the queue, and
// how old they are at least.
const reconcileEvery = time.Minute

// Run performs runs until ctx ends; those under way then end in order.
func (d *Daemon) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	d.watch(ctx, &wait)
	wait.Go(func() { d.reconcile(ctx) })
	wait.Go(func() { d.schedule(ctx) })
	wait.Go(func() { d.thin(ctx) })
	folder := d.runsFolder()
	if d.o.Store != nil {
		wait.Go(func() { d.pull(ctx) })
		folder = filepath.Join(d.o.Data, scratchName)
	}
	wait.Go(func() { d.collect(ctx) })
	if d.o.Jobs == 0 {
		<-ctx.Done()
		return nil
	}
	m, err := child.Probe(ctx, d.o.Program)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the machine is not known: %w", err)
	}
	if m.Fault != "" {
		d.log.Warn("runs with a network cannot be performed here", "reason", m.Fault)
	}
	self := d.self(m)
	if err := d.welcome(ctx, self); err != nil && ctx.Err() == nil {
		d.log.Warn("runs that began in this class of machines do not go on yet", "reason", err)
	}
	d.machine.Store(&m)
	d.kick()
	return worker.Run(ctx, worker.Options{
		Queue: d.queue, Folder: folder, Store: d.o.Store, Owner: self.Instance, Program: d.o.Program, Self: self, Classes: self.Classes, Memory: d.o.Memory,
		Jobs: d.o.Jobs, Cores: d.o.Cores, Renew: d.o.Renew, Grace: d.o.Grace, Limits: d.o.Limits, Log: d.log,
		RunBytes: d.o.Storage.RunBytes,
	})
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unnamed"
	}
	return host
}

// watch follows the queue until ctx ends.
func (d *Daemon) watch(ctx context.Context, wait *sync.WaitGroup) {
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
			d.keep(ctx, r)
			d.groups.changed(id)
			d.puller.changed(r)
			d.kick()
		})
	})
	follow("wishes", func() error {
		return d.queue.WatchWanted(ctx, func(id string, w job.Wish) {
			d.mirror.want(id, w)
			if r, err := d.queue.Get(ctx, id); err == nil {
				d.keep(ctx, r)
			}
		})
	})
	follow("events", func() error {
		return d.queue.Latest(ctx, func(e queue.Event) error {
			d.mirror.happened(e)
			d.feed.happened(e)
			d.watchNetworks(ctx, e)
			if e.Kind == string(child.Phase) {
				d.kick() // others may help now
			}
			return nil
		})
	})
	follow("workers", func() error { return d.followWorkers(ctx) })
	if d.o.Webhook.URL != "" {
		follow("webhook", func() error { return d.notify(ctx) })
	}
}

// reconcile looks after jobs that fell out of the queue.
func (d *Daemon) reconcile(ctx context.Context) {
	for tick := time.NewTicker(reconcileEvery); ; {
		d.settleAll(ctx)
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

// keep writes what a run directory remembers of its job.
func (d *Daemon) keep(ctx context.Context, r *queue.Record) {
	if r == nil {
		return
	}
	if err := d.keeper.changed(ctx, r); err != nil && ctx.Err() == nil {
		d.log.Warn("a run directory does not know the state of its job; if the queue were lost now, it would be taken for what it was before", "run", r.ID, "reason", err)
	}
}

// networksTime bounds how long the networks that are served may keep the daemon from ending.
const networksTime = 10 * time.Second

// Close ends the queue, after Run.
func (d *Daemon) Close() (err error) {
	d.die()
	d.offers.Wait()
	if d.networks != nil {
		ctx, cancel := context.WithTimeout(context.Background(), networksTime)
		defer cancel()
		err = d.networks.Close(ctx)
	}
	if d.queue != nil {
		err = errors.Join(err, d.queue.Close())
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// Missing reports whether an error says that there is no such run, network or worker.
func Missing(err error) bool {
	return errors.Is(err, queue.ErrNone) || errors.Is(err, errNoWorker) || errors.Is(err, repository.ErrUnknown) && !errors.Is(err, ErrInvalid)
}

// Away reports whether an error says that the queue does not answer, for now.
func Away(err error) bool { return queue.Away(err) }

// Taken reports whether an error says that there is a run of that name.
func Taken(err error) bool { return errors.Is(err, queue.ErrExists) }

// Impossible reports whether an error says that the state of a run, or the use of a network, forbids
// what was asked.
func Impossible(err error) bool {
	return errors.Is(err, job.ErrImpossible) || errors.Is(err, repository.ErrInUse)
}

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
