package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
)

func newEdit() *cobra.Command {
	var title, notes string
	var tags, empty []string
	var priority int
	var memory int64
	var asJSON bool
	c := &cobra.Command{
		Use:     "edit ID [--title TITLE] [--tag TAG]... [--notes NOTES] [--clear FIELD]... [--priority N] [--memory MB] [--json]",
		Short:   "Change what is written about a run",
		Long:    "Change title, tags or notes of a run, whatever its state, or its place among those that wait. Tags\nreplace all that it had.",
		Example: "  nwl edit q10-16x16-1 --title 'with the new network' --tag keep --clear notes",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		change := api.RunChange{}
		if title != "" {
			change.Title = &title
		}
		if notes != "" {
			change.Notes = &notes
		}
		if tags != nil {
			change.Tags = &tags
		}
		if c.Flags().Changed("priority") {
			change.Priority = &priority
		}
		for _, field := range empty {
			switch field {
			case "title":
				change.Title = new(string)
			case "notes":
				change.Notes = new(string)
			case "tags":
				change.Tags = &[]string{}
			default:
				return usageError{fmt.Errorf("--clear %s: it can be title, tags or notes", field)}
			}
		}
		if c.Flags().Changed("memory") {
			change.Memory = &memory
		}
		if change.Title == nil && change.Notes == nil && change.Tags == nil && change.Priority == nil && change.Memory == nil {
			return usageError{errors.New("nothing to change: give --title, --tag, --notes, --clear, --priority or --memory")}
		}
		r, err := client.Change(c.Context(), ids[0], change)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), r)
		}
		return describeRun(c.OutOrStdout(), r)
	})
	c.Flags().StringVar(&title, "title", "", "a line about the run")
	c.Flags().StringArrayVar(&tags, "tag", nil, "a word by which the run can be found")
	c.Flags().StringVar(&notes, "notes", "", "whatever is worth remembering")
	c.Flags().IntVar(&priority, "priority", 0, "runs of a higher one go first, -10..10")
	c.Flags().Int64Var(&memory, "memory", 0, "megabytes that it will need from when it begins next")
	c.Flags().StringSliceVar(&empty, "clear", nil, "leave title, tags or notes empty")
	addJSON(c, &asJSON)
	return c
}

func newClone() *cobra.Command {
	var s api.Submission
	var count int
	c := &cobra.Command{
		Use:   "clone ID [--set key=value]... [--count N] [--id ID]",
		Short: "Submit copies of a run with other settings",
		Long: `Submit a copy of a run, with its configuration, title, tags and notes unless others are given.
With --count there are several, with run.seed counted up from that of --set, or else from the
one after the original's.`,
		Example: "  nwl clone q10-16x16-1 --set system.size=24x24\n  nwl clone q10-16x16-1 --set run.seed=2 --count 7",
		Args:    arguments(cobra.ExactArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		s.From = ids[0]
		if !c.Flags().Changed("count") {
			r, err := client.Submit(c.Context(), s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), r.ID)
			return err
		}
		if count < 1 || s.ID != "" {
			return usageError{errors.New("--count must be positive and goes without --id: the copies get names of their own")}
		}
		of, err := client.Get(c.Context(), s.From)
		if err != nil {
			return err
		}
		cfg, err := config.Compose([]byte(of.Config), slices.Concat(of.Changes, s.Set))
		if err != nil {
			return usageError{err}
		}
		seed := cfg.Run.Seed
		if config.Given(nil, s.Set, "run.seed") == "" {
			seed++
		}
		for n := range count {
			one := s
			one.Set = append(slices.Clone(s.Set), fmt.Sprintf("run.seed=%d", seed+uint64(n)))
			r, err := client.Submit(c.Context(), one)
			if err != nil {
				return fmt.Errorf("after %d of %d copies: %w", n, count, err)
			}
			if _, err := fmt.Fprintln(c.OutOrStdout(), r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	submissionFlags(c, &s)
	c.Flags().IntVar(&count, "count", 1, "how many copies, each with another seed")
	return c
}
