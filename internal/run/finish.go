package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/checkpoint"
	"neuralwl/internal/history"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

// finish evaluates the run and writes its results.
func (j *job) finish() (*report.Summary, error) {
	r, err := j.evaluate(context.Background())
	if err != nil {
		return nil, err
	}
	var unexported error
	if n := j.network; n != nil {
		unexported = n.finish()
		j.course.Network = n.summary()
	}
	s, err := j.conclude(r)
	return s, errors.Join(unexported, err)
}

// evaluate makes the results of what the run has counted.
func (j *job) evaluate(ctx context.Context) (*report.Result, error) {
	in := j.input()
	in.View = j.counts.View()
	var err error
	if in.History, err = history.Read(j.folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.log.Warn("the course of the run is not drawn", "reason", err)
	}
	return report.Evaluate(ctx, in)
}

// input is what the run has counted.
func (j *job) input() *report.Input {
	in := &report.Input{
		Evaluation: j.method.evaluation, Config: j.c, System: j.system, Log: j.log,
		Seen: j.counts.Seen(), LnG: j.counts.LnG(), Cut: j.at.Cut, Deadline: j.deadline,
	}
	if index, _ := j.counts.Temperature(); index > 0 || j.at.Stage == producing && j.at.Pass > 0 {
		if j.counts.results(in); j.at.Stage != producing && in.Temperatures != nil {
			in.Temperatures = in.Temperatures[:index] // without the burn-in
		}
	}
	return in
}

// estimate is the ln g that results would have now. What it has to say is left to the end.
func (j *job) estimate() (*dos.Density, error) {
	in := j.input()
	in.Log = slog.New(slog.DiscardHandler)
	e, err := report.Estimate(in)
	if err != nil {
		return nil, err
	}
	return e.Density, nil
}

// conclude sums the run up and writes its results.
func (j *job) conclude(r *report.Result) (*report.Summary, error) {
	j.course.Seconds = j.elapsed().Seconds()
	s := r.Summary(j.course)
	return s, r.Write(s, j.write)
}

// Finish makes the results of the run in o.Folder from its last checkpoint, without going on
// with it: those of a run that was killed, or those that it had no time for. It ends with
// ctx. It needs neither ONNX Runtime nor the configuration in o.
func Finish(ctx context.Context, o Options) (s *report.Summary, err error) {
	o.Resume = true
	j, err := newJob(o)
	if err != nil {
		return nil, err
	}
	unlock, err := j.openFolder()
	if err != nil {
		return nil, err
	}
	defer unlock()
	j.openJournal()
	defer func() { j.journal.end(err) }()
	if err := j.recallLast(); errors.Is(err, checkpoint.ErrNone) {
		return nil, fmt.Errorf("finish %s: it has no checkpoint to make results from; start again with nwl run --resume", j.folder)
	} else if err != nil {
		return nil, fmt.Errorf("finish %s: %w", j.folder, err)
	}
	r, err := j.evaluate(ctx)
	if err != nil {
		return nil, err
	}
	return j.conclude(r)
}

// recallLast puts the job where its last checkpoint left it, without the means to go on.
func (j *job) recallLast() error {
	last, path, _, err := j.lastCheckpoint()
	if err != nil {
		return err
	}
	var i *Inspection
	if j.counts, i, err = last.revive(j.c, j.system); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	j.log.Info("making results", "checkpoint", path, "of", i.String())
	j.recall(last)
	j.began = time.Now() // a run does not grow older by being looked at
	j.course.Resumptions = last.Resumptions
	if j.at.inPhase() {
		j.recordPhase(j.counts.Progress())
	}
	if !j.complete() {
		j.course.Interrupted = fmt.Errorf("the run is not complete: its last checkpoint is from pass %d of the %s", j.at.Pass, j.at.Stage)
	}
	if n := last.Network; n != nil {
		if j.course.Network, err = j.savedNetwork(n); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether the run has made all passes that it was to make.
func (j *job) complete() bool {
	index, of := j.counts.Temperature()
	return index+1 == of && j.at.Stage == producing && (j.at.Pass >= j.planned() || j.spent(1))
}

// savedNetwork is the record of the network that a checkpoint names.
func (j *job) savedNetwork(n *savedNetwork) (*report.NetworkSummary, error) {
	folder := n.folder(j.folder)
	b, err := exporter.Load(folder)
	if err != nil {
		return nil, err
	}
	return &report.NetworkSummary{Architecture: b.Card.Architecture, Provider: n.Provider, Bundle: folder, Training: b.Card.Training, Swaps: n.Swaps}, nil
}
