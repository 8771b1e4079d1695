// Package live records what can be seen of a run while it goes on: its history and a picture of
// its present state, two files in the run directory. Viewers read them and need no lock; they
// survive the process. Nothing of it affects the run, whose numbers are the same without.
package live

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"neuralwl/internal/event"
	"neuralwl/internal/history"
	"neuralwl/internal/telemetry"
	"neuralwl/internal/transition"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Recorder records one run.
type Recorder struct {
	// Telemetry is told what pictures show; nil for nobody.
	Telemetry *telemetry.Recorder

	log     *slog.Logger
	folder  string
	lattice lattice.System
	system  string
	began   bool

	history *history.Writer
	losses  float64 // sum since the last point
	steps   int64   // as many
	all     int64   // of this process

	drawn      time.Time // the last picture
	pause      time.Duration
	phase      sampler.Phase // of the last picture
	transition *transition.Transition
	regions    [len(Regions)]Bin
	traces     Traces
	every      int64 // passes between points of the traces
	traced     int64 // passes at the last one
	exact      atomic.Pointer[dos.Density]
	stop       context.CancelFunc // of looking for it
	faults     int
}

// New returns a recorder whose Listener has yet to be told of a run.
func New(log *slog.Logger) *Recorder { return &Recorder{log: log, every: 1, pause: pictureEvery} }

// Times and bounds of pictures.
const (
	pictureEvery = 3 * time.Second
	pictureShare = 0.01 // of the run's time that pictures may take
	exactTime    = time.Second
	mostTraces   = 8
	mostTraced   = 500 // points of a trace
)

// Listener returns what a run is to tell of itself.
func (r *Recorder) Listener() event.Listener {
	return event.Listener{
		RunBegan: r.begin,
		GradientStep: func(s trainer.StepInfo) {
			if !s.Dropped {
				r.losses, r.steps, r.all = r.losses+s.Loss, r.steps+1, r.all+1
			}
		},
		Pass: func(e event.Pass) {
			r.pass(e.Progress, e.Sight)
			if e.Sight.View != nil && (e.Progress.Phase != r.phase || time.Since(r.drawn) >= r.pause) {
				r.draw(e.Progress, e.Sight)
			}
		},
		PhaseEnded: func(e event.PhaseEnded) {
			if e.Sight.View != nil {
				r.draw(e.Progress, e.Sight)
			}
			r.flush()
		},
		RunEnded: func(event.RunEnded) {
			r.flush()
			if r.stop != nil {
				r.stop()
			}
		},
	}
}

// ByRegion counts the network's proposals of the phase by region, as in the last picture. It is
// false without a network, and as long as there is no transition.
func (r *Recorder) ByRegion() (bins [len(Regions)]Bin, known bool) {
	return r.regions, r.regions != [len(Regions)]Bin{}
}

func (r *Recorder) begin(e event.RunBegan) {
	r.folder, r.lattice, r.system, r.began = e.Folder, e.Lattice, e.System, true
	var err error
	if r.history, err = history.Open(e.Folder, e.Resumed); err != nil {
		r.log.Warn("the history of the run so far is lost; a new one begins", "reason", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { // for as long as the prediction says at most, beside the run
		if d, err := exact.Density(ctx, e.Lattice, exactTime); err == nil && d != nil {
			d = &dos.Density{Energy: slices.Clone(d.Energy), LnG: slices.Clone(d.LnG)}
			d.Normalise(e.Lattice.LnStates())
			r.exact.Store(d)
		}
	}()
}

// pass adds a pass to the history. Those of a start and of tuning are made beside the run.
func (r *Recorder) pass(p sampler.Progress, at event.Sight) {
	if !r.began || p.Phase == sampler.Starting || p.Phase == sampler.Tuning {
		return
	}
	point := history.Point{
		Pass: at.Passes, Seconds: at.Elapsed.Seconds(), Phase: string(p.Phase), LnF: finite(p.LnF), Flatness: finite(p.Flatness),
		Levels: p.Levels, RoundTrips: p.RoundTrips, Local: p.Moves[sampler.Local], Neural: p.Moves[sampler.Neural], Steps: r.all,
	}
	if r.steps > 0 {
		point.Loss = finite(r.losses / float64(r.steps))
	}
	if r.history.Add(point) {
		r.losses, r.steps = 0, 0
	}
	if r.history.Due() {
		r.flush()
	}
	if at.View != nil && at.Passes >= r.traced+r.every {
		r.trace(at)
	}
}

// trace adds a point to the traces.
func (r *Recorder) trace(at event.Sight) {
	v := at.View()
	r.traced = at.Passes
	if len(v.Levels) == 0 {
		return
	}
	n := min(len(v.Levels), mostTraces)
	if len(r.traces.Energy) != n {
		r.traces = Traces{Energy: make([][]float64, n)}
	}
	r.traces.Passes = append(r.traces.Passes, at.Passes)
	for i := range n {
		r.traces.Energy[i] = append(r.traces.Energy[i], r.lattice.Energy(v.Levels[i]))
	}
	if len(r.traces.Passes) < mostTraced {
		return
	}
	r.every *= 2
	r.traces.Passes = everySecond(r.traces.Passes)
	for i, x := range r.traces.Energy {
		r.traces.Energy[i] = everySecond(x)
	}
}

func everySecond[T any](x []T) (half []T) {
	for i := 0; i < len(x); i += 2 {
		half = append(half, x[i])
	}
	return half
}

// draw makes a picture and writes it.
func (r *Recorder) draw(p sampler.Progress, at event.Sight) {
	if !r.began {
		return
	}
	began := time.Now()
	v := at.View()
	levels, d := transition.Known(r.lattice, v.Seen, v.LnG)
	r.transition = transition.Find(r.lattice, d, r.transition)
	r.regions = [len(Regions)]Bin{}
	if r.transition != nil && v.Proposals != nil {
		r.regions = byRegion(r.transition, r.lattice, v.Proposals)
	}
	picture := &Picture{
		At: began.UTC(), Seconds: at.Elapsed.Seconds(), Phase: string(p.Phase), Passes: at.Passes,
		System: r.system, Sides: r.lattice.Sides(), Colours: r.lattice.Colours(), Traces: r.traces,
	}
	picture.look(r.lattice, v, r.transition, d, r.exact.Load(), levels)
	if r.Telemetry != nil {
		r.Telemetry.Look(r.told(), v.Windows, picture.Deviation)
	}
	r.fault(picture.write(r.folder))
	r.drawn, r.phase = time.Now(), p.Phase
	r.pause = max(pictureEvery, time.Duration(float64(r.drawn.Sub(began))/pictureShare))
}

// told are the counts by region as telemetry has them.
func (r *Recorder) told() map[string]telemetry.Region {
	told := map[string]telemetry.Region{}
	for i, b := range r.regions {
		if b.Trials > 0 {
			of := telemetry.Region{Trials: b.Trials, Accepted: b.Accepted}
			if b.Accepted > 0 {
				of.Changed = float64(b.Changed) / float64(b.Accepted) / float64(r.lattice.Sites())
			}
			told[string(Regions[i])] = of
		}
	}
	return told
}

func (r *Recorder) flush() {
	if r.began {
		r.fault(r.history.Flush())
	}
}

// fault reports an error, which costs the run nothing.
func (r *Recorder) fault(err error) {
	if err == nil {
		return
	}
	if r.faults++; event.Often(r.faults) {
		r.log.Warn("what is to be seen of the run is not written", "reason", err, "times", r.faults)
	}
}

// finite is x, or 0 if it is not finite.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
