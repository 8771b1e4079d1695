package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/report"
)

// Report makes the page and the pictures of the run in o.Folder again: from its last checkpoint, also
// while it is under way, or else from the files of its results. It leaves everything else as it is and
// takes no lock, since every file is replaced whole, but asks whether another process has it. Of a run that has ended the summary is that of
// summary.json; of another one it says how far the checkpoint had come. It needs neither ONNX Runtime
// nor the configuration in o.
func Report(ctx context.Context, o Options) (*report.Summary, error) {
	o.Resume = true
	j, err := newJob(o)
	if err != nil {
		return nil, err
	}
	if err := j.writable(); err != nil {
		return nil, err
	}
	err = j.recallLast()
	for range 2 { // a run under way removes its oldest checkpoint while this one is looking
		if err == nil || errors.Is(err, checkpoint.ErrNone) {
			break
		}
		err = j.recallLast()
	}
	ended, _ := report.ReadSummary(filepath.Join(j.folder, report.SummaryFile)) // nil where there is none
	if errors.Is(err, checkpoint.ErrNone) {
		if ended == nil {
			return nil, fmt.Errorf("report %s: it has neither a checkpoint nor results yet, from which there could be a report", j.folder)
		}
		s, err := report.Again(ctx, j.folder, j.log, j.write)
		if err == nil {
			s.NoPage = false
		}
		return s, err
	} else if err != nil {
		return nil, fmt.Errorf("report %s: %w", j.folder, err)
	}
	if j.course.Interrupted != nil && worked(j.folder) {
		j.course.UnderWay = true
		j.course.Interrupted = fmt.Errorf("the run is under way; this is how far it had come at its checkpoint of pass %d of the %s", j.at.Pass, j.at.Stage)
	}
	r, err := j.evaluate(ctx)
	if err != nil {
		return nil, fmt.Errorf("report %s: %w", j.folder, err)
	}
	j.course.Seconds = j.before.Seconds()
	s := r.Summary(j.course)
	if ended != nil && ended.LeftOut == nil && slices.EqualFunc(ended.Phases, s.Phases, func(a, b report.PhaseSummary) bool { return a.Name == b.Name && a.Passes == b.Passes }) {
		s = ended
	}
	s.NoPage = false
	return s, r.WritePage(s, j.write)
}
