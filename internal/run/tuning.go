package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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
		variance, what := w.variance()
		w.tuner, err = tune.New(tune.Options{
			Engine: w.options, State: w.Snapshot(), Shape: w.shape, Variance: variance, What: what,
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

// variance is that of the result that the mix of moves is to make precise, named what, by the counts of some passes: with a
// histogram of two phases of the logarithm of the ratio of their weights, else of ln g, the mean over the levels up to
// the infinite-temperature peak.
func (w *walkers) variance() (of func(*sampler.Samples) (variance float64, blocks int, err error), what string) {
	what = "ln g"
	_, weights := transition.Known(w.j.system, w.Seen(), w.LnG())
	at := transition.Find(w.j.system, weights, nil)
	phases := w.j.c.Production.Histogram == config.PhaseHistogram && at != nil && at.TwoPeaks
	if phases {
		what = "ratio of the phases"
	}
	return func(s *sampler.Samples) (variance float64, blocks int, err error) {
		in := w.j.input()
		in.Samples, in.Waiting, in.Log = s, w.Waiting(), slog.New(slog.DiscardHandler)
		e, err := report.Estimate(in)
		if err != nil {
			return 0, 0, err
		}
		if blocks = len(e.Replicas); blocks < 2 {
			return 0, 0, errors.New("without one of the blocks of walkers there is no estimate")
		}
		if !phases {
			return e.MeanVariance(w.j.system.Energy(w.j.system.PeakLevel())), blocks, nil
		}
		_, deviations, err := e.Estimate(func(d *dos.Density) ([]float64, error) { return []float64{at.LnRatio(d, at.Beta)}, nil })
		if err != nil {
			return 0, 0, err
		}
		return deviations[0] * deviations[0], blocks, nil
	}, what
}

// repeat is the settings that make the same run again on a machine of any speed.
func (j *job) repeat() string {
	s := fmt.Sprintf("--set production.mix=%v", j.at.Mix)
	if planned := j.planned(); planned < endless {
		s += fmt.Sprintf(" --set production.passes=%d", planned)
	}
	return s
}
