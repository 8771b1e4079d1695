package run

import (
	"context"
	"fmt"

	"neuralwl/internal/tune"
	"neuralwl/sampler"
)

// tune makes one pass of the stage of tuning, and begins production once the mix is chosen.
func (w *walkers) tune(ctx context.Context) (err error) {
	j := w.j
	if w.tuner == nil {
		j.beginPhase(sampler.Tuning)
		w.tuner, err = tune.New(tune.Options{
			Engine: w.options, State: w.Snapshot(), Shape: w.shape,
			Mix: j.c.Mix(), Adaptation: j.at.Began, Limit: j.c.Run.MaxTime,
		})
		if err != nil {
			return err
		}
	}
	t := w.tuner
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
	summary := t.Summary()
	summary.Repeat = j.repeat()
	j.course.Tuning = summary
	j.log.Info("mix of moves chosen for production", "mix", j.at.Mix.String(), "reason", summary.Reason, "repeat", summary.Repeat)
	w.tuner = nil
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
