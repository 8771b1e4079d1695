package modelserver

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"neuralwl/internal/repository"
)

// work is a request to be evaluated, and its results.
type work struct {
	model   *model
	rows    int
	propose repository.ProposeInputs // by the model's kind
	logProb repository.LogProbInputs
	angles  repository.AngleInputs // of both models of a network of angles

	proposal configurations
	logQ     []float32
	err      error
	done     chan struct{} // closed when there are results or an error

	queued, began, ended time.Time
	batch                int // rows that were evaluated together
	first                bool
}

// configurations are colours or angles, [M,N], or nothing.
type configurations struct {
	colours []int32
	angles  []float32
}

// part returns some of so many rows.
func (c configurations) part(from, to, rows int) configurations {
	n, m := len(c.colours)/rows, len(c.angles)/rows
	return configurations{c.colours[from*n : to*n : to*n], c.angles[from*m : to*m : to*m]}
}

// batcher gathers works that the same network can do, up to a number of rows, while they wait for
// a thread or for each other.
type batcher struct {
	living context.Context
	rows   int
	delay  time.Duration
	slots  chan struct{} // full while all threads are at work
	wait   sync.WaitGroup

	mutex   sync.Mutex
	queues  map[identity]*queue
	company bool // the last evaluation was of several works
}

// identity of a model, whatever its name.
type identity struct {
	digest string
	kind   kind
}

// queue holds the works that wait for a model.
type queue struct {
	works  []*work
	rows   int // of all
	coming int // evaluations that have been ordered and not taken their works yet
}

func newBatcher(living context.Context, rows int, delay time.Duration, threads int) *batcher {
	return &batcher{living: living, rows: rows, delay: delay, slots: make(chan struct{}, threads), queues: map[identity]*queue{}}
}

// do evaluates a work, alone or with others. If ctx ends while it waits, it is not evaluated.
func (b *batcher) do(ctx context.Context, w *work) error {
	w.queued = time.Now()
	if w.rows == 0 {
		w.began, w.ended = w.queued, w.queued
		return nil
	}
	id := identity{w.model.handle.Digest(), w.model.kind}
	b.mutex.Lock()
	q := b.queues[id]
	if q == nil {
		q = &queue{}
		b.queues[id] = q
	}
	q.works, q.rows = append(q.works, w), q.rows+w.rows
	switch {
	case q.rows >= b.rows || b.delay == 0 || !b.company: // a single client would wait in vain
		b.order(id, q)
	case len(q.works) == 1:
		time.AfterFunc(b.delay, func() {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			b.order(id, q)
		})
	}
	b.mutex.Unlock()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	b.mutex.Lock()
	i := slices.Index(q.works, w)
	if i >= 0 {
		q.works, q.rows = slices.Delete(q.works, i, i+1), q.rows-w.rows
		b.tidy(id, q)
	}
	b.mutex.Unlock()
	if i >= 0 {
		return context.Cause(ctx)
	}
	<-w.done // it shares its handle and memory with others
	return w.err
}

// order has a queue evaluated as soon as there is a thread, with the mutex locked.
func (b *batcher) order(id identity, q *queue) {
	if q.coming*b.rows >= q.rows { // also without any
		return
	}
	q.coming++
	b.wait.Go(func() {
		select {
		case b.slots <- struct{}{}:
			defer func() { <-b.slots }()
		case <-b.living.Done():
		}
		b.mutex.Lock()
		q.coming--
		batch := q.take(b.rows)
		if len(batch) > 0 {
			b.company = len(batch) > 1
		}
		b.order(id, q) // what is left has waited long enough
		b.tidy(id, q)
		b.mutex.Unlock()
		if len(batch) > 0 {
			b.evaluate(batch)
		}
	})
}

// tidy forgets a queue in which nothing waits, with the mutex locked.
func (b *batcher) tidy(id identity, q *queue) {
	if len(q.works) == 0 && q.coming == 0 && b.queues[id] == q {
		delete(b.queues, id)
	}
}

// take takes the works that waited for longest, at least one, with at most that many rows.
func (q *queue) take(rows int) []*work {
	n, sum := 0, 0
	for n < len(q.works) && (n == 0 || sum+q.works[n].rows <= rows) {
		sum += q.works[n].rows
		n++
	}
	batch := slices.Clone(q.works[:n])
	q.works, q.rows = slices.Delete(q.works, 0, n), q.rows-sum
	return batch
}

// evaluate does works together.
func (b *batcher) evaluate(batch []*work) {
	began := time.Now()
	rows := 0
	for _, w := range batch {
		rows += w.rows
	}
	proposal, logQ, err := b.results(batch)
	ended := time.Now()
	from := 0
	for i, w := range batch {
		to := from + w.rows
		if w.err = err; err == nil {
			w.logQ = logQ[from:to:to]
			w.proposal = proposal.part(from, to, rows)
		}
		w.began, w.ended, w.batch, w.first = began, ended, rows, i == 0
		from = to
		close(w.done)
	}
}

// results evaluates works of one network together.
func (b *batcher) results(batch []*work) (proposal configurations, logQ []float32, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the program failed, which is a mistake in it: %v\n%s", fault, debug.Stack())
		}
	}()
	h := batch[0].model.handle
	defer func() {
		if err != nil && b.living.Err() != nil {
			err = unavailable(errors.New("the server stops"))
		}
	}()
	kind := batch[0].model.kind
	if h.Card().Angles() {
		in := repository.AngleInputs{
			State:   joined(batch, func(w *work) []float32 { return w.angles.State }),
			Beta:    joined(batch, func(w *work) []float32 { return w.angles.Beta }),
			Uniform: joined(batch, func(w *work) []float32 { return w.angles.Uniform }),
		}
		if kind == logProb {
			logQ, err = h.LogProbAngles(b.living, in)
		} else {
			proposal.angles, logQ, err = h.ProposeAngles(b.living, in)
		}
		return proposal, logQ, err
	}
	if kind == logProb {
		in := repository.LogProbInputs{
			Condition: joined(batch, func(w *work) []int32 { return w.logProb.Condition }),
			State:     joined(batch, func(w *work) []int32 { return w.logProb.State }),
			Start:     joined(batch, func(w *work) []int32 { return w.logProb.Start }),
			Shift:     joined(batch, func(w *work) []float32 { return w.logProb.Shift }),
			Energy:    joined(batch, func(w *work) []float32 { return w.logProb.Energy }),
		}
		logQ, err = h.LogProb(b.living, in)
		return proposal, logQ, err
	}
	proposal.colours, logQ, err = h.Propose(b.living, repository.ProposeInputs{
		State:   joined(batch, func(w *work) []int32 { return w.propose.State }),
		Start:   joined(batch, func(w *work) []int32 { return w.propose.Start }),
		Shift:   joined(batch, func(w *work) []float32 { return w.propose.Shift }),
		Energy:  joined(batch, func(w *work) []float32 { return w.propose.Energy }),
		Uniform: joined(batch, func(w *work) []float32 { return w.propose.Uniform }),
	})
	return proposal, logQ, err
}

// joined appends an input of all works, or is that of the only one.
func joined[T any](batch []*work, input func(w *work) []T) []T {
	if len(batch) == 1 {
		return input(batch[0])
	}
	var all []T
	for _, w := range batch {
		all = append(all, input(w)...)
	}
	return all
}
