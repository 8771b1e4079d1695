package telemetry

import (
	"math"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// Evaluating is the phase between the last pass of a run and its results.
const Evaluating = "evaluating"

// Recorder makes a State of events. It is safe for concurrent use.
type Recorder struct {
	mutex sync.Mutex
	run   State
	last  sampler.Progress // what the counts include of the present phase
	pace  Pace
	now   func() time.Time
}

// NewRecorder returns a recorder of a run that has yet to begin.
func NewRecorder() *Recorder {
	r := &Recorder{now: time.Now, run: State{Phases: map[string]Phase{}, Evaluations: map[string]Histogram{}}}
	r.run.Heard = r.now()
	r.run.Began = r.run.Heard
	return r
}

// Snapshot is the state of the run, which no one else changes.
func (r *Recorder) Snapshot() *State {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	c := r.run.clone()
	c.Process = process()
	return c
}

// Left guesses how many seconds the present phase goes on, 0 if nothing can be said.
func (r *Recorder) Left() float64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.run.Left
}

// Evaluated counts an evaluation of a graph of the network.
func (r *Recorder) Evaluated(graph string, took time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	h := r.run.Evaluations[graph]
	h.Observe(EvaluationBounds, took.Seconds())
	r.run.Evaluations[graph] = h
}

// Listener records events.
func (r *Recorder) Listener() event.Listener {
	return event.Listener{
		RunBegan: listen(r, func(e event.RunBegan) {
			r.run.Began = r.run.Heard
			r.run.Version, r.run.System, r.run.Method, r.run.Seed = e.Version, e.System, e.Method, e.Seed
			r.run.Architecture, r.run.Provider, r.run.Network, r.run.Known = e.Architecture, e.Provider, e.Network, e.Levels
		}),
		PhaseBegan: listen(r, func(e event.PhaseBegan) { r.enter(string(e.Phase)) }),
		PhaseEnded: listen(r, func(e event.PhaseEnded) {
			if e.Progress.Phase == sampler.Production {
				r.enter(Evaluating)
			}
		}),
		Pass:             listen(r, r.pass),
		GradientStep:     listen(r, r.step),
		WeightsPublished: listen(r, func(event.WeightsPublished) { r.run.Training.Published++; r.run.Training.PublishedAt = r.run.Heard }),
		BundleExported: listen(r, func(e event.BundleExported) {
			if e.Err == nil {
				r.run.Training.Exported++
				r.run.Network = path.Join(filepath.Base(filepath.Dir(e.Folder)), filepath.Base(e.Folder))
			}
		}),
		NetworkSwapped:    listen(r, r.swap),
		CheckpointWritten: listen(r, r.checkpoint),
		RunEnded: listen(r, func(e event.RunEnded) {
			r.run.Left = 0
			if e.Complete() {
				r.run.Done = 1
			}
			r.run.End = &End{Converged: e.Converged, Interrupted: e.Interrupted != "", Failed: e.Err != nil}
			if e.LnGError != nil {
				r.run.LnGError = e.LnGError
			}
		}),
	}
}

// listen returns f under the recorder's lock.
func listen[T any](r *Recorder, f func(T)) func(T) {
	return func(e T) {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.run.Heard = r.now()
		f(e)
	}
}

// enter begins a phase. One that begins anew in this process counts from zero.
func (r *Recorder) enter(phase string) {
	r.run.Phase, r.run.Done, r.run.Left = phase, 0, 0
	r.last, r.pace = sampler.Progress{Phase: sampler.Phase(phase)}, Pace{}
}

// pass takes over the state after a pass.
func (r *Recorder) pass(e event.Pass) {
	p := e.Progress
	if p.Phase != r.last.Phase {
		r.enter(string(p.Phase))
	}
	r.far(string(p.Phase), e.Done)
	r.run.LnF, r.run.Flatness, r.run.Levels, r.run.Acceptance = finite(p.LnF), finite(p.Flatness), p.Levels, finite(e.Acceptance)
	phase := r.run.Phases[string(p.Phase)]
	if phase.Moves == nil {
		phase.Moves, phase.Seconds = map[string]Moves{}, map[string]float64{}
	}
	phase.Passes += p.Passes - r.last.Passes
	phase.RoundTrips += p.RoundTrips - r.last.RoundTrips
	for kind, count := range p.Moves {
		before, name := r.last.Moves[kind], sampler.MoveKind(kind).String()
		if m := phase.Moves[name]; count.Trials > 0 || m.Trials > 0 {
			phase.Moves[name] = Moves{m.Trials + count.Trials - before.Trials, m.Accepted + count.Accepted - before.Accepted}
		}
	}
	now, before := p.Times, r.last.Times
	phase.Seconds["local"] += (now.Local - before.Local).Seconds()
	phase.Seconds["propose"] += (now.Propose - before.Propose).Seconds()
	phase.Seconds["log_prob"] += (now.LogProb - before.LogProb).Seconds()
	r.run.Phases[string(p.Phase)] = phase
	r.last = p
}

// Look tells what is seen in the present estimate: the network's proposals by region, the energy
// windows, and the error of ln g, nil where nobody knows.
func (r *Recorder) Look(regions map[string]Region, windows []sampler.WindowView, lnGError *float64) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.run.Regions, r.run.LnGError, r.run.Windows = regions, lnGError, map[string]Window{}
	for _, w := range windows {
		if len(windows) > 1 {
			r.run.Windows[strconv.Itoa(w.Index)] = Window{finite(w.LnF), finite(w.Flatness)}
		}
	}
}

// Far tells how far an activity of other work than a run is.
func (r *Recorder) Far(activity string, done float64) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.run.Heard = r.now()
	if activity != r.run.Phase {
		r.enter(activity)
	}
	r.far(activity, done)
}

// far notes how much of a phase is done and guesses how long it goes on.
func (r *Recorder) far(phase string, done float64) {
	r.run.Done = finite(done)
	r.run.Left = r.pace.Left(phase, r.run.Heard, r.run.Done)
}

// Pace is the first that was heard of a phase since it began or went on, from which the time
// that is left is guessed.
type Pace struct {
	phase string
	at    time.Time
	done  float64
}

// Left guesses how many seconds of a phase are left, of which so much is done; 0 if nothing can be
// said.
func (p *Pace) Left(phase string, at time.Time, done float64) float64 {
	if p.phase != phase {
		*p = Pace{phase, at, done}
	}
	if done <= p.done || done > 1 {
		return 0
	}
	return at.Sub(p.at).Seconds() * (1 - done) / (done - p.done)
}

// step takes over a gradient step.
func (r *Recorder) step(s trainer.StepInfo) {
	t := &r.run.Training
	t.Seconds += s.Duration.Seconds()
	t.Replay = s.Replay
	if s.Dropped {
		t.Dropped++
		return
	}
	t.Steps++
	t.Loss, t.Norm = finite(s.Loss), finite(s.Norm)
}

// swap counts an exchange of the network that was made, or was not.
func (r *Recorder) swap(e event.NetworkSwapped) {
	s := &r.run.Swaps
	if e.Err != nil {
		s.Failed++
		return
	}
	s.Applied++
	s.Loading.Observe(LoadingBounds, e.Took.Seconds())
	s.Pause.Observe(PauseBounds, e.Pause.Seconds())
	r.run.Network = e.Name
}

// checkpoint counts a checkpoint that was written, or was not.
func (r *Recorder) checkpoint(e event.CheckpointWritten) {
	c := &r.run.Checkpoints
	c.Seconds += e.Took.Seconds()
	if e.Err != nil {
		c.Failed++
		return
	}
	c.Written++
	c.Bytes, c.At = e.Bytes, r.run.Heard
}

// finite is x, or 0 if JSON cannot hold it.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
