package daemon

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/telemetry"
)

// mirror is the state of all runs in memory, as the queue last told it, so that lists and
// metrics cost the queue nothing. It is safe for concurrent use.
type mirror struct {
	mutex sync.Mutex
	runs  map[string]*queue.Record
	wants map[string]job.Wish
	far   map[string]*api.Progress
	state map[string]*telemetry.State // what was measured of a run
	last  map[string]uint64           // number of the last event
	waits map[string]string           // what runs wait for that have not begun
	specs map[string]spec
	since map[string]time.Time // when runs that wait began to
	told  map[string]told      // the last change of state among the events
	help  map[string]int       // how many processes could help with the present phase of a run
	// restarts counts runs taken up after their process was lost, lost those of which a silent
	// worker lost the lease.
	restarts, lost int64
}

// told is a change of state and the number of the event that told of it.
type told struct {
	queue.StateData
	event uint64
}

// spec is what a job is to do, taken apart.
type spec struct {
	job.Spec
	text           json.RawMessage // of which it was made
	system, method string          // as configured
}

func newMirror() *mirror {
	return &mirror{
		runs: map[string]*queue.Record{}, wants: map[string]job.Wish{}, far: map[string]*api.Progress{}, state: map[string]*telemetry.State{},
		last: map[string]uint64{}, specs: map[string]spec{}, since: map[string]time.Time{}, told: map[string]told{},
		help: map[string]int{},
	}
}

// want takes what the user wants of a run.
func (m *mirror) want(id string, w job.Wish) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.wants[id] = w
}

func (m *mirror) wanted(id string) job.Wish {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return cmp.Or(m.wants[id], job.Run)
}

// put takes a record unless a newer one is there.
func (m *mirror) put(id string, r *queue.Record) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	before := m.runs[id]
	if !r.Newer(before) {
		return
	}
	m.runs[id] = r
	if before != nil && r.State == job.Running && r.Epoch > before.Epoch && r.Attempts > 1 {
		m.restarts++
		if before.State == job.Running {
			m.lost++
		}
	}
	switch waits := r.State == job.Submitted || r.State == job.Queued; {
	case !waits:
		delete(m.since, id)
	case m.since[id].IsZero() && before == nil && r.Epoch == 0 && r.Submission == 1:
		m.since[id] = r.Created
	case m.since[id].IsZero():
		m.since[id] = time.Now()
	}
}

// spec takes the specification of a record apart, each but once.
func (m *mirror) spec(r *queue.Record) (spec, error) {
	m.mutex.Lock()
	known, ok := m.specs[r.ID]
	m.mutex.Unlock()
	if ok && bytes.Equal(known.text, r.Spec) {
		return known, nil
	}
	s := spec{text: r.Spec}
	if err := json.Unmarshal(r.Spec, &s.Spec); err != nil {
		return s, fmt.Errorf("%s: its record is damaged: %w", r.ID, err)
	}
	s.system, s.method = config.Outline([]byte(s.Config))
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.runs[r.ID] != nil {
		m.specs[r.ID] = s
	}
	return s, nil
}

func (m *mirror) drop(id string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.runs, id)
	delete(m.wants, id)
	delete(m.far, id)
	delete(m.state, id)
	delete(m.last, id)
	delete(m.specs, id)
	delete(m.since, id)
	delete(m.told, id)
	delete(m.help, id)
}

// changed is told by the queue that a record changed, nil if it is no more.
func (m *mirror) changed(id string, r *queue.Record) {
	if r == nil {
		m.drop(id)
	} else {
		m.put(id, r)
	}
}

// wait replaces what runs wait for.
func (m *mirror) wait(waits map[string]string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.waits = waits
}

func (m *mirror) waiting(id string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.waits[id]
}

// record returns the record of a run, nil if there is none.
func (m *mirror) record(id string) *queue.Record {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.runs[id]
}

func (m *mirror) records() []*queue.Record {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var all []*queue.Record
	for _, r := range m.runs {
		all = append(all, r)
	}
	return all
}

// progress returns a copy of how far a run is, nil if nothing is known.
func (m *mirror) progress(id string) *api.Progress {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	p, ok := m.far[id]
	if !ok {
		return nil
	}
	far := *p
	return &far
}

// helpers is how many other processes could help with the present phase of a run.
func (m *mirror) helpers(id string) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.help[id]
}

// lastEvent is the number of a run's last event, 0 without any.
func (m *mirror) lastEvent(id string) uint64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.last[id]
}

// happened takes in an event of a run. One that cannot be read says nothing.
func (m *mirror) happened(e queue.Event) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	p := &api.Progress{}
	if before := m.far[e.Run]; before != nil {
		*p = *before
	}
	p.At = e.Time
	m.last[e.Run] = max(m.last[e.Run], e.Sequence)
	switch child.Kind(e.Kind) {
	case queue.StateEvent:
		d := told{event: e.Sequence}
		if json.Unmarshal(e.Data, &d.StateData) == nil {
			m.told[e.Run] = d
		}
		return
	case child.Began:
		var d child.BeganData
		if json.Unmarshal(e.Data, &d) != nil {
			return
		}
		p.Converged, p.Failed, p.Seconds = false, nil, 0
		p.System, p.Method, p.Seed, p.Walkers, p.Architecture, p.Provider = d.System, d.Method, d.Seed, d.Walkers, d.Architecture, d.Provider
	case child.Phase:
		var d child.PhaseData
		if json.Unmarshal(e.Data, &d) != nil {
			return
		}
		p.Phase, p.Done, p.Left = d.Phase, 0, 0
		m.help[e.Run] = d.Helpers
	case child.Pass:
		var d child.PassData
		if json.Unmarshal(e.Data, &d) != nil {
			return
		}
		p.Phase, p.Passes, p.Done, p.LnF, p.Flatness, p.Levels, p.RoundTrips = d.Phase, d.Passes, d.Done, d.LnF, d.Flatness, d.Levels, d.RoundTrips
		p.Steps, p.Loss, p.Acceptance, p.Left = d.Steps, d.Loss, d.Acceptance, d.Left
	case child.Evaluating:
		p.Phase, p.Done, p.Left = string(child.Evaluating), 0, 0
	case child.Ended:
		var d child.EndedData
		if json.Unmarshal(e.Data, &d) != nil {
			return
		}
		p.Converged, p.Failed, p.Seconds, p.Left = d.Converged, d.Failed, d.Seconds, 0
		if d.Interrupted == "" {
			p.Phase, p.Done = "", 1
		}
	case child.Counts:
		s := &telemetry.State{}
		if json.Unmarshal(e.Data, s) != nil {
			return
		}
		m.state[e.Run] = s
	case child.Checkpoint, child.Exported:
	default:
		return
	}
	m.far[e.Run] = p
}
