// Package tune finds the mix of local and neural moves whose result is the most precise for
// its time, under frozen weights.
package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// A measurement of a mix lasts measureShare of the adaptation's time, counted as at least
// leastTime and at most half of the run's limit. Before it the walkers settle for a quarter of that:
// visits that follow each other depend on the mix before. All maxMeasurements together
// take a fifth of the adaptation's time, a tenth of the run's, and the estimates. Once that is over, as it is
// where passes take longer than expected, only local moves alone are still measured.
const (
	measureShare = 0.02
	leastTime    = 5 * time.Second
	settleShare  = 0.25
)

// Options of a Tuner.
type Options struct {
	// Engine are the options of the run's engine, whose events are not used, and State is
	// where it stands: copies of its walkers are moved, the run itself is left as it is.
	Engine sampler.Options
	State  *sampler.Snapshot
	// Shape sets the histogram of production on the copy; nil for a flat one.
	Shape func(*sampler.Engine)
	// Variance is that of the result named What, from the counts of a measurement, with the number
	// of independent blocks that it comes from.
	Variance func(*sampler.Samples) (variance float64, blocks int, err error)
	What     string
	// Mix is what a pass consisted of so far.
	Mix config.Mix
	// Adaptation is how long the adaptation of the weights took, and Limit the run's limit
	// of time, 0 for none.
	Adaptation, Limit time.Duration
}

// Tuner looks for the mix of moves whose result has the least variance for its time.
type Tuner struct {
	engine *sampler.Engine
	o      Options
	first  config.Mix    // of the passes before
	slice  time.Duration // longest time of a measurement
	opened time.Time

	rungs    []rung // nil until both kinds of moves have been timed
	equal    int    // rung of equal shares of time
	at       int    // best rung so far
	now      int    // rung being measured
	measured int    // measurements

	settled  bool
	began    time.Time  // of the measurement, or of settling
	mix      config.Mix // of the present passes
	sweeps   int64      // per walker, of all passes
	trials   int64
	before   sampler.Progress // sum of all passes before the measurement
	progress sampler.Progress // the same with those since
}

// New returns a tuner with copies of the walkers of an engine that has adapted its weights.
func New(o Options) (*Tuner, error) {
	o.Engine.Events = sampler.Events{}
	e, err := sampler.New(o.Engine)
	if err != nil {
		return nil, err
	}
	if err := e.Restore(o.State); err != nil {
		return nil, err
	}
	if o.Shape != nil {
		o.Shape(e)
	}
	took := max(o.Adaptation, leastTime)
	if o.Limit > 0 {
		took = min(took, o.Limit/2)
	}
	t := &Tuner{engine: e, o: o, opened: time.Now(), slice: time.Duration(measureShare * float64(took)), first: o.Mix, mix: o.Mix}
	t.begin()
	return t, nil
}

// begin begins a measurement, or to settle: the counts begin at zero.
func (t *Tuner) begin() {
	t.before = t.progress
	t.engine.Produce()
	t.began = time.Now()
}

// sum adds the engine's passes to those before.
func (t *Tuner) sum() sampler.Progress {
	p, old := t.engine.Progress(), t.before
	p.Passes += old.Passes
	p.RoundTrips += old.RoundTrips
	for kind := range p.Moves {
		p.Moves[kind].Trials += old.Moves[kind].Trials
		p.Moves[kind].Accepted += old.Moves[kind].Accepted
	}
	p.Times.Local += old.Times.Local
	p.Times.Propose += old.Times.Propose
	p.Times.LogProb += old.Times.LogProb
	return p
}

// cost is what moves have taken so far.
func (t *Tuner) cost() cost {
	times := t.progress.Times
	return cost{times.Local.Seconds() / float64(t.sweeps), (times.Propose + times.LogProb).Seconds() / float64(t.trials)}
}

// Progress sums up all passes of the search.
func (t *Tuner) Progress() sampler.Progress {
	p := t.progress
	p.Phase = sampler.Tuning
	return p
}

// Done guesses how much of the search is done, 0..1.
func (t *Tuner) Done() float64 { return float64(t.measured) / maxMeasurements }

// Pass makes one pass and goes to the next measurement when it is time. It reports whether
// there is more to do.
func (t *Tuner) Pass(ctx context.Context) (more bool, err error) {
	t.engine.SetMix(t.mix.Sweeps, t.mix.Trials)
	if err := t.engine.Pass(ctx); err != nil {
		return false, fmt.Errorf("mix of moves %v: %w", t.mix, err)
	}
	t.sweeps += int64(t.mix.Sweeps)
	t.trials += int64(t.mix.Trials)
	t.progress = t.sum()
	share := settleShare
	if t.settled {
		share = 1
	}
	if time.Since(t.began) < time.Duration(share*float64(t.slice)) {
		return true, nil
	}
	switch {
	case t.rungs == nil:
		t.rungs, t.equal = newLadder(t.cost(), t.mix)
	case !t.settled:
		t.settled = true
		t.begin()
		return true, nil
	default:
		variance, blocks, err := t.o.Variance(t.engine.Samples())
		switch {
		case err != nil:
			variance = math.NaN()
		case math.IsNaN(variance):
			err = errors.New("only one block of walkers knows some levels")
		case !(variance > 0) || math.IsInf(variance, 0):
			err = fmt.Errorf("the variance is %v", variance)
		}
		own, now := t.engine.Progress(), &t.rungs[t.now]
		now.add(own.Passes, own.RoundTrips, variance, blocks)
		now.fault = err
		t.measured++
	}
	next, left := 0, maxMeasurements-t.measured
	if time.Since(t.opened) > time.Duration((1+settleShare)*maxMeasurements*float64(t.slice)) {
		left = min(left, 1)
	}
	if t.at, next = climb(t.rungs, t.equal, t.cost(), left); next < 0 {
		return false, nil
	}
	t.now, t.mix, t.settled = next, t.rungs[next].mix, false
	t.begin()
	return true, nil
}

// Mix is the best one so far, once Pass has reported that there is no more to do the
// chosen one.
func (t *Tuner) Mix() config.Mix { return t.rungs[t.at].mix }

// Passes is how many passes of the chosen mix take as long as some of the mix before.
func (t *Tuner) Passes(before int64) int64 {
	c := t.cost()
	return max(1, int64(math.Round(float64(before)*c.of(t.first)/c.of(t.Mix()))))
}

// Summary says how production's mix of moves was chosen.
type Summary struct {
	Mix    string `json:"mix"` // sweeps and neural trials of a pass
	Reason string `json:"reason"`
	// Repeat is the settings that make the same run again, digit by digit except for what
	// run.max_time ends; the choice itself depends on the speed of the machine.
	Repeat   string       `json:"repeat"`
	Measured []MixSummary `json:"measured"`
}

// MixSummary is what was measured of a mix of moves.
type MixSummary struct {
	Mix        string  `json:"mix"`
	Seconds    float64 `json:"seconds"` // spent on moves
	RoundTrips float64 `json:"round_trips"`
	// Cost is the variance of what production is for times the seconds, nil where it is not
	// known.
	Cost *dos.Estimate `json:"variance_seconds,omitempty"`
	// Fault is why the last measurement gave no variance, if so.
	Fault string `json:"fault,omitempty"`
}

// Summary explains the choice; Repeat is left to the caller.
func (t *Tuner) Summary() *Summary {
	c := t.cost()
	s := &Summary{Mix: t.Mix().String()}
	for _, r := range t.rungs {
		if r.passes > 0 {
			m := MixSummary{Mix: r.mix.String(), Seconds: r.seconds(c), RoundTrips: r.roundTrips}
			if r.known() {
				cost := r.cost(c)
				m.Cost = &cost
			}
			if r.fault != nil {
				m.Fault = r.fault.Error()
			}
			s.Measured = append(s.Measured, m)
		}
	}
	last, others := len(t.rungs)-1, ""
	if t.at != t.equal {
		others = fmt.Sprintf(", in equal shares of time for local and neural moves %v", t.rungs[t.equal].cost(c))
	}
	of := t.o.What + ": variance times seconds"
	switch {
	case !t.rungs[t.equal].known():
		s.Reason = fmt.Sprintf("too few data to choose by; local and neural moves get equal shares of time (%v)", t.rungs[t.equal].fault)
	case t.at == last:
		s.Reason = fmt.Sprintf("the network does not pay and is left out of production: %s by local moves alone %v%s", of, t.rungs[last].cost(c), others)
	case !t.rungs[last].known():
		s.Reason = fmt.Sprintf("%s %v%s; local moves alone were not measured, or for too short a time", of, t.rungs[t.at].cost(c), others)
	default:
		s.Reason = fmt.Sprintf("%s %v%s, by local moves alone %v", of, t.rungs[t.at].cost(c), others, t.rungs[last].cost(c))
	}
	return s
}
