package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"gonum.org/v1/gonum/floats"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/transition"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// tune makes one pass of the stage of tuning, and begins production once the mix is chosen.
func (w *walkers) tune(ctx context.Context) (err error) {
	j := w.j
	if w.tuner == nil {
		j.beginPhase(sampler.Tuning)
		w.tuner, err = tune.New(tune.Options{
			Engine: w.options, State: w.Snapshot(), Shape: w.shape, Variance: w.variance, What: w.wanted(),
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

// wanted names the result whose variance the mix of moves is to keep low.
func (w *walkers) wanted() string {
	if w.j.c.Production.Histogram == config.PhaseHistogram {
		return "ratio of the phases"
	}
	return "ln g"
}

// variance is that of what production is for, by the counts of some passes: the mean over the levels from the ground
// state to the peak of ln g, or with a histogram of the two phases that of the logarithm of the ratio of their weights, if there are
// two. It also returns the number of blocks that it comes from.
func (w *walkers) variance(s *sampler.Samples) (variance float64, blocks int, err error) {
	in := w.j.input()
	in.Samples, in.Waiting, in.Log = s, w.Waiting(), slog.New(slog.DiscardHandler)
	e, err := report.Estimate(in)
	if err != nil {
		return 0, 0, err
	}
	if blocks = len(e.Replicas); blocks < 2 {
		return 0, 0, errors.New("too few data for errors")
	}
	if w.j.c.Production.Histogram == config.PhaseHistogram {
		if at := transition.Find(w.j.system, e.Density, nil); at != nil && at.TwoPeaks {
			_, deviations, err := e.Estimate(func(d *dos.Density) ([]float64, error) { return []float64{at.LnRatio(d, at.Beta)}, nil })
			if err != nil {
				return 0, 0, err
			}
			return deviations[0] * deviations[0], blocks, nil
		}
	}
	peak := floats.MaxIdx(e.LnG)
	for _, deviation := range e.Error[:peak+1] {
		variance += deviation * deviation / float64(peak+1)
	}
	return variance, blocks, nil
}

// repeat is the settings that make the same run again on a machine of any speed.
func (j *job) repeat() string {
	s := fmt.Sprintf("--set production.mix=%v", j.at.Mix)
	if planned := j.planned(); planned < endless {
		s += fmt.Sprintf(" --set production.passes=%d", planned)
	}
	return s
}
