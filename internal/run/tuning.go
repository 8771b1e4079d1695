package run

import (
	"context"
	"fmt"
	"math"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// A mix is measured for measureShare of the time that the adaptation took, which counts as
// leastTime at least but for half of run.max_time, or until it has
// made manyTurns, known to 3 %, and each walker turnsEach of them. A quarter of both goes by
// beforehand, in which the walkers settle: how many of them come from which end depends on
// the mix before. All maxMeasurements together take a fifth of the adaptation's time, and a
// tenth of the run's. Where passes are longer than they should be and it is over, only local
// moves alone are still measured.
const (
	measureShare = 0.02
	leastTime    = 5 * time.Second
	manyTurns    = 1000
	turnsEach    = 4
	settleShare  = 0.25
)

// tuner looks for the mix of moves that makes most round trips per second under frozen
// weights. It moves copies of the walkers: the run goes on as if nothing had been measured.
type tuner struct {
	engine *sampler.Engine
	slice  time.Duration // longest time of a measurement
	opened time.Time

	rungs    []rung // nil until both kinds of moves have been timed
	equal    int    // rung of equal shares of time
	at       int    // best rung so far
	now      int    // rung being measured
	measured int    // measurements

	settled  bool
	began    time.Time // of the measurement, or of settling
	before   sampler.Progress
	mix      config.Mix // of the present passes
	sweeps   int64      // per walker, of all passes
	trials   int64
	progress sampler.Progress
}

// newTuner copies the walkers of an engine that has adapted its weights.
func (j *job) newTuner() (*tuner, error) {
	o := j.options
	o.Events = sampler.Events{}
	e, err := sampler.New(o)
	if err != nil {
		return nil, err
	}
	if err := e.Restore(j.engine.Snapshot()); err != nil {
		return nil, err
	}
	j.shapeHistogram(e)
	e.Produce()
	took := max(j.at.Began, leastTime)
	if limit := j.c.Run.MaxTime; limit > 0 {
		took = min(took, limit/2)
	}
	t := &tuner{engine: e, opened: time.Now(), slice: time.Duration(measureShare * float64(took)), mix: j.c.Mix()}
	t.begin()
	return t, nil
}

// begin begins a measurement, or to settle.
func (t *tuner) begin() { t.began, t.before = time.Now(), t.engine.Progress() }

// cost is what moves have taken so far.
func (t *tuner) cost() cost {
	times := t.progress.Times
	return cost{times.Local.Seconds() / float64(t.sweeps), (times.Propose + times.LogProb).Seconds() / float64(t.trials)}
}

// pass makes one pass and goes to the next measurement when it is time. It reports whether
// there is more to do.
func (t *tuner) pass(ctx context.Context) (more bool, err error) {
	t.engine.SetMix(t.mix.Sweeps, t.mix.Trials)
	if err := t.engine.Pass(ctx); err != nil {
		return false, fmt.Errorf("mix of moves %v: %w", t.mix, err)
	}
	t.sweeps += int64(t.mix.Sweeps)
	t.trials += int64(t.mix.Trials)
	t.progress = t.engine.Progress()
	share := settleShare
	if t.settled {
		share = 1
	}
	turns := 2 * (t.progress.RoundTrips - t.before.RoundTrips)
	enough := float64(max(manyTurns, turnsEach*t.engine.Walkers()))
	if time.Since(t.began) < time.Duration(share*float64(t.slice)) && turns < share*enough {
		return true, nil
	}
	if t.rungs == nil {
		t.rungs, t.equal = newLadder(t.cost(), t.mix)
	} else if !t.settled {
		t.settled = true
		t.begin()
		return true, nil
	} else {
		r := &t.rungs[t.now]
		r.turns += turns
		r.passes += t.progress.Passes - t.before.Passes
		t.measured++
	}
	next, left := 0, maxMeasurements-t.measured
	if time.Since(t.opened) > time.Duration((1+settleShare)*maxMeasurements*float64(t.slice)) {
		left = min(left, 1)
	}
	if t.at, next = climb(t.rungs, t.equal, t.cost(), t.engine.Walkers(), left); next < 0 {
		return false, nil
	}
	t.now, t.mix, t.settled = next, t.rungs[next].mix, false
	t.begin()
	return true, nil
}

// tune makes one pass of the stage of tuning, and begins production once the mix is chosen.
func (j *job) tune(ctx context.Context) (err error) {
	if j.tuner == nil {
		if j.tuner, err = j.newTuner(); err != nil {
			return err
		}
	}
	t := j.tuner
	more, err := t.pass(ctx)
	if err != nil {
		return err
	}
	j.at.Pass++
	t.progress.Phase = sampler.Tuning
	j.observe(t.progress, float64(t.measured)/maxMeasurements)
	if more {
		return nil
	}
	j.phases = append(j.phases, j.phase(t.progress))
	chosen, c := t.rungs[t.at].mix, t.cost()
	j.at.Mix = chosen
	j.at.Planned = max(1, int64(math.Round(float64(j.at.Adaptive)*c.of(j.c.Mix())/c.of(chosen))))
	j.tuning = t.summary()
	j.tuning.Repeat = j.repeat()
	j.log.Info("mix of moves chosen for production", "mix", chosen.String(), "reason", j.tuning.Reason, "repeat", j.tuning.Repeat)
	j.tuner = nil
	return j.beginProduction()
}

// repeat is the settings that make the same run again on a machine of any speed.
func (j *job) repeat() string {
	s := fmt.Sprintf("--set production.mix=%v", j.at.Mix)
	if planned := j.planned(); planned < endless {
		s += fmt.Sprintf(" --set production.passes=%d", planned)
	}
	return s
}

// TuningSummary tells how production's mix of moves was chosen.
type TuningSummary struct {
	Mix    string `json:"mix"` // sweeps and neural trials of a pass
	Reason string `json:"reason"`
	// Repeat is the settings with which the same run is made again, digit by digit but for
	// what run.max_time ends; the choice depends on the speed of the machine.
	Repeat   string       `json:"repeat"`
	Measured []MixSummary `json:"measured"`
}

// MixSummary is what was measured of a mix of moves.
type MixSummary struct {
	Mix        string       `json:"mix"`
	Seconds    float64      `json:"seconds"` // spent on moves
	RoundTrips float64      `json:"round_trips"`
	Rate       dos.Estimate `json:"round_trips_per_second"`
}

func (t *tuner) summary() *TuningSummary {
	c := t.cost()
	s := &TuningSummary{Mix: t.rungs[t.at].mix.String()}
	rate := func(k int) dos.Estimate { return dos.NewEstimate(t.rungs[k].rate(c)) }
	for k, r := range t.rungs {
		if r.passes > 0 {
			s.Measured = append(s.Measured, MixSummary{r.mix.String(), float64(r.passes) * c.of(r.mix), r.turns / 2, rate(k)})
		}
	}
	last, others := len(t.rungs)-1, ""
	if t.at != t.equal {
		others = fmt.Sprintf(", in equal shares of time for local and neural moves %v", rate(t.equal))
	}
	switch {
	case undecided(t.rungs[t.equal]):
		s.Reason = fmt.Sprintf("%.0f round trips are too few to choose by; local and neural moves get equal shares of time", t.rungs[t.equal].turns/2)
	case t.at == last:
		s.Reason = fmt.Sprintf("the network does not pay and is left out of production: local moves alone make %v round trips per second%s", rate(last), others)
	case t.rungs[last].turns < float64(t.engine.Walkers()):
		s.Reason = fmt.Sprintf("%v round trips per second%s; there was no time to measure local moves alone", rate(t.at), others)
	default:
		s.Reason = fmt.Sprintf("%v round trips per second%s, by local moves alone %v", rate(t.at), others, rate(last))
	}
	return s
}
