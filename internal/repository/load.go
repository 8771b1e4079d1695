package repository

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/honest"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/lattice/lists"
)

// errSlow is the cause of ending a load that takes too long.
var errSlow = errors.New("loading takes too long")

// Load serves a version, given as name, name/latest or name/3, under its name from now on, and
// returns it. It must be for the same system as the one served so far, which stays in use until
// the new one has passed all tests, and after a failure. Loads take turns.
func (r *Repository) Load(ctx context.Context, reference string) (Ref, error) {
	ref, err := ParseRef(reference)
	if err != nil {
		return ref, err
	}
	// A version that is there now and not chosen is not wanted.
	seen := 0
	if versions, err := r.Versions(ref.Name); err == nil && len(versions) > 0 {
		seen = versions[len(versions)-1]
	}
	return r.load(ctx, ref, nil, func(s *serving) { s.seen = seen })
}

// Rollback loads the version that a name served before the present one. Only the last change can
// be taken back.
func (r *Repository) Rollback(ctx context.Context, name string) (Ref, error) {
	r.mutex.Lock()
	s := r.served[name]
	var previous, present int
	if s != nil {
		previous, present = s.previous, s.version
	}
	r.mutex.Unlock()
	if s == nil {
		return Ref{}, fmt.Errorf("roll network %s back: %w; load it first", name, ErrNotLoaded)
	}
	if previous == 0 {
		return Ref{}, fmt.Errorf("roll network %s back: no version was served before version %d, or it was rolled back already; load the one you want", name, present)
	}
	ref, err := r.load(ctx, Ref{name, previous}, nil, func(s *serving) {
		s.previous = 0
		s.seen = max(s.seen, present)
	})
	if err != nil {
		return ref, fmt.Errorf("roll network %s back: %w", name, err)
	}
	return ref, nil
}

// errUnwanted means that a version was not to be served any more when it had been loaded.
var errUnwanted = errors.New("another version was chosen meanwhile, or the network was unloaded")

// load is Load. Two functions are called with the mutex locked: wanted, which may be nil, when
// the version is ready, and unless it returns false served when the name serves it.
func (r *Repository) load(ctx context.Context, ref Ref, wanted func(s *serving) bool, served func(s *serving)) (_ Ref, err error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ref, fmt.Errorf("load network %v: %w", ref, context.Cause(ctx))
	}
	began := time.Now()
	if ref, err = r.Resolve(ref.String()); err != nil {
		return ref, err
	}
	r.mutex.Lock()
	if r.closed {
		r.mutex.Unlock()
		return ref, ErrClosed
	}
	r.loading = ref
	r.mutex.Unlock()
	limited, cancel := context.WithTimeoutCause(ctx, r.o.LoadTimeout, fmt.Errorf("%w: more than %v", errSlow, r.o.LoadTimeout))
	defer cancel()
	var e *entry
	for {
		if e, err = r.open(limited, ref); err != nil {
			break
		}
		r.mutex.Lock()
		if !e.draining {
			break // still locked
		}
		r.mutex.Unlock() // it was found in use, but has been unloaded since
	}
	if err != nil {
		if limited.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(limited), err)
		}
		err = fmt.Errorf("load network %v: %w", ref, err)
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.loading = Ref{}
		if ctx.Err() == nil {
			r.failed[ref] = err
		}
		return ref, err
	}
	r.entries[e] = true
	r.loading = Ref{}
	if wanted != nil && !wanted(r.served[ref.Name]) {
		gone := r.sweep(e)
		r.mutex.Unlock()
		r.free(gone)
		return ref, fmt.Errorf("load network %v: %w", ref, errUnwanted)
	}
	gone, former := r.serve(ref, e, served)
	r.mutex.Unlock()
	r.free(gone)
	r.o.Log.Info("network loaded", "network", ref, "digest", e.digest, "architecture", e.card.Architecture, "former_version", former,
		"seconds", fmt.Sprintf("%.3f", time.Since(began).Seconds()))
	return ref, nil
}

// serve exchanges what a name serves, with the mutex locked. It returns the former entry if that
// is to be freed, and its version.
func (r *Repository) serve(ref Ref, e *entry, served func(s *serving)) (gone *entry, version int) {
	delete(r.failed, ref)
	s := r.served[ref.Name]
	if s == nil {
		s = &serving{}
		r.served[ref.Name] = s
	}
	former, version := s.entry, s.version
	s.entry, s.version = e, ref.Version
	e.names++
	e.refs[ref] = true
	if former != nil {
		if version != ref.Version {
			s.previous = version
		}
		former.names--
		gone = r.sweep(former)
	}
	served(s)
	return gone, version
}

// open makes an entry of a version, or finds the one in use that has the same contents.
func (r *Repository) open(ctx context.Context, ref Ref) (_ *entry, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the program failed, which is a mistake in it: %v\n%s", fault, debug.Stack())
		}
	}()
	b, err := r.snapshot(ref)
	if err != nil {
		return nil, err
	}
	digest := b.Card.Digest()
	r.mutex.Lock()
	if s := r.served[ref.Name]; s != nil {
		err = b.Card.CheckSystem(s.entry.card.System.System())
	}
	var same *entry
	for e := range r.entries {
		if e.digest == digest && !e.draining {
			same = e
		}
	}
	r.mutex.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%w, or unload the network first", err)
	}
	if same != nil {
		return same, nil
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		return nil, err
	}
	s, err := r.cache.acquire(b)
	if err != nil {
		return nil, err
	}
	if err := r.test(ctx, b, s, store); err != nil {
		return nil, errors.Join(err, r.cache.release(s))
	}
	return &entry{
		digest: digest, card: b.Card, keeps: b.KeepsSites(), sessions: s, store: store,
		refs: map[Ref]bool{}, gone: make(chan struct{}),
	}, nil
}

// snapshot reads a version into memory, so that it does not matter if its folder is replaced,
// and checks digests and contract.
func (r *Repository) snapshot(ref Ref) (*exporter.Bundle, error) {
	source, closeRoot, err := r.files(ref)
	if err != nil {
		return nil, err
	}
	defer closeRoot()
	files := map[string][]byte{}
	if files[exporter.CardFile], err = readFile(source, exporter.CardFile, maxCard); err != nil {
		return nil, err
	}
	card, err := exporter.ParseCard(files[exporter.CardFile])
	if err != nil {
		return nil, err
	}
	left := r.maximum
	for _, file := range []string{exporter.ProposeFile, exporter.LogProbFile, exporter.GradientFile, exporter.EnergyGradientFile} {
		if card.SHA256[file] == "" {
			continue
		}
		if files[file], err = readFile(source, file, left); err != nil {
			return nil, err
		}
		left -= int64(len(files[file]))
	}
	b, err := exporter.LoadFiles(files, ref.String())
	if err != nil {
		return nil, err
	}
	b.Card.Name, b.Card.Version = ref.Name, ref.Version // whatever folder it was copied from
	return b, nil
}

// test evaluates a bundle in the sessions that are going to serve it.
func (r *Repository) test(ctx context.Context, b *exporter.Bundle, s *sessions, store *inference.Store) (err error) {
	if b.Card.Angles() {
		return r.testAngles(ctx, b, s, store)
	}
	system, err := SystemOf(&b.Card)
	if err != nil {
		return err
	}
	p, err := s.proposer(store)
	if err != nil {
		return err
	}
	defer s.give(p)
	o := honest.Options{System: system, Seed: r.o.Seed}
	if _, err := honest.Reference(ctx, b, p, compared(system.Sites()), o); err != nil {
		return err
	}
	report, err := honest.CheckProposer(ctx, b, p, o)
	if err != nil {
		return err
	}
	report.Log(r.o.Log, Ref{b.Card.Name, b.Card.Version}.String())
	return warmUp(ctx, p)
}

// coldest is the largest inverse temperature at which networks of angles are tested.
const coldest = 1.5

// testAngles is test for a network of angles.
func (r *Repository) testAngles(ctx context.Context, b *exporter.Bundle, s *sessions, store *inference.Store) error {
	a, err := s.angles(store)
	if err != nil {
		return err
	}
	defer s.giveAngles(a)
	report, err := honest.CheckAnglesOf(ctx, b, a, honest.AngleOptions{Seed: r.o.Seed, Beta: coldest})
	if err != nil {
		return err
	}
	report.Log(r.o.Log, Ref{b.Card.Name, b.Card.Version}.String())
	a.Batch().Used = lanes
	return errors.Join(a.Propose(ctx), a.LogProb(ctx))
}

// compared is the number of proposals that are compared with pure Go, fewer on lattices where
// that takes long.
func compared(sites int) int { return max(2, min(8, 512/sites)) }

// anyListed is a system of listed couplings with so many colours, a chain.
func anyListed(q int, sides []int) (lattice.Symmetric, error) {
	n := 1
	for _, l := range sides {
		n *= l
	}
	l := lattice.Listed{Name: config.File, List: &lists.List{Sites: n}, Interaction: lattice.PottsInteraction, Colours: q, Sides: sides}
	for i := 1; i < n; i++ {
		l.List.Rows = append(l.List.Rows, lists.Row{Sites: []int{i - 1, i}, J: 1, Colour: -1})
	}
	s, err := lattice.NewListed(l)
	if err != nil {
		return nil, fmt.Errorf("system of %d sites with %d colours: %w", n, q, err)
	}
	return s, nil
}

// SystemOf returns a system that a network was made for. Couplings are those by default: the
// tests of a network's draws do not depend on them.
func SystemOf(card *exporter.Card) (lattice.Symmetric, error) {
	own := card.System.System()
	if own.Name() == config.File {
		return anyListed(own.Q, own.Sides)
	}
	s, err := config.SystemOf(own.Name(), own.Q, own.Sides, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("system %v: %w", own, err)
	}
	if s.Q != own.Q {
		return nil, fmt.Errorf("system %v: the model %s has %d colours; correct %s", own, own.Name(), s.Q, exporter.CardFile)
	}
	system, err := s.New()
	if err != nil {
		return nil, fmt.Errorf("system %v: %w", own, err)
	}
	symmetric, ok := system.(lattice.Symmetric)
	if !ok {
		return nil, fmt.Errorf("system %v: networks cannot propose its configurations", own)
	}
	return symmetric, nil
}
