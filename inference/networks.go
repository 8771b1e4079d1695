package inference

import (
	"errors"
	"fmt"

	"neuralwl/exporter"
)

// Networks are the two networks of a bundle in sessions that several proposers share, each with
// a store of its own. The stores may hold the weights of any bundle with the same graphs
// (exporter.Bundle.Graphs): ONNX Runtime returns no memory when a session is closed, so another
// version of a network costs least in the sessions of the former.
type Networks struct {
	propose, logProb *network
	card             exporter.Card
	runtime          Runtime
	part             int // configurations in a call, at most
}

// OpenNetworks opens the networks of a bundle, for calls with up to part configurations at a
// time; on CUDA with exactly as many.
func OpenNetworks(b *exporter.Bundle, r Runtime, part int) (_ *Networks, err error) {
	n := &Networks{card: b.Card, runtime: r, part: part}
	defer func() {
		if err != nil {
			err = errors.Join(n.fault(err), n.Close())
		}
	}()
	networks, err := r.laidOut(b, part)
	if err != nil {
		return nil, err
	}
	if n.propose, err = newNetwork(networks.Propose, r); err != nil {
		return nil, err
	}
	n.logProb, err = newNetwork(networks.LogProb, r)
	return n, err
}

func (n *Networks) fault(err error) error {
	return fmt.Errorf("open bundle %s version %d: %w%s", n.card.Name, n.card.Version, err, n.runtime.remedy())
}

// Close frees the sessions. The proposers must have been closed.
func (n *Networks) Close() error { return errors.Join(n.propose.Close(), n.logProb.Close()) }
