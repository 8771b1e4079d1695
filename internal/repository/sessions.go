package repository

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/honest"
)

// rows is the number of configurations in an evaluation. Requests are cut into pieces of that
// many.
const rows = honest.Rows

// sessions are the open networks of all loaded entries with the same graphs, and proposers that
// evaluate them, each for one call at a time.
type sessions struct {
	graphs   string // exporter.Bundle.Graphs
	networks *inference.Networks

	users int // entries that hold them, guarded by cache.mutex
	since int // cache.clock when the last entry left

	mutex sync.Mutex
	free  []*inference.Proposer
	// freeAngles takes the place of free where the networks draw angles.
	freeAngles []*inference.Angles
}

// cache keeps sessions beyond their last entry: ONNX Runtime gives little memory back when
// sessions are closed, and the next version mostly has the same graphs.
type cache struct {
	runtime inference.Runtime
	idle    int // sessions kept that no entry holds
	mutex   sync.Mutex
	clock   int
	open    map[string]*sessions
}

// acquire returns the sessions of a bundle, which the caller releases.
func (c *cache) acquire(b *exporter.Bundle) (*sessions, error) {
	graphs, err := b.Graphs()
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	s := c.open[graphs]
	if s != nil {
		s.users++
	}
	c.mutex.Unlock()
	if s != nil {
		return s, nil
	}
	// Loads take turns, so nobody else opens the same ones meanwhile.
	networks, err := inference.OpenNetworks(b, c.runtime, rows)
	if err != nil {
		return nil, err
	}
	s = &sessions{graphs: graphs, networks: networks, users: 1}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.open[graphs] = s
	return s, nil
}

// release gives sessions back and closes those idle for longest, if there are too many.
func (c *cache) release(s *sessions) error {
	c.mutex.Lock()
	s.users--
	c.clock++
	s.since = c.clock
	var idle []*sessions
	for _, s := range c.open {
		if s.users == 0 {
			idle = append(idle, s)
		}
	}
	slices.SortFunc(idle, func(a, b *sessions) int { return cmp.Compare(a.since, b.since) })
	idle = idle[:max(0, len(idle)-max(0, c.idle))]
	for _, s := range idle {
		delete(c.open, s.graphs)
	}
	c.mutex.Unlock()
	var errs []error
	for _, s := range idle {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// close closes all sessions, which nobody uses any more.
func (c *cache) close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var errs []error
	for _, s := range c.open {
		errs = append(errs, s.close())
	}
	clear(c.open)
	return errors.Join(errs...)
}

// proposer returns a proposer with the weights of a store, pinned, which the caller gives back.
func (s *sessions) proposer(store *inference.Store) (*inference.Proposer, error) {
	s.mutex.Lock()
	var p *inference.Proposer
	if n := len(s.free); n > 0 {
		p, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mutex.Unlock()
	if p == nil {
		return s.networks.NewProposer(store, rows)
	}
	p.Use(store)
	return p, nil
}

// give takes a proposer back, which forgets its weights.
func (s *sessions) give(p *inference.Proposer) {
	p.Use(nil)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.free = append(s.free, p)
}

// angles is proposer for networks of angles.
func (s *sessions) angles(store *inference.Store) (*inference.Angles, error) {
	s.mutex.Lock()
	var a *inference.Angles
	if n := len(s.freeAngles); n > 0 {
		a, s.freeAngles = s.freeAngles[n-1], s.freeAngles[:n-1]
	}
	s.mutex.Unlock()
	if a == nil {
		return s.networks.NewAngles(store, rows)
	}
	a.Use(store)
	return a, nil
}

// giveAngles is give for networks of angles.
func (s *sessions) giveAngles(a *inference.Angles) {
	a.Use(nil)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.freeAngles = append(s.freeAngles, a)
}

// close frees everything; nobody uses it any more.
func (s *sessions) close() error {
	var errs []error
	for _, a := range s.freeAngles {
		errs = append(errs, a.Close())
	}
	s.freeAngles = nil
	for _, p := range s.free {
		errs = append(errs, p.Close())
	}
	s.free = nil
	return errors.Join(append(errs, s.networks.Close())...)
}

// warmUp evaluates both networks once with the smallest batch; the tests have done so with the
// largest.
func warmUp(ctx context.Context, p *inference.Proposer) error {
	p.Batch().Used = 1
	p.Pin()
	return errors.Join(p.Propose(ctx), p.LogProb(ctx))
}
