package inference

import (
	"errors"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/sampler"
)

// server is what Proposer and Angles share: the two networks, their weights, and the batch in parts of about
// equal size, which workers evaluate side by side. The division depends on nothing but the number of rows in
// use and the size given, since the last bits of a matrix product depend on its shape.
type server[P any] struct {
	propose, logProb *network
	store            *Store
	pinned           *Weights        // see Pin
	version          sampler.Version // of the network with those weights
	size             int             // of a part, at most
	divided          int             // the rows that parts cover
	parts            []P
	native           values // of the parts
	runtime          Runtime
	close            func() error // of what the network has opened besides
}

// serve returns what serves the weights in store by the networks.
func serve[P any](n *Networks, store *Store) server[P] {
	return server[P]{propose: n.propose, logProb: n.logProb, store: store, runtime: n.runtime, size: n.part, close: func() error { return nil }}
}

// divide makes the parts that cover the used ones of a batch's rows. A GPU's networks are laid out for the
// whole batch, so there the parts always cover all rows.
func (s *server[P]) divide(used, rows int, part func(from, to int) (P, error)) error {
	if s.runtime.Provider != CPU {
		used = rows
	}
	if s.divided == used {
		return nil
	}
	if err := s.native.destroy(); err != nil {
		return err
	}
	s.parts, s.divided = s.parts[:0], 0
	parts := (used + s.size - 1) / s.size
	for k := range parts {
		p, err := part(k*used/parts, (k+1)*used/parts)
		if err != nil {
			return err
		}
		s.parts = append(s.parts, p)
	}
	s.divided = used
	return nil
}

// Pin selects the weights published last for all calls of Propose and LogProb until the next
// Pin, so that both directions of a move see one network even if others are published
// meanwhile. The version changes whenever the weights do, and no two proposers share one.
func (s *server[P]) Pin() sampler.Version {
	if w := s.store.hold(s.pinned); w != s.pinned {
		s.pinned, s.version = w, sampler.NewVersion()
	}
	return s.version
}

// Use has the weights of another store evaluated from now on, those of a bundle with the same graphs, and
// forgets the ones that are pinned.
func (s *server[P]) Use(store *Store) {
	s.pinned.release()
	s.store, s.pinned = store, nil
}

// Close frees tensors, and the sessions unless they are shared.
func (s *server[P]) Close() error {
	s.pinned.release()
	s.pinned = nil
	return errors.Join(s.close(), s.native.destroy())
}

// evaluation holds the inputs and outputs of a network over one part of a batch, in its order.
type evaluation struct{ in, out []ort.Value }

// evaluation puts values in the order of the network's inputs and outputs.
func (n *network) evaluation(in, out map[string]ort.Value) (e evaluation, err error) {
	for _, side := range []struct {
		to    *[]ort.Value
		names []string
		from  map[string]ort.Value
	}{{&e.in, n.inputs, in}, {&e.out, n.outputs, out}} {
		for _, name := range side.names {
			v := side.from[name]
			if v == nil {
				return e, fmt.Errorf("value %q is not in the contract", name)
			}
			*side.to = append(*side.to, v)
		}
	}
	return e, nil
}
