package child

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
)

// isRun reports whether the task is a whole run.
func (t *Task) isRun() bool { return t.Work == "" || t.Work == job.WorkRun }

// serveShard makes a shard of a run's production, or helps with its adaptation, and returns the exit code.
func (t *Task) serveShard(ctx context.Context, fs disk.FS, version string, log *slog.Logger, w *reporter) int {
	why, err := t.shard(ctx, fs, version, log, w)
	switch {
	case errors.Is(err, run.ErrTogether): // in an attempt of the run before this one
		w.say(Ended, EndedData{Converged: true})
	case err != nil:
		w.say(Failed, FailedData{Error: err.Error()})
		return 1
	case why != nil:
		return 4
	}
	return 0
}

func (t *Task) shard(ctx context.Context, fs disk.FS, version string, log *slog.Logger, w *reporter) (why, err error) {
	whole := filepath.Dir(filepath.Dir(t.Folder))
	c, err := config.Load(filepath.Join(whole, report.ConfigFile), t.Changes)
	if err != nil {
		return nil, err
	}
	claim := t.claim(log)
	work := run.Shard
	if t.Helps {
		work = run.Help
	}
	return work(ctx, run.Options{
		Config: c, Folder: whole, Workers: t.Workers, Version: version, Log: log, FS: fs, Wait: claim.Wait, Epoch: claim.Epoch, Machine: t.Class,
		Listener: event.Tee(w.recorder.Listener(), w.live.Listener(), w.listener()), Evaluated: w.recorder.Evaluated,
	}, *t.Shard)
}
