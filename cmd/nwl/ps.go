package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

func newPs() *cobra.Command {
	var states []string
	var tags []string
	var all, members, asJSON bool
	var group string
	c := &cobra.Command{
		Use:   "ps [--state STATE]... [--tag TAG]... [--group NAME | --members] [--all] [--json]",
		Short: "List the daemon's runs",
		Long: `List runs that have not ended, and those of the last day. Done is the share of the phase, and
LEFT a guess of the time that the phase will still take. A table on a terminal keeps to its width.

A group of runs is one line; --group lists the members of one, and --members those of all. JSON has
the runs alone; nwl groups --json has the groups.`,
		Example: "  nwl ps --state running,paused --tag nightly",
		Args:    noArguments,
	}
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		f := api.Filter{Tags: tags, Group: group, Single: group == "" && !members}
		for _, s := range states {
			if !slices.Contains(job.States, job.State(s)) {
				return usageError{fmt.Errorf("--state %s: the states are %v", s, job.States)}
			}
			f.States = append(f.States, job.State(s))
		}
		var runs []api.Run
		var err error
		if all || states != nil {
			runs, err = client.ListAll(c.Context(), f)
		} else {
			runs, err = recent(c.Context(), client, f, time.Now())
		}
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), runs)
		}
		if f.Single {
			lines, err := groupLines(c.Context(), client, f, all || len(f.States) > 0)
			if err != nil {
				return err
			}
			runs = append(runs, lines...)
		}
		if len(runs) == 0 {
			_, err := fmt.Fprintln(c.ErrOrStderr(), "no runs; --all lists also those that ended more than a day ago")
			return err
		}
		slices.SortStableFunc(runs, order)
		return unlessClosed(printRuns(c.OutOrStdout(), runs, terminalWidth(), time.Now()))
	})
	c.Flags().StringSliceVar(&states, "state", nil, "only runs in these states")
	c.Flags().StringSliceVar(&tags, "tag", nil, "only runs with all of these tags")
	c.Flags().StringVar(&group, "group", "", "members of this group")
	c.Flags().BoolVar(&members, "members", false, "members of groups one by one")
	c.Flags().BoolVar(&all, "all", false, "also runs that ended more than a day ago")
	addJSON(c, &asJSON)
	return c
}

// recentTime is how long a run that ended is still listed.
const recentTime = 24 * time.Hour

// recent lists runs that have not ended, and of the others those of the newest that ended of
// late.
func recent(ctx context.Context, client *api.Client, f api.Filter, now time.Time) ([]api.Run, error) {
	for _, s := range job.States {
		if !s.Final() {
			f.States = append(f.States, s)
		}
	}
	runs, err := client.ListAll(ctx, f)
	if err != nil {
		return nil, err
	}
	page, err := client.List(ctx, api.Filter{Tags: f.Tags, Group: f.Group, Single: f.Single})
	if err != nil {
		return nil, err
	}
	for _, r := range page.Runs {
		if r.State.Final() && now.Sub(r.Ended) < recentTime {
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// terminalWidth is the width of the terminal on standard output, 0 if that is none.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}
