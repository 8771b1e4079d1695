package repository

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"neuralwl/exporter"
	"neuralwl/inference"
)

// State of a version, as the Open Inference Protocol calls it.
type State string

// The states. A version that nobody loaded is Unavailable.
const (
	Loading     State = "LOADING"
	Ready       State = "READY"
	Draining    State = "DRAINING" // serves those who have it, and admits nobody
	Unavailable State = "UNAVAILABLE"
)

// entry is a network in memory. Several names may serve it, if they have versions with the same
// digest. It is guarded by Repository.mutex, except what never changes.
type entry struct {
	digest   string
	card     exporter.Card
	keeps    bool // proposals can keep sites
	sessions *sessions
	store    *inference.Store

	refs     map[Ref]bool // under which it is or was served
	names    int          // that serve it
	users    int          // handles, and calls under way
	draining bool
	gone     chan struct{} // closed when it has left memory
}

// Handle is the right to use a network. The network stays in memory until Release, whatever is
// served under its name meanwhile. Any number of goroutines may use it.
type Handle struct {
	r        *Repository
	e        *entry
	ref      Ref
	released bool // guarded by r.mutex
}

// Ref names the version.
func (h *Handle) Ref() Ref { return h.ref }

// Digest identifies the network, whatever its name and version.
func (h *Handle) Digest() string { return h.e.digest }

// Card describes the network. It must not be changed.
func (h *Handle) Card() *exporter.Card { return &h.e.card }

// KeepsSites reports whether proposals can keep sites, so that they take a state.
func (h *Handle) KeepsSites() bool { return h.e.keeps }

// Acquire returns a handle to what is served under a name, or to a version given as in name/3
// if that is what is served. The error is an ErrNotLoaded if nothing is, or another version.
func (r *Repository) Acquire(reference string) (*Handle, error) {
	ref, err := ParseRef(reference)
	if err != nil {
		return nil, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	s := r.served[ref.Name]
	if s == nil {
		for failed, reason := range r.failed {
			if failed.Name == ref.Name && (ref.Version == Latest || ref.Version == failed.Version) {
				return nil, fmt.Errorf("network %s: %w: %w", reference, ErrNotLoaded, reason)
			}
		}
		return nil, fmt.Errorf("network %s: %w; load it first", reference, ErrNotLoaded)
	}
	if ref.Version != Latest && ref.Version != s.version {
		return nil, fmt.Errorf("network %s: %w, version %d is; take that or load this one", reference, ErrNotLoaded, s.version)
	}
	s.entry.users++
	return &Handle{r: r, e: s.entry, ref: Ref{ref.Name, s.version}}, nil
}

// Release gives the handle up. Calls under way are finished. A second Release does nothing.
func (h *Handle) Release() {
	h.r.mutex.Lock()
	if h.released {
		h.r.mutex.Unlock()
		return
	}
	h.released = true
	h.r.leave(h.e)
}

// enter counts a call under way.
func (h *Handle) enter() error {
	h.r.mutex.Lock()
	defer h.r.mutex.Unlock()
	if h.released {
		return fmt.Errorf("network %v: the handle was released; acquire another", h.ref)
	}
	h.e.users++
	return nil
}

// leave takes a user off an entry. It is called with the mutex locked, which it unlocks.
func (r *Repository) leave(e *entry) {
	e.users--
	gone := r.sweep(e)
	r.mutex.Unlock()
	r.free(gone)
}

// sweep marks an entry as draining if no name serves it any more, and returns it if besides it
// has no users: then the caller frees it, after unlocking the mutex. Otherwise it returns nil.
func (r *Repository) sweep(e *entry) *entry {
	if e.names > 0 {
		return nil
	}
	e.draining = true // before anyone waits for its users
	if e.users > 0 || !r.entries[e] {
		return nil
	}
	delete(r.entries, e)
	return e
}

// name is one under which it is or was served.
func (e *entry) name() string {
	for ref := range e.refs {
		return ref.String()
	}
	return e.digest
}

// free gives back what entries hold in memory; nils are ignored.
func (r *Repository) free(entries ...*entry) {
	for _, e := range entries {
		if e == nil {
			continue
		}
		if err := r.cache.release(e.sessions); err != nil {
			r.o.Log.Warn("sessions of a network could not be closed", "network", e.name(), "reason", err)
		}
		close(e.gone)
	}
}

// serving is what a name serves.
type serving struct {
	entry    *entry
	version  int
	previous int // version served before, to which Rollback returns; 0 for none
	seen     int // versions up to this one are not picked by Watch
}

// Status is the state of a version.
type Status struct {
	Info
	State  State
	Reason string // why it is Unavailable
	Users  int    // handles and calls
	// Served says that its name means this version, LastGood that Rollback returns to it.
	Served, LastGood bool
}

var errNobody = errors.New("nobody has loaded it")

// Index lists all versions with their states, by name and ascending. A version that was removed
// or replaced on disk while it is in memory is listed as well, without its Info.
func (r *Repository) Index() ([]Status, error) {
	infos, err := r.List()
	if err != nil {
		return nil, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	all := make([]Status, 0, len(infos))
	for _, info := range infos {
		s := Status{Info: info, State: Unavailable, Reason: errNobody.Error()}
		if info.Fault != nil {
			s.Reason = info.Fault.Error()
		}
		if reason := r.failed[info.Ref]; reason != nil {
			s.Reason = reason.Error()
		}
		if r.loading == info.Ref {
			s.State, s.Reason = Loading, ""
		}
		if served := r.served[info.Name]; served != nil {
			s.LastGood = info.Version != 0 && info.Version == served.previous
		}
		all = append(all, s)
	}
	place := func(ref Ref, e *entry, state State, served bool) {
		i := slices.IndexFunc(all, func(s Status) bool { return s.Ref == ref })
		if i < 0 {
			i = len(all)
			all = append(all, Status{Info: Info{Ref: ref, Card: &e.card, Digest: e.digest}})
		}
		s := &all[i]
		s.Users += e.users
		if s.State != Loading || served {
			s.State, s.Reason, s.Served = state, "", served
		}
	}
	for e := range r.entries {
		for ref := range e.refs {
			if e.draining {
				place(ref, e, Draining, false)
			}
		}
	}
	for name, s := range r.served {
		place(Ref{name, s.version}, s.entry, Ready, true)
	}
	slices.SortStableFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return all, nil
}

// logger returns l, or the default.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}
