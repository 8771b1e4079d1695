package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/sampler"
)

// productionShare of run.max_time is kept for production, however far the
// phase of adaptation came: only production gives error bars.
const productionShare = 0.5

// burnIn is the share of the production passes, made beforehand and thrown away,
// in which the walkers forget the changing weights of the phase before.
const burnIn = 0.05

// sample makes pass after pass until the run is complete or has to end before its
// time, with a checkpoint every so often and one at the end. Passes are never
// interrupted, so that a resumed run makes the same ones.
func (j *job) sample(ctx context.Context) error {
	passing := context.WithoutCancel(ctx)
	if j.at.Stage != starting && j.at.Stage != tuning { // which begin with their first pass
		j.beginPhase(j.process.Progress().Phase)
	}
	for {
		if j.interrupted = j.toEnd(ctx); j.interrupted != nil {
			j.log.Warn("the run ends early with what it has", "reason", j.interrupted)
			break
		}
		more, err := j.step(passing)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if interval := j.c.Checkpoint.Interval; interval > 0 && time.Since(j.checkpoints.last) > interval {
			j.checkpoint()
		}
	}
	j.checkpoint()
	if j.at.Stage == starting {
		return fmt.Errorf("%w before the walkers began to move", j.interrupted)
	}
	if j.at.Stage == adapting || j.at.Stage == producing {
		j.endPhase(j.process.Progress())
	}
	return nil
}

// toEnd tells why the run has to end before it is complete, nil if it has not. It has
// not before there is a result of any kind, which is a matter of the first passes.
func (j *job) toEnd(ctx context.Context) error {
	if produced := j.at.Stage == producing && j.at.Pass > 0; !produced && j.at.Stage != starting && j.process.Progress().Levels == 0 {
		return nil
	}
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(cause, context.Canceled) {
			return errors.New("the run was interrupted")
		}
		return cause
	}
	if !j.allocation.IsZero() && time.Now().After(j.allocation.Add(-j.c.Checkpoint.Margin)) {
		return fmt.Errorf("the Slurm allocation ends at %s (%s), checkpoint.margin is %v",
			j.allocation.Format(time.DateTime), slurmEnd, j.c.Checkpoint.Margin)
	}
	return nil
}

// step makes one pass or goes from one stage to the next. It reports whether there is
// more to do.
func (j *job) step(ctx context.Context) (more bool, err error) {
	switch j.at.Stage {
	case starting:
		return true, j.start(ctx)
	case adapting:
		limit := time.Duration((1 - productionShare) * float64(j.c.Run.MaxTime))
		switch {
		case j.process.Adapted(j.c.WangLandau.FinalLnF):
		case limit > 0 && j.elapsed() > limit:
			p := j.process.Progress()
			j.log.Warn("run.max_time: the adaptation of the weights ends before its time",
				"ln_f", p.LnF, "final_ln_f", j.c.WangLandau.FinalLnF, "flatness", p.Flatness)
			j.at.Cut = true
		default:
			return true, j.adapt(ctx)
		}
		return true, j.endAdaptation()
	case tuning:
		return true, j.tune(ctx)
	case burningIn:
		if float64(j.at.Pass) < math.Floor(burnIn*float64(j.planned())) && !j.spent(burnIn) {
			return true, j.pass(ctx)
		}
		j.process.Produce()
		j.at.enter(producing)
		return true, nil
	}
	planned := j.planned()
	if j.at.Pass >= planned {
		return false, nil
	}
	if j.spent(1) {
		if planned < endless {
			j.log.Warn("run.max_time: production ends early", "passes", j.at.Pass, "planned", planned)
		}
		return false, nil
	}
	done := float64(j.at.Pass) / float64(planned)
	if j.c.Run.MaxTime > 0 {
		done = max(done, float64(j.elapsed()-j.at.Began)/float64(j.left()))
	}
	if j.engine != nil {
		j.engine.Samples().Segment(done)
	}
	if err := j.pass(ctx); err != nil {
		return false, err
	}
	j.observe(j.process.Progress(), min(1, done))
	return true, nil
}

// pass moves all walkers once.
func (j *job) pass(ctx context.Context) error {
	if err := j.process.Pass(ctx); err != nil {
		return err
	}
	j.at.Pass++
	return nil
}

// adapt makes one pass of the phase of adaptation and trains the network after it.
func (j *job) adapt(ctx context.Context) error {
	if err := j.pass(ctx); err != nil {
		return err
	}
	if j.network != nil && j.engine != nil {
		began := time.Now()
		if err := j.network.train(ctx, j.engine, j.at.Pass); err != nil {
			return err
		}
		j.at.Train += time.Since(began)
	}
	done := j.process.AdaptationProgress(j.c.WangLandau.FinalLnF)
	if j.c.Run.MaxTime > 0 {
		done = max(done, float64(j.elapsed())/((1-productionShare)*float64(j.c.Run.MaxTime)))
	}
	j.observe(j.process.Progress(), min(1, done))
	return nil
}

// endAdaptation ends the phase of adaptation: weights and network are frozen.
func (j *job) endAdaptation() error {
	if j.engine != nil {
		j.warnOfWaiting()
	}
	if j.network != nil {
		if err := j.network.freeze(); err != nil {
			return err
		}
		j.network.finish() // a fault is reported, and the end of the run is another chance
	}
	if j.at.Pass > 0 {
		j.endPhase(j.process.Progress())
	}
	j.at.Adaptive, j.at.Began, j.at.Train = j.at.Pass, j.elapsed(), 0
	switch mix := j.c.Production.Mix; mix {
	case config.SameMix:
	case config.AutomaticMix:
		j.at.enter(tuning)
		return nil
	default:
		var err error
		if j.at.Mix, err = config.ParseMix(mix); err != nil {
			return fmt.Errorf("production.mix: %w", err)
		}
	}
	return j.beginProduction()
}

// shapeHistogram tells an engine which histogram production is to have.
func (j *job) shapeHistogram(e *sampler.Engine) {
	if j.c.Production.Histogram == config.LowHistogram {
		e.SetHistogram(e.LowHistogram())
	}
}

// beginProduction begins production with the burn-in.
func (j *job) beginProduction() error {
	j.at.Began = j.elapsed()
	j.beginPhase(sampler.Production)
	if j.engine != nil {
		j.shapeHistogram(j.engine)
		j.setMix()
	}
	j.process.Produce()
	if j.engine == nil {
		j.at.enter(producing) // independent draws have nothing to forget
		return nil
	}
	j.at.enter(burningIn)
	return nil
}

// setMix gives the engine the mix of moves of production.
func (j *job) setMix() {
	if m := j.at.Mix; m != (config.Mix{}) {
		j.engine.SetMix(m.Sweeps, m.Trials)
	}
}

func (j *job) beginPhase(p sampler.Phase) { j.listener.PhaseBegan(event.PhaseBegan{Phase: p}) }

// endPhase records the present phase, which has come as far as p says.
func (j *job) endPhase(p sampler.Progress) {
	j.phases = append(j.phases, j.phase(p))
	j.listener.PhaseEnded(event.PhaseEnded{Progress: p, Took: j.elapsed() - j.at.Began})
}

// phase is the record of the present phase, which has come as far as p says.
func (j *job) phase(p sampler.Progress) PhaseSummary {
	s := PhaseSummary{
		Name: p.Phase, Passes: p.Passes, LnF: p.LnF, Flatness: p.Flatness, Levels: p.Levels, RoundTrips: p.RoundTrips,
		Moves: map[string]MoveSummary{},
		Seconds: map[string]float64{
			"local": p.Times.Local.Seconds(), "propose": p.Times.Propose.Seconds(), "log_prob": p.Times.LogProb.Seconds(),
			"train": j.at.Train.Seconds(), "all": (j.elapsed() - j.at.Began).Seconds(),
		},
	}
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			s.Moves[sampler.MoveKind(kind).String()] = MoveSummary{count.Trials, count.Ratio()}
		}
	}
	return s
}

// observe reports a pass.
func (j *job) observe(p sampler.Progress, done float64) {
	j.listener.Pass(event.Pass{Progress: p, Done: done})
}
