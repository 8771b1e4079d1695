package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/sampler"
)

// productionShare of run.max_time is reserved for production, however far the adaptation
// came: only production gives error bars.
const productionShare = 0.5

// burnIn is the share of the production passes that are made beforehand and discarded, so
// that the walkers forget the changing weights of the adaptation.
const burnIn = 0.05

// sample makes pass after pass until the run is complete or has to end before its
// time, with a checkpoint every so often and one at the end. Passes are never
// interrupted, so that a resumed run makes the same ones.
func (j *job) sample(ctx context.Context) error {
	passing := context.WithoutCancel(ctx)
	j.stops = func() bool { _, why := j.toEnd(ctx); return why != nil }
	defer j.closeRounds()
	if slices.Contains([]stage{adapting, burningIn, producing}, j.at.Stage) { // others begin with their first pass
		j.beginPhase(j.phase())
	}
	for {
		if j.at.Stage == dividing && j.o.Divide {
			return j.handOver()
		}
		if j.deadline, j.course.Interrupted = j.toEnd(ctx); j.course.Interrupted != nil {
			j.log.Warn("the run ends early with what it has", "reason", j.course.Interrupted)
			break
		}
		if err := j.swaps.turn(); err != nil {
			return err
		}
		more, err := j.step(passing)
		if err != nil {
			return err
		}
		if !more {
			j.deadline = j.completeBy()
			break
		}
		if interval := j.c.Checkpoint.Interval; interval > 0 && time.Since(j.checkpoints.last) > interval {
			j.checkpoint()
		}
	}
	if err := j.checkpoint(); err != nil && j.shard != nil { // it is all that a shard leaves
		return err
	}
	if j.at.Stage == starting {
		return fmt.Errorf("%w %w", j.course.Interrupted, ErrEarly)
	}
	if j.at.inPhase() {
		j.endPhase(j.process.Progress())
	}
	return nil
}

// step makes one pass or goes from one stage to the next. It reports whether there is
// more to do.
func (j *job) step(ctx context.Context) (more bool, err error) {
	switch j.at.Stage {
	case adapting:
		return true, j.adapt(ctx)
	case burningIn:
		if j.at.Pass < burnInPasses(j.planned()) && !j.spent(burnIn) {
			return true, j.burn(ctx)
		}
		j.count()
		j.process.endBurnIn()
		j.at.enter(producing)
		j.beginPhase(j.phase())
		return true, nil
	case producing:
		return j.produce(ctx)
	}
	return true, j.process.step(ctx)
}

// phase is the present one, as events name it.
func (j *job) phase() sampler.Phase {
	if j.at.Stage == burningIn {
		return sampler.BurnIn
	}
	return j.process.Progress().Phase
}

// burn makes one pass of the burn-in.
func (j *job) burn(ctx context.Context) error {
	if err := j.pass(ctx); err != nil {
		return err
	}
	p := j.process.Progress()
	p.Phase = sampler.BurnIn
	j.observe(p, min(1, float64(j.at.Pass)/float64(burnInPasses(j.planned()))))
	return nil
}

// pass makes one pass.
func (j *job) pass(ctx context.Context) error {
	if err := j.process.Pass(ctx); err != nil {
		return err
	}
	j.at.Pass++
	j.at.Made++
	return nil
}

// adapt makes one pass of the adaptation, or a round of them, and a gradient step after it if one is due, or one of those
// that are left, or ends the adaptation.
func (j *job) adapt(ctx context.Context) error {
	if j.at.Lessons > 0 {
		return j.process.learn(ctx)
	}
	final, limit := j.c.FinalWeights(), j.adaptationLimit()
	why := ""
	switch {
	case limit > 0 && j.elapsed() > limit:
		why = "run.max_time"
	case j.adaptationMoves() > 0 && j.updates() >= j.adaptationMoves() && j.process.Progress().Levels > 0:
		why = "run.max_moves"
	}
	switch {
	case j.process.Adapted(final):
		return j.endAdaptation()
	case why != "":
		p := j.process.Progress()
		j.log.Warn(why+": the adaptation of the weights is cut short",
			append(j.weights(p), "flatness", p.Flatness)...)
		j.at.Cut, j.at.Adapted = true, p
		return j.endAdaptation()
	}
	before := j.at.Made
	shared, err := j.shareRound(ctx)
	if err == nil && !shared {
		err = j.pass(ctx)
	}
	if err == nil && j.at.Made > before { // a round may have been given up
		err = j.process.learn(ctx)
	}
	if err != nil {
		return err
	}
	done := j.process.AdaptationProgress(final)
	if limit > 0 {
		done = max(done, float64(j.elapsed())/float64(limit))
	}
	if moves := j.adaptationMoves(); moves > 0 {
		done = max(done, float64(j.updates())/float64(moves))
	}
	j.observe(j.process.Progress(), min(1, done))
	return nil
}

// weights says for the log how far the weights have come, and how far they have to come.
func (j *job) weights(p sampler.Progress) []any {
	switch p.Phase {
	case sampler.WangLandau:
		return []any{"ln_f", p.LnF, "final_ln_f", j.c.WangLandau.FinalLnF}
	case sampler.Metadynamics:
		return []any{"hill", p.LnF, "final_height", j.c.Metadynamics.FinalHeight}
	}
	return nil
}

// adaptationLimit is the time of the run at which the adaptation ends in any case, 0 for none.
func (j *job) adaptationLimit() time.Duration {
	index, of := j.process.Temperature()
	return time.Duration((float64(index) + 1 - productionShare) / float64(of) * float64(j.c.Run.MaxTime))
}

// endAdaptation ends the phase of adaptation: weights and network are frozen.
func (j *job) endAdaptation() error {
	if j.network != nil {
		if err := j.network.freeze(); err != nil {
			return err
		}
		j.network.finish() // a fault is reported, and the end of the run is another chance
	}
	j.closeRounds()
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

// beginProduction begins production, or its burn-in.
func (j *job) beginProduction() error {
	j.count()
	j.at.Before = j.at.Updates
	j.at.Began = j.elapsed()
	first, err := j.process.beginProduction()
	if err != nil {
		return fmt.Errorf("production: %w", err)
	}
	if j.at.enter(first); first != dividing {
		j.beginPhase(j.phase())
	}
	return nil
}

// produce makes one pass of production, and reports whether there are more.
func (j *job) produce(ctx context.Context) (more bool, err error) {
	planned := j.planned()
	if j.at.Pass >= planned {
		return j.next(), nil
	}
	if j.spent(1) {
		if planned < endless {
			j.log.Warn("run.max_time or run.max_moves: production ends early", "passes", j.at.Pass, "planned", planned)
		}
		return j.next(), nil
	}
	done := float64(j.at.Pass) / float64(planned)
	if j.c.Run.MaxTime > 0 {
		done = max(done, float64(j.elapsed()-j.at.Began)/float64(j.left()))
	}
	done = max(done, j.spentMoves())
	j.process.at(done)
	if err := j.pass(ctx); err != nil {
		return false, err
	}
	j.observe(j.process.Progress(), min(1, done))
	return true, nil
}

// next goes on to the adaptation at the next temperature. It reports whether there is one.
func (j *job) next() bool {
	if index, of := j.process.Temperature(); index+1 == of {
		return false
	}
	j.endPhase(j.process.Progress())
	j.count()
	j.process.Next()
	j.at = place{Stage: adapting, Made: j.at.Made, Updates: j.at.Updates, Began: j.elapsed()}
	j.beginPhase(j.phase())
	return true
}

func (j *job) beginPhase(p sampler.Phase) {
	j.listener.PhaseBegan(event.PhaseBegan{Phase: p, Helpers: j.helpers()})
}

// endPhase records the present phase, which has come as far as p says.
func (j *job) endPhase(p sampler.Progress) {
	j.listener.PhaseEnded(event.PhaseEnded{Progress: p, Took: j.recordPhase(p), Sight: j.sight()})
}

// recordPhase adds the present phase to the record, and returns how long it took.
func (j *job) recordPhase(p sampler.Progress) (took time.Duration) {
	took = j.elapsed() - j.at.Began
	j.course.Phases = append(j.course.Phases, report.Phase(p, j.at.Train, took))
	return took
}

// observe reports a pass.
func (j *job) observe(p sampler.Progress, done float64) {
	j.listener.Pass(event.Pass{Progress: p, Done: done, Acceptance: j.swaps.acceptance(), Sight: j.sight()})
}

// sight is where the run stands.
func (j *job) sight() event.Sight {
	return event.Sight{Passes: j.at.Made, Updates: j.updates(), Elapsed: j.elapsed(), View: j.process.View, Estimate: j.estimate}
}
