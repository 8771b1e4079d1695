package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/shell"
)

// usageError marks a wrong command line, as opposed to a command that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Exit codes, 0 beside: for nwl run a result that has converged.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitUnconverged = 3   // a run ended as planned and has not converged
	exitInterrupted = 4   // a run ended early and can be resumed
	exitDetached    = 130 // a run goes on that was no longer waited for
)

// unfinished is the outcome of a run that left results and has more to do, or of a comparison that
// became worse: the table has said why, the exit code says it to scripts.
type unfinished struct {
	code int
	text string // empty for that of a run
}

func (u unfinished) Error() string {
	if u.text != "" {
		return u.text
	}
	switch u.code {
	case exitInterrupted:
		return "the run was interrupted"
	case exitDetached:
		return "the run goes on"
	}
	return "the run has not converged"
}

// outcome is what the exit code reports of a run, nil if it converged.
func outcome(s *report.Summary) error {
	switch {
	case s.Interrupted != "":
		return unfinished{code: exitInterrupted}
	case !s.Verdict.Converged:
		return unfinished{code: exitUnconverged}
	}
	return nil
}

func exitCode(err error) int {
	var usage usageError
	var open unfinished
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &open):
		return open.code
	case errors.Is(err, run.ErrEarly):
		return exitInterrupted
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "nwl",
		Short: "Densities of states by neural Wang-Landau sampling",
		Long: `nwl computes the density of states g(E) of lattice models by Wang-Landau sampling
in which a neural network proposes moves with exactly known probability, so that
nothing the network has learned can bias the result.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArguments,
		RunE:          help,
	}
	root.SetVersionTemplate("nwl {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help` for the flags", err, c.CommandPath())}
	})
	for _, g := range []struct {
		name     string
		commands []*cobra.Command
	}{
		{"One run:", []*cobra.Command{newDemo(), newInit(), newRun(), newFinish(), newReport()}},
		{"The daemon:", []*cobra.Command{newServe(), newWorker(), newToken(), newBackup(), newRestore(), newChild()}},
		{"Runs of the daemon:", []*cobra.Command{
			newSubmit(), newClone(), newPs(), newGroups(), newTop(), newShow(), newLogs(), newWait(),
			newPause(), newResume(), newCancel(), newSwap(), newNetworks(), newEdit(), newRm(),
		}},
		{"Results:", []*cobra.Command{newDos(), newVerify()}},
		{"Networks and speed:", []*cobra.Command{newTrain(), newBundle(), newBench(), newCompare()}},
		{"Setup:", []*cobra.Command{newConfig(), newExplain(), newDoctor(), newMan()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.name, Title: g.name})
		for _, c := range g.commands {
			c.GroupID = g.name
		}
		root.AddCommand(g.commands...)
	}
	strictFlags(root)
	completeSettings(root)
	return root
}

// help is what a command does that has others under it.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// noArguments refuses arguments, and says where what was given may belong.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.Flags().Lookup("set") != nil && strings.Contains(args[0], "=") {
		return usageError{fmt.Errorf("%s: settings are given with --set, as in --set %[1]s", shell.Quote(args[0]))}
	}
	if about, err := os.Stat(args[0]); err == nil && about.Mode().IsRegular() && c.Flags().Lookup("config") != nil {
		return usageError{fmt.Errorf("%s: a file with a configuration is given with --config, as in --config %[1]s", shell.Quote(args[0]))}
	}
	if c.HasAvailableSubCommands() {
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		return usageError{fmt.Errorf("%s has no command %q%s", c.CommandPath(), args[0],
			cmp.Or(near.Ask(args[0], names), "; `"+c.CommandPath()+" --help` lists them"))}
	}
	return usageError{fmt.Errorf("%s takes no argument, but got %q; usage: %s", c.CommandPath(), args[0], c.UseLine())}
}

// arguments checks the number of arguments and hints at the usage. None may be empty, as an
// unset shell variable is, which would name the working directory.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return usageError{fmt.Errorf("an argument is empty, as an unset shell variable is; usage: %s", c.UseLine())}
		}
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}
