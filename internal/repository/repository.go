// Package repository serves networks from a folder in which each has numbered versions, and
// exchanges one version for another while requests go on.
//
// A version is loaded beside the one in use: its files are read into memory once, checked
// against the digests and the contract, evaluated and compared with an evaluation in pure Go,
// and its draws are tested (package honest), all in the sessions that will serve it. Only then
// does a pointer change, and new requests see it. Those that have the former version keep it;
// it leaves memory with the last of them. After any failure the former version stays in use, and
// nothing is remembered of the other but the reason.
//
// Loaded networks are identified by the digest of their contents, so that one under a name is
// never taken for another that had the name before.
package repository

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"neuralwl/inference"
)

// Options of a Repository.
type Options struct {
	// Runtime evaluates networks. Its Workers are not used: a request is evaluated by one
	// thread.
	Runtime inference.Runtime
	// Concurrency is the number of requests that are evaluated at the same time, 0 for one per
	// core. Others wait.
	Concurrency int
	// Idle is the number of graphs whose sessions stay open when no loaded network uses them, 0
	// for DefaultIdle, negative for none.
	Idle int
	// LoadTimeout bounds one Load, 0 for DefaultLoadTimeout.
	LoadTimeout time.Duration
	Seed        uint64       // of the tests of draws
	Log         *slog.Logger // nil for slog's default
}

// Defaults of Options.
const (
	DefaultIdle        = 8
	DefaultLoadTimeout = 10 * time.Minute
)

// Repository serves networks from a Folder. Its methods may be called at the same time.
type Repository struct {
	*Folder
	o     Options
	cache *cache
	turn  chan struct{} // full while a load is under way
	slots chan struct{} // full while Concurrency requests are evaluated

	mutex   sync.Mutex
	served  map[string]*serving // by name
	entries map[*entry]bool     // in memory
	loading Ref
	failed  map[Ref]error // why the last Load failed
	closed  bool
}

// Open returns a repository that serves nothing yet. The library of ONNX Runtime must be open.
func Open(f *Folder, o Options) *Repository {
	if o.Concurrency == 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = DefaultLoadTimeout
	}
	o.Runtime.Workers = 1
	o.Log = logger(o.Log)
	return &Repository{
		Folder: f, o: o,
		cache:  &cache{runtime: o.Runtime, idle: o.Idle, open: map[string]*sessions{}},
		turn:   make(chan struct{}, 1),
		slots:  make(chan struct{}, o.Concurrency),
		served: map[string]*serving{}, entries: map[*entry]bool{}, failed: map[Ref]error{},
	}
}

// Unload takes the network with a digest out of service, under all its names, and waits until
// nobody has it any more or ctx ends. It is an ErrNotLoaded if there is no such network.
func (r *Repository) Unload(ctx context.Context, digest string) error {
	r.mutex.Lock()
	var leaving, gone []*entry
	for name, s := range r.served {
		if s.entry.digest == digest {
			s.entry.names--
			delete(r.served, name)
		}
	}
	for e := range r.entries {
		if e.digest == digest {
			leaving = append(leaving, e)
			gone = append(gone, r.sweep(e))
		}
	}
	r.mutex.Unlock()
	r.free(gone...)
	if len(leaving) == 0 {
		return fmt.Errorf("network with the digest %s: %w", digest, ErrNotLoaded)
	}
	return r.wait(ctx, leaving)
}

// Withdraw takes what is served under a name out of service. It leaves memory with the last of
// those who have it, unless another name serves it as well; Withdraw does not wait for that. It
// is an ErrNotLoaded if nothing is served under the name.
func (r *Repository) Withdraw(name string) (Ref, error) {
	r.mutex.Lock()
	s := r.served[name]
	if s == nil {
		r.mutex.Unlock()
		return Ref{Name: name}, fmt.Errorf("unload network %s: %w", name, ErrNotLoaded)
	}
	delete(r.served, name)
	s.entry.names--
	gone := r.sweep(s.entry)
	r.mutex.Unlock()
	r.free(gone)
	ref := Ref{name, s.version}
	r.o.Log.Info("network unloaded", "network", ref, "digest", s.entry.digest)
	return ref, nil
}

// wait waits until entries have left memory.
func (r *Repository) wait(ctx context.Context, leaving []*entry) error {
	for _, e := range leaving {
		select {
		case <-e.gone:
		case <-ctx.Done():
			return fmt.Errorf("network %s still has users: %w", e.name(), context.Cause(ctx))
		}
	}
	return nil
}

// Remove deletes a version from the disk. It is an ErrInUse while the version is loaded or being
// loaded, or while it is the one that Rollback returns to.
func (r *Repository) Remove(ref Ref) error {
	if err := CheckName(ref.Name); err != nil {
		return err
	}
	// A load that has begun could otherwise end with a version that is no longer there.
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.loading == ref {
		return fmt.Errorf("remove network %v: %w: it is being loaded", ref, ErrInUse)
	}
	if s := r.served[ref.Name]; s != nil {
		switch ref.Version {
		case s.version:
			return fmt.Errorf("remove network %v: %w: it is served; load another version or unload it first", ref, ErrInUse)
		case s.previous:
			return fmt.Errorf("remove network %v: %w: a rollback would return to it; unload the network first", ref, ErrInUse)
		}
	}
	for e := range r.entries {
		if e.refs[ref] && e.draining {
			return fmt.Errorf("remove network %v: %w: %d still have it; try again later", ref, ErrInUse, e.users)
		}
	}
	if err := r.Folder.Remove(ref); err != nil {
		return err
	}
	delete(r.failed, ref)
	return nil
}

// Close takes all networks out of service, waits until nobody has them any more or ctx ends, and
// closes all sessions in the first case.
func (r *Repository) Close(ctx context.Context) error {
	r.mutex.Lock()
	r.closed = true
	r.mutex.Unlock()
	select { // a load under way ends first
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.mutex.Lock()
	var leaving, gone []*entry
	for name, s := range r.served {
		s.entry.names--
		delete(r.served, name)
	}
	for e := range r.entries {
		leaving = append(leaving, e)
		gone = append(gone, r.sweep(e))
	}
	r.mutex.Unlock()
	r.free(gone...)
	if err := r.wait(ctx, leaving); err != nil {
		return err
	}
	return r.cache.close()
}
