package run

import (
	"bytes"
	"context"
	"errors"
)

// finish evaluates the run and writes its results.
func (j *job) finish() (*Summary, error) {
	// The results of an interrupted run are written all the same, but not later
	// than a person would wait for.
	ctx, cancel := context.WithTimeout(context.Background(), 4*exactTime)
	defer cancel()
	r, err := j.evaluate(ctx)
	if err != nil {
		return nil, err
	}
	var unexported error
	if j.network != nil {
		unexported = j.network.finish()
	}
	s := j.summarise(r)
	var table, archive bytes.Buffer
	if err := errors.Join(r.density.WriteCSVBeside(&table, r.absolute), r.density.WriteNPZ(&archive)); err != nil {
		return nil, err
	}
	if r.transitions != nil {
		var table bytes.Buffer
		if err := r.transitions.WriteCSV(&table); err != nil {
			return nil, err
		}
		if err := j.write(TransitionsFile, table.Bytes()); err != nil {
			return nil, err
		}
	}
	if r.proposals != nil {
		if err := j.write(ProposalsFile, j.proposalsTable(r.proposals)); err != nil {
			return nil, err
		}
	}
	if r.means != nil {
		if err := j.write(OrderFile, orderTable(r.means)); err != nil {
			return nil, err
		}
	}
	err = errors.Join(
		unexported,
		j.write(DensityFile, table.Bytes()),
		j.write(ArchiveFile, archive.Bytes()),
		j.write(ObservablesFile, j.observablesTable(r)),
		j.writePlots(r),
		j.writeJSON(SummaryFile, s),
	)
	return s, err
}
