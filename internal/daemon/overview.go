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
	s := metrics.State{Runs: map[string]int{}, Slots: d.room().Runs, Workers: d.measured(), Faults: d.faults.Load(), Free: -1}
	if free, err := disk.Free(d.o.Data); err == nil {
		s.Free = free
	}
	for _, state := range job.States {
		s.Runs[string(state)] = 0
	}
	groups := d.groups.all()
	m := d.mirror
	m.mutex.Lock()
	defer m.mutex.Unlock()
	s.Groups = m.groupRuns(groups)
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

// groupRuns counts the members of groups by state. A group whose members have all ended is left out, so that its
// series end. The mutex is held.
func (m *mirror) groupRuns(groups []*group) map[string]map[string]int {
	all := map[string]map[string]int{}
	for _, g := range groups {
		runs, goesOn := map[string]int{}, false
		for _, id := range g.ids {
			if r := m.runs[id]; r != nil {
				runs[string(r.State)]++
				goesOn = goesOn || !r.State.Final()
			}
		}
		if goesOn {
			all[g.about().Name] = runs
		}
	}
	return all
}

const (
	// watchedFor is how long metrics show a run after it was last heard of, so that a scrape sees
	// how it ended.
	watchedFor = 5 * time.Minute
	// mostWatched bounds how many runs they show, running ones first.
	mostWatched = 1000
	// largeGroup is how many members a group has of which metrics show none one by one: series that last for
	// seconds are a burden to whoever collects them.
	largeGroup = 50
)

// Watched are the runs that metrics show: those that run, and those that did a moment ago.
func (d *Daemon) Watched() []metrics.Run {
	return d.mirror.watched(time.Now(), func(id string) bool {
		g := d.groups.of(id)
		return g != nil && len(g.ids) > largeGroup
	})
}

// watched are the runs that are watched, except those to be left out.
func (m *mirror) watched(now time.Time, out func(id string) bool) []metrics.Run {
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
		case r == nil || out(id):
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
