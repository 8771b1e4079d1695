package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"neuralwl/internal/report"
)

// printSummary prints what a run found, as a short table.
func printSummary(w io.Writer, s *report.Summary) error { return printRows(w, s.Rows()) }

// printRows prints rows with their texts below each other.
func printRows(w io.Writer, rows []report.Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\n", r.Name, r.Text)
	}
	return t.Flush()
}
