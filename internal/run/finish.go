package run

import (
	"context"
	"errors"
	"time"

	"neuralwl/internal/report"
)

// patience bounds the computation of an exact density of states to compare with, so that a
// person who interrupts a run does not wait long for its results.
const patience = 20 * time.Second

// finish evaluates the run and writes its results.
func (j *job) finish() (*report.Summary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	in := &report.Input{
		Evaluation: j.method.evaluation, Config: j.c, System: j.system, Log: j.log,
		Seen: j.process.Seen(), LnG: j.process.LnG(),
	}
	if j.at.Stage == producing && j.at.Pass > 0 {
		j.process.results(in)
	}
	r, err := report.Evaluate(ctx, in)
	if err != nil {
		return nil, err
	}
	var unexported error
	if n := j.network; n != nil {
		unexported = n.finish()
		j.course.Network = n.summary()
	}
	j.course.Seconds = j.elapsed().Seconds()
	s := r.Summary(j.course)
	return s, errors.Join(unexported, r.Write(s, j.write))
}
