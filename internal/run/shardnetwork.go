package run

import (
	"errors"

	"neuralwl/inference"
)

// shardNetwork is the network in the hands of shards.
type shardNetwork struct {
	networks  *inference.Networks // that serve their proposers; nil before, and where each needs its own
	proposers []proposer
}

// openProposer makes a further proposer, for a number of walkers, of the network as it is now. It is
// closed with the network.
func (n *network) openProposer(walkers int) (p proposer, err error) {
	s, batch := &n.shards, n.j.c.Inference.Batch
	switch {
	case n.server != nil:
		p = n.onServer(walkers)
	case n.runtime.Provider != inference.CPU:
		p, err = newProposer(n.bundle, n.store, n.runtime, walkers, batch)
	default:
		if s.networks == nil {
			if s.networks, err = inference.OpenNetworks(n.bundle, n.runtime, batch); err != nil {
				return nil, err
			}
		}
		if n.bundle.Card.Angles() {
			p, err = s.networks.NewAngles(n.store, walkers)
		} else {
			p, err = s.networks.NewProposer(n.store, walkers)
		}
	}
	if err != nil {
		return nil, err
	}
	s.proposers = append(s.proposers, p)
	return p, nil
}

// close closes all proposers.
func (s *shardNetwork) close() error {
	var errs []error
	for _, p := range s.proposers {
		errs = append(errs, p.Close())
	}
	if s.networks != nil {
		errs = append(errs, s.networks.Close())
	}
	return errors.Join(errs...)
}
