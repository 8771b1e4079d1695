package run

import (
	"context"
	"fmt"

	"neuralwl/internal/tune"
	"neuralwl/sampler"
)

// tune makes one pass of the stage of tuning, and begins production once the mix is chosen.
func (j *job) tune(ctx context.Context) (err error) {
	if j.tuner == nil {
		j.beginPhase(sampler.Tuning)
		j.tuner, err = tune.New(tune.Options{
			Engine: j.options, State: j.engine.Snapshot(), Shape: j.shapeHistogram,
			Mix: j.c.Mix(), Adaptation: j.at.Began, Limit: j.c.Run.MaxTime,
		})
		if err != nil {
			return err
		}
	}
	t := j.tuner
	more, err := t.Pass(ctx)
	if err != nil {
		return err
	}
	j.at.Pass++
	j.observe(t.Progress(), t.Done())
	if more {
		return nil
	}
	j.endPhase(t.Progress())
	j.at.Mix, j.at.Planned = t.Mix(), t.Passes(j.at.Adaptive)
	j.tuning = t.Summary()
	j.tuning.Repeat = j.repeat()
	j.log.Info("mix of moves chosen for production", "mix", j.at.Mix.String(), "reason", j.tuning.Reason, "repeat", j.tuning.Repeat)
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
