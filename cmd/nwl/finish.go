package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"neuralwl/internal/run"
)

func newFinish() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "finish DIR [--json]",
		Short: "Make the results of a run from its last checkpoint",
		Long: `Make the results of the run in DIR from its last checkpoint, without going on with it:
those of a run that was killed, and those that a run had no time for when it ended. A run
that is under way is refused. It needs neither the network nor ONNX Runtime.

The exit codes are those of nwl run.`,
		Example: "  nwl finish runs/q10-64x64-1",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := lookAt(args[0], slog.LevelDebug)
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			summary, err := run.Finish(ctx, o)
			if err != nil {
				return err
			}
			return errors.Join(showSummary(c.OutOrStdout(), summary, asJSON), outcome(summary))
		},
	}
	addJSON(c, &asJSON)
	return c
}
