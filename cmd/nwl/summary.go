package main

import (
	"io"

	"neuralwl/internal/report"
)

// printSummary prints what a run found, as a short table.
func printSummary(w io.Writer, s *report.Summary) error { return printRows(w, s.Rows()) }

// showSummary prints what a run found, as a table or as summary.json has it.
func showSummary(w io.Writer, s *report.Summary, asJSON bool) error {
	if asJSON {
		return writeJSON(w, s)
	}
	return unlessClosed(printSummary(w, s))
}

// printRows prints rows with their texts below each other.
func printRows(w io.Writer, rows []report.Row) error {
	named := make([]namedRow, len(rows))
	for i, r := range rows {
		named[i] = namedRow(r)
	}
	return printNamed(w, named)
}
