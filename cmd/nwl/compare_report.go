package main

import (
	"fmt"
	"io"
	"path/filepath"

	"neuralwl/internal/compare/report"
)

// writeReport makes the report of a comparison and prints the verdicts.
func writeReport(w io.Writer, folder string) error {
	a, err := report.Write(folder)
	if err != nil {
		return err
	}
	for _, answer := range a.Told() {
		if _, err := fmt.Fprintln(w, answer.Words()); err != nil {
			return unlessClosed(err)
		}
	}
	_, err = fmt.Fprintln(w, filepath.Join(folder, report.HTMLFile))
	return unlessClosed(err)
}
