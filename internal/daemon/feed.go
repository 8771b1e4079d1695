package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// feed hands on events to many readers for the price of one reader of the queue. A reader that
// falls behind, or asks for older events, reads them from the queue. It is safe for concurrent
// use.
type feed struct {
	mutex   sync.Mutex
	last    uint64 // sequence number of the newest event
	readers map[*reader]bool
	// history bounds how many readers read from the queue at a time.
	history chan struct{}
}

// Bounds of the memory that readers take.
const (
	mostBuffered  = 256 // events that wait for a reader, or are read from the queue at a time
	mostHistories = 8
)

func newFeed() *feed {
	return &feed{readers: map[*reader]bool{}, history: make(chan struct{}, mostHistories)}
}

// reader is one that reads events of a run, or of all.
type reader struct {
	run    string
	buffer []queue.Event
	behind bool          // there are events in the queue that the buffer has not
	gone   bool          // the run was deleted
	bell   chan struct{} // rings when there is something new
}

func (r *reader) ring() {
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// happened hands on an event. They come in order, but where the connection to the queue was lost
// some may be missing.
func (f *feed) happened(e queue.Event) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if e.Sequence <= f.last {
		return
	}
	hole := e.Sequence != f.last+1
	f.last = e.Sequence
	for r := range f.readers {
		mine := r.run == e.Run || r.run == "" && !job.IsShardID(e.Run)
		switch {
		case hole, mine && len(r.buffer) == mostBuffered:
			r.buffer, r.behind = nil, true
		case mine:
			r.buffer = append(r.buffer, e)
		default:
			continue
		}
		r.ring()
	}
}

// deleted ends the readers of a run.
func (f *feed) deleted(run string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for r := range f.readers {
		if r.run == run {
			r.gone = true
			r.ring()
		}
	}
}

func (f *feed) join(r *reader) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.readers[r] = true
}

func (f *feed) leave(r *reader) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.readers, r)
}

// take returns what waits for a reader.
func (f *feed) take(r *reader) (events []queue.Event, behind, gone bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	events, behind = r.buffer, r.behind
	r.buffer, r.behind = nil, false
	return events, behind, r.gone
}

// Position is the number of an event after which a reader can go on: 0, before all events, for one
// from before the queue was lost, as there is none so high.
func (d *Daemon) Position(ctx context.Context, after uint64) (uint64, error) {
	last, err := d.queue.LastEvent(ctx)
	if after > last {
		after = 0
	}
	return after, err
}

// Events hands over the events of a run, of all runs if that is empty, with sequence numbers
// above after: first those that are kept, then those that come. f gets some at a time, in order,
// and none when there have been none for the time idle. Events returns when ctx ends, with its
// cause; when f returns an error, with that; and nil when the run is deleted.
func (d *Daemon) Events(ctx context.Context, run string, after uint64, idle time.Duration, f func([]queue.Event) error) error {
	r := &reader{run: run, behind: true, bell: make(chan struct{}, 1)}
	d.feed.join(r)
	defer d.feed.leave(r)
	quiet := time.NewTimer(idle)
	defer quiet.Stop()
	give := func(events []queue.Event) error {
		quiet.Reset(idle)
		if len(events) > 0 {
			after = events[len(events)-1].Sequence
		}
		if run == "" { // shards are not shown apart from their runs
			events = slices.DeleteFunc(events, func(e queue.Event) bool { return job.IsShardID(e.Run) })
		}
		return f(events)
	}
	for {
		events, behind, gone := d.feed.take(r)
		for behind {
			old, more, err := d.history(ctx, run, after)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return err
			}
			if len(old) > 0 {
				if err := give(old); err != nil {
					return err
				}
			}
			behind = more
		}
		for len(events) > 0 && events[0].Sequence <= after {
			events = events[1:]
		}
		if len(events) > 0 {
			if err := give(events); err != nil {
				return err
			}
		}
		if gone {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.bell:
		case <-quiet.C:
			if err := give(nil); err != nil {
				return err
			}
		}
	}
}

// history reads events from the queue.
func (d *Daemon) history(ctx context.Context, run string, after uint64) ([]queue.Event, bool, error) {
	select {
	case d.feed.history <- struct{}{}:
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	defer func() { <-d.feed.history }()
	return d.queue.History(ctx, run, after, mostBuffered)
}
