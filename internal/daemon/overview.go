package daemon

import (
	"cmp"
	"slices"
	"time"

	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/metrics"
)

// Overview is what there is to do, for the metrics.
func (d *Daemon) Overview() metrics.State {
	s := metrics.State{Runs: map[string]int{}, Slots: d.o.Jobs, Faults: d.faults.Load(), Free: -1}
	if free, err := disk.Free(d.o.Data); err == nil {
		s.Free = free
	}
	for _, state := range job.States {
		s.Runs[string(state)] = 0
	}
	m := d.mirror
	m.mutex.Lock()
	defer m.mutex.Unlock()
	s.Restarts, s.Lost = m.restarts, m.lost
	for id, r := range m.runs {
		s.Runs[string(r.State)]++
		if r.State == job.Submitted || r.State == job.Queued {
			s.Waiting++
			if since := m.since[id]; s.Since.IsZero() || since.Before(s.Since) {
				s.Since = since
			}
		}
	}
	return s
}

const (
	// watchedFor is how long metrics show a run after it was last heard of, so that a scrape sees
	// how it ended.
	watchedFor = 5 * time.Minute
	// mostWatched bounds how many runs they show, running ones first.
	mostWatched = 1000
)

// Watched are the runs that metrics show: those that run, and those that did a moment ago.
func (d *Daemon) Watched() []metrics.Run { return d.mirror.watched(time.Now()) }

func (m *mirror) watched(now time.Time) []metrics.Run {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var running, others []metrics.Run
	for id, state := range m.state {
		r, heard := m.runs[id], state.Heard
		if p := m.far[id]; p != nil {
			heard = p.At
		}
		s := *state
		s.Heard = heard
		switch {
		case r == nil:
		case r.State == job.Running:
			running = append(running, metrics.Run{Name: id, State: &s})
		case now.Sub(heard) < watchedFor:
			others = append(others, metrics.Run{Name: id, State: &s})
		}
	}
	order := func(a, b metrics.Run) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(running, order)
	slices.SortFunc(others, order)
	all := append(running, others...)
	return all[:min(len(all), mostWatched)]
}
