package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"neuralwl/internal/job"
)

// controlSubject carries requests to the worker that has a job. They are not kept: a request that
// no worker hears has not happened.
const controlSubject = "nwl.control." // + id

// ErrUnreachable is the error of a request that no worker answers, since none has the job.
var ErrUnreachable = errors.New("no worker has this run at present")

// Control sends a request to the worker that has a job and returns its answer, for which it
// waits until ctx ends.
func (q *Queue) Control(ctx context.Context, id string, request []byte) ([]byte, error) {
	if err := job.CheckID(id); err != nil {
		return nil, err
	}
	m, err := q.conn.RequestWithContext(ctx, controlSubject+token(id), request)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%s: %w", id, ErrUnreachable)
	case err != nil:
		return nil, fmt.Errorf("request to the worker of %s: %w", id, err)
	}
	return m.Data, nil
}

// Controls answers the requests about a leased job by f, which is called for several of them at
// a time if need be. After stop there are no more, and those under way have been answered.
func (l *Lease) Controls(f func(request []byte) []byte) (stop func(), err error) {
	var open openRequests
	s, err := l.q.conn.Subscribe(controlSubject+token(l.ID), func(m *nats.Msg) {
		open.handle(func() {
			if err := m.Respond(f(m.Data)); err != nil {
				l.q.o.Log.Warn("queue: an answer is lost", "run", l.ID, "reason", err)
			}
		})
	})
	if err == nil {
		err = l.q.conn.Flush() // from here on the server knows
	}
	if err != nil {
		return nil, fmt.Errorf("requests about %s: %w", l.ID, err)
	}
	return func() {
		if err := s.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			l.q.o.Log.Warn("queue: requests about a run go on arriving", "run", l.ID, "reason", err)
		}
		open.close()
	}, nil
}

// openRequests are the requests under way.
type openRequests struct {
	mutex  sync.Mutex
	wait   sync.WaitGroup
	closed bool
}

// handle runs f, unless it is too late for it.
func (o *openRequests) handle(f func()) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if !o.closed {
		o.wait.Go(f)
	}
}

// close admits no more and waits for the others.
func (o *openRequests) close() {
	o.mutex.Lock()
	o.closed = true
	o.mutex.Unlock()
	o.wait.Wait()
}
