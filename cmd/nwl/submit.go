package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
)

func newSubmit() *cobra.Command {
	var file string
	var s api.Submission
	c := &cobra.Command{
		Use:   "submit [--config FILE] [--set key=value]... [--id ID]",
		Short: "Submit a run to nwl serve",
		Long: `Submit a run to the daemon, which performs it as nwl run would, and print its name.
The configuration is checked by the daemon; relative paths in it are within the daemon's
working directory.`,
		Args: arguments(cobra.NoArgs),
	}
	client := clientFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return usageError{err}
			}
			s.Config = string(text)
		}
		r, err := client().Submit(c.Context(), s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), r.ID)
		return err
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&s.Set, "set", nil, "set a configuration key, as in --set system.q=3")
	c.Flags().StringVar(&s.ID, "id", "", "name of the run and its directory (default <system>-<number>)")
	c.Flags().StringVar(&s.Title, "title", "", "a line about the run, for people")
	c.Flags().StringArrayVar(&s.Tags, "tag", nil, "a word by which the run can be found")
	c.Flags().IntVar(&s.Priority, "priority", 0, "runs of a higher one go first, -10..10")
	c.Flags().StringArrayVar(&s.After, "after", nil, "name of a run that must be done before; if it fails, so does this one")
	c.Flags().StringArrayVar(&s.AfterAny, "after-any", nil, "name of a run that must have ended before, however")
	c.Flags().Int64Var(&s.Memory, "memory", 0, "megabytes that it will need, instead of the daemon's estimate")
	return c
}
