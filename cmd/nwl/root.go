package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// usageError marks a wrong command line, as opposed to a command that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func exitCode(err error) int {
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "nwl",
		Short: "Densities of states by neural Wang-Landau sampling",
		Long: `nwl computes the density of states g(E) of lattice models by Wang-Landau sampling
in which a neural network proposes moves with exactly known probability, so that
nothing the network does can bias the result.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help` for the flags", err, c.CommandPath())}
	})
	root.AddCommand(newRun(), newTrain(), newBench(), newVerify(), newDos(), newDoctor(), newConfig())
	strictFlags(root)
	return root
}

// arguments checks the number of arguments and hints at the usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}
