package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/ensemble"
)

// grouping are the flags that make a group of a submission.
type grouping struct {
	name, seeds, betas string
	couplings          []api.Couplings // of several files
}

func (g *grouping) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&g.seeds, "seeds", "", "run a group with these values of run.seed, as in 1..32, and merge their densities of states")
	c.Flags().StringVar(&g.name, "group", "", "name of the group (default made of the system and what is asked for)")
	c.Flags().StringVar(&g.betas, "betas", "", "inverse temperatures at which a group is averaged, as in 0.2,0.4 (default "+ensemble.DefaultBetas+")")
}

// wanted reports whether a submission is one of a group.
func (g *grouping) wanted(s *api.Submission) bool {
	return g.name != "" || g.seeds != "" || g.betas != "" || len(g.couplings) > 0 || ensemble.Several(s.Set)
}

// submit submits a group and prints its name, or waits for it.
func (g *grouping) submit(c *cobra.Command, client *api.Client, s api.Submission, waiting bool) error {
	switch {
	case s.ID != "":
		return usageError{errors.New("--id names one run, and these are several; name the group by --group")}
	case s.Follow != "" || s.Publish:
		return usageError{errors.New("--follow and --publish are for one run, and these are several")}
	}
	a, err := client.SubmitGroup(c.Context(), api.GroupSubmission{
		Name: g.name, Config: s.Config, Set: s.Set, Seeds: g.seeds, Betas: g.betas, Couplings: g.couplings, Title: s.Title, Tags: s.Tags, Notes: s.Notes,
		Priority: s.Priority, After: s.After, AfterAny: s.AfterAny, Memory: s.Memory,
	})
	if err != nil {
		return err
	}
	if waiting {
		logTo(slog.LevelInfo)
		slog.Info("submitted", "group", a.Name, "members", a.Members)
		return awaitGroup(c, client, a.Name)
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), a.Name)
	return err
}
