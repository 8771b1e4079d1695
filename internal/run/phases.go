package run

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"neuralwl/sampler"
)

// productionShare of run.max_time is kept for production, however far the
// Wang-Landau phase came: only production gives error bars.
const productionShare = 0.5

// burnIn is the share of the production passes, made beforehand and thrown away,
// in which the walkers forget the changing weights of the Wang-Landau phase.
const burnIn = 0.05

// wangLandau moves the walkers and trains the network until ln f is small enough
// or the time for it is up.
func (j *job) wangLandau(ctx context.Context) error {
	began := time.Now()
	first := math.Log(j.engine.LnF())
	last := math.Log(j.c.WangLandau.FinalLnF)
	limit := time.Duration((1 - productionShare) * float64(j.c.Run.MaxTime))
	slog.Info("phase begins", "phase", sampler.WangLandau, "system", j.system, "walkers", j.engine.Walkers())
	train := time.Duration(0)
	for pass := int64(1); j.engine.LnF() > j.c.WangLandau.FinalLnF; pass++ {
		if limit > 0 && time.Since(began) > limit {
			slog.Warn("run.max_time: the Wang-Landau phase ends before ln f is at wang_landau.final_ln_f",
				"ln_f", j.engine.LnF(), "final_ln_f", j.c.WangLandau.FinalLnF)
			j.cut = true
			break
		}
		if stop, err := j.pass(ctx); stop || err != nil {
			if err != nil {
				return err
			}
			break
		}
		if j.network != nil {
			started := time.Now()
			if err := j.network.train(ctx, j.engine, pass); err != nil && ctx.Err() == nil {
				return err
			}
			train += time.Since(started)
		}
		done := (math.Log(j.engine.LnF()) - first) / (last - first)
		if limit > 0 {
			done = max(done, float64(time.Since(began))/float64(limit))
		}
		j.observe(min(1, done))
	}
	j.endPhase(began, train)
	if j.network != nil {
		return j.network.finish()
	}
	return nil
}

// production freezes weights and network and counts.
func (j *job) production(ctx context.Context) error {
	if j.interrupted != nil {
		return nil
	}
	left := time.Duration(math.MaxInt64)
	if j.c.Run.MaxTime > 0 {
		left = j.c.Run.MaxTime - time.Since(j.began)
	}
	passes := int64(j.c.Production.Passes)
	switch {
	case passes > 0:
	case j.cut:
		// What is missing in the weights is made up for by longer counting.
		passes = math.MaxInt64
	default:
		passes = j.engine.Progress().Passes
	}
	slog.Info("phase begins", "phase", sampler.Production)
	began := time.Now()
	j.engine.Produce()
	for burn := int64(burnIn * float64(passes)); burn > 0 && time.Since(began) < time.Duration(burnIn*float64(left)); burn-- {
		if stop, err := j.pass(ctx); stop || err != nil {
			return err
		}
	}
	j.engine.Produce()
	for pass := range passes {
		if time.Since(began) > left {
			if passes < math.MaxInt64 {
				slog.Warn("run.max_time: production ends early", "passes", pass, "planned", passes)
			}
			break
		}
		done := float64(pass) / float64(passes)
		if left < math.MaxInt64 {
			done = max(done, float64(time.Since(began))/float64(left))
		}
		j.engine.Samples().Segment(done)
		if stop, err := j.pass(ctx); err != nil {
			return err
		} else if stop {
			break
		}
		j.observe(min(1, done))
	}
	j.endPhase(began, 0)
	return nil
}

// pass makes one pass. It reports whether the run was asked to stop.
func (j *job) pass(ctx context.Context) (stop bool, err error) {
	err = j.engine.Pass(ctx)
	if err != nil && ctx.Err() != nil {
		j.interrupted = context.Cause(ctx)
		if errors.Is(j.interrupted, context.Canceled) {
			j.interrupted = errors.New("the run was interrupted")
		}
		slog.Warn("the run ends early with what it has", "reason", j.interrupted)
		return true, nil
	}
	return false, err
}

// endPhase records the phase that ends now.
func (j *job) endPhase(began time.Time, train time.Duration) {
	p := j.engine.Progress()
	s := PhaseSummary{
		Name: p.Phase, Passes: p.Passes, LnF: p.LnF, Flatness: p.Flatness, Levels: p.Levels, RoundTrips: p.RoundTrips,
		Moves: map[string]MoveSummary{},
		Seconds: map[string]float64{
			"local": p.Times.Local.Seconds(), "propose": p.Times.Propose.Seconds(), "log_prob": p.Times.LogProb.Seconds(),
			"train": train.Seconds(), "all": time.Since(began).Seconds(),
		},
	}
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			s.Moves[sampler.MoveKind(kind).String()] = MoveSummary{count.Trials, count.Ratio()}
		}
	}
	j.phases = append(j.phases, s)
}
