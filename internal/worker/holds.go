package worker

import (
	"context"
	"sync"
)

// holds are the runs that this process performs. The queue hands out a run again whose lease
// was not renewed in time, as after the process was stopped for a while; it may be handed to
// the process that still performs it.
type holds struct {
	mutex sync.Mutex
	runs  map[string]*hold
}

// hold is a run being performed.
type hold struct {
	kill chan struct{} // closed to end it at once
	once sync.Once
	back context.CancelCauseFunc // ends it in order, nil before it began
	gone chan struct{}           // closed when it has ended
}

func (h *hold) end() { h.once.Do(func() { close(h.kill) }) }

// enter begins to perform a run, after it has ended an earlier performance of it.
func (s *holds) enter(id string) *hold {
	h := &hold{kill: make(chan struct{}), gone: make(chan struct{})}
	for {
		s.mutex.Lock()
		before := s.runs[id]
		if before == nil {
			s.runs[id] = h
			s.mutex.Unlock()
			return h
		}
		s.mutex.Unlock()
		before.end()
		<-before.gone
	}
}

func (s *holds) leave(id string, h *hold) {
	s.mutex.Lock()
	delete(s.runs, id)
	s.mutex.Unlock()
	close(h.gone)
}

// begin notes how to end a run in order.
func (s *holds) begin(h *hold, back context.CancelCauseFunc) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	h.back = back
}

// returnAll ends all runs in order, so that they go back to the queue.
func (s *holds) returnAll() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, h := range s.runs {
		if h.back != nil {
			h.back(errStopped)
		}
	}
}
