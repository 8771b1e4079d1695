package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"neuralwl/internal/run"
)

func newReport() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "report DIR [--json]",
		Short: "Make the report of a run again, also of one under way",
		Long: `Make report.html and the pictures in the run directory DIR again, print the summary with the path of the
report. They are made from the last checkpoint: of a run under way or one that was killed they show how
far it had come, and the run is not disturbed. Without checkpoints, as in a copy of the results, they are
made from the tables and summary.json. Nothing else in DIR changes; nwl finish also makes the tables.`,
		Example: "  nwl report runs/q10-8x8-1",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := lookAt(args[0], slog.LevelWarn) // the summary says the rest
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			s, err := run.Report(ctx, o)
			if err != nil {
				return err
			}
			return showSummary(c.OutOrStdout(), s, asJSON)
		},
	}
	addJSON(c, &asJSON)
	return c
}
