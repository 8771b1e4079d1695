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
		Short: "Pause runs",
		Long: `Pause runs, each with a checkpoint and the results so far, until nwl resume. Trainings and
benchmarks keep no checkpoint: they would begin again.`,
		Args: arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Pause, nil))
	return c
}

func newCancel() *cobra.Command {
	c := &cobra.Command{
		Use:   "cancel ID...",
		Short: "Cancel runs",
		Long:  "Cancel runs, each with the results so far. Their directories stay; nwl rm deletes them.",
		Args:  arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Cancel, nil))
	return c
}

func newResume() *cobra.Command {
	var set []string
	c := &cobra.Command{
		Use:   "resume ID... [--set key=value]...",
		Short: "Go on with runs that were paused or have ended",
		Long: `Go on with runs that were paused, cancelled, have failed or ended, at their last checkpoint and with
the same numbers as if they had never stopped. Limits such as run.max_time may be changed with
--set, as for nwl run --resume; nwl clone makes a new run with other settings. Trainings and
benchmarks begin again, with any settings.`,
		Example: "  nwl resume potts-q10-16x16-1 --set run.max_time=2h",
		Args:    arguments(cobra.MinimumNArgs(1)),
	}
	askingAboutRuns(c, wishing(job.Run, &set))
	c.Flags().StringArrayVar(&set, "set", nil, "change a configuration key, as in --set production.passes=20000")
	return c
}

// wishing tells the daemon what is wanted of runs.
func wishing(w job.Wish, set *[]string) ask {
	return func(c *cobra.Command, client *api.Client, ids []string) error {
		change := api.RunChange{Wish: w}
		if set != nil {
			change.Set = *set
		}
		return eachRun(c, ids, func(id string) (string, error) {
			r, err := client.Change(c.Context(), id, change)
			if err != nil {
				return "", err
			}
			return wished(r), nil
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
		Short: "Delete runs with their directories",
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
		return eachRun(c, ids, func(id string) (string, error) { return "deleted", client.Delete(c.Context(), id) })
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
