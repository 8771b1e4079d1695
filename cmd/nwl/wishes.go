package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

func newPause() *cobra.Command {
	c := &cobra.Command{
		Use:   "pause ID...",
		Short: "Pause runs, or groups of runs",
		Long: `Pause runs, each with a checkpoint and the results so far, until nwl resume. Trainings and
benchmarks keep no checkpoint: they would begin again.`,
		Args: arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Pause, nil, nil))
	return c
}

func newCancel() *cobra.Command {
	c := &cobra.Command{
		Use:   "cancel ID...",
		Short: "Cancel runs, or groups of runs",
		Long:  "Cancel runs, each with the results so far. Their directories stay; nwl rm deletes them.",
		Args:  arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Cancel, nil, nil))
	return c
}

func newResume() *cobra.Command {
	var more api.RunChange
	var failed, unconverged bool
	c := &cobra.Command{
		Use:   "resume ID... [--failed | --unconverged] [--set key=value]... [--any-machine]",
		Short: "Go on with runs that were paused or have ended",
		Long: `Go on with runs that were paused, cancelled, have failed or ended, at their last checkpoint and with
the same numbers as if they had never stopped. Limits such as run.max_time may be changed with
--set, as for nwl run --resume; nwl clone makes a new run with other settings. Trainings and
benchmarks begin again, with any settings. A run goes on in the class of machines in which it
began, as another one rounds otherwise; with --any-machine it takes the next that is free, which
summary.json records.

Of a group, members go on that were paused or cancelled; with --failed those that failed, and with
--unconverged those that ended without being converged.`,
		Example: "  nwl resume q10-16x16-1 --set run.max_time=2h\n  nwl resume --unconverged glass --set production.passes=4000",
		Args:    arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Run, &more, func() string {
		switch {
		case failed:
			return "failed"
		case unconverged:
			return "unconverged"
		}
		return ""
	}))
	c.Flags().BoolVar(&failed, "failed", false, "of a group: only members that failed")
	c.Flags().BoolVar(&unconverged, "unconverged", false, "of a group: only members that ended without being converged")
	c.MarkFlagsMutuallyExclusive("failed", "unconverged")
	c.Flags().BoolVar(&more.AnyMachine, "any-machine", false, "let runs go on in another class of machines than they began in")
	c.Flags().StringArrayVar(&more.Set, "set", nil, "change a configuration key, as in --set production.passes=20000")
	return c
}

// wishing tells the daemon what is wanted of runs and groups, of these perhaps only of some members.
func wishing(w job.Wish, more *api.RunChange, only func() string) ask {
	return func(c *cobra.Command, client *api.Client, ids []string) error {
		change := api.RunChange{Wish: w}
		if more != nil {
			change.Set, change.AnyMachine = more.Set, more.AnyMachine
		}
		of := api.GroupChange{Wish: w, Set: change.Set}
		if only != nil {
			of.Only = only()
		}
		return eachRun(c, ids, func(id string) (text string, err error) {
			group := func() error {
				if change.AnyMachine {
					return usageError{fmt.Errorf("--any-machine: %s is a group; name its members", id)}
				}
				g, err := client.ChangeGroup(c.Context(), id, of)
				if err == nil {
					text = fmt.Sprintf("%d members: %s", g.Members, statesText(g.States))
				}
				return err
			}
			if of.Only != "" {
				err = group()
				return text, err
			}
			err = eitherOr(func() error {
				r, err := client.Change(c.Context(), id, change)
				if err == nil {
					text = wished(r)
				}
				return err
			}, group)
			return text, err
		})
	}
}

// wished says what becomes of a run.
func wished(r *api.Run) string {
	if r.State == job.Running {
		switch r.Wish {
		case job.Pause:
			return "running, will pause"
		case job.Cancel:
			return "running, will be cancelled"
		}
	}
	return string(r.State)
}

func newRm() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "rm ID... [--yes]",
		Short: "Delete runs, or groups of runs, with their directories",
		Long: `Delete runs that are not running, with all of their results. On a terminal it asks before; elsewhere it
needs --yes.`,
		Args: arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		if !yes {
			if !term.IsTerminal(int(os.Stdin.Fd())) {
				return usageError{errors.New("nwl rm deletes results for good, and standard input is no terminal to ask on: say --yes")}
			}
			fmt.Fprintf(c.ErrOrStderr(), "Delete %s with all results? [y/N] ", strings.Join(ids, ", "))
			answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
			if answer = strings.ToLower(strings.TrimSpace(answer)); err != nil || answer != "y" && answer != "yes" {
				return errors.New("nothing was deleted")
			}
		}
		return eachRun(c, ids, func(id string) (string, error) {
			return "deleted", eitherOr(func() error { return client.Delete(c.Context(), id) }, func() error { return client.DeleteGroup(c.Context(), id) })
		})
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
