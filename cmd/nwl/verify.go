package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/report"
	"neuralwl/internal/verify"
)

func newVerify() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify DIR [--json]",
		Short: "Check what a run directory holds",
		Long: `Check everything in a run directory that can be checked without repeating the run:
configuration, normalisation and ground state of the density of states, checksums of
the checkpoints and the energies of all configurations in them, digests of the
networks, and the latest network's ln q against an evaluation in pure Go. The exit
code is 1 if anything does not hold. Nothing is changed.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			checks, err := verify.Run(args[0])
			if err != nil {
				return err
			}
			return printChecks(c.OutOrStdout(), args[0], checks, asJSON)
		},
	}
	addJSON(c, &asJSON)
	return c
}

// printChecks prints checks of what is at a path, as a table or JSON. The error says that some do not hold.
func printChecks(w io.Writer, path string, checks []report.Check, asJSON bool) error {
	failed := 0
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		mark := "ok"
		if !check.Passed {
			mark = "FAILED"
			failed++
		}
		fmt.Fprintf(t, "%s\t%s: %s\n", check.Name, mark, clean(check.Detail))
	}
	err := error(nil)
	if asJSON {
		err = writeJSON(w, checks)
	} else {
		err = unlessClosed(t.Flush())
	}
	if err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("verify %s: %d of %d checks failed", path, failed, len(checks))
	}
	return nil
}
