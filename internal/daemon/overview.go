package daemon

import (
	"cmp"
	"slices"

	"neuralwl/internal/job"
	"neuralwl/metrics"
)

// Overview is what there is to do and how far it is, for the metrics.
func (d *Daemon) Overview() metrics.State {
	s := metrics.State{Runs: map[string]int{}, Faults: d.faults.Load()}
	for _, state := range job.States {
		s.Runs[string(state)] = 0
	}
	m := d.mirror
	m.mutex.Lock()
	defer m.mutex.Unlock()
	s.Restarts = m.restarts
	for id, r := range m.runs {
		s.Runs[string(r.State)]++
		switch r.State {
		case job.Submitted, job.Queued:
			s.Waiting++
			if since := m.since[id]; s.Since.IsZero() || since.Before(s.Since) {
				s.Since = since
			}
		case job.Running:
			p := m.far[id]
			if p == nil {
				continue
			}
			s.Running = append(s.Running, metrics.Running{
				Run: id, System: p.System, Method: p.Method, Architecture: p.Architecture, Provider: p.Provider, Seed: p.Seed,
				Phase: p.Phase, Passes: p.Passes, RoundTrips: p.RoundTrips, Done: p.Done, LnF: p.LnF, Flatness: p.Flatness,
				Levels: p.Levels, Steps: p.Steps, Loss: p.Loss, Heard: p.At,
			})
		}
	}
	slices.SortFunc(s.Running, func(a, b metrics.Running) int { return cmp.Compare(a.Run, b.Run) })
	return s
}
