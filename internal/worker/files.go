package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/run"
	"neuralwl/internal/store"
)

// Local are the files of a run directory that belong to a machine and are not stored.
var Local = []string{run.LockFile, job.File}

// First are folders within a run directory whose files are stored before all others.
var First = []string{run.CheckpointFolder}

// files keeps the directory of a run in the store, nil where machines share a folder.
type files struct {
	lease   *queue.Lease
	folder  *store.Folder
	path    string
	weights string // folder with the run whose density of states it needs, empty for none
	log     *slog.Logger
}

// errBefore refuses a run of which the store has nothing.
var errBefore = errors.New("it has checkpoints, but none in the store: it began before the head had one; let a worker go on with it that shares the head's folder")

// fetch gets the directory of a run from the store, and that of the run whose density of states it needs.
func (o *worker) fetch(ctx context.Context, l *queue.Lease, weights string, log *slog.Logger) (f *files, err error) {
	if o.Store == nil && l.Files != "" {
		return nil, errors.New("it is in the head's object store, and this worker has none; start it again with the head's storage.files as --files")
	}
	if o.Store == nil {
		return nil, nil
	}
	if l.Files == "" && l.Checkpoint > 0 {
		return nil, errBefore
	}
	path := filepath.Join(o.Folder, l.ID)
	f = &files{lease: l, folder: o.Store.Folder(store.Key(l.ID, l.Created), l.Epoch, path, First, Local), path: path, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.remove())
		}
	}()
	if err := errors.Join(os.MkdirAll(path, 0o777), f.folder.Pull(ctx, l.Files)); err != nil || weights == "" {
		return f, err
	}
	r, err := o.Queue.Get(ctx, weights)
	if err != nil {
		return f, err
	}
	// Apart from that run's own directory, which this worker may have too.
	f.weights = filepath.Join(o.Folder, weightsPrefix+l.ID)
	return f, o.Store.Folder(store.Key(weights, r.Created), 0, f.weights, First, Local).Pull(ctx, r.Files)
}

// weightsPrefix begins the names of folders with the run whose density of states another one needs.
const weightsPrefix = ".weights-"

// bring is fetch, cut short where the worker loses the lease. The error is errAway unless it is the fault of
// what is stored.
func (o *worker) bring(ctx context.Context, l *queue.Lease, weights string, lost <-chan struct{}, log *slog.Logger) (*files, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-lost:
			stop()
		case <-ctx.Done():
		}
	}()
	f, err := o.fetch(ctx, l, weights, log)
	if err == nil {
		o.failures.Store(0)
		return f, nil
	}
	err = fmt.Errorf("its files cannot be brought: %w", err)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, errBefore) || errors.Is(err, queue.ErrNone) {
		return nil, err
	}
	return nil, away{err}
}

// away is an error that is not the run's fault and may pass.
type away struct{ error }

func (a away) Unwrap() error { return a.error }

// longestDelay is how long a run is not offered again whose files cannot be brought time and again.
const longestDelay = time.Minute

// delay is how long a run is not offered again whose files could not be brought, longer with each.
func (o *worker) delay() time.Duration {
	return min(pause<<min(o.failures.Add(1)-1, 10), longestDelay)
}

// remove removes the run's directories from this machine.
func (f *files) remove() error {
	if f == nil {
		return nil
	}
	err := os.RemoveAll(f.path)
	if f.weights != "" {
		err = errors.Join(err, os.RemoveAll(f.weights))
	}
	return err
}

// push stores the directory and has the record name it.
func (f *files) push(ctx context.Context) error {
	name, manifest, err := f.folder.Push(ctx)
	if err == nil {
		err = f.lease.Filed(ctx, name)
	}
	if err != nil {
		return err
	}
	if err := f.folder.Recorded(ctx, name, manifest); err != nil {
		f.log.Warn("old files of a run stay in the store", "reason", err)
	}
	return nil
}

// finish stores what a run has left behind, however often that takes as long as the lease holds, and
// removes it here. The error is job.ErrFenced once the lease is over: the run goes on elsewhere with what was
// stored before.
func (f *files) finish(ctx context.Context) error {
	if f == nil {
		return nil
	}
	for {
		if time.Until(f.lease.Until()) <= 0 {
			return errors.Join(job.ErrFenced, f.remove())
		}
		err := f.push(ctx)
		if err == nil {
			return f.remove()
		}
		if errors.Is(err, job.ErrFenced) {
			return errors.Join(err, f.remove())
		}
		f.log.Warn("the files of a run cannot be stored; it is tried again", "reason", err)
		time.Sleep(pause)
	}
}
